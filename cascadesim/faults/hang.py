"""Hang: calls never get an answer, as from a process that dies silently or a lock that stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.settings import FaultSettings


class Hang(FaultSettings):
    """Calls never get an answer, nor do those under way when it begins: only a timeout ends them.

    They keep what they hold, even when the fault is over.
    """

    KIND: ClassVar[str] = "hang"
    SUMMARY: ClassVar[str] = "no answer, ever: only a timeout ends a call"

    def plan(self) -> HangPlan:
        """Return the plan of a hang whose times are yet to be set."""
        return HangPlan()


@dataclass(frozen=True, slots=True)
class HangPlan(FaultPlan):
    """Calls never get an answer, nor do those under way."""

    kind: ClassVar[str] = "hang"
    words: ClassVar[str] = "no answer"
    cuts: ClassVar[bool] = True
    silent: ClassVar[bool] = True
