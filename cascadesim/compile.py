"""Scenario -> Plan: names become indices and kinds become plans; units are seconds already."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from cascadesim.model.breaker import BreakerPlan
from cascadesim.model.deadline import DeadlinePlan
from cascadesim.model.fallback import FallbackPlan
from cascadesim.model.faults import FaultPlan
from cascadesim.model.outcome import Outcome
from cascadesim.model.pool import PoolPlan, SessionPlan
from cascadesim.model.retry import RetryPlan
from cascadesim.model.stage import StagePlan
from cascadesim.plan import ObservedPlan, Plan
from cascadesim.randomness import Distribution

if TYPE_CHECKING:
    from cascadesim.model.stage import PolicyPlan
    from cascadesim.scenario.schema.faults import Fault
    from cascadesim.scenario.schema.policies import PolicyChoice
    from cascadesim.scenario.schema.scenario import ScenarioModel
    from cascadesim.scenario.schema.stages import Pool, Stage
    from cascadesim.scenario.schema.work import Work
    from cascadesim.scenario.schema.workload import Arrivals


def compile_plan(model: ScenarioModel) -> Plan:
    """Return the plan of a scenario."""
    faults: dict[str, list[FaultPlan]] = {}
    for fault in model.faults:
        start = model.seconds(fault.start)
        faults.setdefault(fault.on, []).append(_fault(fault, start))
    stages = _stages(model.stages, faults)
    plan = Plan(model.horizon, model.fixed_warmup, _gaps(model.workload.arrivals), stages)
    index = {stage.name: i for i, stage in enumerate(plan.walk())}
    observed = tuple(
        ObservedPlan(
            model.observed_arrival(i),
            tuple((index[stage], seconds) for stage, seconds in seen.work.items()),
        )
        for i, seen in enumerate(model.observations)
    )
    return replace(plan, observed=observed, drain=model.drain)


def _gaps(arrivals: Arrivals) -> Distribution:
    kind = "exponential" if arrivals.kind == "poisson" else "constant"
    return Distribution(kind, (1 / arrivals.chosen.rate,))


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
        tracker=stage.tracker.timeout if stage.tracker else math.inf,
        startup=stage.startup.timeout if stage.startup else 0.0,
        pool=_pool(stage.pool) if stage.pool else None,
        session=SessionPlan(_or_infinite(stage.session.lifetime), stage.session.leak),
        policies=tuple(_policy(p) for p in stage.policies if p.chosen.enabled),
        faults=tuple(faults.get(name, ())),
        stages=_stages(stage.stages, faults),
    )


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def distribution(work: Work) -> Distribution:
    """Return the distribution that is described, lognormal ones by mu and sigma.

    A quantile q of a lognormal is median * exp(sigma * z(q)), z that of the standard normal.
    """
    settings: Any = work.chosen
    if work.kind == "constant":
        return Distribution("constant", (settings,))
    if work.kind == "exponential":
        return Distribution("exponential", (settings.mean,))
    if work.kind == "uniform":
        return Distribution("uniform", (settings.low, settings.high))
    (spread,) = settings.model_fields_set - {"median"}
    value = getattr(settings, spread)
    if spread == "sigma":
        sigma = value
    else:
        z = NormalDist().inv_cdf(float(spread[1:]) / 100)
        sigma = math.log(value / settings.median) / z
    return Distribution("lognormal", (math.log(settings.median), sigma))


def _pool(pool: Pool) -> PoolPlan:
    return PoolPlan(
        kind=pool.kind,
        connect_time=pool.connect_time,
        max_connections=_or_infinite(pool.max_connections),
        size=pool.size,
        max_overflow=pool.max_overflow,
        timeout=pool.timeout,
        recycle=_or_infinite(pool.recycle),
    )


def _outcomes(words: list[Any]) -> frozenset[Outcome]:
    return frozenset(Outcome[word.upper()] for word in words)


def _policy(policy: PolicyChoice) -> PolicyPlan:
    settings = policy.chosen
    if policy.kind == "deadline":
        return DeadlinePlan(policy.name, settings.timeout, settings.on_timeout == "abandon")
    outcomes = _outcomes(settings.outcomes)
    if policy.kind == "breaker":
        return BreakerPlan(
            policy.name,
            settings.failure_threshold,
            settings.recovery_timeout,
            settings.half_open_permits,
            settings.successes_to_close,
            settings.when_open == "wait",
            settings.max_recoveries,
            outcomes,
        )
    if policy.kind == "fallback":
        return FallbackPlan(policy.name, outcomes, distribution(settings.work))
    return RetryPlan(
        policy.name,
        settings.attempts,
        outcomes,
        settings.backoff,
        settings.base,
        settings.multiplier,
        _or_infinite(settings.cap),
        settings.jitter,
        settings.budget,
    )


def _fault(fault: Fault, start: float) -> FaultPlan:
    settings = getattr(fault, fault.kind)
    return FaultPlan(
        kind=fault.kind,
        start=start,
        end=start + fault.duration,
        fail_after=getattr(settings, "fail_after", 0.0),
        share=getattr(settings, "share", 0.0),
        multiply=getattr(settings, "multiply", 1.0),
        add=getattr(settings, "add", 0.0),
    )
