"""Freeze: the work of a stage stands still and goes on afterwards, as in a garbage collection."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings

if TYPE_CHECKING:
    from cascadesim.faults.plan import Spans


class Freeze(FaultSettings):
    """All work stands still and goes on afterwards: a lock, a failover, a garbage collection.

    Work under way takes longer by the whole freeze, and that of new calls begins when it is over.
    """

    KIND: ClassVar[str] = "freeze"
    SUMMARY: ClassVar[str] = "all work stands still, and goes on afterwards"

    def plan(self) -> FreezePlan:
        """Return the plan of a freeze whose times are yet to be set."""
        return FreezePlan()


@dataclass(frozen=True, slots=True)
class FreezePlan(FaultPlan):
    """Work stands still until its end."""

    kind: ClassVar[str] = "freeze"
    words: ClassVar[str] = "frozen"
    stretches: ClassVar[bool] = True

    def stretched(self, work: float, now: float, spans: Spans) -> float:
        """Return how long a call takes that starts `now`: its work, and what it stands still."""
        still = 0.0
        for start, end in spans[max(0, bisect_right(spans, (now, math.inf)) - 1) :]:
            if start > now and start >= now + work + still:
                break
            still += max(0.0, end - max(start, now))
        return work + still

    def longest(self, work: float) -> float:
        """Return the longest that `work` seconds can take: each freeze stops it once."""
        return work + (math.inf if self.renewal is not None else self.end - self.start)
