"""Retry: how long to wait before another attempt, which outcomes lead to one, and how many.

Kinds of jitter follow "Exponential Backoff And Jitter" (M. Brooker, AWS Architecture Blog, 2015);
the budget follows Finagle's RetryBudget, without its expiry: tokens are earned by calls and spent
by retries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from cascadesim.policies.plan import Load, PolicyPlan, Room
from cascadesim.policies.settings import Errors, Policy, outcomes_of
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict
from cascadesim.values.units import Duration, Number, PositiveDuration, Share, or_infinite

if TYPE_CHECKING:
    from cascadesim.values.outcome import Outcome

LONGEST = 1e250  # seconds, as good as for ever; small enough that times a base it stays finite
BUDGET_RESERVE = 10.0  # retries that a full budget allows at once


class Backoff(Strict):
    """How long the waits between attempts are."""

    FOLLOWS = follows(sources.BACKOFF)

    backoff: Literal["constant", "linear", "exponential"] = Field(
        "exponential", description="how waits grow from one attempt to the next"
    )
    base: Duration = Field("100ms", validate_default=True, description="the first wait")
    multiplier: Annotated[Number, Field(ge=1)] = Field(
        2.0, description="growth of an exponential backoff"
    )
    cap: PositiveDuration | None = Field(None, description="longest single wait")
    jitter: Literal["none", "full", "equal", "decorrelated"] = Field(
        "none", description="what part of a wait is random"
    )

    @property
    def plan_fields(self) -> dict[str, Any]:
        """Return the fields of a RetryPlan that say how long it waits."""
        return {
            "backoff": self.backoff,
            "base": self.base,
            "multiplier": self.multiplier,
            "cap": or_infinite(self.cap),
            "jitter": self.jitter,
        }


class Retry(Policy, Backoff):
    """Sends a call that failed again."""

    KIND: ClassVar[str] = "retry"
    SUMMARY: ClassVar[str] = "sends a call that failed again"
    FOLLOWS = follows(
        sources.BACKOFF, name=(), enabled=(), outcomes=(), budget=sources.RETRY_BUDGET
    )

    attempts: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        3, description="calls in all, the first one included"
    )
    budget: Share | None = Field(
        None, description="share of calls that may be retried, beyond a reserve of 10"
    )
    outcomes: Errors = Field(
        ["timed_out", "failed"], description="outcomes that earn another attempt"
    )

    def plan(self, name: str) -> RetryPlan:
        """Return the plan of a retry of this name."""
        outcomes = outcomes_of(self.outcomes)
        return RetryPlan(name, self.attempts, outcomes, budget=self.budget, **self.plan_fields)


@dataclass(frozen=True, slots=True)
class RetryPlan(PolicyPlan):
    """Settings of one retry, times in seconds.

    `backoff` is "constant", "linear" or "exponential" in the attempt; `jitter` is "none", "full",
    "equal" or "decorrelated". `budget` is the share of first attempts that may be retried.
    """

    kind: ClassVar[str] = "retry"
    attempts: int  # calls in all, the first one included
    outcomes: frozenset[Outcome]  # which earn another attempt
    backoff: str = "exponential"
    base: float = 0.1
    multiplier: float = 2.0  # exponential only
    cap: float = float("inf")  # longest single wait
    jitter: str = "none"
    budget: float | None = None

    def longest(self, attempt: int) -> float:
        """Return the longest wait after attempt number `attempt` (from 0), in seconds."""
        if self.jitter == "decorrelated":
            return min(self.cap, self.base * _power(3.0, attempt + 1))
        return self._plain(attempt)

    def shortest(self, attempt: int) -> float:
        """Return the shortest wait after attempt number `attempt` (from 0), in seconds."""
        if self.jitter == "decorrelated":
            return min(self.cap, self.base)
        return self._plain(attempt) * {"none": 1.0, "equal": 0.5, "full": 0.0}[self.jitter]

    def wait(self, attempt: int, draw: float, last: float) -> float:
        """Return the wait after attempt `attempt`, by a `draw` from 0 to 1 and the wait before."""
        if self.jitter == "decorrelated":
            previous = last or self.base
            return min(self.cap, self.base + draw * (3 * previous - self.base))
        shortest = self.shortest(attempt)
        return shortest + draw * (self._plain(attempt) - shortest)

    def _plain(self, attempt: int) -> float:
        if self.backoff == "constant":
            wait = self.base
        elif self.backoff == "linear":
            wait = self.base * (attempt + 1)
        else:
            wait = self.base * _power(self.multiplier, attempt)
        return min(self.cap, wait)

    @property
    def reserve(self) -> float:
        """Return how many retries a full budget allows at once."""
        return BUDGET_RESERVE

    @property
    def backoffs(self) -> tuple[tuple[float, float], ...]:
        """Return the shortest and the longest wait before each further attempt, in seconds."""
        return tuple((self.shortest(k), self.longest(k)) for k in range(self.attempts - 1))

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time goes to: waiting before another attempt."""
        return (("retry_backoff", "base"),)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case: every attempt takes its longest, and so does every wait."""
        waits = math.fsum(self.longest(attempt) for attempt in range(self.attempts - 1))
        return inner.times(self.attempts) + Bound({f"{where}.base": waits})

    @property
    def load(self) -> Load:
        """Return how many calls it makes of one call that fails."""
        budget = math.inf if self.budget is None else self.budget
        reserve = 0.0 if self.budget is None else BUDGET_RESERVE
        return Load(self.attempts, min(self.attempts, 1 + budget), "retries", reserve)

    @property
    def sends_again(self) -> bool:
        """Return that a call may come again, without a place in the stage before."""
        return True

    def keeps(self, where: str) -> Room:
        """Return that calls also spend time here, between attempts."""
        return Room(where, math.inf)


def _power(base: float, exponent: int) -> float:
    try:
        return min(LONGEST, base**exponent)
    except OverflowError:
        return LONGEST
