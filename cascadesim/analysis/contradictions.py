"""Settings that contradict each other, found without simulating.

Also what a retry costs when every call fails: its waits, and the load that it multiplies, as hedges
do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascadesim.analysis.bounds import Bound, recoveries
from cascadesim.engine.simpy.adaptive_limit import AdaptiveLimitPlan
from cascadesim.engine.simpy.breaker import BreakerPlan
from cascadesim.engine.simpy.bulkhead import BulkheadPlan
from cascadesim.engine.simpy.deadline import DeadlinePlan
from cascadesim.engine.simpy.fallback import FallbackPlan
from cascadesim.engine.simpy.hedge import HedgePlan
from cascadesim.engine.simpy.rate_limit import RateLimitPlan
from cascadesim.engine.simpy.retry import BUDGET_RESERVE, RetryPlan
from cascadesim.plan.arrivals import Closed
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cascadesim.engine.simpy.stage import StagePlan
    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.plan import Around, Plan


@dataclass(frozen=True, slots=True)
class RetryCost:
    """A retry whose calls all fail.

    `waits` are the shortest and longest seconds before each further attempt. `load` is how many
    calls one request makes of the stage, retries and hedges around this one included; `sustained`
    is the same once a budget's reserve is spent.
    """

    path: str
    stage: str
    waits: tuple[tuple[float, float], ...]
    load: int
    sustained: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Settings at odds, by dotted path, and what that does."""

    settings: tuple[str, ...]
    problem: str


def retry_costs(plan: Plan) -> list[RetryCost]:
    """Return the cost of every retry, in the order of the plan."""
    costs = []
    for stage, outer, own in plan.walk_policies():
        for i, (path, policy) in enumerate(own):
            if isinstance(policy, RetryPlan):
                attempts = range(policy.attempts - 1)
                waits = tuple((policy.shortest(k), policy.longest(k)) for k in attempts)
                load, sustained = _load(outer + own[: i + 1])
                costs.append(RetryCost(path, stage.name, waits, load, sustained))
    return costs


def _load(around: Around) -> tuple[int, float]:
    load, sustained = 1, 1.0
    for _, policy in around:
        if isinstance(policy, RetryPlan):
            load *= policy.attempts
            budget = math.inf if policy.budget is None else policy.budget
            sustained *= min(policy.attempts, 1 + budget)
        elif isinstance(policy, HedgePlan) and policy.outcomes:
            load *= policy.attempts
            sustained *= 1 if policy.max_tokens else policy.attempts
    return load, sustained


def contradictions(
    plan: Plan, limit: float | None, of_classes: Mapping[str, float] = MappingProxyType({})
) -> list[Contradiction]:
    """Return the contradictions of a plan; `limit` is the latency objective in seconds, if any.

    `of_classes` are those of classes of requests, by name.
    """
    found = [
        *_inner_beyond_outer(plan),
        *_pool_beyond_caller(plan),
        *_sessions_outlive_waiters(plan),
        *_retries_beyond_capacity(plan),
        *_bulkheads_never_full(plan),
        *_hedges_never_sent(plan),
        *_turns_never_refused(plan),
        *_nothing_to_shed(plan),
    ]
    if plan.connections is not None:
        found += _of_connections(plan.connections)
    if limit is not None:
        found += _recoveries_beyond(plan, None, limit)
    for name, own in of_classes.items():
        found += _recoveries_beyond(plan, name, own)
    return found


def _tightest(around: Around, *, for_waits: bool = False) -> tuple[str, float] | None:
    """Return path and seconds of the shortest deadline; only of those that end waits, if asked."""
    deadlines = [
        (f"{path}.timeout", policy.timeout)
        for path, policy in around
        if isinstance(policy, DeadlinePlan) and (policy.ends_waits or not for_waits)
    ]
    return min(deadlines, key=lambda deadline: deadline[1], default=None)


def _inner_beyond_outer(plan: Plan) -> Iterator[Contradiction]:
    for stage, outer, own in plan.walk_policies():
        # Each of the stage's timeouts, with the policies outside it.
        timeouts = [
            (f"{path}.timeout", policy.timeout, outer + own[:i])
            for i, (path, policy) in enumerate(own)
            if isinstance(policy, DeadlinePlan | BulkheadPlan)
        ]
        if stage.startup > 0:
            timeouts.append((f"{stage.name}.startup.timeout", stage.startup, outer + own))
        if stage.tracker < math.inf:
            timeouts.append((f"{stage.name}.tracker.timeout", stage.tracker, outer + own))
        for path, seconds, outside in timeouts:
            tightest = _tightest(outside, for_waits=True)
            if tightest is not None and seconds > tightest[1]:
                yield Contradiction(
                    (path, tightest[0]),
                    f"the inner timeout of {duration_text(seconds)} never fires: the outer one "
                    f"ends the call after {duration_text(tightest[1])}",
                )


def _pool_beyond_caller(plan: Plan) -> Iterator[Contradiction]:
    for stage, outer, own in plan.walk_policies():
        caller = _tightest(outer + own)
        if stage.pool is None or stage.pool.limit == math.inf or caller is None:
            continue
        if stage.pool.timeout > caller[1]:
            yield Contradiction(
                (f"{stage.name}.pool.timeout", caller[0]),
                f"callers give up after {duration_text(caller[1])}, before the pool's timeout of "
                f"{duration_text(stage.pool.timeout)} tells them that it is exhausted",
            )


def _sessions_outlive_waiters(plan: Plan) -> Iterator[Contradiction]:
    for stage in plan.walk():
        pool, session = stage.pool, stage.session
        if pool is None or pool.limit == math.inf or session.lifetime <= pool.timeout:
            continue
        if session.lifetime < math.inf:
            freed = f"before the reaper frees one after {duration_text(session.lifetime)}"
        elif session.leak or any(fault.kind == "pool_leak" for fault in stage.faults):
            freed = "and nothing ever frees one, as sessions have no lifetime"
        else:
            continue  # no reaper, and nothing for it to do
        yield Contradiction(
            (f"{stage.name}.session.lifetime", f"{stage.name}.pool.timeout"),
            f"with all {pool.limit:g} connections held by stuck or leaked sessions, every waiting "
            f"caller gives up after {duration_text(pool.timeout)}, {freed}",
        )


def _retries_beyond_capacity(plan: Plan) -> Iterator[Contradiction]:
    if isinstance(plan.arrivals, Closed):
        return  # clients that wait offer no more than is taken
    shares = plan.shares
    for stage, outer, own in plan.walk_policies():
        retries = [(path, p) for path, p in outer + own if isinstance(p, RetryPlan | HedgePlan)]
        load, sustained = _load(outer + own)
        work = sum(stage.longest_work)
        offered = shares[stage.name] / plan.mean_gap
        if not retries or not work:
            continue
        limits = {f"{stage.name}.concurrency": stage.concurrency}
        if stage.pool is not None:
            limits[f"{stage.name}.pool.size"] = stage.pool.limit
        limit = min(limits, key=lambda path: limits[path])
        capacity = limits[limit] / work
        if offered > capacity or offered * sustained <= capacity:
            continue
        budgets = [p.budget for _, p in retries if isinstance(p, RetryPlan)]
        kinds = {RetryPlan: "retries", HedgePlan: "hedges"}
        again = " and ".join(dict.fromkeys(kinds[type(p)] for _, p in retries))
        reserve = ""
        if any(budget is not None for budget in budgets):
            reserve = f" (up to {load} times while the reserve of {BUDGET_RESERVE:g} lasts)"
        yield Contradiction(
            (*(f"{path}.attempts" for path, _ in retries), limit),
            f"when calls fail, {again} make {sustained:g} calls of each request{reserve}: "
            f"{offered * sustained:.3g}/s against a capacity of {capacity:.3g}/s",
        )


def _turns_never_refused(plan: Plan) -> Iterator[Contradiction]:
    for _, _, own in plan.walk_policies():
        for path, policy in own:
            if isinstance(policy, RateLimitPlan) and policy.queue_limit < math.inf:
                longest = math.floor(policy.longest_queue + 1e-9)
                if 0 < longest <= policy.queue_limit:
                    yield Contradiction(
                        (f"{path}.queue_limit", f"{path}.timeout"),
                        f"the queue limit has no effect: no more than {longest} calls wait, as "
                        f"another would do so for longer than {duration_text(policy.timeout)}",
                    )


def _nothing_to_shed(plan: Plan) -> Iterator[Contradiction]:
    for stage, outer, own in plan.walk_policies():
        queues = [(stage.name, stage.codel, outer + own, math.inf)]
        queues += [
            (path, policy.codel, outer + own[:i], policy.timeout)
            for i, (path, policy) in enumerate(own)
            if isinstance(policy, BulkheadPlan)
        ]
        for path, codel, outside, timeout in queues:
            limits = (f"{path}.timeout", timeout), _tightest(outside, for_waits=True)
            setting, longest = min(filter(None, limits), key=lambda limit: limit[1])
            if codel is not None and longest <= codel.least_wait:
                yield Contradiction(
                    (f"{path}.codel.target", setting),
                    f"nothing is ever shed: nobody waits for longer than {duration_text(longest)}",
                )


def _of_connections(plan: ConnectionsPlan) -> Iterator[Contradiction]:
    where = f"workload.{CONNECTIONS}"
    if plan.idle_timeout < plan.ping_interval < math.inf:
        yield Contradiction(
            (f"{where}.ping.interval", f"{where}.idle_timeout"),
            f"pings keep no connection: a proxy cuts a quiet one after "
            f"{duration_text(plan.idle_timeout)}, before a ping after "
            f"{duration_text(plan.ping_interval)}",
        )
    if plan.limit < plan.clients:
        yield Contradiction(
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
            (f"{stage.name}.queue_limit", f"{where}.handshake.timeout"),
            f"with {queue:g} handshakes waiting, the last is served after {duration_text(wait)}, "
            f"{duration_text(wait - timeout)} after its client has given it up; the server goes "
            "on with it for nobody",
        )


def _hedges_never_sent(plan: Plan) -> Iterator[Contradiction]:
    for _, outer, own in plan.walk_policies():
        for i, (path, policy) in enumerate(own):
            if not isinstance(policy, HedgePlan):
                continue
            tightest = _tightest(outer + own[:i] + own[i + 1 :])
            if tightest is not None and policy.after >= tightest[1]:
                yield Contradiction(
                    (f"{path}.after", tightest[0]),
                    f"no slow call is sent again: it has ended after {duration_text(tightest[1])}",
                )


def _bulkheads_never_full(plan: Plan) -> Iterator[Contradiction]:
    idle: set[str] = set()  # of two that are alike, one is left
    for stage, outer, own in plan.walk_policies():
        for i, (path, policy) in enumerate(own):
            if not isinstance(policy, BulkheadPlan):
                continue
            rooms = [_let_in(outer + own[:i]), _kept_inside(stage, own[i + 1 :])]
            setting, room = min(rooms, key=lambda room: room[1])
            if room <= policy.concurrency and setting not in idle:
                idle.add(f"{path}.concurrency")
                yield Contradiction(
                    (f"{path}.concurrency", setting),
                    f"the bulkhead of {policy.concurrency} has no effect: no more than {room:g} "
                    "calls are ever inside it",
                )


def _let_in(outside: Around) -> tuple[str, float]:
    """Return how many calls the bulkheads around let in, and the setting that says so."""
    found = ("", math.inf)
    for path, policy in reversed(outside):
        if isinstance(policy, HedgePlan):
            break  # of each call there are several inside
        if isinstance(policy, DeadlinePlan) and policy.abandon:
            break  # zombies are inside, and no longer in what is around it
        if isinstance(policy, BulkheadPlan):
            found = min(found, (f"{path}.concurrency", policy.concurrency), key=lambda f: f[1])
        if isinstance(policy, AdaptiveLimitPlan):
            found = min(found, (f"{path}.max", policy.max), key=lambda f: f[1])
    return found


def _kept_inside(stage: StagePlan, inside: Around) -> tuple[str, float]:
    """Return how many calls there are room for inside, waiting included, and what says so.

    Without limit where calls can also spend time outside of that room.
    """
    for path, policy in inside:
        if isinstance(policy, BulkheadPlan):
            return f"{path}.concurrency", policy.room
        if isinstance(policy, AdaptiveLimitPlan):
            return f"{path}.max", policy.max
        waits = isinstance(policy, BreakerPlan) and policy.waits
        waits |= isinstance(policy, RateLimitPlan) and policy.timeout > 0
        if waits or isinstance(policy, RetryPlan | FallbackPlan):
            return path, math.inf
    elsewhere = stage.startup or stage.blocks
    limit = math.inf if elsewhere else stage.concurrency + stage.queue_limit
    return f"{stage.name}.concurrency", limit


def _recoveries_beyond(
    plan: Plan, request_class: str | None, limit: float
) -> Iterator[Contradiction]:
    named = [each.name for each in plan.classes]
    # An objective of all requests is one of the slowest class, too.
    classes = named if request_class is None and named else [request_class]
    chains = [sum((_recoveries(stage) for stage in plan.path(name)), Bound()) for name in classes]
    waits = max(chains, key=lambda chain: chain.total)
    if waits.total <= limit:
        return
    breakers = [path for path in waits.terms if path.endswith("recovery_timeout")]
    if breakers:
        policies = {path.rpartition(".")[0] for path in waits.terms}
        of = "" if request_class is None else f" of {request_class}"
        chain = "recoveries along the chain add up to" if len(policies) > 1 else "a recovery takes"
        yield Contradiction(
            tuple(waits.terms),
            f"callers wait while these are open: {chain} {duration_text(waits.total)}, beyond the "
            f"objective of {duration_text(limit)}{of}",
        )


def _recoveries(stage: StagePlan) -> Bound:
    """Return how long callers can wait for the recoveries of breakers in a stage."""
    inside = [_recoveries(inner) for inner in stage.stages]
    if stage.parallel:
        inside = [max(inside, key=lambda branch: branch.total)]
    bound = sum(inside, Bound())
    for policy in reversed(stage.policies):
        where = f"{stage.name}.{policy.name}"
        if isinstance(policy, DeadlinePlan):
            bound = bound.capped(f"{where}.timeout", policy.timeout)
        elif isinstance(policy, BreakerPlan) and policy.waits and policy.max_recoveries:
            bound += recoveries(where, policy)
    return bound
