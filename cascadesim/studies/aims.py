"""Aims: what a search looks for, and how what was tried is ranked by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.intervals import LEVEL, ROUNDING, holm, p_value
from cascadesim.scenario.objectives import RATES
from cascadesim.studies.replications import at_least, bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.replications import Judgement, Replication

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


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and what each replication came to.

    Trial 0 is today's settings. There are no replications where the scenario refuses the settings.
    """

    number: int
    settings: Settings
    replications: tuple[Replication, ...]

    def at_least(self, measure: str) -> bool:
        """Return whether unfinished requests could move a measure up, see `at_least`."""
        return at_least(self.replications, measure)


@dataclass(frozen=True, slots=True)
class Aims:
    """What a search looks for: goals, and constraints that settings must keep.

    A trial counts by the worst that unfinished requests can make of it: a percentile that they
    could move has no known value, and such a trial is not feasible where it is to be small.
    """

    goals: tuple[Goal, ...]
    constraints: tuple[Objective, ...] = ()

    def costs(self, replications: Sequence[Replication]) -> tuple[float, ...]:
        """Return what to minimize, NaN where nothing was measured."""
        return tuple(_mean([_cost(each, goal) for each in replications]) for goal in self.goals)

    def unknown(self, replications: Sequence[Replication]) -> list[str]:
        """Return the measures of goals that have no upper bound, so that none can be called small.

        Rates have one, see `costs`.
        """
        return [name for name in self.lower_bounds(replications) if name not in RATES]

    def lower_bounds(self, replications: Sequence[Replication]) -> list[str]:
        """Return the measures to be small that unfinished requests could move up."""
        small = (goal.measure for goal in self.goals if not goal.maximize)
        return [name for name in small if at_least(replications, name)]

    def excess(self, replications: Sequence[Replication]) -> float:
        """Return by how much the constraints are missed, as shares of their bounds, 0 for none."""
        if any(map(math.isnan, self.costs(replications))):
            return _MOST_EXCESS * (1 + len(self.constraints))
        judgements = zip(*(each.objectives for each in replications), strict=True)
        missed = (_excess(*both) for both in zip(self.constraints, judgements, strict=True))
        return len(self.unknown(replications)) + sum(missed)

    def feasible(self, trial: Trial) -> bool:
        """Return whether everything is kept and known."""
        return self.excess(trial.replications) == 0

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the best feasible trial by the first goal, the earliest of equals."""
        feasible = [trial for trial in trials if self.feasible(trial)]
        return min(feasible, key=lambda trial: self.costs(trial.replications)[0], default=None)

    def nearest(self, trials: Sequence[Trial]) -> Trial:
        """Return the trial that misses the constraints by the least."""
        return min(trials, key=lambda trial: self.excess(trial.replications))

    def front(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the feasible trials that no other is better than, by the first goal.

        Of those that come to the same it is the earliest.
        """
        distinct: dict[tuple[float, ...], Trial] = {}
        for trial in trials:
            if self.feasible(trial):
                distinct.setdefault(self.costs(trial.replications), trial)
        kept = [costs for costs in distinct if not any(dominates(o, costs) for o in distinct)]
        return [distinct[costs] for costs in sorted(kept)]

    def on_front(self, runs: Mapping[str, Sequence[Replication]]) -> dict[str, bool | None]:
        """Return whether variants are seen on the Pareto front, None for those that are not told.

        One is not on it where another is seen better in one goal and has a worse mean in none, see
        `seen`, with Holm's correction over all others and all goals. It is on it where it is seen
        better than each of the others in some goal, or the same in all of them; but a variant with
        a lower bound for what is to be small is not called so.
        """
        return {label: self._stands(label, runs) for label in runs}

    def _stands(self, label: str, runs: Mapping[str, Sequence[Replication]]) -> bool | None:
        own, others = runs[label], [runs[other] for other in runs if other != label]
        if any(max(row) < 1 and -1 in row for row in seen(self.goals, [(o, own) for o in others])):
            return False
        ahead = zip(seen(self.goals, [(own, other) for other in others]), others, strict=True)
        known = not self.lower_bounds(own)
        return True if known and all(-1 in row or self._same(own, o) for row, o in ahead) else None

    def _same(self, one: Sequence[Replication], other: Sequence[Replication]) -> bool:
        return all(
            bounds(a, goal.measure) == bounds(b, goal.measure)
            for a, b in zip(one, other, strict=True)
            for goal in self.goals
        )


def seen(
    goals: Sequence[Goal], pairs: Sequence[tuple[Sequence[Replication], Sequence[Replication]]]
) -> list[list[int]]:
    """Return for each pair and each goal: -1 where the first is seen better, 1 for a worse mean.

    Differences are taken replication by replication, of the worst that unfinished requests can make
    of the first and the best that they can make of the second; where that has no bound, the first
    counts as worse. A better mean is seen at 5 %, with Holm's correction for all pairs and goals,
    and else 0.
    """
    differences = [
        [_worst(a, goal) - _best(b, goal) for a, b in zip(*pair, strict=True)]
        for pair in pairs
        for goal in goals
    ]
    found = [
        _sign(values, p)
        for values, p in zip(differences, holm([p_value(d) for d in differences]), strict=True)
    ]
    n = len(goals)
    return [found[i : i + n] for i in range(0, len(found), n)]


def _sign(differences: Sequence[float], p: float) -> int:
    mean = _mean(differences) if all(map(math.isfinite, differences)) else math.inf
    if mean > ROUNDING:
        return 1
    return -1 if p < 1 - LEVEL else 0


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether costs are nowhere more than other costs, and somewhere less."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _cost(replication: Replication, goal: Goal) -> float:
    """Return the cost at the worst, or at what is known where there is no worst."""
    worst = _worst(replication, goal)
    return goal.cost(replication.measures[goal.measure]) if math.isinf(worst) else worst


def _worst(replication: Replication, goal: Goal) -> float:
    return max(map(goal.cost, bounds(replication, goal.measure)))


def _best(replication: Replication, goal: Goal) -> float:
    return min(map(goal.cost, bounds(replication, goal.measure)))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _excess(objective: Objective, judgements: Sequence[Judgement]) -> float:
    """Return by how much a constraint is missed, as a share of its bound, 0 where it is met."""
    means = _mean([each.value for each in judgements]), _mean([each.at_most for each in judgements])
    missed = [abs(value - objective.bound) for value in means if not objective.met(value)]
    if not missed:
        return 0.0
    if any(map(math.isnan, missed)):
        return _MOST_EXCESS
    # More than 0 also where the value is the bound itself.
    return max(min(max(missed) / (objective.bound or 1.0), _MOST_EXCESS), 1 / _MOST_EXCESS)
