"""Counterfactuals: how one request, and all of them, would have ended with other settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.percentiles import Percentile
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.scenario.source import flow
from cascadesim.studies.candidates import allowed, fallbacks
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
WORSE = 1.01  # times by which the p99 of all grows where it is called worse
WORSE_RATE = 0.001  # and the share by which the error rate or the degraded rate of all does
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

    def much_better_than(self, other: World) -> bool:
        """Return whether the request ended better here, or as well and in much less time."""
        if self.rank != other.rank:
            return self.rank < other.rank
        return self.latency < other.latency * MUCH

    def hurts(self, today: World) -> bool:
        """Return whether all requests are worse off here, by their p99 or one of their rates.

        Only what is so however the unfinished requests of both worlds end.
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
    """One setting changed, and the world that makes; it `helps` the request, or `hurts` all."""

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
    """Return how the request in a row of a run ended, and all did; it is in time below `limit`."""
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
    best first. What begins is the best of them, or what governs most of the time today.
    """
    mostly = [change for change in single if change.path == worlds.today.mostly]
    chains = [_chain(scenario, start, single, worlds) for start in (*single[:1], *mostly[:1])]
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
