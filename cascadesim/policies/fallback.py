"""Fallback: a degraded answer in place of an error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from cascadesim.policies.plan import PolicyPlan, Room
from cascadesim.policies.settings import ALL_ERRORS, Errors, Policy, outcomes_of
from cascadesim.values.bound import Bound
from cascadesim.values.distributions import Work
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.policies.lone import LoneCall
    from cascadesim.randomness import Distribution


class Fallback(Policy):
    """Gives a degraded answer in place of an error."""

    KIND: ClassVar[str] = "fallback"
    SUMMARY: ClassVar[str] = "a degraded answer in place of an error"

    work: Work = Field(
        {"constant": "0s"},
        validate_default=True,
        description="how long the degraded answer takes",
    )
    outcomes: Errors = Field(ALL_ERRORS, description="outcomes that it answers for")

    def plan(self, name: str) -> FallbackPlan:
        """Return the plan of a fallback of this name."""
        return FallbackPlan(name, outcomes_of(self.outcomes), self.work.distribution)


@dataclass(frozen=True, slots=True)
class FallbackPlan(PolicyPlan):
    """Settings of one fallback; `work` is how long the degraded answer takes, in seconds."""

    kind: ClassVar[str] = "fallback"
    outcomes: frozenset[Outcome]
    work: Distribution

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time goes to: making the degraded answer."""
        return (("fallback", "work"),)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case: the call inside fails at its last, then the answer is made."""
        return inner + Bound({f"{where}.work": self.work.upper})

    def lone(self, call: LoneCall) -> LoneCall | None:
        """Return the degraded answer in place of an error."""
        if call.outcome not in self.outcomes:
            return call
        if self.work.kind != "constant":
            return None
        return replace(call, outcome=Outcome.DEGRADED, seconds=call.seconds + self.work.mean)

    @property
    def answers_errors(self) -> bool:
        """Return that an error inside becomes an answer here."""
        return True

    def keeps(self, where: str) -> Room:
        """Return that calls also spend time here, making answers."""
        return Room(where, float("inf"))
