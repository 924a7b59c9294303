"""A stage as an engine takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cascadesim.resources.session import SessionPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.faults.plan import FaultPlan
    from cascadesim.policies.plan import Around, PolicyPlan
    from cascadesim.randomness import Distribution
    from cascadesim.resources.codel import CodelPlan
    from cascadesim.resources.pool import PoolPlan


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage and the stages inside it, times in seconds."""

    name: str
    is_agent: bool = False  # its work counts as agent execution
    work: Distribution | None = None
    failure_rate: float = 0.0  # chance that a call fails when its work is done
    concurrency: float = math.inf  # calls worked on at once
    queue_limit: float = math.inf  # calls that may wait for that
    lifo: bool = False  # the newest of them is served first
    codel: CodelPlan | None = None  # sheds some of them
    blocks: bool = False  # if full, a call waits in the stage before, and is not rejected
    tracker: float = math.inf  # when a call that gets no answer is noticed
    startup: float = 0.0  # how long callers wait while the stage starts up
    pool: PoolPlan | None = None
    session: SessionPlan = field(default_factory=SessionPlan)
    policies: tuple[PolicyPlan, ...] = ()  # outermost first
    faults: tuple[FaultPlan, ...] = ()
    stages: tuple[StagePlan, ...] = ()  # passed after the stage's own work
    parallel: bool = False  # all of them at once, not in order

    @property
    def longest_work(self) -> list[float]:
        """Return the mean seconds of each work that a call does in turn, those inside included.

        Of parallel stages, only the branch with the largest sum counts; the mean of the slowest
        branch is more than that.
        """
        work = [] if self.work is None else [self.work.mean]
        inside = [stage.longest_work for stage in self.stages]
        if self.parallel:
            return work + max(inside, key=math.fsum)
        return work + [seconds for works in inside for seconds in works]

    @property
    def work_cause(self) -> str:
        """Return the cause that the stage's own work is charged to."""
        return "agent_execution" if self.is_agent else "service_work"

    @property
    def paths(self) -> Around:
        """Return the policies with their dotted paths, outermost first."""
        return tuple((f"{self.name}.{policy.name}", policy) for policy in self.policies)


def walk(stages: tuple[StagePlan, ...]) -> Iterator[StagePlan]:
    """Yield stages and those inside them, outer ones first."""
    for stage in stages:
        yield stage
        yield from walk(stage.stages)


def keeps_places(stages: tuple[StagePlan, ...] | list[StagePlan]) -> tuple[bool, ...]:
    """Return, for each stage of a row, whether the next stage can block it."""
    return (*(stage.blocks for stage in stages[1:]), False)
