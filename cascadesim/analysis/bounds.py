"""Worst-case latency, from the settings alone: the longest that a request can possibly take.

It mirrors how an engine wraps a stage: policies, start-up, concurrency, session, work. Where
nothing bounds a wait the bound is infinite, and the setting that would bound it is named.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascadesim.plan.arrivals import Closed
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.values.bound import Bound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan

_CONNECTIONS = f"workload.{CONNECTIONS}"


def worst_case(plan: Plan) -> dict[str, Bound]:
    """Return the bound of every top-level stage, and of connections; those of a path add up."""
    given: dict[str, float] = {}
    names = [stage.name for stage in plan.walk()]
    for observed in plan.observed:
        for index, seconds in observed.work:
            given[names[index]] = max(seconds, given.get(names[index], 0.0))
    top = [stage.name for stage in plan.stages]
    room = math.inf  # that requests have, of all clients together
    if isinstance(plan.arrivals, Closed):
        room = plan.arrivals.clients + len(plan.observed)
    bounds = dict(zip(top, _in_order(plan.stages, given, room), strict=True))
    if plan.connections is None:
        return bounds
    handled = sum(bounds.values(), Bound())
    return {CONNECTIONS: _connections(plan.connections, handled)} | bounds


def _connections(plan: ConnectionsPlan, handled: Bound) -> Bound:
    """Return the bound of what a message waits for outside of the stages that handle it.

    That is one time without connection, at most as long as a client goes on trying, unless it drops
    such messages; the network in both directions; and earlier messages of the same connection, of
    which there may be any number.
    """
    silent = [
        fault.end - fault.start if fault.renewal is None else math.inf
        for fault in plan.faults
        if fault.wait
    ]
    bound = Bound({f"{_CONNECTIONS}.ping.timeout": math.fsum(silent)})
    if plan.in_order:
        bound += Bound({f"{_CONNECTIONS}.ordering": math.inf if handled.total else 0.0})
    if plan.drops:
        return bound
    if plan.lifetime is not None:  # a connection is closed when all is answered
        bound += handled
    if plan.attempts == math.inf:
        return bound + Bound({f"{_CONNECTIONS}.reconnect.attempts": math.inf})
    backoff = math.fsum(plan.reconnect.longest(k) for k in range(int(plan.attempts)))
    bound += Bound({f"{_CONNECTIONS}.handshake.timeout": plan.attempts * plan.handshake.timeout})
    return bound + Bound({f"{_CONNECTIONS}.reconnect.base": backoff})


def path_bounds(plan: Plan) -> dict[str | None, Bound]:
    """Return the bound of a request by its class, by None where there are no classes."""
    bounds = worst_case(plan)
    names: list[str | None] = [each.name for each in plan.classes]
    outside = bounds.get(CONNECTIONS, Bound())
    timeout = math.inf if plan.connections is None else plan.connections.reply_timeout
    paths = {
        name: sum((bounds[stage.name] for stage in plan.path(name)), outside)
        for name in names or [None]
    }
    setting = f"{_CONNECTIONS}.reply_timeout"
    return {name: bound.capped(setting, timeout) for name, bound in paths.items()}


def longest_bound(plan: Plan) -> Bound:
    """Return the bound of a request of any class."""
    return max(path_bounds(plan).values(), key=lambda bound: bound.total)


def _in_order(
    stages: tuple[StagePlan, ...], given: Mapping[str, float], room: float
) -> list[Bound]:
    """Return the bounds of stages that a call passes in order, `room` of them at once."""
    bounds: list[Bound] = []
    kept = 0.0  # seconds that a call may keep its place for until the next stage takes it in
    for before, stage in zip((None, *stages)[::-1][1:], stages[::-1], strict=True):
        inside = _let_in(stage, room)
        bounds.append(stage_bound(stage, given, kept, before, inside))
        # A call that its caller has given up keeps its place all the same.
        held = replace(stage, policies=tuple(p for p in stage.policies if not p.abandons))
        kept = stage_bound(held, given, kept, before, inside).total if stage.blocks else 0.0
    return bounds[::-1]


def _let_in(stage: StagePlan, room: float) -> float:
    """Return how many calls the policies of a stage let in at once, of so many outside."""
    for where, policy in stage.paths:
        if policy.multiplies:
            room = math.inf  # calls inside outlive those outside
        limit = policy.lets_in(where)
        room = room if limit is None else min(room, limit.calls)
    return room


def stage_bound(
    stage: StagePlan,
    given: Mapping[str, float] = MappingProxyType({}),
    kept: float = 0.0,
    before: StagePlan | None = None,
    room: float = math.inf,
) -> Bound:
    """Return the bound of one stage.

    `given` holds seconds of work that are not drawn; `kept` is how long a place is kept after the
    call, and `before` the stage whose places are kept for this one, if it blocks. No more calls
    than there is `room` for are inside its policies at once.
    """
    bound = _inside(stage, given, kept, before, room)
    for where, policy in reversed(stage.paths):
        bound = policy.bound(where, bound)
    return bound


def _inside(
    stage: StagePlan,
    given: Mapping[str, float],
    kept: float,
    before: StagePlan | None,
    room: float,
) -> Bound:
    bound = _work(stage, given)
    if kept:
        room = math.inf  # places are kept for calls that have left
    within = min(room, stage.concurrency, math.inf if stage.pool is None else stage.pool.limit)
    if stage.parallel:
        branches = [
            stage_bound(inner, given, room=_let_in(inner, within)) for inner in stage.stages
        ]
        inside = [max(branches, key=lambda branch: branch.total)]
    else:
        inside = _in_order(stage.stages, given, within)
    bound = sum(inside, bound)
    if stage.pool is not None:
        bound = bound.capped(f"{stage.name}.session.lifetime", stage.session.lifetime)
        bound += stage.pool.bound(f"{stage.name}.pool")
    if stage.concurrency < math.inf:
        bound += _queueing(stage, bound.total + kept, before, room - stage.concurrency)
    if stage.startup > 0:
        bound += Bound({f"{stage.name}.startup.timeout": stage.startup})
    return bound


def _queueing(stage: StagePlan, call: float, before: StagePlan | None, behind: float) -> Bound:
    """Return the bound of waiting for one of the stage's concurrency, by that of a call, seconds.

    First come first served, each round of `concurrency` calls takes that long at most. Last come,
    newcomers overtake without end, but where only one can wait. Others than so many `behind` those
    at work are not let in.
    """
    waiting = stage.queue_limit + (_blocked(stage, before) if stage.blocks else 0)
    waiting = max(0.0, min(waiting, behind))
    overtaken = stage.lifo and min(stage.queue_limit, waiting) > 1
    rounds = math.inf if overtaken else waiting / stage.concurrency
    rounds = math.ceil(rounds) if rounds < math.inf else rounds
    setting = f"{stage.name}.queue" if overtaken else f"{stage.name}.concurrency"
    return Bound({setting: rounds * call if rounds and call else 0.0})


def _blocked(stage: StagePlan, before: StagePlan | None) -> float:
    """Return how many calls may wait for a place in a stage's queue.

    Each has one in the stage before, but for those that come anew or got a degraded answer there.
    """
    anew = any(policy.sends_again for policy in stage.policies)
    if before is None or anew or any(policy.answers_errors for policy in before.policies):
        return math.inf
    return before.concurrency


def _work(stage: StagePlan, given: Mapping[str, float]) -> Bound:
    if stage.work is None:
        return Bound()
    fails_after = max((fault.fails_after for fault in stage.faults), default=0.0)
    if any(fault.ends_all_calls for fault in stage.faults):
        return Bound({f"{stage.name}.work": fails_after})
    seconds = max(stage.work.upper, given.get(stage.name, 0.0))
    for fault in sorted(stage.faults, key=lambda fault: bool(fault.stretches or fault.wait)):
        seconds = fault.longest(seconds)  # what slows work down does not slow down such times
    # A call that an outage meets half way still fails within its work; later ones fail after this.
    seconds = max(seconds, fails_after)
    silent = any(fault.silent for fault in stage.faults)
    noticed = stage.tracker  # seconds after a call that hangs began, but for what delays it
    for fault in stage.faults:
        noticed = fault.longest(noticed) if fault.wait else noticed
    if silent and noticed > seconds:
        key = "tracker.timeout" if noticed < math.inf else "work"  # which nothing ends
        return Bound({f"{stage.name}.{key}": noticed})
    return Bound({f"{stage.name}.work": seconds})
