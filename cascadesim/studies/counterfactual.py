"""Counterfactuals: how one request, and all of them, would have ended with other settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.attribution import governing
from cascadesim.analysis.contrast import Tolerance, contrast, means_alone
from cascadesim.analysis.percentiles import Percentile
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.scenario.source import flow
from cascadesim.studies.candidates import allowed, fallbacks, is_chosen
from cascadesim.studies.processes import in_processes
from cascadesim.values.errors import cut, one_line
from cascadesim.values.outcome import ERRORS, Outcome
from cascadesim.values.words import lower_bound, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.candidates import Candidate

MOVED = 0.001  # seconds by which a request's latency differs where it is called another
MUCH = 0.9  # the share of a latency below which another is much less
WORSE = Tolerance(share=0.01)  # by which the p99 of all grows where it is not called worse
WORSE_RATE = Tolerance(amount=0.001)  # and the error rate or the degraded rate of all
ERROR = 4  # the rank of a request without an answer
TOGETHER = 3  # settings that are changed together, at most
_VALUE = 30  # characters of a setting's value


@dataclass(frozen=True, slots=True)
class World:
    """How one request ended in a world, and figures of all requests that are measured.

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
        """Return how well the request ended, from 0 (best) to ERROR.

        An answer in time is better than a degraded one in time, and that is better than an answer
        that is too late, and that than a degraded one; no answer is worse than any.
        """
        if self.outcome > Outcome.DEGRADED:
            return ERROR
        return self.outcome if self.in_time else self.outcome + 2

    def better_than(self, other: World, by: float = MOVED) -> bool:
        """Return whether the request ended better here, or was answered as well and sooner.

        An error that comes sooner is an error still.
        """
        if self.rank != other.rank or self.rank == ERROR:
            return self.rank < other.rank
        return self.latency < other.latency - by

    def much_better_than(self, other: World) -> bool:
        """Return whether the request ended better here, or was answered as well and much sooner."""
        return self.better_than(other, (1 - MUCH) * other.latency)

    def hurts(self, today: World) -> bool:
        """Return whether all requests are worse off here, by their p99 or one of their rates.

        By the rule for means over replications, of which there is one: only what is so however the
        unfinished requests of both worlds end.
        """
        return self.p99_worse(today) or self.errors_worse(today) or self.degraded_worse(today)

    def p99_worse(self, today: World) -> bool:
        """Return whether the p99 of all is worse here."""
        p99s = ((world.p99.seconds, world.p99.at_most) for world in (today, self))
        return _worse("p99", WORSE, *p99s)

    def errors_worse(self, today: World) -> bool:
        """Return whether the error rate of all is worse here."""
        errors = (world.bounds(world.error_rate) for world in (today, self))
        return _worse("error_rate", WORSE_RATE, *errors)

    def degraded_worse(self, today: World) -> bool:
        """Return whether the degraded rate of all is worse here, by more than it takes of errors.

        A degraded reply is better than an error.
        """
        worlds = today, self
        degraded = (world.bounds(world.degraded_rate) for world in worlds)
        not_ok = (world.bounds(world.degraded_rate + world.error_rate) for world in worlds)
        of_degraded = _worse("degraded_rate", WORSE_RATE, *degraded)
        return of_degraded and _worse("error_rate", WORSE_RATE, *not_ok)

    def bounds(self, rate: float) -> tuple[float, float]:
        """Return the least and the most that a rate can be, by unfinished requests."""
        return rate, rate + self.unfinished_rate

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


def _worse(measure: str, tolerance: Tolerance, *bounds: tuple[float, float]) -> bool:
    """Return whether a measure of one run is worse, by its least and its most before and after."""
    before, after = bounds
    return contrast(measure, [before], [after], tolerance, means_alone).worse


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
    """One setting changed, and the world that makes; it `helps` the request, or `hurts` all."""

    path: str
    today: Any  # values as they are written
    value: Any
    world: World
    difference: float  # in the request's latency, in seconds
    helps: bool
    hurts: bool

    @property
    def chosen(self) -> bool:
        """Return whether who runs the service could choose it: it is no fault, and no work."""
        return is_chosen(self.path)

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
            "chosen": self.chosen,
            "difference_s": self.difference,
            "helps": self.helps,
            "hurts": self.hurts,
        }
        return changed | self.world.row()


def setting_text(value: Any) -> str:
    """Return a setting's value in short, "null" where it is not set."""
    return cut(one_line(value if isinstance(value, str) else flow(value)), _VALUE)


def world_of(records: Records, row: int, limit: float) -> World:
    """Return how the request in a row of a run ended, and all did; it is in time below `limit`."""
    summary = summarize(records)
    latency, outcome = float(records.latency[row]), Outcome(int(records.outcome[row]))
    ended_by = int(records.ended_by[row])
    governs = governing(records, np.array([row]))
    most = max(governs, key=governs.__getitem__, default=None)
    return World(
        latency=latency,
        outcome=outcome,
        in_time=latency < limit and outcome is not Outcome.UNFINISHED,
        ended_by=records.ends[ended_by] if ended_by >= 0 else None,
        mostly=most,
        mostly_for=0.0 if most is None else governs[most],
        p99=summary.percentiles["p99"],
        error_rate=summary.error_rate,
        degraded_rate=summary.rates["degraded_rate"],
        unfinished_rate=summary.rates["unfinished_rate"],
    )


@dataclass(frozen=True, slots=True)
class Worlds:
    """Tries changes of settings on one request, by its number in all worlds of a seed.

    `limit` is in seconds, see `world_of`; `workers` is how many processes there are.
    """

    seed: int
    number: int
    limit: float
    workers: int
    today: World

    def __call__(
        self, candidates: Iterable[Candidate], progress: Callable[[float], None] = lambda _: None
    ) -> list[Counterfactual]:
        """Return what each change does, but those with which the request is not sent."""
        tried = list(candidates)
        calls = [(change.plan, self.seed, self.number, self.limit) for change in tried]
        made: list[Counterfactual] = []
        for i, world in enumerate(in_processes(self.workers, _simulated, calls, ordered=True)):
            if world is not None:
                made.append(counterfactual(tried[i], world, self.today))
            progress((i + 1) / len(tried))
        return made


def _simulated(plan: Plan, seed: int, number: int, limit: float) -> World | None:
    """Return the world of a plan, None where the request's client does not send it."""
    records = simulate(plan, seed)
    row = records.row_of(number)
    return None if row is None else world_of(records, row, limit)


def counterfactual(candidate: Candidate, world: World, today: World) -> Counterfactual:
    """Return what a change does, beside today."""
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


def together(
    scenario: Scenario, single: Sequence[Counterfactual], worlds: Worlds
) -> list[Counterfactual]:
    """Return changes on top of each other that help more than single ones, where there are any.

    A request that no longer waits for one thing often waits for the next instead, and one that is
    refused at once needs another answer: so that no single change helps. `single` are single ones,
    best first. What begins is the best of them, what governs most of the time today, or the
    soonest error, in whose place a fallback may answer.
    """
    single = list(single)
    mostly = [change for change in single if change.path == worlds.today.mostly]
    errors = [change for change in single if change.world.rank == ERROR]
    starts = {(each.path, str(each.value)): each for each in single[:1] + mostly[:1] + errors[:1]}
    chains = [_chain(scenario, start, single, worlds) for start in starts.values()]
    worth = [chain for chain in chains if len(chain) > 1 and _is_worth(chain[-1], single)]
    return min(worth, key=lambda chain: (chain[-1].hurts, order(chain[-1])), default=[])


def _is_worth(last: Counterfactual, single: Sequence[Counterfactual]) -> bool:
    """Return whether a chain beats every single change, or every one that hurts no others."""
    rivals = single if last.hurts else [change for change in single if not change.hurts]
    return last.helps and all(last.world.much_better_than(rival.world) for rival in rivals[:1])


def _chain(
    scenario: Scenario, start: Counterfactual, single: Sequence[Counterfactual], worlds: Worlds
) -> list[Counterfactual]:
    """Return a change and those on top of it that go on helping.

    Each is of what governs most of the time thereafter or, after an error, switches a fallback on.
    """
    chain = [start]
    while len(chain) < TOGETHER:
        last = chain[-1]
        scenario = scenario.override({last.path: last.value})
        paths = {last.world.mostly, *(fallbacks(scenario) if last.world.outcome in ERRORS else ())}
        paths -= {change.path for change in chain}
        more = worlds(allowed(scenario, ((c.path, c.value) for c in single if c.path in paths)))
        best = min(more, key=order, default=last)
        if not best.world.better_than(last.world):
            break
        chain.append(best)
    return chain
