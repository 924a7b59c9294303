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

from cascadesim.policies.plan import Attempts, Load, PolicyPlan, Room, tightest
from cascadesim.policies.settings import Errors, Policy, outcomes_of
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict
from cascadesim.values.units import (
    Duration,
    Number,
    PositiveDuration,
    Share,
    duration_text,
    or_infinite,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.policies.lone import LoneCall
    from cascadesim.policies.plan import Position
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

    def attempts_of(self, inner: Attempts) -> Attempts:
        """Return those of every attempt, each after the shortest waits."""
        starts, over = list(inner.starts), inner.over
        for k in range(self.attempts - 1):
            over += self.shortest(k)
            starts += [over + start for start in inner.starts]
            over += inner.over
        return Attempts(tuple(starts), over)

    def lone(self, call: LoneCall) -> LoneCall | None:
        """Return all attempts one after another, if the first fails."""
        if self.attempts == 1 or call.outcome not in self.outcomes or call.seconds == math.inf:
            return call
        if self.budget is not None or any(low != high for low, high in self.backoffs):
            return None
        whole: LoneCall | None = call
        for wait, _ in self.backoffs:
            whole = whole and whole.then(call, wait)
        return whole

    def sends_again_after(self, outcome: Outcome) -> bool:
        """Return whether such an outcome earns another attempt."""
        return self.attempts > 1 and outcome in self.outcomes

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield a deadline that is over before a second attempt could begin."""
        caller = tightest(at.outside, for_waits=True)
        if caller is None or self.attempts == 1:
            return
        if 0 < caller.seconds <= self.shortest(0):
            yield Contradiction(
                NEVER_BEGINS,
                (f"{at.path}.base", caller.setting),
                "no second attempt ever begins: it waits for "
                f"{duration_text(self.shortest(0))}, and the caller is gone after "
                f"{duration_text(caller.seconds)}",
            )

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


NEVER_BEGINS = Rule(
    code="R01",
    name="retry-never-begins",
    says="A deadline around a retry is no longer than the shortest wait before its second attempt.",
    why="Nothing is ever sent again. A call that fails at once is held back until the deadline, "
    "and its error names a timeout.",
    example="""\
policies:
  - deadline: {timeout: 1s}
  - retry: {attempts: 3, backoff: constant, base: 2s}
""",
    instead="Put the deadline inside the retry, so that it limits each attempt, or shorten `base`.",
)
