"""Throttle: a client that refuses some of its calls itself while the backend refuses many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cascadesim.policies.plan import PolicyPlan
from cascadesim.policies.settings import Errors, Policy, outcomes_of
from cascadesim.values.sources import Source, follows
from cascadesim.values.units import Number, PositiveDuration

if TYPE_CHECKING:
    from cascadesim.values.outcome import Outcome

SRE_BOOK = Source(
    'B. Beyer et al., "Site Reliability Engineering", 2016, ch. 21: Client-Side Throttling',
    "https://sre.google/sre-book/handling-overload/",
)


class Throttle(Policy):
    """Refuses a share of calls by itself while few are accepted, as Google's clients do."""

    KIND: ClassVar[str] = "throttle"
    SUMMARY: ClassVar[str] = "refuses calls by itself while few are accepted"
    FOLLOWS = follows(SRE_BOOK, name=(), enabled=())

    multiplier: Annotated[Number, Field(ge=1, le=1000)] = Field(
        2.0, description="calls sent at most for each that is accepted, in the long run; K"
    )
    window: PositiveDuration = Field(
        "2min", validate_default=True, description="time over which calls are counted"
    )
    outcomes: Errors = Field(
        ["rejected", "shed", "timed_out"], description="outcomes of calls that were not accepted"
    )

    def plan(self, name: str) -> ThrottlePlan:
        """Return the plan of a throttle of this name."""
        return ThrottlePlan(name, self.multiplier, self.window, outcomes_of(self.outcomes))


@dataclass(frozen=True, slots=True)
class ThrottlePlan(PolicyPlan):
    """Settings of one throttle; `window` is in seconds."""

    kind: ClassVar[str] = "throttle"
    multiplier: float
    window: float
    outcomes: frozenset[Outcome]  # of calls that were not accepted

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the setting that can refuse a call."""
        return ("multiplier",)

    @property
    def spans(self) -> tuple[float, ...]:
        """Return how long it remembers calls."""
        return (self.window,)

    @property
    def ends_silent(self) -> bool:
        """Return that it refuses calls while nothing inside answers."""
        return True
