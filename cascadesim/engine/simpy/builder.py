"""Builds the layers of a plan: what a request is called through, outermost first."""

from __future__ import annotations

import math
from importlib import import_module
from itertools import accumulate
from operator import or_
from typing import TYPE_CHECKING

from cascadesim.engine.simpy import session, websocket
from cascadesim.engine.simpy.by_class import ByClass
from cascadesim.engine.simpy.handover import Row, RowLimit
from cascadesim.engine.simpy.parallel import Parallel
from cascadesim.engine.simpy.propagation import InTime
from cascadesim.engine.simpy.shedding import CodelLimit
from cascadesim.engine.simpy.site import Shared, Site, build_policy
from cascadesim.engine.simpy.stage import Limit, Sequence, Startup, Work
from cascadesim.plan.arrivals import Apart
from cascadesim.plan.classes import Classes
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.plan.layout import Layout
from cascadesim.plan.stage import StagePlan, keeps_places
from cascadesim.randomness import UNIFORM

if TYPE_CHECKING:
    from collections.abc import Sequence as Listed

    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Layer
    from cascadesim.engine.simpy.websocket import Connections
    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.plan.plan import Plan


def _sequence(layers: Listed[Layer], keeps: tuple[bool, ...]) -> Layer:
    if any(keeps):
        return Row(tuple(layers), keeps)
    return layers[0] if len(layers) == 1 else Sequence(tuple(layers))


class Builder:
    """Turns the stages of a plan into layers; the plan's layout numbers what they write."""

    def __init__(self, kernel: Kernel, plan: Plan, seed: int, replication: int) -> None:
        self.layout = Layout(plan)
        self.shared = Shared(kernel, self.layout, plan.end, seed, replication)
        self.works: list[tuple[str, Work]] = []
        self.classes: Classes | None = None
        self._stages = 0
        self._in_context = False  # whether what is built now knows the deadline around it

    def sequence(self, stages: Listed[StagePlan]) -> Layer:
        """Build stages that a call passes in order."""
        keeps = keeps_places(tuple(stages))
        return _sequence(list(map(self._stage, stages, keeps)), keeps)

    def root(self, plan: Plan) -> Layer:
        """Build the stages of a plan, each of them once, whatever classes pass it."""
        if not plan.classes:
            return self.sequence(plan.stages)
        self.classes = Classes(
            plan.classes,
            [observed.request_class for observed in plan.observed],
            self.shared.seed,
            self.shared.replication,
            apart=isinstance(plan.arrivals, Apart),
        )
        layers = list(map(self._stage, plan.stages, keeps_places(plan.stages)))
        paths = [
            _sequence(
                [layers[i] for i in request_class.path],
                keeps_places([plan.stages[i] for i in request_class.path]),
            )
            for request_class in plan.classes
        ]
        return ByClass(paths, self.classes)

    def connections(self, plan: ConnectionsPlan, inner: Layer) -> Connections:
        """Build the connections that messages pass on their way to a layer."""
        connections = websocket.build(self.shared, plan, inner)
        self.shared.levels[CONNECTIONS] = connections.levels
        handshake = self.sequence(plan.handshake.stages)
        connections.start(handshake, self.layout.handshake_parts)
        return connections

    def first_fault(self, plan: Plan) -> float:
        """Return when the first fault begins, the horizon where there is none."""
        faults = (fault for _, faults in plan.with_faults() for fault in faults)
        starts = (start for fault in faults for start, _ in self.shared.spans_of(fault)[:1])
        return min(starts, default=plan.horizon)

    def _stage(self, plan: StagePlan, keeps: bool = False) -> Layer:
        """Build a stage with its policies; `keeps` says that the next stage can block it."""
        contexts = list(
            accumulate((p.propagates for p in plan.policies), or_, initial=self._in_context)
        )
        self._in_context = contexts.pop()
        index = self._stages
        layer = self._entered(plan, index, self._inside(plan), keeps=keeps)
        for where, policy in reversed(plan.paths):
            self._in_context = contexts.pop()
            site = Site(self.shared, where, in_context=self._in_context)
            layer = build_policy(site, policy, layer)
        return self._in_time(layer)

    def _entered(self, plan: StagePlan, index: int, layer: Layer, *, keeps: bool) -> Layer:
        """Wrap the inside of a stage in what a call passes first: start-up, limit, pool."""
        shared, layout = self.shared, self.layout
        if plan.pool is not None:
            layer = self._in_time(session.build(shared, plan, index, layer))
        if plan.concurrency < math.inf:
            limit = self._limit(plan, layer, keeps=keeps)
            shared.levels[f"{plan.name}.concurrency"] = limit.levels
            layer = limit
        if plan.startup > 0 and plan.faults:
            part = layout.part(plan.name, "startup_wait")
            end = layout.end(f"{plan.name}.startup.timeout")
            timeline = shared.timeline(plan.faults)
            layer = Startup(layer, shared.kernel, timeline, plan.startup, part, end)
        return layer

    def _limit(self, plan: StagePlan, inner: Layer, *, keeps: bool) -> Limit:
        kernel, part = self.shared.kernel, self.layout.part(plan.name, "queue_wait")
        full = self.layout.end(f"{plan.name}.queue_limit")
        if plan.codel is not None:
            ends = full, self.layout.end(f"{plan.name}.codel.target")
            return CodelLimit(inner, kernel, plan, part, ends)
        kind = RowLimit if keeps or plan.blocks else Limit
        return kind(inner, kernel, plan, part, full)

    def _in_time(self, layer: Layer) -> Layer:
        return InTime(layer, self.shared.kernel) if self._in_context else layer

    def _inside(self, plan: StagePlan) -> Layer:
        index = self._stages
        self._stages += 1
        layers: list[Layer] = []
        if plan.work is not None:
            layers.append(self._delayed(plan, index, self._in_time(self._work(plan, index))))
        if plan.parallel:
            branches = tuple(map(self._stage, plan.stages))
            layers.append(Parallel(branches, self.shared.kernel))
        elif plan.stages:
            layers.append(self.sequence(plan.stages))
        return layers[0] if len(layers) == 1 else Sequence(tuple(layers))

    def _delayed(self, plan: StagePlan, index: int, layer: Layer) -> Layer:
        """Wrap a stage's work in the layers of faults that calls wait for."""
        for kind in dict.fromkeys(fault.kind for fault in plan.faults if fault.wait):
            module = import_module(f"{__package__}.{kind}")
            layer = self._in_time(module.build(self.shared, plan, index, layer))
        return layer

    def _work(self, plan: StagePlan, index: int) -> Work:
        shared, layout = self.shared, self.layout
        assert plan.work is not None
        work = Work(
            shared.kernel,
            plan,
            index,
            layout.part(plan.name, plan.work_cause),
            (layout.end(plan.name), layout.end(f"{plan.name}.tracker.timeout")),
            shared.stream(f"{plan.name}.work", plan.work),
            shared.stream(f"{plan.name}.failure", UNIFORM),
            shared.timeline(plan.faults) if plan.faults else None,
        )
        self.works.append((plan.name, work))
        return work
