"""The settings that all faults share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cascadesim.values.strict import Strict

if TYPE_CHECKING:
    from cascadesim.faults.plan import FaultPlan


class FaultSettings(Strict):
    """Settings of any fault."""

    KIND: ClassVar[str]  # the key in a scenario
    SUMMARY: ClassVar[str]  # a few words for the reference
    ON_POOL: ClassVar[bool] = False  # it needs a stage with a pool, and not one with work
    ON_CONNECTIONS: ClassVar[bool] = False  # WebSocket connections can have it, too

    def plan(self) -> FaultPlan:
        """Return the plan of a fault whose times are yet to be set."""
        raise NotImplementedError
