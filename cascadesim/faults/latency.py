"""Latency: calls take longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings
from cascadesim.values.units import Duration, Number


class Latency(FaultSettings):
    """Calls that start meanwhile take longer."""

    KIND: ClassVar[str] = "latency"
    SUMMARY: ClassVar[str] = "calls take longer"

    multiply: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        1.0, description="factor on the work's time"
    )
    add: Duration = Field("0s", validate_default=True, description="time added after the factor")

    def plan(self) -> LatencyPlan:
        """Return the plan of a latency whose times are yet to be set."""
        return LatencyPlan(multiply=self.multiply, add=self.add)


@dataclass(frozen=True, slots=True)
class LatencyPlan(FaultPlan):
    """Work of calls that start meanwhile is multiplied, then `add` seconds are added."""

    kind: ClassVar[str] = "latency"
    words: ClassVar[str] = "slow"
    multiply: float = 1.0
    add: float = 0.0

    @property
    def slows(self) -> bool:
        """Return that calls that start meanwhile take longer."""
        return True

    def slowed(self, work: float, share: float) -> float:
        """Return the seconds that `work` takes, the same at any time of the fault."""
        return work * self.multiply + self.add

    def longest(self, work: float) -> float:
        """Return the longest that `work` seconds can take."""
        return max(work, work * self.multiply + self.add)
