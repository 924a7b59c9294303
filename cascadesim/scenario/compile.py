"""Scenario -> Plan: names become indices and kinds become plans; units are seconds already."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from cascadesim.engine.simpy.adaptive_limit import AdaptiveLimitPlan
from cascadesim.engine.simpy.breaker import BreakerPlan
from cascadesim.engine.simpy.bulkhead import BulkheadPlan
from cascadesim.engine.simpy.codel import CodelPlan
from cascadesim.engine.simpy.deadline import DeadlinePlan
from cascadesim.engine.simpy.fallback import FallbackPlan
from cascadesim.engine.simpy.hedge import HedgePlan
from cascadesim.engine.simpy.pool import PoolPlan, SessionPlan
from cascadesim.engine.simpy.rate_limit import RateLimitPlan
from cascadesim.engine.simpy.retry import RetryPlan
from cascadesim.engine.simpy.stage import StagePlan
from cascadesim.engine.simpy.window import WindowPlan
from cascadesim.plan.arrivals import Apart, Closed, Gaps, Recorded
from cascadesim.plan.classes import ClassPlan
from cascadesim.plan.connections import CONNECTIONS, ConnectionsPlan, HandshakePlan
from cascadesim.plan.faults import FaultPlan, Renewal
from cascadesim.plan.outcome import Outcome
from cascadesim.plan.plan import ObservedPlan, Plan
from cascadesim.randomness import Distribution
from cascadesim.scenario.schema.breakers import LONGEST_EJECTION
from cascadesim.scenario.schema.policies import LIMIT_DEFAULTS, LIMIT_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.engine.simpy.stage import PolicyPlan
    from cascadesim.plan.arrivals import Arrivals, Open
    from cascadesim.scenario.schema.breakers import Window
    from cascadesim.scenario.schema.connections import Connections
    from cascadesim.scenario.schema.faults import Fault
    from cascadesim.scenario.schema.policies import (
        AdaptiveLimit,
        Backoff,
        Breaker,
        Bulkhead,
        Codel,
        Deadline,
        Fallback,
        Hedge,
        PolicyChoice,
        RateLimit,
        Retry,
    )
    from cascadesim.scenario.schema.scenario import ScenarioModel
    from cascadesim.scenario.schema.stages import Pool, Stage
    from cascadesim.scenario.schema.workload import Arrivals as ArrivalsModel
    from cascadesim.values.distributions import Gamma, Lognormal, Work


def compile_plan(model: ScenarioModel) -> Plan:
    """Return the plan of a scenario."""
    faults: dict[str, list[FaultPlan]] = {}
    number = count()  # of random faults, so that others come and go without moving them
    for fault in model.faults:
        what = _fault(fault)
        if fault.random is not None:
            times = Renewal(f"faults.{next(number)}", fault.random.mtbf, fault.random.mttr)
            what = replace(what, renewal=times)
        else:
            assert fault.start is not None
            assert fault.duration is not None
            start = model.seconds(fault.start)
            what = replace(what, start=start, end=start + fault.duration)
        for name in fault.stages:
            faults.setdefault(name, []).append(what)
    stages = _stages(model.stages, faults)
    plan = Plan(model.horizon, model.fixed_warmup, _arrivals(model, faults), stages)
    index = {stage.name: i for i, stage in enumerate(plan.walk())}
    observed = tuple(
        ObservedPlan(
            model.observed_arrival(i),
            tuple((index[stage], seconds) for stage, seconds in seen.work.items()),
            0 if seen.request_class is None else list(model.classes).index(seen.request_class),
        )
        for i, seen in enumerate(model.observations)
    )
    return replace(plan, observed=observed, drain=model.drain, classes=_classes(model, plan))


def _classes(model: ScenarioModel, plan: Plan) -> tuple[ClassPlan, ...]:
    if isinstance(plan.arrivals, Apart):
        shares = plan.arrivals.shares(plan.horizon)
    else:
        weights = [each.weight or 0.0 for each in model.classes.values()]
        shares = [weight / math.fsum(weights) for weight in weights]
    position = {name: i for i, name in enumerate(model.stages)}
    return tuple(
        ClassPlan(name, tuple(position[stage] for stage in each.path or position), share)
        for (name, each), share in zip(model.classes.items(), shares, strict=True)
    )


def _arrivals(
    model: ScenarioModel, faults: dict[str, list[FaultPlan]]
) -> Arrivals | ConnectionsPlan:
    if model.workload.connections is not None:
        return _connections(model.workload.connections, faults)
    closed, arrivals = model.workload.closed, model.workload.arrivals
    if closed is not None:
        return Closed(closed.clients, distribution(closed.think))
    if arrivals is not None:
        return _open(model, arrivals)
    own = ((name, each.arrivals) for name, each in model.classes.items())
    return Apart(tuple((name, _open(model, each)) for name, each in own if each is not None))


def _open(model: ScenarioModel, arrivals: ArrivalsModel) -> Open:
    if arrivals.piecewise is not None:
        return model.rates(arrivals.piecewise)
    if arrivals.replay is not None:
        return Recorded(arrivals.replay.instants, arrivals.replay.share)
    kind = "exponential" if arrivals.kind == "poisson" else "constant"
    return Gaps(Distribution(kind, (1 / arrivals.chosen.rate,)))


def _connections(settings: Connections, faults: dict[str, list[FaultPlan]]) -> ConnectionsPlan:
    handshake, ping, reconnect = settings.handshake, settings.ping, settings.reconnect
    stages = _stages(handshake.stages, faults)
    return ConnectionsPlan(
        clients=settings.clients,
        messages=distribution(settings.messages),
        connect_over=settings.connect_over,
        in_order=settings.ordering == "per_connection",
        handshake=HandshakePlan(stages, handshake.timeout, handshake.on_timeout == "abandon"),
        ping_interval=ping.interval if ping else math.inf,
        ping_timeout=ping.timeout if ping else math.inf,
        idle_timeout=_or_infinite(settings.idle_timeout),
        limit=_or_infinite(settings.limit),
        reply_timeout=_or_infinite(settings.reply_timeout),
        lifetime=distribution(settings.lifetime) if settings.lifetime else None,
        reconnect=RetryPlan("reconnect", 1, frozenset(), **_backoff(reconnect)),
        attempts=_or_infinite(reconnect.attempts),
        faults=tuple(faults.get(CONNECTIONS, ())),
    )


def _stages(stages: dict[str, Stage], faults: dict[str, list[FaultPlan]]) -> tuple[StagePlan, ...]:
    return tuple(_stage(name, stage, faults) for name, stage in stages.items())


def _stage(name: str, stage: Stage, faults: dict[str, list[FaultPlan]]) -> StagePlan:
    return StagePlan(
        name=name,
        is_agent=stage.kind == "agent",
        work=distribution(stage.work) if stage.work else None,
        failure_rate=stage.failure_rate,
        concurrency=_or_infinite(stage.concurrency),
        queue_limit=_or_infinite(stage.queue_limit),
        lifo=stage.queue == "lifo",
        codel=_codel(stage.codel),
        blocks=stage.when_full == "block",
        tracker=stage.tracker.timeout if stage.tracker else math.inf,
        startup=stage.startup.timeout if stage.startup else 0.0,
        pool=_pool(stage.pool) if stage.pool else None,
        session=SessionPlan(_or_infinite(stage.session.lifetime), stage.session.leak),
        policies=tuple(_policy(p) for p in stage.policies if p.chosen.enabled),
        faults=tuple(faults.get(name, ())),
        stages=_stages(stage.stages, faults),
        parallel=stage.parallel,
    )


def _codel(codel: Codel | None) -> CodelPlan | None:
    return None if codel is None else CodelPlan(codel.target, codel.interval, codel.law)


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def distribution(work: Work) -> Distribution:
    """Return the distribution that is described."""
    if work.mixture is None:
        return Distribution(work.kind, _PARAMETERS[work.kind](work.chosen))
    weights = tuple(part.weight for part in work.mixture.values())
    parts = tuple((name, distribution(part)) for name, part in work.mixture.items())
    return Distribution("mixture", weights, parts)


def _lognormal(settings: Lognormal) -> tuple[float, float]:
    """Return mu and sigma.

    A quantile q of a lognormal is median * exp(sigma * z(q)), z that of the standard normal.
    """
    mu = math.log(settings.median)
    if settings.kind == "sigma":
        return mu, settings.chosen
    z = NormalDist().inv_cdf(float(settings.kind[1:]) / 100)
    return mu, math.log(settings.chosen / settings.median) / z


def _gamma(settings: Gamma) -> tuple[float, float]:
    """Return shape and scale; the mean is their product, the variation 1 / sqrt(shape)."""
    shape = settings.chosen if settings.kind == "shape" else settings.chosen**-2
    return shape, settings.mean / shape


_PARAMETERS: dict[str, Callable[[Any], tuple[float, ...]]] = {
    "constant": lambda seconds: (seconds,),
    "exponential": lambda settings: (settings.mean,),
    "lognormal": _lognormal,
    "uniform": lambda settings: (settings.low, settings.high),
    "gamma": _gamma,
    "pareto": lambda settings: (*settings.parameters, _or_infinite(settings.cap)),
    "empirical": lambda settings: tuple(sorted(settings.seconds)),
}


def _pool(pool: Pool) -> PoolPlan:
    return PoolPlan(
        kind=pool.kind,
        connect_time=distribution(pool.connect_time),
        max_connections=_or_infinite(pool.max_connections),
        size=pool.size,
        max_overflow=pool.max_overflow,
        timeout=pool.timeout,
        recycle=_or_infinite(pool.recycle),
        use_lifo=pool.use_lifo,
        pre_ping=pool.pre_ping,
        ping_time=pool.ping_time,
    )


def _outcomes(words: list[Any]) -> frozenset[Outcome]:
    return frozenset(Outcome[word.upper()] for word in words)


def _policy(policy: PolicyChoice) -> PolicyPlan:
    return _POLICIES[policy.kind](policy.name, policy.chosen)


def _bulkhead(name: str, settings: Bulkhead) -> BulkheadPlan:
    queue_limit = _or_infinite(settings.queue_limit)
    codel = _codel(settings.codel)
    return BulkheadPlan(name, settings.concurrency, queue_limit, settings.timeout, codel)


def _adaptive_limit(name: str, settings: AdaptiveLimit) -> AdaptiveLimitPlan:
    """Return the plan, with the defaults that its algorithm has in the library."""
    keys = (key for key in LIMIT_KEYS if getattr(settings, key) is not None)
    given = {key: getattr(settings, key) for key in keys}
    values = LIMIT_DEFAULTS[settings.algorithm] | given
    values["initial"] = given.get("initial", min(values["initial"], values["max"]))
    values["min"] = given.get("min", min(values["min"], values["initial"]))
    return AdaptiveLimitPlan(
        name, settings.algorithm, outcomes=_outcomes(settings.outcomes), **values
    )


def _rate_limit(name: str, settings: RateLimit) -> RateLimitPlan:
    queue_limit = _or_infinite(settings.queue_limit)
    return RateLimitPlan(name, settings.rate, settings.burst, settings.timeout, queue_limit)


def _deadline(name: str, settings: Deadline) -> DeadlinePlan:
    abandon = settings.on_timeout == "abandon"
    return DeadlinePlan(name, settings.timeout, abandon, settings.propagate)


def _fallback(name: str, settings: Fallback) -> FallbackPlan:
    return FallbackPlan(name, _outcomes(settings.outcomes), distribution(settings.work))


def _hedge(name: str, settings: Hedge) -> HedgePlan:
    throttle = settings.throttle
    tokens = (throttle.max_tokens, throttle.token_ratio) if throttle else ()
    outcomes = _outcomes(settings.outcomes)
    return HedgePlan(name, settings.after, settings.attempts, outcomes, *tokens)


def _retry(name: str, settings: Retry) -> RetryPlan:
    return RetryPlan(
        name,
        settings.attempts,
        _outcomes(settings.outcomes),
        budget=settings.budget,
        **_backoff(settings),
    )


def _backoff(settings: Backoff) -> dict[str, Any]:
    """Return what a retry's plan has to say of its waits."""
    return {
        "backoff": settings.backoff,
        "base": settings.base,
        "multiplier": settings.multiplier,
        "cap": _or_infinite(settings.cap),
        "jitter": settings.jitter,
    }


def _breaker(name: str, settings: Breaker) -> BreakerPlan:
    window = None if settings.window is None else _window(settings.window)
    longest = settings.max_recovery_timeout or LONGEST_EJECTION
    return BreakerPlan(
        name=name,
        failure_threshold=settings.failure_threshold if window is None else window.minimum,
        recovery_timeout=settings.recovery_timeout,
        half_open_permits=_or_all(settings.half_open_permits),
        successes_to_close=settings.successes_to_close,
        waits=settings.when_open == "wait",
        max_recoveries=settings.max_recoveries,
        outcomes=_outcomes(settings.outcomes),
        window=window,
        preset=settings.preset,
        max_recovery_timeout=longest if settings.preset == "envoy" else 0.0,
        interval=settings.interval or 0.0,
    )


_POLICIES: dict[str, Callable[[str, Any], PolicyPlan]] = {
    "adaptive_limit": _adaptive_limit,
    "breaker": _breaker,
    "bulkhead": _bulkhead,
    "deadline": _deadline,
    "fallback": _fallback,
    "hedge": _hedge,
    "rate_limit": _rate_limit,
    "retry": _retry,
}


def _or_all(permits: int | Literal["all"]) -> float:
    return math.inf if permits == "all" else permits


def _window(window: Window) -> WindowPlan:
    calls = window.calls or 0
    return WindowPlan(
        calls=calls,
        time=_or_infinite(window.time),
        minimum=window.minimum or calls,
        failure_rate=_or_infinite(window.failure_rate),
        slow_call=_or_infinite(window.slow_call),
        slow_rate=_or_infinite(window.slow_rate),
    )


def _fault(fault: Fault) -> FaultPlan:
    settings = fault.chosen
    cold = getattr(settings, "cold_start", None)
    return FaultPlan(
        kind=fault.kind,
        fail_after=getattr(settings, "fail_after", 0.0),
        share=getattr(settings, "share", 0.0),
        multiply=getattr(cold or settings, "multiply", 1.0),
        add=getattr(settings, "add", 0.0),
        cold=0.0 if cold is None else cold.duration,
    )
