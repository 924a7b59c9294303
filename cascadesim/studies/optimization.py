"""The result of an optimization: settings, and their runs in fresh replications."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim import MOST_SEED, __version__
from cascadesim.files import without_nan, write_text
from cascadesim.outputs import Shown, output
from cascadesim.scenario.beside import moved
from cascadesim.scenario.source import write
from cascadesim.studies.aims import TODAY, Aims, Goal, Trial, contrasts
from cascadesim.studies.compare import Comparison, differences
from cascadesim.studies.replications import MEASURES
from cascadesim.studies.search import Tunable
from cascadesim.studies.verdict import column, verdict
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.analysis.intervals import Interval
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.vary import Vary
    from cascadesim.studies.runs import KeptRuns

# Shown whatever the goals are: a service is not better for being fast and of no use.
OUTCOMES = (Goal("error_rate"), Goal("degraded_rate"), Goal("goodput", maximize=True))


@dataclass(frozen=True, repr=False)
class Optimization(Shown):
    """The result of a search for better settings, confirmed in fresh replications.

    `scenario` is what was searched, at today's settings, and `trials` are in the order in which
    they were tried, today's first. `chosen` is the best of them, or with several goals their Pareto
    front; `finalists` are those of the best that had more replications to see whether they keep the
    constraints, with all of them. `proposals` are those that were confirmed, by the name of their
    variant; none where today's settings are the best. `proposed` is the scenario with today and the
    proposals as variants, and `confirmation` their comparison in fresh replications; both are None
    where no settings keep the constraints.
    """

    scenario: Scenario
    seed: int
    tune: tuple[Vary, ...]
    aims: Aims
    trials: list[Trial]
    chosen: list[Trial]
    finalists: list[Trial]
    proposals: dict[str, Trial] = field(default_factory=dict)
    left_out: int = 0  # points of the Pareto front that were not confirmed
    proposed: Scenario | None = None
    confirmation: Comparison | None = None

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the measures of the goals."""
        return tuple(goal.measure for goal in self.aims.goals)

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the measures of the goals, and of OUTCOMES, that are shown of each variant."""
        return tuple(dict.fromkeys([*self.measures, *(goal.measure for goal in OUTCOMES)]))

    @property
    def labels(self) -> list[str]:
        """Return today and the proposals."""
        return [TODAY, *self.proposals]

    @property
    def replications(self) -> int:
        """Return the number of replications of each trial."""
        return len(self.trials[0].replications)

    def changed(self, trial: Trial) -> dict[str, Any]:
        """Return the settings of a trial that differ from today's."""
        if trial.number == 0:
            return {}
        tried = self.scenario.override(trial.settings)
        tunables = [Tunable(vary, self.scenario) for vary in self.tune]
        return {t.path: trial.settings[t.path] for t in tunables if not t.is_today(tried)}

    def value(self, trial: Trial, measure: str) -> float:
        """Return the mean of a measure, or of the metric of a constraint, over replications."""
        if trial.runs is None:
            return math.nan
        if measure in MEASURES:
            return trial.runs.measure(measure).estimate
        judged = (one for one in trial.runs.objectives if one.objective.measure == measure)
        return next(judged).value.estimate

    @property
    def confirmed_runs(self) -> dict[str, KeptRuns]:
        """Return the runs of today and the proposals in fresh replications."""
        assert self.confirmation is not None
        return {label: self.confirmation.runs[label] for label in self.labels}

    def confirmed(self, label: str, measure: str) -> Interval:
        """Return the mean of a measure in fresh replications, with its interval."""
        return self.confirmed_runs[label].measure(measure)

    def at_least(self, label: str, measure: str) -> bool:
        """Return whether unfinished requests could move a measure up in fresh replications."""
        return self.confirmed_runs[label].at_least(measure)

    def differences(self, measure: str) -> dict[str, Contrast]:
        """Return how each proposal differs from today in a measure, in fresh replications.

        p-values are corrected for the number of proposals (Holm).
        """
        return differences(self.confirmed_runs, measure)

    def missed(self, label: str) -> list[str]:
        """Return the constraints that a variant misses in fresh replications."""
        limits = {constraint.limit for constraint in self.aims.constraints}
        missed = (one.objective for one in self.confirmed_runs[label].objectives if not one.met)
        return [objective.text for objective in missed if objective.limit in limits]

    @cached_property
    def on_front(self) -> dict[str, bool | None]:
        """Return whether each confirmed variant is seen on the Pareto front, see `Aims.on_front`.

        None where it is not seen. Variants that miss a constraint in fresh replications are not on
        it, and not compared with.
        """
        runs = self.confirmed_runs
        keep = {label: runs[label] for label in runs if not self.missed(label)}
        return dict.fromkeys(self.labels, False) | self.aims.on_front(keep)

    @cached_property
    def worse(self) -> dict[str, list[str]]:
        """Return which OUTCOMES of each proposal are seen worse than today's, goals left aside.

        Differences are paired by replication, and seen at 5 % after Holm's correction for the
        number of proposals and outcomes, whatever unfinished requests do to them.
        """
        runs = self.confirmed_runs
        rows = contrasts(OUTCOMES, runs[TODAY], [runs[label] for label in self.proposals])
        return {
            label: [
                goal.measure
                for goal, change in zip(OUTCOMES, row, strict=True)
                if goal.seen(change) > 0 and goal.measure not in self.measures
            ]
            for label, row in zip(self.proposals, rows, strict=True)
        }

    @property
    def met(self) -> bool:
        """Return whether what is proposed keeps every constraint in fresh replications.

        Where several settings are proposed, one that does is enough; where none is better than
        today's, it is they that must.
        """
        if self.confirmation is None:
            return False
        return any(not self.missed(label) for label in self.proposals or [TODAY])

    @property
    def verdict(self) -> str:
        """Return what to make of it, in a sentence or two."""
        return verdict(self)

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a trial.

        Columns: trial (0 is today's settings), one for each tuned path, one for each measure of a
        goal or a constraint (means over replications; latencies in seconds end in _s), at_least
        (whether unfinished requests could move one of the goals' measures up), feasible (whether
        the constraints are kept, as far as is known), and best, or on_front with several goals.
        """
        import pandas as pd  # slow to import, and not every command needs it

        chosen = {trial.number for trial in self.chosen}
        is_chosen = "on_front" if len(self.aims.goals) > 1 else "best"
        constraints = (constraint.measure for constraint in self.aims.constraints)
        metrics = dict.fromkeys([*self.measures, *constraints])
        return pd.DataFrame(
            [
                {
                    "trial": trial.number,
                    **trial.settings,
                    **{column(name): self.value(trial, name) for name in metrics},
                    "at_least": any(map(trial.at_least, self.measures)),
                    "feasible": self.aims.feasible(trial),
                    is_chosen: trial.number in chosen,
                }
                for trial in self.trials
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the optimization as plain data.

        Keys: cascadesim (version), scenario, variant, seed, replications; goals and constraints;
        trials (the rows of `frame`, null for NaN), left_out; proposals (for each confirmed variant,
        today first, its changed `settings`, the `missed` constraints, `on_front` (null where it
        is not seen), which outcomes are seen `worse` than today's, and its `measures` in fresh
        replications, those of goals and of OUTCOMES, with the difference from today), confirmation
        (its seed and number of replications); met and verdict.
        """
        confirmation = self.confirmation and {
            "seed": fresh_seed(self.seed),
            "replications": self.confirmation.count,
        }
        return {
            "cascadesim": __version__,
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "seed": self.seed,
            "replications": self.replications,
            "goals": [asdict(goal) for goal in self.aims.goals],
            "constraints": [constraint.text for constraint in self.aims.constraints],
            "trials": without_nan(self.frame.to_dict("records")),
            "left_out": self.left_out,
            "confirmation": confirmation,
            "proposals": {label: self._proposal(label) for label in self.labels if confirmation},
            "met": self.met,
            "verdict": self.verdict,
        }

    def _proposal(self, label: str) -> dict[str, Any]:
        measures = {}
        for name in self.shown:
            value: dict[str, Any] = self.confirmed(label, name).to_dict("value")
            value["at_least"] = self.at_least(label, name)
            if label in self.proposals:
                change = self.differences(name)[label]
                value["difference"] = change.interval.to_dict("value")
                value["difference"]["p_value"] = without_nan(change.p_value)
            measures[column(name)] = value
        return {
            "settings": self.changed(self.proposals.get(label, self.trials[0])),
            "missed": self.missed(label),
            "on_front": self.on_front[label],
            "worse": self.worse.get(label, []),
            "measures": measures,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the search: over its trials, or with two goals one against the other."""
        axes: Axes = output("optimization")(self, ax)
        return axes

    def save(self, path: str | Path, command: str = "cascadesim.optimize") -> None:
        """Write the scenario with today's settings and the proposed ones as variants.

        `command` is what its comment says has made it. Raises ScenarioError where the file cannot
        be written, and where there is nothing to propose.
        """
        if self.proposed is None or self.confirmation is None:
            raise ScenarioError("is not written: no settings keep the constraints", str(path))
        file = Path(path)
        again = f"--seed {fresh_seed(self.seed)} --replications {self.confirmation.count}"
        comment = (
            f"Written by cascadesim {__version__}; these variants were compared by\n"
            f"`cascadesim compare` on this file with {again}, after\n{command}"
        )
        write_text(file, write(moved(self.proposed.document, file.parent), comment))


def fresh_seed(seed: int) -> int:
    """Return the seed of replications that a search with this seed has not run."""
    return seed + 1 if seed < MOST_SEED else 0
