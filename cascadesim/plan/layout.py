"""The layout of records: the numbers of the parts of a request's time, and of what can end it.

All engines must number them alike, so it is done here, from the plan alone: inner layers first,
stage by stage, then what connections add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.plan.connections import CONNECTIONS, ENDS, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan

    Timeouts = tuple[str, ...]  # dotted paths


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a request's time.

    `where` is the dotted path of the stage, policy or pool, `cause` the name of one of CAUSES,
    `setting` the dotted path of the setting that governs it, and `cut_by` those of the timeouts
    that govern it where they end the call. `inside` is how many of the parts before belong to what
    a call does in the place that it waits for here.
    """

    where: str
    cause: str
    setting: str
    cut_by: tuple[str, ...] = ()
    inside: int = 0

    @property
    def stage(self) -> str:
        """Return the stage that it belongs to."""
        return self.where.partition(".")[0]

    @property
    def column(self) -> str:
        """Return the name of its column, such as "agent.breaker.breaker_wait_s"."""
        return f"{self.where}.{self.cause}_s"


class Layout:
    """The parts and ends of a plan by number.

    `parts` are those of requests, `ends` the dotted paths of what can end a request. `behind` has,
    for each end of a breaker, the numbers of the ends behind it. The stages of a handshake have
    parts of their own, numbered after those of requests; `handshake_parts` is the number of both
    together. `beside` is the numbers of the parts of requests that can be off the critical path:
    those of parallel stages, and those inside a hedge.
    """

    def __init__(self, plan: Plan) -> None:
        self._parts: list[Part] = []
        self._ends: dict[str, int] = {}
        self._beside: set[int] = set()
        self.behind: dict[int, range] = {}
        lost = ("reply_timeout", "idle_timeout", "ping.timeout") if plan.connections else ()
        self._sequence(plan.stages, tuple(f"{SETTINGS}.{key}" for key in lost))
        self.beside = tuple(sorted(self._beside))
        if plan.connections is not None:
            self._add_connections(closes=plan.connections.lifetime is not None)
        requests = len(self._parts)
        if plan.connections is not None:
            handshake = plan.connections.handshake
            self._sequence(handshake.stages, (f"{SETTINGS}.handshake.timeout",))
        self.parts = tuple(self._parts[:requests])
        self.ends = tuple(self._ends)
        self.handshake_parts = len(self._parts)
        self._numbers = {(part.where, part.cause): i for i, part in enumerate(self._parts)}

    def part(self, where: str, cause: str) -> int:
        """Return the number of the part of a dotted path with this cause."""
        return self._numbers[where, cause]

    def end(self, path: str) -> int:
        """Return the number of what ends a request, by its dotted path."""
        return self._ends[path]

    def setting(self, part: int) -> str:
        """Return the setting that governs a part, by its number; of a handshake, too."""
        return self._parts[part].setting

    def _add(
        self, where: str, cause: str, setting: str, *cut_by: str, first: int | None = None
    ) -> None:
        inside = 0 if first is None else len(self._parts) - first
        self._parts.append(Part(where, cause, setting, cut_by, inside))

    def _add_ends(self, *paths: str) -> None:
        for path in paths:
            self._ends.setdefault(path, len(self._ends))

    def _sequence(self, stages: Sequence[StagePlan], outer: Timeouts) -> None:
        for stage in stages:
            self._stage(stage, outer)

    def _stage(self, stage: StagePlan, outer: Timeouts) -> None:
        timeouts = (*outer, *_timeouts(stage))
        name, first, first_end = stage.name, len(self._parts), len(self._ends)
        if stage.work is not None:
            self._add_work(stage, timeouts)
        branches = len(self._parts)
        self._sequence(stage.stages, timeouts)
        if stage.parallel:
            self._beside.update(range(branches, len(self._parts)))
        if stage.pool is not None:
            self._add_pool(stage, first)
        if stage.concurrency < math.inf:
            self._add(name, "queue_wait", f"{name}.concurrency", first=first)
            self._add_ends(f"{name}.queue_limit")
            if stage.codel is not None:
                self._add_ends(f"{name}.codel.target")
        if stage.startup > 0 and stage.faults:
            self._add(name, "startup_wait", f"{name}.startup.timeout")
            self._add_ends(f"{name}.startup.timeout")
        self._add_policies(stage, first, first_end)

    def _add_policies(self, stage: StagePlan, first: int, first_end: int) -> None:
        """Add those of a stage's policies; `first` and `first_end` are those of the stage."""
        for where, policy in reversed(stage.paths):
            if policy.overlaps:
                self._beside.update(range(first, len(self._parts)))
            cut_by = [f"{where}.{end}" for end in policy.ends if end == "timeout"]
            causes: set[str] = set()
            for cause, setting in policy.parts:
                inside = first if cause == "queue_wait" else None
                at = f"{where}.{setting}" if cause in causes else where
                causes.add(cause)
                self._add(at, cause, f"{where}.{setting}", *cut_by, first=inside)
            if policy.states_over_time:
                inner = range(first_end, len(self._ends))
                self.behind |= {len(self._ends) + i: inner for i in range(len(policy.ends))}
            self._add_ends(*(f"{where}.{end}" for end in policy.ends))

    def _add_work(self, stage: StagePlan, timeouts: Timeouts) -> None:
        name = stage.name
        waits = dict.fromkeys(fault.wait for fault in stage.faults if fault.wait)
        for cause in (stage.work_cause, *waits):
            self._add(name, cause, f"{name}.work", *timeouts)
        self._add_ends(name, f"{name}.tracker.timeout")

    def _add_pool(self, stage: StagePlan, first: int) -> None:
        assert stage.pool is not None
        where = f"{stage.name}.pool"
        self._add(where, "pool_wait", f"{where}.size", first=first)
        ends = (f"{where}.timeout", f"{where}.max_connections", f"{stage.name}.session.lifetime")
        self._add_ends(*ends)
        self._add(where, "connect", f"{where}.connect_time")
        if stage.pool.pre_ping:
            self._add(f"{where}.pre_ping", "connect", f"{where}.ping_time")
        if stage.pool.pre_ping or any(fault.restarts for fault in stage.faults):
            self._add_ends(stage.name, f"{where}.pre_ping")

    def _add_connections(self, *, closes: bool) -> None:
        for cause, setting in (
            ("handshake_wait", "handshake.timeout"),
            ("retry_backoff", "reconnect.base"),
            ("head_of_line_wait", "ordering"),
            ("network_wait", "ping.timeout"),
        ):
            self._add(CONNECTIONS, cause, f"{SETTINGS}.{setting}")
        if closes:
            self._add(CONNECTIONS, "closing_wait", f"{SETTINGS}.lifetime")
        self._add_ends(*ENDS)


def _timeouts(stage: StagePlan) -> Timeouts:
    """Return the stage's own timeouts of work: of deadlines, its tracker and its session."""
    cuts = (policy.cut(where) for where, policy in stage.paths)
    timeouts = [cut.setting for cut in cuts if cut is not None]
    if stage.tracker < math.inf:
        timeouts.append(f"{stage.name}.tracker.timeout")
    if stage.pool is not None and stage.session.lifetime < math.inf:
        timeouts.append(f"{stage.name}.session.lifetime")
    return tuple(timeouts)
