"""Builds the layers of a plan: what a request is called through, outermost first."""

from __future__ import annotations

import math
from functools import partial
from itertools import accumulate
from operator import or_
from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.adaptive_limit import AdaptiveLimit, AdaptiveLimitPlan, algorithm_of
from cascadesim.engine.simpy.breaker import BreakerPlan, CircuitBreaker
from cascadesim.engine.simpy.breaker_presets import breaker_of, layer_of
from cascadesim.engine.simpy.bulkhead import Bulkhead, BulkheadPlan
from cascadesim.engine.simpy.connector import Connector, DoubtingConnector
from cascadesim.engine.simpy.deadline import DeadlinePlan
from cascadesim.engine.simpy.fallback import Fallback, FallbackPlan
from cascadesim.engine.simpy.handover import Row, RowLimit
from cascadesim.engine.simpy.hedge import Hedge, HedgePlan
from cascadesim.engine.simpy.parallel import Parallel
from cascadesim.engine.simpy.pool import Pool, PoolPlan, StaticPool
from cascadesim.engine.simpy.propagation import EndsWithContext, InTime, deadline_of, propagates
from cascadesim.engine.simpy.rate_limit import RateLimit, RateLimitPlan
from cascadesim.engine.simpy.retry import Retry, RetryPlan
from cascadesim.engine.simpy.session import FaultyLeaks, Leaks, SessionLayer
from cascadesim.engine.simpy.shedding import CodelBulkhead, CodelLimit
from cascadesim.engine.simpy.stage import Limit, Sequence, StagePlan, Startup, Work
from cascadesim.engine.simpy.websocket import Connections, Ends, Parts
from cascadesim.plan.arrivals import Apart
from cascadesim.plan.classes import ByClass, Classes
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.plan.faults import Timeline
from cascadesim.randomness import UNIFORM, Distribution, Stream
from cascadesim.records import Part

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as Listed

    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Layer
    from cascadesim.engine.simpy.stage import PolicyPlan
    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.faults import FaultPlan, Spans
    from cascadesim.plan.plan import Plan

Timeouts = tuple[tuple[str, float], ...]  # dotted paths and seconds


def _timeouts(stage: StagePlan) -> Timeouts:
    """Return the stage's own timeouts of work: of its deadlines and its tracker."""
    deadlines = tuple(
        (f"{stage.name}.{policy.name}.timeout", policy.timeout)
        for policy in stage.policies
        if isinstance(policy, DeadlinePlan)
    )
    if stage.tracker == math.inf:
        return deadlines
    return (*deadlines, (f"{stage.name}.tracker.timeout", stage.tracker))


def _keeps(stages: Listed[StagePlan]) -> tuple[bool, ...]:
    """Return of each stage in a row whether the one after it may let calls in late."""
    return (*(stage.blocks for stage in stages[1:]), False)


def _sequence(layers: Listed[Layer], keeps: tuple[bool, ...]) -> Layer:
    if any(keeps):
        return Row(tuple(layers), keeps)
    return layers[0] if len(layers) == 1 else Sequence(tuple(layers))


class Builder:
    """Turns stage plans into layers, and numbers the parts that time can go to."""

    def __init__(self, kernel: Kernel, end: float, seed: int, replication: int) -> None:
        self.kernel = kernel
        self.parts: list[Part] = []
        self.breakers: list[tuple[str, CircuitBreaker]] = []
        self.works: list[tuple[str, Work]] = []
        self.levels: dict[str, Callable[[], dict[str, int]]] = {}  # by what they are levels of
        self.ends: dict[str, int] = {}
        self.classes: Classes | None = None
        self._end_of_run = end
        self._seed = seed
        self._replication = replication
        self._stages = 0
        self._told = False  # whether what is being built is told of a deadline around it
        self._spans: dict[FaultPlan, Spans] = {}  # stages may share one

    def sequence(self, stages: Listed[StagePlan], outer: Timeouts = ()) -> Layer:
        """Build stages that a call passes in order; `outer` are the timeouts around them."""
        keeps = _keeps(stages)
        return _sequence(list(map(partial(self._stage, outer=outer), stages, keeps)), keeps)

    def root(self, plan: Plan) -> Layer:
        """Build the stages of a plan, each of them once, whatever classes pass it."""
        if not plan.classes:
            return self.sequence(plan.stages)
        self.classes = Classes(
            plan.classes,
            [each.request_class for each in plan.observed],
            self._seed,
            self._replication,
            apart=isinstance(plan.arrivals, Apart),
        )
        layers = list(map(partial(self._stage, outer=()), plan.stages, _keeps(plan.stages)))
        paths = [
            _sequence([layers[i] for i in each.path], _keeps([plan.stages[i] for i in each.path]))
            for each in plan.classes
        ]
        return ByClass(paths, self.classes)

    def _stage(self, plan: StagePlan, keeps: bool = False, *, outer: Timeouts) -> Layer:
        """Build a stage, whose calls may keep their places until the one after it lets them in."""
        told = list(accumulate(map(propagates, plan.policies), or_, initial=self._told))
        self._told = told.pop()
        index = self._stages
        layer = self._inside(plan, (*outer, *_timeouts(plan)))
        layer = self._entered(plan, index, layer, keeps=keeps)
        for policy in reversed(plan.policies):
            self._told = told.pop()
            layer = self._policy(plan.name, policy, layer)
        return self._in_time(layer)

    def _entered(self, plan: StagePlan, index: int, layer: Layer, *, keeps: bool) -> Layer:
        """Return what is inside of a stage with what it takes to enter it."""
        if plan.pool is not None:
            layer = self._in_time(self._session(plan, index, layer))
        if plan.concurrency < math.inf:
            part = self._part(plan.name, "queue_wait", f"{plan.name}.concurrency")
            limit = self._limit(plan, layer, part, keeps=keeps)
            self.levels[f"{plan.name}.concurrency"] = limit.levels
            layer = limit
        if plan.startup > 0 and plan.faults:
            setting = f"{plan.name}.startup.timeout"
            part, end = self._part(plan.name, "startup_wait", setting), self._end(setting)
            timeline = self._timeline(plan.faults)
            layer = Startup(layer, self.kernel, timeline, plan.startup, part, end)
        return layer

    def _limit(self, plan: StagePlan, inner: Layer, part: int, *, keeps: bool) -> Limit:
        full = self._end(f"{plan.name}.queue_limit")
        if plan.codel is not None:
            ends = full, self._end(f"{plan.name}.codel.target")
            return CodelLimit(inner, self.kernel, plan, part, ends)
        kind = RowLimit if keeps or plan.blocks else Limit
        return kind(inner, self.kernel, plan, part, full)

    def _in_time(self, layer: Layer) -> Layer:
        return InTime(layer, self.kernel) if self._told else layer

    def _inside(self, plan: StagePlan, timeouts: Timeouts) -> Layer:
        index = self._stages
        self._stages += 1
        layers: list[Layer] = []
        if plan.work is not None:
            # The tightest timeout around it is what bounds the work.
            tightest = min(timeouts, key=lambda timeout: timeout[1], default=None)
            setting = tightest[0] if tightest else f"{plan.name}.work"
            part = self._part(plan.name, plan.work_cause, setting)
            ends = self._end(plan.name), self._end(f"{plan.name}.tracker.timeout")
            draws = self._stream(f"{plan.name}.work", plan.work)
            failures = self._stream(f"{plan.name}.failure", UNIFORM)
            timeline = self._timeline(plan.faults) if plan.faults else None
            work = Work(self.kernel, plan, index, part, ends, draws, failures, timeline)
            self.works.append((plan.name, work))
            layers.append(self._in_time(work))
        if plan.parallel:
            inside = tuple(self._stage(stage, outer=timeouts) for stage in plan.stages)
            layers.append(Parallel(inside, self.kernel))
        elif plan.stages:
            layers.append(self.sequence(plan.stages, timeouts))
        return layers[0] if len(layers) == 1 else Sequence(tuple(layers))

    def _session(self, plan: StagePlan, index: int, inner: Layer) -> Layer:
        assert plan.pool is not None
        where = f"{plan.name}.pool"
        timeout = f"{where}.timeout"
        part = self._part(where, "pool_wait", timeout)
        full, lifetime = f"{where}.max_connections", f"{plan.name}.session.lifetime"
        ends = self._end(timeout), self._end(full), self._end(lifetime)
        pool = StaticPool(plan.pool) if plan.pool.kind == "static" else Pool(plan.pool)
        connector = self._connector(plan, plan.pool, pool)
        session, leaks = plan.session, self._leaks(plan)
        layer = SessionLayer(inner, self.kernel, pool, connector, session, part, ends, leaks, index)
        self.levels[where] = layer.levels
        return layer

    def _leaks(self, plan: StagePlan) -> Leaks | None:
        faults = tuple(fault for fault in plan.faults if fault.kind == "pool_leak")
        share = plan.session.leak
        if not share and not faults:
            return None
        draws = self._stream(f"{plan.name}.leak", UNIFORM)
        return FaultyLeaks(draws, share, self._timeline(faults)) if faults else Leaks(draws, share)

    def _connector(self, stage: StagePlan, plan: PoolPlan, pool: Pool) -> Connector:
        where = f"{stage.name}.pool"
        part = self._part(where, "connect", f"{where}.connect_time")
        draws = self._stream(f"{stage.name}.connect", plan.connect_time)
        restarts = tuple(fault for fault in stage.faults if fault.kind == "restart")
        if not restarts and not plan.pre_ping:
            return Connector(self.kernel, pool, part, draws)
        pinging = part
        if plan.pre_ping:
            pinging = self._part(f"{where}.pre_ping", "connect", f"{where}.ping_time")
        ends = self._end(stage.name), self._end(f"{where}.pre_ping")
        parts = part, pinging
        timeline = self._timeline(restarts)
        return DoubtingConnector(self.kernel, pool, parts, ends, draws, timeline)

    def connections(self, plan: ConnectionsPlan, inner: Layer) -> Connections:
        """Build the connections that messages pass on their way to a layer."""
        where = f"workload.{CONNECTIONS}"
        connections = Connections(
            inner,
            self.kernel,
            plan,
            Parts(
                self._part(CONNECTIONS, "handshake_wait", f"{where}.handshake.timeout"),
                self._part(CONNECTIONS, "retry_backoff", f"{where}.reconnect.base"),
                self._part(CONNECTIONS, "head_of_line_wait", f"{where}.ordering"),
                self._part(CONNECTIONS, "network_wait", f"{where}.ping.timeout"),
            ),
            Ends(
                self._end(CONNECTIONS),
                self._end(f"{where}.handshake.timeout"),
                self._end(f"{where}.reconnect.attempts"),
                self._end(f"{where}.limit"),
                self._end(f"{where}.ping.timeout"),
                self._end(f"{where}.idle_timeout"),
                self._end(f"{where}.reply_timeout"),
            ),
            self._stream(f"{where}.reconnect.jitter", UNIFORM),
            None if plan.lifetime is None else self._stream(f"{where}.lifetime", plan.lifetime),
            self._spans_of,
        )
        self.levels[CONNECTIONS] = connections.levels
        own = len(self.parts)
        timeout = (f"{where}.handshake.timeout", plan.handshake.timeout)
        handshake = self.sequence(plan.handshake.stages, (timeout,))
        connections.start(handshake, len(self.parts))
        del self.parts[own:]  # a handshake's time is no message's: those that wait for it wait
        return connections

    def first_fault(self, plan: Plan) -> float:
        """Return when the first fault begins, the horizon where there is none."""
        faults = (fault for _, faults in plan.befallen() for fault in faults)
        starts = (start for fault in faults for start, _ in self._spans_of(fault)[:1])
        return min(starts, default=plan.horizon)

    def _timeline(self, faults: tuple[FaultPlan, ...]) -> Timeline:
        return Timeline(faults, self._spans_of)

    def _spans_of(self, fault: FaultPlan) -> Spans:
        if fault not in self._spans:
            spans = fault.spans(self._seed, self._replication, self._end_of_run)
            self._spans[fault] = spans
        return self._spans[fault]

    def _policy(self, stage: str, plan: PolicyPlan, inner: Layer) -> Layer:
        build: dict[type, Callable[[str, Any, Layer], Layer]] = {
            AdaptiveLimitPlan: self._adaptive_limit,
            BreakerPlan: self._breaker,
            BulkheadPlan: self._bulkhead,
            DeadlinePlan: self._deadline,
            FallbackPlan: self._fallback,
            HedgePlan: self._hedge,
            RateLimitPlan: self._rate_limit,
            RetryPlan: self._retry,
        }
        return build[type(plan)](f"{stage}.{plan.name}", plan, inner)

    def _deadline(self, where: str, plan: DeadlinePlan, inner: Layer) -> Layer:
        end = self._end(f"{where}.timeout")
        deadline = deadline_of(plan)(inner, self.kernel, plan.timeout, end)
        return EndsWithContext(deadline) if self._told else deadline

    def _bulkhead(self, where: str, plan: BulkheadPlan, inner: Layer) -> Layer:
        part = self._part(where, "queue_wait", f"{where}.concurrency")
        ends = self._ends(where, "concurrency", "queue_limit", "timeout")
        if plan.codel is None:
            bulkhead = Bulkhead(inner, self.kernel, plan, part, ends)
        else:
            ends = *ends, self._end(f"{where}.codel.target")
            bulkhead = CodelBulkhead(inner, self.kernel, plan, part, ends)
        self.levels[where] = bulkhead.levels
        return bulkhead

    def _adaptive_limit(self, where: str, plan: AdaptiveLimitPlan, inner: Layer) -> Layer:
        algorithm = algorithm_of(plan, self._stream(f"{where}.probe", UNIFORM).at)
        end = self._end(f"{where}.algorithm")
        limit = AdaptiveLimit(inner, self.kernel, algorithm, plan.outcomes, end)
        self.levels[where] = limit.levels
        return limit

    def _rate_limit(self, where: str, plan: RateLimitPlan, inner: Layer) -> Layer:
        part = self._part(where, "rate_limit_wait", f"{where}.rate")
        ends = self._ends(where, "rate", "queue_limit", "timeout")
        limit = RateLimit(inner, self.kernel, plan, part, ends)
        self.levels[where] = limit.levels
        return limit

    def _breaker(self, where: str, plan: BreakerPlan, inner: Layer) -> Layer:
        breaker = breaker_of(plan)
        self.breakers.append((where, breaker))
        setting = f"{where}.recovery_timeout"
        part = self._part(where, "breaker_wait", setting) if plan.waits else 0
        end = self._end(setting if plan.waits else f"{where}.when_open")
        layer = layer_of(plan)(inner, self.kernel, breaker, part, end)
        self.levels[where] = layer.levels
        return layer

    def _fallback(self, where: str, plan: FallbackPlan, inner: Layer) -> Layer:
        part = self._part(where, "fallback", f"{where}.work")
        draws = self._stream(f"{where}.work", plan.work)
        return Fallback(inner, self.kernel, plan, part, draws)

    def _hedge(self, where: str, plan: HedgePlan, inner: Layer) -> Layer:
        part = self._part(where, "hedge_wait", f"{where}.after")
        return Hedge(inner, self.kernel, plan, part)

    def _retry(self, where: str, plan: RetryPlan, inner: Layer) -> Layer:
        part = self._part(where, "retry_backoff", f"{where}.base")
        jitter = self._stream(f"{where}.jitter", UNIFORM)
        return Retry(inner, self.kernel, plan, part, jitter)

    def _ends(self, where: str, *keys: str) -> tuple[int, ...]:
        return tuple(self._end(f"{where}.{key}") for key in keys)

    def _part(self, where: str, cause: str, setting: str) -> int:
        self.parts.append(Part(where, cause, setting))
        return len(self.parts) - 1

    def _end(self, path: str) -> int:
        return self.ends.setdefault(path, len(self.ends))

    def _stream(self, name: str, distribution: Distribution) -> Stream:
        return Stream(self._seed, self._replication, name, distribution)
