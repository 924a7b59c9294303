"""Compiling: a scenario becomes a plan. Names become indices; units are seconds already."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from cascadesim.faults.plan import FaultPlan, Renewal
from cascadesim.plan.arrivals import Apart, Closed, Gaps, Recorded
from cascadesim.plan.classes import ClassPlan
from cascadesim.plan.connections import CONNECTIONS, ConnectionsPlan, HandshakePlan
from cascadesim.plan.plan import ObservedPlan, Plan
from cascadesim.plan.stage import StagePlan
from cascadesim.policies.plan import Asked
from cascadesim.policies.retry import RetryPlan
from cascadesim.randomness import Distribution
from cascadesim.values.units import or_infinite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.plan.arrivals import Arrivals, Open
    from cascadesim.scenario.schema.connections import Connections
    from cascadesim.scenario.schema.scenario import ScenarioModel
    from cascadesim.scenario.schema.stages import Stage
    from cascadesim.scenario.schema.workload import Arrivals as ArrivalsModel


def compile_plan(model: ScenarioModel) -> Plan:
    """Return the plan of a scenario."""
    faults: dict[str, list[FaultPlan]] = {}
    number = count()  # of random faults alone: planned ones do not change their draws
    for fault in model.faults:
        what = fault.chosen.plan()
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
        weights = [settings.weight or 0.0 for settings in model.classes.values()]
        shares = [weight / math.fsum(weights) for weight in weights]
    position = {name: i for i, name in enumerate(model.stages)}
    return tuple(
        ClassPlan(name, tuple(position[stage] for stage in settings.path or position), share)
        for (name, settings), share in zip(model.classes.items(), shares, strict=True)
    )


def _arrivals(
    model: ScenarioModel, faults: dict[str, list[FaultPlan]]
) -> Arrivals | ConnectionsPlan:
    if model.workload.connections is not None:
        return _connections(model.workload.connections, faults)
    closed, arrivals = model.workload.closed, model.workload.arrivals
    if closed is not None:
        return Closed(closed.clients, closed.think.distribution)
    if arrivals is not None:
        return _open(model, arrivals)
    return Apart(
        tuple(
            (name, _open(model, settings.arrivals))
            for name, settings in model.classes.items()
            if settings.arrivals is not None
        )
    )


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
        messages=settings.messages.distribution,
        connect_over=settings.connect_over,
        in_order=settings.ordering == "per_connection",
        drops=settings.when_disconnected == "drop",
        cancels=settings.on_disconnect == "cancel",
        handshake=HandshakePlan(stages, handshake.timeout, handshake.on_timeout == "abandon"),
        ping_interval=ping.interval if ping else math.inf,
        ping_timeout=ping.timeout if ping else math.inf,
        idle_timeout=or_infinite(settings.idle_timeout),
        limit=or_infinite(settings.limit),
        reply_timeout=or_infinite(settings.reply_timeout),
        lifetime=settings.lifetime.distribution if settings.lifetime else None,
        reconnect=RetryPlan("reconnect", 1, frozenset(), **reconnect.plan_fields),
        attempts=or_infinite(reconnect.attempts),
        faults=tuple(faults.get(CONNECTIONS, ())),
    )


def _stages(stages: dict[str, Stage], faults: dict[str, list[FaultPlan]]) -> tuple[StagePlan, ...]:
    return tuple(_stage(name, stage, faults) for name, stage in stages.items())


def _stage(name: str, stage: Stage, faults: dict[str, list[FaultPlan]]) -> StagePlan:
    asked = tuple(_asked({name: stage}))
    return StagePlan(
        name=name,
        is_agent=stage.kind == "agent",
        work=stage.work.distribution if stage.work else None,
        failure_rate=stage.failure_rate,
        concurrency=or_infinite(stage.concurrency),
        queue_limit=or_infinite(stage.queue_limit),
        lifo=stage.queue == "lifo",
        codel=stage.codel.plan() if stage.codel else None,
        blocks=stage.when_full == "block",
        tracker=stage.tracker.timeout if stage.tracker else math.inf,
        startup=stage.startup.timeout if stage.startup else 0.0,
        pool=stage.pool.plan() if stage.pool else None,
        session=stage.session.plan(),
        policies=tuple(
            p.chosen.plan(p.name).around(asked) for p in stage.policies if p.chosen.enabled
        ),
        faults=tuple(faults.get(name, ())),
        stages=_stages(stage.stages, faults),
        parallel=stage.parallel,
    )


def _asked(stages: dict[str, Stage]) -> Iterator[Asked]:
    """Yield what stages, and those inside them, say of Retry-After."""
    for name, stage in stages.items():
        if stage.retry_after is not None:
            yield Asked(f"{name}.queue_limit", stage.retry_after)
            if stage.codel is not None:
                yield Asked(f"{name}.codel.target", stage.retry_after)
        yield from _asked(stage.stages)
