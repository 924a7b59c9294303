"""Sweep: many settings, each in the same replications, as one tidy table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.effects import Effects, Level, main_effects
from cascadesim.analysis.effects import effects as find_effects
from cascadesim.analysis.percentiles import PERCENTILES, too_few
from cascadesim.files import without_nan, write_files
from cascadesim.outputs import Shown, output
from cascadesim.scenario.objectives import ANSWERED
from cascadesim.studies.design import Design, design
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.replay import part_of
from cascadesim.studies.replications import MEASURES, variant_of
from cascadesim.studies.run import seed_of
from cascadesim.studies.runs import KeptRuns, run_alone
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.design import Varying
    from cascadesim.studies.replay import Progress
    from cascadesim.studies.replications import Job, Replication, Variant

FILES = ("sweep.parquet", "sweep.csv", "effects.csv")  # of a saved sweep


@dataclass(frozen=True, repr=False)
class Sweep(Shown):
    """Every setting of a design, each in the same replications."""

    scenario: Scenario
    seed: int
    design: Design
    runs: list[KeptRuns]  # of each setting
    too_short: bool = False  # whether a run was too short to tell where its warm-up ends

    @property
    def vary(self) -> tuple[str, ...]:
        """Return the dotted paths that are varied."""
        return self.design.paths

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Return the settings, by dotted path."""
        return self.design.settings

    @property
    def replications(self) -> list[tuple[Replication, ...]]:
        """Return the replications of each setting."""
        return [runs.replications for runs in self.runs]

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row for each setting and percentile.

        Columns: setting (its number), one for each varied path, percentile, latency_s (the mean
        over replications) with low_s and high_s (95 %, NaN for a single replication), at_least
        (whether unfinished requests could move it up); and the same for every percentile of a
        setting: answered_rate, goodput_per_s and error_rate (means), and met (every objective).
        """
        import pandas as pd  # slow to import, and not every command needs it

        rows = []
        for place, (settings, runs) in enumerate(zip(self.settings, self.runs, strict=True)):
            others = {
                ANSWERED: runs.measure(ANSWERED).estimate,
                "goodput_per_s": runs.measure("goodput").estimate,
                "error_rate": runs.measure("error_rate").estimate,
                "met": runs.met,
            }
            for name in PERCENTILES:
                mean = runs.measure(name)
                latency = {
                    "latency_s": mean.estimate,
                    "low_s": mean.low,
                    "high_s": mean.high,
                    "at_least": runs.at_least(name),
                }
                rows.append({"setting": place, **settings, "percentile": name, **latency, **others})
        return pd.DataFrame(rows)

    def ranked(self, percentile: str = "p99") -> list[int]:
        """Return the places of the settings, those that answer most requests in time first.

        Of settings that answer as many, to a hundredth of a percent, the lowest percentile comes
        first, and a lower bound after all that are known, however low it is. Settings without
        measured requests come last.
        """
        values = [runs.measure(percentile).estimate for runs in self.runs]
        answered = [-round(runs.measure(ANSWERED).estimate, 4) for runs in self.runs]
        bounds = self.at_least(percentile)
        return sorted(
            range(len(values)),
            key=lambda i: (math.isnan(values[i]), answered[i], bounds[i], values[i]),
        )

    def at_least(self, measure: str) -> list[bool]:
        """Return for each setting whether unfinished requests could move a measure up."""
        return [runs.at_least(measure) for runs in self.runs]

    def too_few(self, measure: str = "p99") -> list[int]:
        """Return the places of the settings with a run of fewer than FEW requests beyond it.

        That is of percentiles below the maximum where a scenario plans no faults; of others there
        are none, as an incident happens once, however long the run.
        """
        if measure not in PERCENTILES or self.scenario.model.has_planned_faults:
            return []
        return [
            place
            for place, runs in enumerate(self.runs)
            if too_few(min(run.requests for run in runs.replications), [measure])
        ]

    def values(self, measure: str) -> Any:
        """Return a measure as an array with a row for each setting and a column a replication."""
        if measure not in MEASURES:
            message = f"expected one of {', '.join(MEASURES)}"
            raise ScenarioError(message, f"measure {measure}")
        return np.array([runs.values(measure) for runs in self.runs])

    def shares(self, measure: str = "p99") -> Effects:
        """Return what one of MEASURES depends on, and what is not known of that."""
        design, values, bounds = self.design, self.values(measure), self.at_least(measure)
        return find_effects(
            measure, design.vary, design.settings, values, design.kind, self.seed, bounds
        )

    def effects(self, measure: str = "p99") -> pd.DataFrame:
        """Return the share of each setting in the variance of a measure, most important first.

        Columns: setting, first_order (what it explains alone), total_order (with others as well),
        and the bounds of their 95 % intervals, first_order_low and so on; NaN where not known, see
        `shares`.
        """
        return self.shares(measure).frame

    def levels(self, measure: str = "p99") -> list[Level]:
        """Return the mean of a measure for each value of each setting, over all the others."""
        design = self.design
        values, bounds = self.values(measure), self.at_least(measure)
        return main_effects(design.vary, design.settings, values, design.kind, bounds)

    def main_effects(self, measure: str = "p99") -> pd.DataFrame:
        """Return the mean of a measure for each value of each setting, over all the others.

        Columns: setting, value (a range where a sample has too many), along (how far it is along
        the values of the setting, 0 to 1), the mean by the name that `frame` gives it, settings,
        the number that it is of, and at_least, whether it is a lower bound.
        """
        import pandas as pd

        names = {"goodput": "goodput_per_s", **dict.fromkeys((*PERCENTILES, "mean"), "latency_s")}
        fields = ("setting", "value", "along", "mean", "settings", "at_least")
        rows = [attrgetter(*fields)(level) for level in self.levels(measure)]
        return pd.DataFrame(rows, columns=fields).rename(
            columns={"mean": names.get(measure, measure)}
        )

    def to_dict(self, measure: str = "p99") -> dict[str, Any]:
        """Return the sweep as plain data: scenario, variant, seed, and `frame`.

        `effects` is what a measure depends on, and `too_few` the numbers of the settings with too
        few requests beyond it to trust it, see `too_few`. NaN is null.
        """
        return {
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "seed": self.seed,
            "replications": self.design.replications,
            "rows": without_nan(self.frame.to_dict("records")),
            "effects": self.shares(measure).to_dict(),
            "too_few": self.too_few(measure),
        }

    def plot(self, measure: str = "p99", ax: Axes | None = None) -> Axes:
        """Draw a measure: a line over one setting, a heat map over a grid of two.

        Over others it is lines of main effects: the mean along the values of each setting.
        """
        axes: Axes = output("sweep")(self, measure, ax)
        return axes

    def save(self, folder: Path, measure: str = "p99") -> None:
        """Write sweep.parquet, sweep.csv, and effects.csv of a measure into a folder.

        Raises ScenarioError where that is not possible.
        """
        frame, effects = self.frame, self.effects(measure)
        # A column of durations and numbers is text to Parquet.
        paths = {path: frame[path].map(str) for path in self.vary}
        parquet = partial(frame.assign(**paths).to_parquet, index=False)
        tables = (partial(table.to_csv, index=False) for table in (frame, effects))
        write_files(folder, dict(zip(FILES, (parquet, *tables), strict=True)))


def sweep(
    scenario: Scenario,
    vary: Varying = (),
    sample: str | None = None,
    replications: int | None = None,
    seed: int | None = None,
    execution: Execution = HERE,
    progress: Progress = None,
) -> Sweep:
    """Run a scenario with many settings, each in the same replications.

    What to `vary` is also taken as a text or several, see `parse_vary`, or as a mapping such as
    {"agent.deadline.timeout": ["5s", "10s"], "agent.concurrency": "5..20:5"}, as a scenario has it;
    without any it is what the scenario's `sweep` says. The settings are all combinations, or a
    `sample` such as "sobol:64", and `replications` is their number for each (1 if not given);
    both take precedence over those of the scenario's sweep. `execution` is where the runs take
    place. Raises ScenarioError for a setting that the scenario does not accept, before anything is
    run.
    """
    chosen = design(scenario, vary, sample, replications, seed)
    return run_design(scenario, chosen, seed, execution, progress)


def run_design(
    scenario: Scenario,
    design: Design,
    seed: int | None = None,
    execution: Execution = HERE,
    progress: Progress = None,
) -> Sweep:
    """Run a scenario with the settings of a design; see `sweep`."""
    seed = seed_of(scenario, seed)
    total = runs(scenario, design)
    warmups = total - design.runs
    with execution.open() as runner:
        settling = part_of(progress, 0, total, warmups)
        variants, too_short = _variants(
            scenario, design, seed, lambda jobs: runner.run(jobs, settling)
        )
        running = part_of(progress, warmups, total, design.runs)
        kept = run_alone(variants, seed, design.replications, runner, running)
    by_setting = dict(zip(design.distinct, kept, strict=True))
    by_place = [by_setting[str(settings)] for settings in design.settings]
    return Sweep(scenario, seed, design, by_place, too_short)


def runs(scenario: Scenario, design: Design) -> int:
    """Return the number of runs of a design, with those that find a warm-up of `auto`."""
    given = scenario.model.warmup
    warmups = [settings.get("warmup", given) for settings in design.distinct.values()]
    return design.runs + warmups.count("auto")


def _variants(
    scenario: Scenario,
    design: Design,
    seed: int,
    run: Callable[[Sequence[Job]], list[list[Replication]]],
) -> tuple[list[Variant], bool]:
    """Return the plan of every distinct setting, and whether a run was too short for a warm-up.

    Plans alone, as scenarios take far more memory.
    """
    variants: dict[str, Variant] = {}
    unsettled: dict[str, Scenario] = {}
    for key, settings in design.distinct.items():
        changed = scenario.override(settings, design.where)
        if changed.model.warmup == "auto":
            unsettled[key] = changed
        variants[key] = variant_of(changed)
    with_warmup = settled(unsettled, seed, run)
    variants |= {key: variant_of(changed) for key, changed in with_warmup.items()}
    return list(variants.values()), any(changed.too_short for changed in with_warmup.values())
