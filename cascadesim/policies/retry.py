"""Retry: how long to wait before another attempt, which outcomes lead to one, and how many.

Kinds of jitter follow "Exponential Backoff And Jitter" (M. Brooker, AWS Architecture Blog, 2015).
What keeps retries to a share of calls is in retry_limits.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cascadesim.policies.plan import Attempts, Load, PolicyPlan, Room, tightest
from cascadesim.policies.retry_limits import (
    ActiveBudget,
    ActiveLimit,
    Quota,
    QuotaLimit,
    RetryThrottle,
    ShareLimit,
    TokenLimit,
)
from cascadesim.policies.settings import Errors, Policy, outcomes_of
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.outcome import Outcome
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import (
    Duration,
    Number,
    PositiveDuration,
    RateOrNone,
    Share,
    duration_text,
    or_infinite,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.policies.lone import LoneCall
    from cascadesim.policies.plan import Asked, Position
    from cascadesim.policies.retry_limits import RetryLimit

LONGEST = 1e250  # seconds, as good as for ever; small enough that times a base it stays finite


class Backoff(Strict):
    """How long the waits between attempts are."""

    FOLLOWS = follows(sources.BACKOFF, randomization=sources.GRPC_BACKOFF)

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
    randomization: Share = Field(
        0.0,
        description="each wait is longer or shorter by up to this share of it, even beyond `cap`; "
        "without jitter",
    )

    @model_validator(mode="after")
    def _one_randomness(self) -> Self:
        if self.randomization and self.jitter != "none":
            raise problem("waits are random by jitter, too; leave one of the two out", "jitter")
        return self

    @property
    def plan_fields(self) -> dict[str, Any]:
        """Return the fields of a RetryPlan that say how long it waits."""
        return {
            "backoff": self.backoff,
            "base": self.base,
            "multiplier": self.multiplier,
            "cap": or_infinite(self.cap),
            "jitter": self.jitter,
            "randomization": self.randomization,
        }


class Retry(Policy, Backoff):
    """Sends a call that failed again."""

    KIND: ClassVar[str] = "retry"
    SUMMARY: ClassVar[str] = "sends a call that failed again"
    FOLLOWS = follows(
        sources.BACKOFF,
        name=(),
        enabled=(),
        outcomes=(),
        randomization=sources.GRPC_BACKOFF,
        stop_after=sources.TENACITY,
        honours_retry_after=(sources.RETRY_AFTER, sources.URLLIB3),
        budget=sources.RETRY_BUDGET,
        budget_reserve=sources.RETRY_BUDGET,
        budget_span=sources.RETRY_BUDGET,
        throttle=sources.THROTTLE,
        quota=sources.AWS_RETRIES,
        active_budget=sources.ENVOY_BUDGET,
    )

    attempts: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        3, description="calls in all, the first one included"
    )
    stop_after: Duration | None = Field(
        None,
        description="sends nothing again once the call has taken so long; the attempt under way "
        "is not cut",
    )
    honours_retry_after: bool = Field(
        True,
        strict=True,
        description="sends a call again that a stage with `retry_after` refuses, whatever "
        "`outcomes` says, when that asks for it and not after a backoff",
    )
    budget: Share | None = Field(
        None, description="share of the calls of a span that may be retried, beyond the reserve"
    )
    budget_reserve: RateOrNone = Field(
        "10/s", validate_default=True, description="retries that a budget allows beyond its share"
    )
    budget_span: PositiveDuration = Field(
        "10s", validate_default=True, description="time after which a budget forgets calls"
    )
    throttle: RetryThrottle | None = Field(
        None, description="sends no call again while too many of all calls fail"
    )
    quota: Quota | None = Field(None, description="tokens that retries take")
    active_budget: ActiveBudget | None = Field(
        None, description="retries at once, as a share of the calls under way"
    )
    outcomes: Errors = Field(
        ["timed_out", "failed"], description="outcomes that earn another attempt"
    )

    def plan(self, name: str) -> RetryPlan:
        """Return the plan of a retry of this name."""
        outcomes = outcomes_of(self.outcomes)
        return RetryPlan(
            name,
            self.attempts,
            outcomes,
            stop_after=or_infinite(self.stop_after),
            honours_retry_after=self.honours_retry_after,
            limits=tuple(self._limits()),
            **self.plan_fields,
        )

    def _limits(self) -> Iterator[RetryLimit]:
        if self.budget is not None:
            yield ShareLimit(self.budget, self.budget_reserve, self.budget_span)
        if self.throttle is not None:
            yield TokenLimit(self.throttle.max_tokens, self.throttle.token_ratio)
        if (quota := self.quota) is not None:
            yield QuotaLimit(quota.tokens, quota.cost, quota.timeout_cost, quota.refund)
        if self.active_budget is not None:
            yield ActiveLimit(self.active_budget.share, self.active_budget.minimum)


@dataclass(frozen=True, slots=True)
class RetryPlan(PolicyPlan):
    """Settings of one retry, times in seconds.

    `backoff` is "constant", "linear" or "exponential" in the attempt; `jitter` is "none", "full",
    "equal" or "decorrelated"; `randomization` is the share by which a wait without jitter may be
    longer or shorter. `asked` is what stages inside say of Retry-After, empty where that is not
    honoured: such a wait takes the place of a backoff, beyond `cap`, too. Nothing is sent again
    `stop_after` seconds after the call began. Every one of the `limits` has to allow a retry.
    """

    kind: ClassVar[str] = "retry"
    attempts: int  # calls in all, the first one included
    outcomes: frozenset[Outcome]  # which earn another attempt
    backoff: str = "exponential"
    base: float = 0.1
    multiplier: float = 2.0  # exponential only
    cap: float = float("inf")  # longest single wait
    jitter: str = "none"
    randomization: float = 0.0
    stop_after: float = float("inf")
    honours_retry_after: bool = True
    asked: tuple[Asked, ...] = ()
    limits: tuple[RetryLimit, ...] = ()

    def around(self, asked: tuple[Asked, ...]) -> Self:
        """Return the plan with what stages inside ask for, where it is honoured."""
        return replace(self, asked=asked if self.honours_retry_after else ())

    def longest(self, attempt: int) -> float:
        """Return the longest wait after attempt number `attempt` (from 0), in seconds."""
        if self.jitter == "decorrelated":
            return min(self.cap, self.base * _power(3.0, attempt + 1))
        return self._plain(attempt) * (1 + self.randomization)

    def shortest(self, attempt: int) -> float:
        """Return the shortest wait after attempt number `attempt` (from 0), in seconds."""
        if self.jitter == "decorrelated":
            return min(self.cap, self.base)
        least = {"none": 1.0 - self.randomization, "equal": 0.5, "full": 0.0}
        return self._plain(attempt) * least[self.jitter]

    def wait(self, attempt: int, draw: float, last: float) -> float:
        """Return the wait after attempt `attempt`, by a `draw` from 0 to 1 and the wait before."""
        if self.jitter == "decorrelated":
            previous = last or self.base
            return min(self.cap, self.base + draw * (3 * previous - self.base))
        shortest = self.shortest(attempt)
        return shortest + draw * (self.longest(attempt) - shortest)

    def _plain(self, attempt: int) -> float:
        if self.backoff == "constant":
            wait = self.base
        elif self.backoff == "linear":
            wait = self.base * (attempt + 1)
        else:
            wait = self.base * _power(self.multiplier, attempt)
        return min(self.cap, wait)

    @property
    def backoffs(self) -> tuple[tuple[float, float], ...]:
        """Return the shortest and the longest wait before each further attempt, in seconds."""
        asked = [seconds for _, seconds in self.asked]
        return tuple(
            (min(self.shortest(k), *asked, math.inf), max(self.longest(k), *asked, 0.0))
            for k in range(self.attempts - 1)
        )

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time goes to: waiting before another attempt, by itself or as asked."""
        own = ("retry_backoff", "base")
        return (own, ("retry_backoff", "honours_retry_after")) if self.asked else (own,)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case: every attempt takes its longest, and so does every wait."""
        asked = max((seconds for _, seconds in self.asked), default=0.0)
        waits = [self.longest(attempt) for attempt in range(self.attempts - 1)]
        bound = Bound({f"{where}.base": math.fsum(wait for wait in waits if wait >= asked)})
        if beyond := sum(wait < asked for wait in waits):
            bound += Bound({f"{where}.honours_retry_after": beyond * asked})
        return inner.times(self.attempts) + bound

    def attempts_of(self, inner: Attempts) -> Attempts:
        """Return those of every attempt, each after the shortest waits."""
        starts, over = list(inner.starts), inner.over
        for shortest, _ in self.backoffs:
            if over >= self.stop_after:
                break
            over += shortest
            starts += [over + start for start in inner.starts]
            over += inner.over
        return Attempts(tuple(starts), over)

    def lone(self, call: LoneCall) -> LoneCall | None:
        """Return all attempts one after another, if the first fails; no queue refuses it."""
        if self.attempts == 1 or call.outcome not in self.outcomes or call.seconds == math.inf:
            return call
        limited = self.limits or self.stop_after < math.inf
        waits = range(self.attempts - 1)
        if limited or any(self.shortest(k) != self.longest(k) for k in waits):
            return None
        whole: LoneCall | None = call
        for k in waits:
            whole = whole and whole.then(call, self.longest(k))
        return whole

    def sends_again_after(self, outcome: Outcome) -> bool:
        """Return whether such an outcome earns another attempt."""
        asked = bool(self.asked) and outcome is Outcome.SHED
        return self.attempts > 1 and (asked or outcome in self.outcomes)

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield a deadline that is over before a second attempt could begin."""
        caller = tightest(at.outside, for_waits=True)
        if caller is None or self.attempts == 1:
            return
        shortest, _ = self.backoffs[0]
        if 0 < caller.seconds <= shortest:
            yield Contradiction(
                NEVER_BEGINS,
                (f"{at.path}.base", caller.setting),
                "no second attempt ever begins: it waits for "
                f"{duration_text(shortest)}, and the caller is gone after "
                f"{duration_text(caller.seconds)}",
            )

    @property
    def load(self) -> Load:
        """Return how many calls it makes of one call that fails."""
        sustained, reserve = float(self.attempts), 0.0
        for limit in self.limits:
            if isinstance(limit, ShareLimit):
                sustained, reserve = min(sustained, 1 + limit.share), limit.reserve
            elif not isinstance(limit, ActiveLimit):
                sustained, reserve = 1.0, 0.0  # once the tokens are gone
        return Load(self.attempts, sustained, "retries", reserve)

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
