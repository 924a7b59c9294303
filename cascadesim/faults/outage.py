"""Outage: calls fail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings
from cascadesim.values.units import Duration


class Outage(FaultSettings):
    """Calls fail, and so do those under way when it begins."""

    KIND: ClassVar[str] = "outage"
    SUMMARY: ClassVar[str] = "calls fail"

    fail_after: Duration = Field(
        "0s", validate_default=True, description="how long a call takes to fail"
    )

    def plan(self) -> OutagePlan:
        """Return the plan of an outage whose times are yet to be set."""
        return OutagePlan(fail_after=self.fail_after)


@dataclass(frozen=True, slots=True)
class OutagePlan(FaultPlan):
    """Calls fail after `fail_after` seconds; those under way fail when it begins."""

    kind: ClassVar[str] = "outage"
    words: ClassVar[str] = "calls fail"
    cuts: ClassVar[bool] = True
    fail_after: float = 0.0

    @property
    def fails_after(self) -> float:
        """Return the seconds after which a call fails."""
        return self.fail_after

    @property
    def ends_all_calls(self) -> bool:
        """Return whether it lasts from the beginning to the end."""
        return self.start <= 0 and self.end == math.inf
