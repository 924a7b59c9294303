"""One run of a scenario, and the files it leaves."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from cascadesim import MOST_SEED, __version__
from cascadesim.analysis.composition import composition
from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.analysis.summary import Summary, summarize
from cascadesim.engine import simulate
from cascadesim.engine import trace as run_traced
from cascadesim.files import from_here, json_text, write_files
from cascadesim.outputs import Shown, output
from cascadesim.scenario.beside import with_data
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import without_variants
from cascadesim.scenario.source import flow, write
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.axes import Axes

    from cascadesim.analysis.composition import Composition
    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records, Trace
    from cascadesim.scenario.load import Scenario

FILES = ("requests.parquet", "requests.csv", "summary.json", "scenario.yaml")  # of a saved run


@dataclass(frozen=True, repr=False)
class Result(Shown):
    """A scenario, the seed it ran with, its records, and the plan that was simulated."""

    scenario: Scenario
    seed: int
    records: Records
    plan: Plan

    @cached_property
    def summary(self) -> Summary:
        """Return percentiles, outcomes, goodput and verdicts."""
        return summarize(self.records, self.scenario.objectives)

    def composition(self, name: str = "p99") -> Composition:
        """Return what a percentile, or the mean, is made of, by stage and cause."""
        return composition(self.records, name)

    @property
    def connections(self) -> dict[str, Any]:
        """Return the counts of connections as plain data under that name, {} without any."""
        counts = self.records.connections
        return {} if counts is None else {"connections": asdict(counts)}

    @cached_property
    def trace(self) -> Trace:
        """Return when each request was where, and levels; see `Trace`. It is simulated again."""
        return run_traced(self.plan, self.seed)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Return one row a request; see `Records.frame` for the columns."""
        return self.records.frame()

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data.

        Keys: scenario, variant, overrides (settings given beside it, by dotted path), seed,
        cascadesim (version), percentile_definition, what `Summary.to_dict` gives, and connections
        (their counts, as in ConnectionCounts) where messages come over some.
        """
        return {
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "overrides": self.scenario.overrides,
            "seed": self.seed,
            "cascadesim": __version__,
            "percentile_definition": DEFINITION,
            **self.summary.to_dict(),
            **self.connections,
        }

    def save(self, folder: str | Path) -> None:
        """Write requests.parquet, requests.csv, summary.json and scenario.yaml into a folder.

        The scenario is the one that ran, variant, overrides and seed applied, so that `cascadesim
        run FOLDER` repeats the run; the comment at its top is the command that made it. To a
        repeat it is a scenario like any other: its summary has the same figures, but names no
        variant and no overrides, and its scenario names this one as its origin. What the scenario
        has read from files stands beside it in data-1.csv, …. Raises ScenarioError where the folder
        cannot be written; then nothing in it has changed.
        """
        comment = (
            f"Written by cascadesim {__version__}; `cascadesim run` on this file repeats\n"
            f"{self._command()}"
        )
        document, texts = with_data(self.scenario)
        document = without_variants(document)
        document = replace(document, data=document.data | {"seed": self.seed})
        texts |= {
            "summary.json": json_text(self.to_dict()),
            "scenario.yaml": write(document, comment),
        }
        writers: dict[str, Callable[[Path], object]] = {
            name: partial(Path.write_text, data=text, encoding="utf-8")
            for name, text in texts.items()
        }
        writers["requests.parquet"] = partial(self.frame.to_parquet, index=False)
        writers["requests.csv"] = partial(self.frame.to_csv, index=False)
        write_files(Path(folder), writers)

    def plot(self, kind: str = "latency", ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one of the figures of `cascadesim.plots.kinds.KINDS`.

        `options` are those of the figure: `request` of a timeline, `name` of a pool. Raises
        ScenarioError where there is no such figure, or nothing to draw.
        """
        axes: Axes = output("draw")(kind, self, ax, **options)
        return axes

    def export(self, kind: str, path: str | Path) -> None:
        """Write every request as a trace: `kind` is "otlp-json" or "chrome-trace".

        Raises ScenarioError for another kind, and where the file cannot be written.
        """
        output("export")(self, kind, path)

    def _command(self) -> str:
        words = ["cascadesim", "run", from_here(self.scenario.document.source)]
        if self.scenario.variant is not None:
            words += ["--variant", self.scenario.variant]
        for path, value in self.scenario.overrides.items():
            words += ["--set", f"{path}={flow(value)}"]
        return shlex.join([*words, "--seed", str(self.seed)])


def run(
    scenario: Scenario, seed: int | None = None, progress: Callable[[float], None] | None = None
) -> Result:
    """Simulate a scenario once, by its own seed unless one is given.

    A warm-up of `auto` is found first; the result's scenario has it in seconds.
    `progress` is called with the share of simulated time that is done.
    """
    seed = seed_of(scenario, seed)
    (scenario,) = settled({"": scenario}, seed).values()
    plan = compile_plan(scenario.model)
    return Result(scenario, seed, simulate(plan, seed, progress=progress), plan)


def check_count(option: str, number: int | None, least: int = 1) -> None:
    """Raise a ScenarioError for a number, if one is given, that is less than the least."""
    if number is not None and number < least:
        raise ScenarioError(f"expected a number from {least}", f"--{option} {number}")


def seed_of(scenario: Scenario, seed: int | None) -> int:
    """Return the seed that is given, or else the scenario's.

    Raises ScenarioError for what is no whole number from 0 to MOST_SEED.
    """
    if seed is None:
        return scenario.model.seed
    if isinstance(seed, bool) or not isinstance(seed, SupportsIndex) or not 0 <= seed <= MOST_SEED:
        raise ScenarioError("expected a whole number from 0 to 10^18", f"--seed {seed}")
    return index(seed)
