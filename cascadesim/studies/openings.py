"""When breakers open on a dependency that is dead, and how many calls reach it by then.

Where nothing is drawn and no other call is in the way, every request fares like the first, and the
breaker takes its calls one by one, without a run. Elsewhere a run of the scenario says it, if one
of a few seconds does.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from heapq import merge
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from cascadesim.analysis.lone import Death
from cascadesim.engine import simulate
from cascadesim.faults.hang import HangPlan
from cascadesim.faults.outage import OutagePlan
from cascadesim.plan.arrivals import Closed, Gaps
from cascadesim.plan.stage import walk
from cascadesim.policies.plan import tightest
from cascadesim.randomness import Distribution
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cascadesim.faults.plan import FaultPlan
    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.breaker import BreakerPlan
    from cascadesim.policies.lone import LoneCall, Seen
    from cascadesim.policies.plan import Around

_MOST_REQUESTS = 20_000  # of one run, so that a check takes seconds
_MOST_EVENTS = 300_000  # that a breaker takes without one
_HAIR = 1e-9  # by which a clock may be fast or slow
# How a dependency can be dead, as a fault from the beginning to the end.
DEAD: dict[str, FaultPlan] = {
    "refuses": OutagePlan(0.0, math.inf),
    "silent": HangPlan(0.0, math.inf),
}


@dataclass(frozen=True, slots=True)
class Opening:
    """How a breaker meets a dependency that is dead from the start.

    `dead` says how: it "refuses" calls at once or is "silent". `after` is the seconds from the
    first request until the breaker opens, and `reached` the calls that get through to the
    dependency by then; open loads come at their mean rate. Both are None where it stays closed: for
    good if there is a reason for it in `never`, and otherwise where that is not known.
    """

    breaker: str
    failing_calls: int
    dead: str
    after: float | None = None
    reached: int | None = None
    never: str = ""


def openings_of(plan: Plan, seed: int, progress: Callable[[float], None]) -> list[Opening]:
    """Return how every breaker meets a dependency that is dead in each of the ways.

    `progress` is called with the share that is done.
    """
    breakers = [
        (stage, i, outer + own)
        for stage, outer, own in plan.walk_policies()
        for i, (_, policy) in enumerate(own, len(outer))
        if policy.trips_after is not None
    ]
    openings = []
    for n, (stage, i, around) in enumerate(breakers):
        for dead in DEAD:
            trips = around[i][1].trips_after
            assert trips is not None
            opening = Opening(around[i][0], trips, dead)
            names = frozenset(inner.name for inner in walk((stage,)))
            lone = _lone(plan, stage, Death(names, dead == "silent", around[i][0]))
            if lone is None:
                openings.append(
                    _by_a_run(_probe(plan, names, dead), seed, stage, around, i, opening)
                )
            else:
                openings.append(_by_itself(lone, around[i][1], opening))  # type: ignore[arg-type]
        progress((n + 1) / len(breakers))
    return openings


class _Requests(NamedTuple):
    """Requests that all fare as `call`: one from each of `starts`, and again after `step` each.

    They are numbered in the order in which they come.
    """

    call: LoneCall
    starts: tuple[float, ...]
    step: float

    def events(self) -> Iterator[_Event]:
        """Yield what the breaker sees of all of them, in order."""
        return merge(
            *(
                self._repeated(start, client, turn, seen)
                for client, start in enumerate(self.starts)
                for turn, seen in enumerate(self.call.seen)
            )
        )

    def _repeated(self, start: float, client: int, turn: int, seen: Seen) -> Iterator[_Event]:
        """Yield the begin and the end of one call of each request of a client."""

        def events(at: float, ends: bool) -> Iterator[_Event]:
            for k in count() if self.step < math.inf else range(1):
                number = k * len(self.starts) + client
                yield _Event(at + k * self.step if k else at, number, turn, ends)

        begins = events(start + seen.begin, False)
        return merge(begins, events(start + seen.end, True) if seen.end < math.inf else ())

    def reached(self, last: _Event) -> int:
        """Return how many calls reach the dependency until the instant of an event."""
        return sum(
            self._until(start + at, (client, turn), last, inside=at > seen.begin)
            for client, start in enumerate(self.starts)
            for turn, seen in enumerate(self.call.seen)
            for at in seen.reaches
        )

    def _until(self, first: float, call: tuple[int, int], last: _Event, *, inside: bool) -> int:
        """Return how many of the calls from `first` on, every `step`, come before an event.

        Those at that very instant do if they are `inside` the breaker already, or come in before.
        """
        turns = (last.at - first) / self.step
        k = round(turns)
        if abs(last.at - (first + k * self.step if k else first)) > 1e-9 * max(1.0, last.at):
            return max(0, math.floor(turns) + 1)
        client, turn = call
        number = k * len(self.starts) + client
        return max(0, k + (inside or (number, turn) <= (last.number, last.turn)))


class _Event(NamedTuple):
    """A call through the breaker begins or `ends`; it is in `turn` among those of its request."""

    at: float
    number: int  # of the request
    turn: int
    ends: bool


def _lone(plan: Plan, target: StagePlan, death: Death) -> _Requests | None:
    """Return the requests that pass a dead stage, if each of them fares by itself."""
    paths, share = [plan.stages], 1.0
    if plan.classes:
        top = next(i for i, s in enumerate(plan.stages) if target in walk((s,)))
        passing = [one for one in plan.classes if top in one.path and one.share]
        paths, share = [plan.path(one.name) for one in passing], sum(one.share for one in passing)
    calls = {death.through(path) for path in paths}
    call = calls.pop() if len(calls) == 1 else None
    if call is None or plan.connections is not None:
        return None
    if not isinstance(plan.arrivals, Closed):
        return _Requests(call, (plan.mean_gap / share,), plan.mean_gap / share)
    think, clients = plan.arrivals.think, plan.arrivals.clients
    step = think.mean + call.seconds
    if plan.classes or clients * len(call.seen) > 1000 or not step:
        return None
    # Clients that think for the same time come together, and others evenly.
    spread = 0.0 if think.kind == "constant" else think.mean / clients
    starts = tuple(think.mean - spread * client for client in range(clients))[::-1]
    return _Requests(call, starts, step)


def _by_itself(requests: _Requests, breaker: BreakerPlan, opening: Opening) -> Opening:
    """Return the opening where all requests fare alike, if no rounding decides it."""
    seen = requests.call.seen
    if not seen:
        return replace(opening, never="no call gets to it")
    if all(one.end == math.inf for one in seen):
        return replace(opening, never="no call to it ever ends")
    try:
        (first, _), (other, reason) = (  # what is as old as a window has left it
            _opened(requests, breaker, speed) for speed in (1 - _HAIR, 1 + _HAIR)
        )
    except _TooManyError:
        return opening
    if first is None or other is None:
        return replace(opening, never=reason) if first is other else opening
    if (first.number, first.turn) != (other.number, other.turn):
        return opening
    after = first.at - min(requests.starts)
    return replace(opening, after=after, reached=requests.reached(first))


class _TooManyError(Exception):
    """There are more events than are worth a look."""


def _opened(requests: _Requests, breaker: BreakerPlan, speed: float) -> tuple[_Event | None, str]:
    """Return the end of the call that opens a breaker, or else why none does.

    The clock of the breaker runs at a `speed`.
    """
    from cascadesim.engine.simpy.breaker import breaker_of  # SimPy is loaded by who needs it

    seen = requests.call.seen
    latest = max(one.end for one in seen if one.end < math.inf) + max(requests.starts)
    settled = 3 * max(breaker.spans) + latest + 3 * min(requests.step, 1e9)
    size = breaker.window.calls if breaker.window else 0
    enough = 3 * (breaker.failure_threshold + size) + 10 * len(seen) * len(requests.starts)
    machine, tickets, window = breaker_of(breaker), {}, _Density(breaker)
    for n, event in enumerate(requests.events()):
        if n > _MOST_EVENTS:
            raise _TooManyError
        if n > enough and event.at > settled:
            break
        key, now = (event.number, event.turn), event.at * speed
        if not event.ends:
            tickets[key] = machine.admit(now)
            continue
        ticket, counts = tickets.pop(key), seen[event.turn].counts
        if counts == "ignored":
            machine.take_back(ticket)
            continue
        window.add(now)
        machine.settle(ticket, ok=counts == "success", now=now)
        if machine.history:
            return event, ""
    return None, window.reason(any(one.counts == "failure" for one in seen))


class _Density:
    """How many calls end within the time of a breaker's window at most."""

    def __init__(self, breaker: BreakerPlan) -> None:
        self._window = breaker.window
        self._ends: deque[float] = deque()
        self._most = 0

    def add(self, at: float) -> None:
        """Take a call that ended."""
        if self._window is not None:
            while self._ends and at - self._ends[0] >= self._window.time:
                self._ends.popleft()
            self._ends.append(at)
            self._most = max(self._most, len(self._ends))

    def reason(self, fails: bool) -> str:
        """Return why the breaker never opens, where some calls are failures or none is."""
        window = self._window
        if window is not None and self._most < window.minimum:
            calls = f"{self._most} call{'s' * (self._most != 1)}"
            within = f" in {duration_text(window.time)}" if window.time < math.inf else ""
            return f"{calls}{within}, a minimum of {window.minimum}"
        return "too few of its calls fail" if fails else "such calls are no failures to it"


def _by_a_run(
    plan: Plan, seed: int, target: StagePlan, around: Around, i: int, opening: Opening
) -> Opening:
    """Return the opening in a run of a plan in which the stage is dead."""
    (target,) = [s for s in plan.walk() if s.name == target.name]
    # An error of what runs beside it cancels a silent call.
    alone = not any(s.parallel and target in walk(s.stages) for s in plan.walk())
    if opening.dead == "silent" and alone and not _ever_ends(target, around, i):
        return replace(opening, never="no call to it ever ends")
    gap = plan.mean_gap
    requests, most = 100, _most_requests(plan, opening.failing_calls)
    while gap < math.inf:
        records = simulate(replace(plan, horizon=requests * gap), seed)
        for transition in records.transitions:
            if transition.breaker == opening.breaker:
                after, reached = _reached(plan, seed, transition.at, target)
                return replace(opening, after=after, reached=reached)
        if requests >= most:
            break
        requests = min(requests * 5, most)
    return opening


def _ever_ends(target: StagePlan, around: Around, i: int) -> bool:
    """Return whether anything could end a silent call inside policy `i` of those around it.

    Or one that finds everything taken by those that came before.
    """
    inside = [policy for stage in walk(target.stages) for policy in stage.policies]
    inside += [policy for _, policy in around[i + 1 :]]
    # An outer deadline that abandons its call does not end it, if it does not propagate.
    outside = tightest(around[:i], for_waits=True)
    timeouts = [min(s.tracker, s.session.lifetime) for s in walk((target,))]
    ends = any(policy.ends_silent for policy in inside)
    return (
        ends or outside is not None or min(timeouts) < math.inf or any(map(_fills, walk((target,))))
    )


def _fills(stage: StagePlan) -> bool:
    """Return whether a stage refuses others at some point, if its calls never end."""
    pool = stage.pool
    finite = pool is not None and min(pool.limit, pool.max_connections) < math.inf
    return finite or (not stage.blocks and stage.concurrency + stage.queue_limit < math.inf)


def _most_requests(plan: Plan, failures: int) -> int:
    """Return how many requests to try: enough for every wait of the plan several times over."""
    gap = plan.mean_gap
    waits = [failures * gap]
    for stage in plan.walk():
        waits += [stage.tracker, stage.startup, stage.session.lifetime]
        waits += [seconds for policy in stage.policies for seconds in policy.spans]
    several = 3 * sum(wait for wait in waits if wait < math.inf) / gap
    return int(min(_MOST_REQUESTS, max(5_000, several)))


def _reached(plan: Plan, seed: int, opened: float, target: StagePlan) -> tuple[float, int]:
    # The same run again up to that instant, and no further.
    records = simulate(replace(plan, horizon=math.nextafter(opened, math.inf)), seed)
    reached = sum(records.calls.get(stage.name, 0) for stage in walk((target,)))
    return opened - float(records.arrival[0]), reached


def _probe(plan: Plan, targets: frozenset[str], dead: str) -> Plan:
    """Return the plan with stages of these names dead from the start, and no other fault."""

    def changed(stages: tuple[StagePlan, ...]) -> tuple[StagePlan, ...]:
        return tuple(
            replace(
                stage,
                faults=(DEAD[dead],) if stage.name in targets else (),
                stages=changed(stage.stages),
            )
            for stage in stages
        )

    arrivals = plan.arrivals
    if plan.connections is not None:
        arrivals = replace(plan.connections, faults=())
    elif not isinstance(arrivals, Closed):
        arrivals = Gaps(Distribution("constant", (plan.mean_gap,)))
    return replace(
        plan,
        warmup=0.0,
        drain=0.0,
        arrivals=arrivals,
        stages=changed(plan.stages),
        observed=(),
    )
