"""Aims: what a search looks for, and how the settings it tried are ranked by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.contrast import Contrast, corrected
from cascadesim.analysis.intervals import ROUNDING
from cascadesim.scenario.objectives import RATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cascadesim.analysis.judged import Judged
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.replications import Replication
    from cascadesim.studies.runs import KeptRuns, Runs

    Settings = dict[str, Any]  # values as they are written in a scenario, by dotted path

TODAY, OPTIMIZED = "today", "optimized"  # variants of a scenario that was searched
_MOST_EXCESS = 1e6  # by which a constraint is missed, as a share of its bound


@dataclass(frozen=True, slots=True)
class Goal:
    """A measure to make small, or large."""

    measure: str
    maximize: bool = False

    def cost(self, value: float) -> float:
        """Return a number that is less for a better value."""
        return -value if self.maximize else value

    def seen(self, change: Contrast) -> int:
        """Return -1 where the measure is seen to become better, 1 for worse, else 0."""
        return int(self.cost(change.direction))

    def may_be_worse(self, change: Contrast) -> bool:
        """Return whether the mean is worse after, or could be by unfinished requests."""
        worst = change.least if self.maximize else change.most
        return not self.cost(worst.difference.estimate) <= ROUNDING  # also where it is NaN


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and their runs; None where the scenario refuses the settings.

    Trial 0 is today's settings.
    """

    number: int
    settings: Settings
    runs: KeptRuns | None

    @property
    def replications(self) -> tuple[Replication, ...]:
        """Return what is kept of each replication."""
        return () if self.runs is None else self.runs.replications

    def at_least(self, measure: str) -> bool:
        """Return whether unfinished requests could move a measure up."""
        return self.runs is not None and self.runs.at_least(measure)


@dataclass(frozen=True, slots=True)
class Aims:
    """What a search looks for: goals, and constraints that settings must keep.

    A trial counts by the worst that unfinished requests can make of it: a percentile that they
    could move has no known value, and such a trial is not feasible where it is to be small.
    """

    goals: tuple[Goal, ...]
    constraints: tuple[Objective, ...] = ()

    def costs(self, runs: Runs | None) -> tuple[float, ...]:
        """Return what to minimize for each goal, NaN where nothing was measured."""
        if runs is None:
            return (math.nan,) * len(self.goals)
        return tuple(
            _mean([_cost(goal, bounds) for bounds in runs.bounds(goal.measure)])
            for goal in self.goals
        )

    def unknown(self, runs: Runs) -> list[str]:
        """Return the measures of goals that have no upper bound, so that none can be called small.

        Rates have one, see `costs`.
        """
        return [name for name in self.lower_bounds(runs) if name not in RATES]

    def lower_bounds(self, runs: Runs) -> list[str]:
        """Return the measures to be small that unfinished requests could move up."""
        small = (goal.measure for goal in self.goals if not goal.maximize)
        return [name for name in small if runs.at_least(name)]

    def excess(self, runs: Runs | None) -> float:
        """Return by how much the constraints are missed, as shares of their bounds, 0 for none."""
        if runs is None or any(map(math.isnan, self.costs(runs))):
            return _MOST_EXCESS * (1 + len(self.constraints))
        return len(self.unknown(runs)) + sum(map(_excess, runs.objectives))

    def feasible(self, trial: Trial) -> bool:
        """Return whether everything is kept and known."""
        return self.excess(trial.runs) == 0

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the best feasible trial by the first goal, the earliest of equals."""
        feasible = [trial for trial in trials if self.feasible(trial)]
        return min(feasible, key=lambda trial: self.costs(trial.runs)[0], default=None)

    def nearest(self, trials: Sequence[Trial]) -> Trial:
        """Return the trial that misses the constraints by the least."""
        return min(trials, key=lambda trial: self.excess(trial.runs))

    def front(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the feasible trials that no other is better than, by the first goal.

        Of those with the same costs it is the earliest.
        """
        distinct: dict[tuple[float, ...], Trial] = {}
        for trial in trials:
            if self.feasible(trial):
                distinct.setdefault(self.costs(trial.runs), trial)
        kept = [costs for costs in distinct if not any(dominates(o, costs) for o in distinct)]
        return [distinct[costs] for costs in sorted(kept)]

    def on_front(self, runs: Mapping[str, Runs]) -> dict[str, bool | None]:
        """Return whether variants are seen on the Pareto front, None where it is not known.

        One is not on it where another is seen better in one goal and has a worse mean in none,
        whatever unfinished requests do to it. It is on it where each of the others is seen worse in
        some goal, or is the same in all of them; but a variant with a lower bound for what is to be
        small is not called so. Differences are corrected for all others and all goals.
        """
        return {label: self._stands(label, runs) for label in runs}

    def _stands(self, label: str, runs: Mapping[str, Runs]) -> bool | None:
        variant, others = runs[label], [runs[other] for other in runs if other != label]
        ahead = not self.lower_bounds(variant)
        for other, row in zip(others, contrasts(self.goals, variant, others), strict=True):
            changes = list(zip(self.goals, row, strict=True))
            seen = [goal.seen(change) for goal, change in changes]
            if -1 in seen and not any(goal.may_be_worse(change) for goal, change in changes):
                return False
            same = all(variant.bounds(g.measure) == other.bounds(g.measure) for g in self.goals)
            ahead = ahead and (1 in seen or same)
        return True if ahead else None


def contrasts(goals: Sequence[Goal], first: Runs, others: Sequence[Runs]) -> list[list[Contrast]]:
    """Return how each of the others differs from the first in the measure of each goal.

    p-values are corrected for the number of all of them (Holm).
    """
    n = len(goals)
    flat = corrected([first.contrast(o, goal.measure) for o in others for goal in goals])
    return [flat[i : i + n] for i in range(0, len(flat), n)]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether costs are nowhere more than other costs, and somewhere less."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _cost(goal: Goal, bounds: tuple[float, float]) -> float:
    """Return the cost at the worst, or at what is known where there is no worst."""
    worst = max(map(goal.cost, bounds))
    return goal.cost(bounds[0]) if math.isinf(worst) else worst


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _excess(judged: Judged) -> float:
    """Return by how much a constraint is missed, as a share of its bound, 0 where it is met."""
    objective = judged.objective
    pairs = [(judgement.value, judgement.at_most) for judgement in judged.judgements]
    means = map(_mean, zip(*pairs, strict=True))
    missed = [abs(value - objective.bound) for value in means if not objective.met(value)]
    if not missed:
        return 0.0
    if any(map(math.isnan, missed)):
        return _MOST_EXCESS
    # More than 0 also where the value is the bound itself.
    return max(min(max(missed) / (objective.bound or 1.0), _MOST_EXCESS), 1 / _MOST_EXCESS)
