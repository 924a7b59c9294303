"""Error rate: a share of calls fails after its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings
from cascadesim.values.units import Share


class ErrorRate(FaultSettings):
    """A share of calls fails after its work."""

    KIND: ClassVar[str] = "error_rate"
    SUMMARY: ClassVar[str] = "a share of the calls fails"

    share: Share = Field(description="share of the calls that fail")

    def plan(self) -> ErrorRatePlan:
        """Return the plan of a fault whose times are yet to be set."""
        return ErrorRatePlan(share=self.share)


@dataclass(frozen=True, slots=True)
class ErrorRatePlan(FaultPlan):
    """A `share` of calls fails, beside those that fail anyhow."""

    kind: ClassVar[str] = "error_rate"
    words: ClassVar[str] = "some calls fail"
    share: float = 0.0

    @property
    def error_share(self) -> float:
        """Return the share of calls that fail."""
        return self.share
