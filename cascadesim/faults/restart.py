"""Restart: calls under way fail, and the stage starts up until the fault is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from cascadesim.faults.cold_start import ColdStart, ColdStartPlan
from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings
from cascadesim.values import sources
from cascadesim.values.sources import follows
from cascadesim.values.units import PositiveDuration  # noqa: TC001 - a field


class ColdAfter(ColdStart):
    """Calls that start after the restart take longer, less and less so until `for` is over."""

    duration: PositiveDuration = Field(alias="for", description="how long after the restart")


class Restart(FaultSettings):
    """Calls under way fail, and the stage starts up until the fault is over."""

    KIND: ClassVar[str] = "restart"
    SUMMARY: ClassVar[str] = "calls under way fail; the stage starts up until the fault is over"
    ON_CONNECTIONS: ClassVar[bool] = True
    FOLLOWS = follows(cold_start=sources.WARMING_UP)

    cold_start: ColdAfter | None = Field(
        None, description="calls take longer at first, each time that it has restarted"
    )

    def plan(self) -> RestartPlan:
        """Return the plan of a restart whose times are yet to be set."""
        cold = self.cold_start
        if cold is None:
            return RestartPlan()
        return RestartPlan(multiply=cold.multiply, cold=cold.duration)


@dataclass(frozen=True, slots=True)
class RestartPlan(FaultPlan):
    """Calls under way fail when it begins; until its end the stage is starting up.

    Calls that do not wait for that are refused at once. For `cold` seconds after its end the stage
    is as in a cold start that begins with the factor `multiply`.
    """

    kind: ClassVar[str] = "restart"
    words: ClassVar[str] = "restarts"
    cuts: ClassVar[bool] = True
    restarts: ClassVar[bool] = True
    multiply: float = 1.0
    cold: float = 0.0

    def longest(self, work: float) -> float:
        """Return the longest that `work` seconds can take, in the cold start after it."""
        return max(work, work * self.multiply)

    def aftermath(self, end: float) -> ColdStartPlan | None:
        """Return the cold start that follows at `end`, if any."""
        return ColdStartPlan(end, end + self.cold, multiply=self.multiply) if self.cold else None
