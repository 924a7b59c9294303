"""The plan: what an engine needs to know of a scenario, frozen, in seconds and numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.plan.arrivals import Closed
from cascadesim.plan.connections import CONNECTIONS, ConnectionsPlan
from cascadesim.plan.stage import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.faults.plan import FaultPlan
    from cascadesim.plan.arrivals import Arrivals
    from cascadesim.plan.classes import ClassPlan
    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.plan import Around


@dataclass(frozen=True, slots=True)
class ObservedPlan:
    """A recorded request that is sent among the background traffic.

    `arrival` is in seconds. `work` holds the seconds of its work that are fitted and not drawn, by
    stage index; `request_class` is the position of its class, where there are any.
    """

    arrival: float
    work: tuple[tuple[int, float], ...] = ()
    request_class: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One variant of a scenario, ready to be simulated. Times in seconds from t = 0."""

    horizon: float
    warmup: float
    arrivals: Arrivals | ConnectionsPlan  # of the background traffic
    stages: tuple[StagePlan, ...]
    observed: tuple[ObservedPlan, ...] = ()
    drain: float = 0.0  # seconds after the horizon in which requests may end and none arrive
    classes: tuple[ClassPlan, ...] = ()  # of the requests, none where all go the same way

    @property
    def end(self) -> float:
        """Return when a replication ends, in seconds."""
        return self.horizon + self.drain

    @property
    def mean_gap(self) -> float:
        """Return the mean seconds between arrivals of the background traffic.

        For clients it is the least possible: that with no waits, only thinking and work.
        """
        if isinstance(self.arrivals, ConnectionsPlan):
            return self.arrivals.messages.mean / self.arrivals.clients
        if not isinstance(self.arrivals, Closed):
            return self.arrivals.mean_gap(self.horizon)
        shares = self.shares
        work = math.fsum(
            shares[stage.name] * seconds for stage in self.stages for seconds in stage.longest_work
        )
        return (self.arrivals.think.mean + work) / self.arrivals.clients

    def path(self, request_class: str | None) -> tuple[StagePlan, ...]:
        """Return the top-level stages that a class of requests passes, in order.

        All of them for None, where there are no classes.
        """
        if request_class is None:
            return self.stages
        (plan,) = (plan for plan in self.classes if plan.name == request_class)
        return tuple(self.stages[i] for i in plan.path)

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of requests that are sent through each stage, by its name."""
        if not self.classes:
            return {stage.name: 1.0 for stage in self.walk()}
        return {
            stage.name: math.fsum(plan.share for plan in self.classes if i in plan.path)
            for i, outer in enumerate(self.stages)
            for stage in walk((outer,))
        }

    def faults_in(self, seed: int, replication: int = 0) -> list[tuple[FaultPlan, list[str]]]:
        """Return the faults that begin within a replication, by start, with the stages they hit.

        A random fault is in it once for each time that it comes, with the start and end drawn.
        """
        stages_of: dict[FaultPlan, dict[str, None]] = {}
        for name, faults in self.with_faults():
            for fault in faults:
                for drawn in fault.drawn(seed, replication, self.end):
                    stages_of.setdefault(drawn, {})[name] = None
        by_start = sorted(stages_of.items(), key=lambda item: item[0].start)
        return [(fault, list(stages)) for fault, stages in by_start]

    @property
    def connections(self) -> ConnectionsPlan | None:
        """Return the connections that messages come over, if they do."""
        return self.arrivals if isinstance(self.arrivals, ConnectionsPlan) else None

    def with_faults(self) -> Iterator[tuple[str, tuple[FaultPlan, ...]]]:
        """Yield what can have faults, with them: every stage by its name, and the connections."""
        for stage in self.walk():
            yield stage.name, stage.faults
        if self.connections is not None:
            yield CONNECTIONS, self.connections.faults

    def walk(self) -> Iterator[StagePlan]:
        """Yield every stage in the order of the stage index: outer stages before those inside.

        The stages of a handshake come last.
        """
        yield from walk(self.stages)
        if self.connections is not None:
            yield from self.connections.walk()

    def walk_policies(self) -> Iterator[tuple[StagePlan, Around, Around]]:
        """Yield every stage with the policies of stages around it, and with its own.

        Both are outermost first.
        """
        yield from _walk_policies(self.stages, ())


def _walk_policies(
    stages: tuple[StagePlan, ...], outer: Around
) -> Iterator[tuple[StagePlan, Around, Around]]:
    for stage in stages:
        yield stage, outer, stage.paths
        yield from _walk_policies(stage.stages, outer + stage.paths)
