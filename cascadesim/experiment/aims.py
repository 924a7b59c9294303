"""Aims: what a search looks for, and how what was tried is ranked by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.scenario.objectives import RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.experiment.replications import Judgement, Replication
    from cascadesim.scenario.objectives import Objective

    Settings = dict[str, Any]  # values as they are written in a scenario, by dotted path

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
        """Return whether unfinished requests could move a measure up, see `is_at_least`."""
        return is_at_least(self.replications, measure)


def is_at_least(replications: Sequence[Replication], measure: str) -> bool:
    """Return whether unfinished requests could move a measure up."""
    if measure == "mean" or (measure in RATES and measure != "unfinished_rate"):
        return any(each.measures["unfinished_rate"] > 0 for each in replications)
    return any(measure in each.at_least for each in replications)


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
        """Return the measures of goals that are lower bounds, so that none can be called small."""
        small = (goal.measure for goal in self.goals if not goal.maximize)
        return [name for name in small if any(name in each.at_least for each in replications)]

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


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether costs are nowhere more than other costs, and somewhere less."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _cost(replication: Replication, goal: Goal) -> float:
    value = replication.measures[goal.measure]
    if goal.measure in RATES and goal.measure != "unfinished_rate" and not goal.maximize:
        value += replication.measures["unfinished_rate"]  # which may all come to that outcome
    return goal.cost(value)


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
