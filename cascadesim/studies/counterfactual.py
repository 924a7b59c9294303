"""Counterfactuals: what one request, and all of them, would have come to in other worlds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.percentiles import Percentile
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.scenario.source import flow
from cascadesim.shown import lower_bound, percent
from cascadesim.studies.processes import in_processes
from cascadesim.values.errors import cut, one_line
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.studies.candidates import Candidate

MOVED = 0.001  # seconds by which a request's latency differs where it is called another
WORSE = 1.01  # times by which the p99 of all grows where it is called worse
WORSE_RATE = 0.001  # and the share by which the error rate or the degraded rate of all does
_VALUE = 30  # characters of a setting's value


@dataclass(frozen=True, slots=True)
class World:
    """What one request came to in a world, and what all requests that are measured did.

    `latency` is in seconds, that of an unfinished request its age at the end of the run; `in_time`
    says that it ended within the first latency objective, if there is one; `ended_by`
    is the dotted path of what made an error of the request or brought it to its fallback; `mostly`
    is the setting that governs the largest part of its time, and `mostly_for` that part in seconds;
    the rates are shares of all.
    """

    latency: float
    outcome: Outcome
    in_time: bool
    ended_by: str | None
    mostly: str | None
    mostly_for: float
    p99: Percentile
    error_rate: float
    degraded_rate: float
    unfinished_rate: float

    @property
    def at_least(self) -> bool:
        """Return whether the request is unfinished, so that its latency is a lower bound."""
        return self.outcome is Outcome.UNFINISHED

    @property
    def rank(self) -> int:
        """Return how well the request ended, from 0 (best) to 3.

        In time, an answer is better than a degraded one, and that is better than an error. What is
        not in time is of no use, whatever it is, and neither is what was never answered as its
        connection was lost; there only the latency counts.
        """
        useful = self.in_time and self.outcome is not Outcome.DISCONNECTED
        return min(self.outcome, Outcome.REJECTED) if useful else 3

    def better_than(self, other: World) -> bool:
        """Return whether the request ended better here, or as well and in less time."""
        if self.rank != other.rank:
            return self.rank < other.rank
        return self.latency < other.latency - MOVED

    def hurts(self, today: World) -> bool:
        """Return whether all requests are worse off here, by their p99 or one of their rates.

        Only what is so whatever the unfinished requests of both worlds come to.
        """
        return self.p99_worse(today) or self.errors_worse(today) or self.degraded_worse(today)

    def p99_worse(self, today: World) -> bool:
        """Return whether the p99 of all is worse here."""
        return self.p99.seconds > today.p99.at_most * WORSE

    def errors_worse(self, today: World) -> bool:
        """Return whether the error rate of all is worse here."""
        return self.error_rate > today.error_rate + today.unfinished_rate + WORSE_RATE

    def degraded_worse(self, today: World) -> bool:
        """Return whether the degraded rate of all is worse here, by more than it takes of errors.

        A degraded reply is better than an error.
        """
        more = self.degraded_rate - today.degraded_rate - today.unfinished_rate
        return min(more, more + self.error_rate - today.error_rate) > WORSE_RATE

    @property
    def errors_text(self) -> str:
        """Return the error rate of all, after ">" where it is a lower bound."""
        return lower_bound(percent(self.error_rate), self.unfinished_rate > 0)

    @property
    def degraded_text(self) -> str:
        """Return the degraded rate of all, after ">" where it is a lower bound."""
        return lower_bound(percent(self.degraded_rate), self.unfinished_rate > 0)

    def row(self) -> dict[str, Any]:
        """Return the world as it stands in a row of `Explanation.frame`."""
        return {
            "latency_s": self.latency,
            "at_least": self.at_least,
            "outcome": self.outcome.word,
            "in_time": self.in_time,
            "ended_by": self.ended_by,
            "mostly": self.mostly,
            "mostly_s": self.mostly_for,
            "p99_s": self.p99.seconds,
            "p99_at_least": self.p99.at_least,
            "error_rate": self.error_rate,
            "error_rate_at_least": self.unfinished_rate > 0,
            "degraded_rate": self.degraded_rate,
            "degraded_rate_at_least": self.unfinished_rate > 0,
        }


NOWHERE = World(
    latency=math.nan,
    outcome=Outcome.OK,
    in_time=False,
    ended_by=None,
    mostly=None,
    mostly_for=math.nan,
    p99=Percentile(math.nan, math.nan),
    error_rate=math.nan,
    degraded_rate=math.nan,
    unfinished_rate=0.0,
)


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """One setting changed, and what that would have come to; `helps` the request, `hurts` all."""

    path: str
    today: Any  # values as they are written
    value: Any
    world: World
    difference: float  # in the request's latency, in seconds
    helps: bool
    hurts: bool

    @property
    def change(self) -> str:
        """Return the change in short, such as "60s → 10s"."""
        return f"{setting_text(self.today)} → {setting_text(self.value)}"

    def row(self) -> dict[str, Any]:
        """Return it as a row of `Explanation.frame`."""
        changed = {
            "setting": self.path,
            "today": flow(self.today),
            "changed_to": flow(self.value),
            "difference_s": self.difference,
            "helps": self.helps,
            "hurts": self.hurts,
        }
        return changed | self.world.row()


def setting_text(value: Any) -> str:
    """Return a setting's value in short, "null" where it is not set."""
    return cut(one_line(value if isinstance(value, str) else flow(value)), _VALUE)


def world_of(records: Records, row: int, limit: float) -> World:
    """Return what the request in a row came to in a run, in time below `limit`; and all did."""
    summary = summarize(records)
    latency, outcome = float(records.latency[row]), Outcome(int(records.outcome[row]))
    ended_by = int(records.ended_by[row])
    governs: dict[str, float] = {}
    for part, spent in zip(records.parts, records.seconds[row].tolist(), strict=True):
        governs[part.setting] = governs.get(part.setting, 0.0) + spent
    most = max(governs, key=governs.__getitem__)
    return World(
        latency=latency,
        outcome=outcome,
        in_time=latency < limit and outcome is not Outcome.UNFINISHED,
        ended_by=records.ends[ended_by] if ended_by >= 0 else None,
        mostly=most if governs[most] > 0 else None,
        mostly_for=governs[most],
        p99=summary.percentiles["p99"],
        error_rate=summary.error_rate,
        degraded_rate=summary.rates["degraded_rate"],
        unfinished_rate=summary.rates["unfinished_rate"],
    )


def _simulated(plan: Plan, seed: int, number: int, limit: float) -> World | None:
    records = simulate(plan, seed)
    row = records.row_of(number)
    return None if row is None else world_of(records, row, limit)


def worlds(
    plans: Sequence[Plan], seed: int, number: int, limit: float, workers: int
) -> Iterator[World | None]:
    """Return what a request comes to by each plan, in order; see `world_of`.

    None is where its client does not send it.
    """
    calls = [(plan, seed, number, limit) for plan in plans]
    return in_processes(workers, _simulated, calls, ordered=True)


def counterfactual(candidate: Candidate, world: World, today: World) -> Counterfactual:
    """Return what a change came to, beside today."""
    return Counterfactual(
        candidate.path,
        candidate.today,
        candidate.value,
        world,
        world.latency - today.latency,
        helps=world.better_than(today),
        hurts=world.hurts(today),
    )


def order(change: Counterfactual) -> tuple[float, ...]:
    """Return by what changes are sorted, so that what helps the request most comes first."""
    world = change.world
    # Rounded, so that what the request does not feel is decided by what all do.
    of_all = (world.p99.seconds, world.error_rate, world.degraded_rate)
    return world.rank, round(world.latency, 3), *of_all
