"""Cold start: calls take longer at first, as caches fill and code is compiled.

The factor falls along a line, as the interval between permits does in Guava's
SmoothRateLimiter.SmoothWarmingUp, which spares servers whose caches are cold; how real warm-up of
just-in-time compilers goes has no one form (Barrett et al., "Virtual Machine Warmup Blows Hot and
Cold", OOPSLA 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings
from cascadesim.values import sources
from cascadesim.values.sources import follows
from cascadesim.values.units import Number


class ColdStart(FaultSettings):
    """Calls that start meanwhile take longer, less and less so as caches fill and code compiles."""

    KIND: ClassVar[str] = "cold_start"
    SUMMARY: ClassVar[str] = "calls take longer at first, as after a restart"
    FOLLOWS = follows(sources.WARMING_UP)

    multiply: Annotated[Number, Field(gt=1, le=10**6)] = Field(
        description="factor on the work's time at the start of the fault; it falls evenly to 1"
    )

    def plan(self) -> ColdStartPlan:
        """Return the plan of a cold start whose times are yet to be set."""
        return ColdStartPlan(multiply=self.multiply)


@dataclass(frozen=True, slots=True)
class ColdStartPlan(FaultPlan):
    """Work is multiplied by `multiply` at the start, and by less and less until the end: by 1."""

    kind: ClassVar[str] = "cold_start"
    words: ClassVar[str] = "slow at first"
    multiply: float = 1.0

    @property
    def slows(self) -> bool:
        """Return that calls that start meanwhile take longer."""
        return True

    def slowed(self, work: float, share: float) -> float:
        """Return the seconds that `work` takes when this share of the fault has passed."""
        return work * (self.multiply - (self.multiply - 1) * share)

    def longest(self, work: float) -> float:
        """Return the longest that `work` seconds can take."""
        return max(work, work * self.multiply)
