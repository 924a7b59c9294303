"""Pool leak: sessions are not closed, and hold their connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings
from cascadesim.values.units import Share


class PoolLeak(FaultSettings):
    """Sessions that end meanwhile are not closed, and hold their connections."""

    KIND: ClassVar[str] = "pool_leak"
    SUMMARY: ClassVar[str] = "connections of the pool are lost"
    ON_POOL: ClassVar[bool] = True

    share: Share = Field(description="share of the sessions, beside the stage's own leak")

    def plan(self) -> PoolLeakPlan:
        """Return the plan of a leak whose times are yet to be set."""
        return PoolLeakPlan(share=self.share)


@dataclass(frozen=True, slots=True)
class PoolLeakPlan(FaultPlan):
    """A `share` of the sessions that end meanwhile is leaked."""

    kind: ClassVar[str] = "pool_leak"
    words: ClassVar[str] = "sessions leak"
    share: float = 0.0

    @property
    def leak_share(self) -> float:
        """Return the share of sessions that are leaked."""
        return self.share
