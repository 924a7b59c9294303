"""Settings that contradict each other, found without simulating; and what retries cost.

What a policy or a resource knows to contradict it stands in its file. Here is what concerns
several of them: timeouts inside of timeouts, load and capacity, connections, objectives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascadesim.analysis.breaker_contradictions import breaker_contradictions
from cascadesim.analysis.rules import (
    BEYOND_OBJECTIVE,
    HANDSHAKES_FOR_NOBODY,
    INNER_BEYOND_OUTER,
    LIMIT_BELOW_CLIENTS,
    NOTHING_RETRIED,
    PINGS_TOO_RARE,
    RETRIES_BEYOND_CAPACITY,
)
from cascadesim.analysis.work_contradictions import narrowest, work_contradictions
from cascadesim.plan.arrivals import Closed
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.plan.stage import walk
from cascadesim.policies.plan import Position, Timeout, load_of, tightest
from cascadesim.resources.pool import pool_contradictions
from cascadesim.values.bound import Bound
from cascadesim.values.outcome import Outcome
from cascadesim.values.rules import Contradiction
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.plan import Around


@dataclass(frozen=True, slots=True)
class RetryCost:
    """A retry or a hedge of a call that never succeeds.

    `waits` are the shortest and longest seconds before each further attempt. `load` is how many
    calls one request can make of the stage, retries and hedges around this one included;
    `sustained` is the same in the long run, without what a budget's reserve adds per second.
    """

    path: str
    stage: str
    waits: tuple[tuple[float, float], ...]
    load: int
    sustained: float


def retry_costs(plan: Plan) -> list[RetryCost]:
    """Return the cost of every policy that waits and calls again, in the order of the plan."""
    costs = []
    for stage, outer, around in plan.walk_policies():
        for i, (path, policy) in enumerate(around):
            if policy.backoffs is None:
                continue
            load = load_of(outer + around[: i + 1])
            costs.append(RetryCost(path, stage.name, policy.backoffs, load.most, load.sustained))
    return costs


def contradictions(
    plan: Plan, limit: float | None, of_classes: Mapping[str, float] = MappingProxyType({})
) -> list[Contradiction]:
    """Return the contradictions of a plan; `limit` is the latency objective in seconds, if any.

    `of_classes` are those of classes of requests, by name.
    """
    found = [
        *_inner_beyond_outer(plan),
        *_of_pools(plan),
        *_retries_beyond_capacity(plan),
        *_of_policies(plan),
        *_nothing_to_shed(plan),
        *work_contradictions(plan),
        *breaker_contradictions(plan),
        *_nothing_retried(plan),
    ]
    if plan.connections is not None:
        found += _of_connections(plan.connections)
    if limit is not None:
        found += _recoveries_beyond(plan, None, limit)
    for name, class_limit in of_classes.items():
        found += _recoveries_beyond(plan, name, class_limit)
    return found


def _of_policies(plan: Plan) -> Iterator[Contradiction]:
    """Yield what policies know to contradict them; of two that idle because of each other, one."""
    idle: set[tuple[str, str]] = set()
    for stage, outer, around in plan.walk_policies():
        for i, (path, policy) in enumerate(around):
            position = Position(stage, path, outer + around[:i], around[i + 1 :])
            for contradiction in policy.contradictions(position):
                if (contradiction.code, contradiction.settings[-1]) not in idle:
                    idle.add((contradiction.code, contradiction.settings[0]))
                    yield contradiction


def _of_pools(plan: Plan) -> Iterator[Contradiction]:
    for stage, outer, around in plan.walk_policies():
        yield from pool_contradictions(stage, outer + around)
    if plan.connections is not None:
        for stage in plan.connections.walk():
            yield from pool_contradictions(stage, ())


def _inner_beyond_outer(plan: Plan) -> Iterator[Contradiction]:
    for stage, outer, around in plan.walk_policies():
        for timeout, outside in _timeouts(stage, outer, around):
            shortest = tightest(outside, for_waits=True)
            if shortest is not None and timeout.seconds > shortest.seconds:
                yield Contradiction(
                    INNER_BEYOND_OUTER,
                    (timeout.setting, shortest.setting),
                    f"the inner timeout of {duration_text(timeout.seconds)} never fires: the outer "
                    f"one ends the call after {duration_text(shortest.seconds)}",
                )


def _timeouts(stage: StagePlan, outer: Around, around: Around) -> Iterator[tuple[Timeout, Around]]:
    """Yield the timeouts of a stage, each with the policies outside it."""
    for i, (path, policy) in enumerate(around):
        for timeout in policy.timeouts(path):
            yield timeout, outer + around[:i]
    if stage.startup > 0:
        yield Timeout(f"{stage.name}.startup.timeout", stage.startup), outer + around
    if stage.tracker < math.inf:
        yield Timeout(f"{stage.name}.tracker.timeout", stage.tracker), outer + around


def _retries_beyond_capacity(plan: Plan) -> Iterator[Contradiction]:
    if isinstance(plan.arrivals, Closed):
        return  # clients that wait offer no more than is taken
    shares = plan.shares
    for stage, outer, around in plan.walk_policies():
        again = [(path, policy.load) for path, policy in outer + around if policy.load.word]
        load = load_of(outer + around)
        work = sum(stage.longest_work)
        offered = shares[stage.name] / plan.mean_gap
        if not again or not work or not offered:  # a class may weigh nothing
            continue
        setting, limit = narrowest(stage)
        capacity = limit / work
        reserve = sum(each.reserve for _, each in again)
        sustained = min(load.most, load.sustained + reserve / offered)
        if offered > capacity or offered * sustained <= capacity:
            continue
        words = " and ".join(dict.fromkeys(each.word for _, each in again))
        added = f" (with the reserve of {reserve:g}/s)" if reserve else ""
        fail = "fail or hang" if "hedges" in words else "fail"
        yield Contradiction(
            RETRIES_BEYOND_CAPACITY,
            (*(f"{path}.attempts" for path, _ in again), setting),
            f"when calls {fail}, {words} make {sustained:.3g} calls of each request{added}: "
            f"{offered * sustained:.3g}/s against a capacity of {capacity:.3g}/s",
        )


def _nothing_to_shed(plan: Plan) -> Iterator[Contradiction]:
    for stage, outer, around in plan.walk_policies():
        longest = tightest(outer + around, for_waits=True)
        if stage.codel is None or longest is None:
            continue
        if longest.seconds <= stage.codel.least_wait:
            yield stage.codel.never_sheds(stage.name, longest.setting, longest.seconds)


def _nothing_retried(plan: Plan) -> Iterator[Contradiction]:
    """Yield retries that leave out the only error inside: that a full queue refuses calls."""
    for stage, _, around in plan.walk_policies():
        for i, (path, policy) in enumerate(around):
            others = any(map(policy.sends_again_after, (Outcome.TIMED_OUT, Outcome.FAILED)))
            if not others or policy.sends_again_after(Outcome.SHED):
                continue
            inside = (*around[i + 1 :], *(own for s in walk(stage.stages) for own in s.paths))
            stages = tuple(walk((stage,)))
            full = [f"{s.name}.queue_limit" for s in stages if s.queue_limit < math.inf]
            errs = any(s.failure_rate or s.faults or s.pool is not None for s in stages)
            if full and not errs and not any(p.cut(own) for own, p in inside):
                yield Contradiction(
                    NOTHING_RETRIED,
                    (f"{path}.outcomes", full[0]),
                    "nothing is ever sent again: no call fails or times out inside, but a full "
                    "queue sheds it, and outcomes leaves out shed",
                )


def _of_connections(plan: ConnectionsPlan) -> Iterator[Contradiction]:
    where = f"workload.{CONNECTIONS}"
    if plan.idle_timeout < plan.ping_interval < math.inf:
        yield Contradiction(
            PINGS_TOO_RARE,
            (f"{where}.ping.interval", f"{where}.idle_timeout"),
            f"pings keep no connection: a proxy cuts a quiet one after "
            f"{duration_text(plan.idle_timeout)}, before a ping after "
            f"{duration_text(plan.ping_interval)}",
        )
    if plan.limit < plan.clients:
        yield Contradiction(
            LIMIT_BELOW_CLIENTS,
            (f"{where}.limit", f"{where}.clients"),
            f"no more than {plan.limit:g} of {plan.clients} clients are connected at once; the "
            "others are refused whenever they try",
        )
    if plan.handshake.abandon:
        yield from _handshakes_given_up(where, plan)


def _handshakes_given_up(where: str, plan: ConnectionsPlan) -> Iterator[Contradiction]:
    timeout = plan.handshake.timeout
    # The first queue is where all are that come at once; those behind it get what it lets through.
    stage = next((each for each in plan.handshake.stages if each.concurrency < math.inf), None)
    if stage is None or stage.lifo or stage.codel is not None or stage.policies:
        return  # not all wait there until it is their turn
    queue = min(stage.queue_limit, min(plan.clients, plan.limit) - stage.concurrency)
    wait = queue * sum(stage.longest_work) / stage.concurrency
    if wait > timeout:
        yield Contradiction(
            HANDSHAKES_FOR_NOBODY,
            (f"{stage.name}.queue_limit", f"{where}.handshake.timeout"),
            f"with {queue:g} handshakes waiting, the last is served after {duration_text(wait)}, "
            f"{duration_text(wait - timeout)} after its client has given it up; the server goes "
            "on with it for nobody",
        )


def _recoveries_beyond(
    plan: Plan, request_class: str | None, limit: float
) -> Iterator[Contradiction]:
    named = [each.name for each in plan.classes]
    # An objective of all requests is one of the slowest class, too.
    classes = named if request_class is None and named else [request_class]
    chains = [_added(map(_recoveries, plan.path(name))) for name in classes]
    waits = max(chains, key=lambda chain: chain.total)
    if waits.total <= limit:
        return
    breakers = [path for path in waits.terms if path.endswith("recovery_timeout")]
    if breakers:
        policies = {path.rpartition(".")[0] for path in waits.terms}
        of = "" if request_class is None else f" of {request_class}"
        chain = "recoveries along the chain add up to" if len(policies) > 1 else "a recovery takes"
        yield Contradiction(
            BEYOND_OBJECTIVE,
            tuple(waits.terms),
            f"callers wait while these are open: {chain} {duration_text(waits.total)}, beyond the "
            f"objective of {duration_text(limit)}{of}",
        )


def _added(bounds: Iterable[Bound]) -> Bound:
    return sum(bounds, Bound())


def _recoveries(stage: StagePlan) -> Bound:
    """Return how long callers can wait for the recoveries of breakers in a stage."""
    inside = [_recoveries(inner) for inner in stage.stages]
    if stage.parallel:
        inside = [max(inside, key=lambda branch: branch.total)]
    bound = _added(inside)
    for where, policy in reversed(stage.paths):
        cut = policy.cut(where)
        if cut is not None:
            bound = bound.capped(cut.setting, cut.seconds)
        bound += policy.recoveries(where)
    return bound
