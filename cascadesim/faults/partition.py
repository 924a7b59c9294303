"""Partition: calls get no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings


class Partition(FaultSettings):
    """Calls get no answer, nor do those under way when it begins: only a timeout ends them."""

    KIND: ClassVar[str] = "partition"
    SUMMARY: ClassVar[str] = "no answer: only a timeout ends a call"
    ON_CONNECTIONS: ClassVar[bool] = True

    def plan(self) -> PartitionPlan:
        """Return the plan of a partition whose times are yet to be set."""
        return PartitionPlan()


@dataclass(frozen=True, slots=True)
class PartitionPlan(FaultPlan):
    """Calls get no answer, nor do those under way."""

    kind: ClassVar[str] = "partition"
    words: ClassVar[str] = "no answer"
    cuts: ClassVar[bool] = True
    silent: ClassVar[bool] = True
