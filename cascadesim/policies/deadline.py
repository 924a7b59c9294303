"""Deadline: a caller that stops waiting after a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cascadesim.policies.plan import Attempts, PolicyPlan, Timeout
from cascadesim.policies.settings import Policy
from cascadesim.values import sources
from cascadesim.values.outcome import Outcome
from cascadesim.values.sources import follows
from cascadesim.values.strict import problem
from cascadesim.values.units import PositiveDuration

if TYPE_CHECKING:
    from cascadesim.policies.lone import LoneCall
    from cascadesim.values.bound import Bound


class Deadline(Policy):
    """Ends a call that takes too long."""

    KIND: ClassVar[str] = "deadline"
    SUMMARY: ClassVar[str] = "ends a call that takes too long"
    FOLLOWS = follows(
        on_timeout=sources.CANCELLATION, propagate=(sources.DEADLINES, sources.CONTEXT)
    )

    timeout: PositiveDuration = Field(description="longest time for the call")
    on_timeout: Literal["cancel", "abandon"] = Field(
        "cancel",
        description="cancel frees what the work holds; abandon lets it run on and hold it",
    )
    propagate: bool = Field(
        False,
        strict=True,
        description="tell abandoned work of the deadline: it ends its waits then, and begins "
        "nothing more",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.propagate and self.on_timeout == "cancel":
            message = "propagate needs on_timeout: abandon, as cancel ends all work inside at once"
            raise problem(message, "propagate")
        return self

    def plan(self, name: str) -> DeadlinePlan:
        """Return the plan of a deadline of this name."""
        return DeadlinePlan(name, self.timeout, self.on_timeout == "abandon", self.propagate)


@dataclass(frozen=True, slots=True)
class DeadlinePlan(PolicyPlan):
    """Settings of one deadline.

    `abandon` lets the work go on as a zombie after the timeout; with `propagate` the work knows
    the deadline.
    """

    kind: ClassVar[str] = "deadline"
    timeout: float  # seconds
    abandon: bool = False
    propagate: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the settings that can end a call here."""
        return ("timeout",)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case: that of the call inside, but no more than the timeout."""
        return inner.capped(f"{where}.timeout", self.timeout)

    def cut(self, where: str) -> Timeout:
        """Return the timeout after which callers no longer wait."""
        return Timeout(f"{where}.timeout", self.timeout, self.propagate or not self.abandon)

    def timeouts(self, where: str) -> tuple[Timeout, ...]:
        """Return the timeout, which never fires where one around it is shorter."""
        return (self.cut(where),)

    def attempts_of(self, inner: Attempts) -> Attempts:
        """Return those that begin before the timeout; abandoned work begins more all the same."""
        starts = inner.starts
        if self.propagate or not self.abandon:
            starts = tuple(start for start in starts if start < self.timeout * (1 - 1e-9))
        return Attempts(starts, min(inner.over, self.timeout))

    def lone(self, call: LoneCall) -> LoneCall | None:
        """Return the call as the timeout ends it, if it is longer."""
        if call.seconds < self.timeout and not math.isclose(call.seconds, self.timeout):
            return call
        if not self.abandon:
            return call.cut(self.timeout)
        if self.propagate or math.isclose(call.seconds, self.timeout):
            return None
        timed_out = Outcome.TIMED_OUT
        return replace(call, outcome=timed_out, seconds=self.timeout, entangled=True)

    @property
    def ends_silent(self) -> bool:
        """Return that it ends calls that get no answer."""
        return True

    @property
    def spans(self) -> tuple[float, ...]:
        """Return how long a call can last."""
        return (self.timeout,)

    @property
    def abandons(self) -> bool:
        """Return whether the call inside goes on when the deadline has passed."""
        return self.abandon

    @property
    def propagates(self) -> bool:
        """Return whether calls inside know the deadline."""
        return self.propagate
