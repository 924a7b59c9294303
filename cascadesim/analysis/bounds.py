"""Worst-case latency, from the settings alone: the longest that a request can possibly take.

It mirrors how the engine wraps a stage: policies, start-up, concurrency, session, work. Where
nothing bounds a wait the bound is infinite, and the setting that would bound it is named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.adaptive_limit import AdaptiveLimitPlan
from cascadesim.engine.simpy.breaker import BreakerPlan
from cascadesim.engine.simpy.bulkhead import BulkheadPlan
from cascadesim.engine.simpy.deadline import DeadlinePlan
from cascadesim.engine.simpy.fallback import FallbackPlan
from cascadesim.engine.simpy.hedge import HedgePlan
from cascadesim.engine.simpy.rate_limit import RateLimitPlan
from cascadesim.engine.simpy.retry import RetryPlan
from cascadesim.plan.connections import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cascadesim.engine.simpy.pool import PoolPlan
    from cascadesim.engine.simpy.stage import PolicyPlan, StagePlan
    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.plan import Plan

_CONNECTIONS = f"workload.{CONNECTIONS}"


@dataclass(frozen=True)
class Bound:
    """Seconds by the setting that allows them; they add up to the worst case."""

    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Return the worst case in seconds."""
        return math.fsum(self.terms.values())

    def __add__(self, other: Bound) -> Bound:
        terms = dict(self.terms)
        for setting, seconds in other.terms.items():
            terms[setting] = terms.get(setting, 0.0) + seconds
        return Bound(terms)

    def times(self, factor: float) -> Bound:
        """Return the bound of going through the same thing `factor` times."""
        if factor == 0:
            return Bound()
        return Bound({setting: seconds * factor for setting, seconds in self.terms.items()})

    def capped(self, setting: str, seconds: float) -> Bound:
        """Return the bound under a timeout."""
        return self if self.total <= seconds else Bound({setting: seconds})


def worst_case(plan: Plan) -> dict[str, Bound]:
    """Return the bound of every top-level stage, and of connections; those of a path add up."""
    given: dict[str, float] = {}
    names = [stage.name for stage in plan.walk()]
    for observed in plan.observed:
        for index, seconds in observed.work:
            given[names[index]] = max(seconds, given.get(names[index], 0.0))
    top = [stage.name for stage in plan.stages]
    bounds = dict(zip(top, _in_order(plan.stages, given), strict=True))
    if plan.connections is None:
        return bounds
    handled = sum(bounds.values(), Bound())
    return {CONNECTIONS: _connections(plan.connections, handled)} | bounds


def _connections(plan: ConnectionsPlan, handled: Bound) -> Bound:
    """Return the bound of what a message waits for outside of the stages that handle it.

    That is one time without connection, at most as long as a client goes on trying; the network in
    both directions; and earlier messages of the same connection, of which there may be any number.
    """
    tries = range(int(plan.attempts)) if plan.attempts < math.inf else ()
    backoff = math.fsum(plan.reconnect.longest(k) for k in tries)
    shaking = plan.attempts * plan.handshake.timeout
    silent = [
        f.end - f.start if f.renewal is None else math.inf
        for f in plan.faults
        if f.kind == "partition"
    ]
    bound = Bound({f"{_CONNECTIONS}.ping.timeout": math.fsum(silent)})
    if plan.attempts < math.inf:
        bound += Bound({f"{_CONNECTIONS}.handshake.timeout": shaking})
        bound += Bound({f"{_CONNECTIONS}.reconnect.base": backoff})
    else:
        bound += Bound({f"{_CONNECTIONS}.reconnect.attempts": math.inf})
    if plan.in_order:
        bound += Bound({f"{_CONNECTIONS}.ordering": math.inf if handled.total else 0.0})
    if plan.lifetime is not None:  # a connection is closed when all is answered
        bound += handled
    return bound


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


def _in_order(stages: tuple[StagePlan, ...], given: Mapping[str, float]) -> list[Bound]:
    """Return the bounds of stages that a call passes in order."""
    found: list[Bound] = []
    kept = 0.0  # seconds that a call may keep its place for until the next stage takes it in
    for before, stage in zip((None, *stages)[::-1][1:], stages[::-1], strict=True):
        bound = stage_bound(stage, given, kept, before)
        # A call that its caller has given up keeps its place all the same.
        held = replace(stage, policies=tuple(p for p in stage.policies if not _abandons(p)))
        kept = stage_bound(held, given, kept, before).total if stage.blocks else 0.0
        found.append(bound)
    return found[::-1]


def _abandons(policy: PolicyPlan) -> bool:
    return isinstance(policy, DeadlinePlan) and policy.abandon


def stage_bound(
    stage: StagePlan,
    given: Mapping[str, float] = MappingProxyType({}),
    kept: float = 0.0,
    before: StagePlan | None = None,
) -> Bound:
    """Return the bound of one stage.

    `given` holds seconds of work that are not drawn; `kept` is how long a place is kept after the
    call, and `before` the stage whose places are kept for this one, if it blocks.
    """
    bound = _inside(stage, given, kept, before)
    for policy in reversed(stage.policies):
        bound = _policy(f"{stage.name}.{policy.name}", policy, bound)
    return bound


def _inside(
    stage: StagePlan, given: Mapping[str, float], kept: float, before: StagePlan | None
) -> Bound:
    bound = _work(stage, given)
    if stage.parallel:
        branches = [stage_bound(inner, given) for inner in stage.stages]
        inside = [max(branches, key=lambda branch: branch.total)]
    else:
        inside = _in_order(stage.stages, given)
    bound = sum(inside, bound)
    if stage.pool is not None:
        bound = bound.capped(f"{stage.name}.session.lifetime", stage.session.lifetime)
        bound += _connection(f"{stage.name}.pool", stage.pool)
    if stage.concurrency < math.inf:
        bound += _queueing(stage, bound.total + kept, before)
    if stage.startup > 0:
        bound += Bound({f"{stage.name}.startup.timeout": stage.startup})
    return bound


def _queueing(stage: StagePlan, call: float, before: StagePlan | None) -> Bound:
    """Return the bound of waiting for one of the stage's concurrency, by that of a call, seconds.

    First come first served, each round of `concurrency` calls takes that long at most. Last come,
    newcomers overtake without end, but where only one can wait.
    """
    overtaken = stage.lifo and stage.queue_limit > 1
    waiting = stage.queue_limit + (_blocked(stage, before) if stage.blocks else 0)
    rounds = math.inf if overtaken else waiting / stage.concurrency
    rounds = math.ceil(rounds) if rounds < math.inf else rounds
    setting = f"{stage.name}.queue" if overtaken else f"{stage.name}.concurrency"
    return Bound({setting: rounds * call if rounds and call else 0.0})


def _blocked(stage: StagePlan, before: StagePlan | None) -> float:
    """Return how many calls may wait for a place in a stage's queue.

    Each has one in the stage before, but for those that come anew or got a degraded answer there.
    """
    anew = any(isinstance(policy, RetryPlan | HedgePlan) for policy in stage.policies)
    if before is None or anew or any(isinstance(p, FallbackPlan) for p in before.policies):
        return math.inf
    return before.concurrency


def _connection(where: str, pool: PoolPlan) -> Bound:
    """Return the bound of getting a connection: wait for it, ping it, and make another."""
    bound = Bound({f"{where}.connect_time": pool.connect_time.upper})
    if pool.pre_ping:
        bound += Bound({f"{where}.ping_time": pool.ping_time})
    if pool.limit < math.inf:
        bound += Bound({f"{where}.timeout": pool.timeout})
    return bound


def _work(stage: StagePlan, given: Mapping[str, float]) -> Bound:
    if stage.work is None:
        return Bound()
    if any(f.kind == "outage" and f.start <= 0 and f.end == math.inf for f in stage.faults):
        down = max(fault.fail_after for fault in stage.faults)  # from beginning to end
        return Bound({f"{stage.name}.work": down})
    seconds = max(stage.work.upper, given.get(stage.name, 0.0))
    for fault in stage.faults:
        if fault.multiply != 1 or fault.add:
            seconds = max(seconds, seconds * fault.multiply + fault.add)
    # A call that an outage meets half way still fails within its work; later ones fail after this.
    seconds = max(seconds, *(fault.fail_after for fault in stage.faults), 0.0)
    silent = any(fault.kind == "partition" for fault in stage.faults)
    if silent and stage.tracker > seconds:
        return Bound({f"{stage.name}.tracker.timeout": stage.tracker})
    return Bound({f"{stage.name}.work": seconds})


def _policy(where: str, policy: PolicyPlan, inner: Bound) -> Bound:
    if isinstance(policy, AdaptiveLimitPlan):
        return inner  # it refuses at once
    if isinstance(policy, DeadlinePlan):
        return inner.capped(f"{where}.timeout", policy.timeout)
    if isinstance(policy, BulkheadPlan | RateLimitPlan):
        return inner + Bound({f"{where}.timeout": policy.timeout})
    if isinstance(policy, FallbackPlan):
        return inner + Bound({f"{where}.work": policy.work.upper})
    if isinstance(policy, BreakerPlan):
        return _breaker(where, policy, inner) if policy.waits else inner
    return (
        _hedge(where, policy, inner)
        if isinstance(policy, HedgePlan)
        else _retry(where, policy, inner)
    )


def _retry(where: str, retry: RetryPlan, inner: Bound) -> Bound:
    waits = math.fsum(retry.longest(attempt) for attempt in range(retry.attempts - 1))
    return inner.times(retry.attempts) + Bound({f"{where}.base": waits})


def _hedge(where: str, hedge: HedgePlan, inner: Bound) -> Bound:
    """Return the bound of attempts of which the last is the one that decides.

    Each is sent `after` the one before, or sooner where that has failed. The first one that ends
    decides where no error is followed by another attempt.
    """
    if not hedge.outcomes:
        return inner
    if inner.total <= hedge.after:
        return inner.times(hedge.attempts)
    return inner + Bound({f"{where}.after": (hedge.attempts - 1) * hedge.after})


def _breaker(where: str, breaker: BreakerPlan, inner: Bound) -> Bound:
    """Return the bound of waiting callers.

    Between recoveries, and before the first and after the last, they may watch trials, of which
    `successes_to_close` succeed one after the other before the breaker closes or one fails. Each
    trial takes as long as the caller's own call at most.
    """
    trials = (breaker.max_recoveries + 1) * breaker.successes_to_close
    return inner.times(trials + 1) + recoveries(where, breaker)


def recoveries(where: str, breaker: BreakerPlan) -> Bound:
    """Return how long a caller can wait for recoveries."""
    longest = breaker.longest_recovery
    grows = longest > breaker.recovery_timeout
    setting = "max_recovery_timeout" if grows else "recovery_timeout"
    bound = Bound({f"{where}.{setting}": breaker.max_recoveries * longest})
    if breaker.interval:
        bound += Bound({f"{where}.interval": breaker.max_recoveries * breaker.interval})
    return bound
