"""Partition: the network delivers nothing until it ends; then it delivers what was sent.

TCP sends again what is not acknowledged (RFC 9293, section 3.8.1), so a request or a reply that is
sent meanwhile arrives, late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings


class Partition(FaultSettings):
    """Calls begun meanwhile reach the stage at its end, and answers their callers.

    Nobody notices but by a timeout. Connecting a pool is not delayed, but the query after it is.
    """

    KIND: ClassVar[str] = "partition"
    SUMMARY: ClassVar[str] = "the network delivers nothing until it ends, and then everything"
    ON_CONNECTIONS: ClassVar[bool] = True

    def plan(self) -> PartitionPlan:
        """Return the plan of a partition whose times are yet to be set."""
        return PartitionPlan()


@dataclass(frozen=True, slots=True)
class PartitionPlan(FaultPlan):
    """Calls and answers wait for its end."""

    kind: ClassVar[str] = "partition"
    words: ClassVar[str] = "no network"
    wait: ClassVar[str] = "network_wait"

    def longest(self, work: float) -> float:
        """Return the longest that `work` seconds can take: it delays a call once, on either way."""
        return work + (math.inf if self.renewal is not None else self.end - self.start)
