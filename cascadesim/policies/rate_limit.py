"""Rate limit: a token bucket, whose callers are refused or wait for a token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from cascadesim.policies.plan import PolicyPlan, Room, tightest
from cascadesim.policies.settings import Policy
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.strict import problem
from cascadesim.values.units import Count, Duration, Rate, Whole, duration_text, or_infinite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.policies.plan import Position


class RateLimit(Policy):
    """Limits how often calls go through it, by a token bucket, as Go's x/time/rate does."""

    KIND: ClassVar[str] = "rate_limit"
    SUMMARY: ClassVar[str] = "limits how often calls go through"
    FOLLOWS = follows(sources.RATE_LIMIT, name=(), enabled=(), queue_limit=())

    rate: Rate = Field(description="calls let through in the long run")
    burst: Count = Field(1, description="calls let through at once after a quiet time")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for their turn; one more is rejected"
    )
    timeout: Duration = Field(
        "0s",
        validate_default=True,
        description="longest wait for a turn; a call that would wait longer is rejected at once",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.queue_limit is not None and "timeout" not in self.model_fields_set:
            raise problem("queue_limit needs a timeout, else nobody waits", "queue_limit")
        return self

    def plan(self, name: str) -> RateLimitPlan:
        """Return the plan of a rate limit of this name."""
        queue_limit = or_infinite(self.queue_limit)
        return RateLimitPlan(name, self.rate, self.burst, self.timeout, queue_limit)


@dataclass(frozen=True, slots=True)
class RateLimitPlan(PolicyPlan):
    """Settings of one rate limit. `timeout`, in seconds, is the longest wait; 0 refuses at once."""

    kind: ClassVar[str] = "rate_limit"
    rate: float  # tokens a second
    burst: int = 1  # the most there are
    timeout: float = 0.0
    queue_limit: float = math.inf  # calls that may wait

    @property
    def longest_queue(self) -> float:
        """Return how many calls can wait until one more would wait longer than `timeout`."""
        return self.rate * self.timeout

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time goes to: waiting for a token."""
        return (("rate_limit_wait", "rate"),)

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the settings that can refuse a call."""
        return ("rate", "queue_limit", "timeout")

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case: the longest wait, then the call inside."""
        return inner + Bound({f"{where}.timeout": self.timeout})

    @property
    def ends_silent(self) -> bool:
        """Return that it refuses calls when nothing inside answers."""
        return True

    @property
    def spans(self) -> tuple[float, ...]:
        """Return the longest wait."""
        return (self.timeout,)

    def keeps(self, where: str) -> Room | None:
        """Return that calls can spend time here, if they wait."""
        return Room(where, math.inf) if self.timeout > 0 else None

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield a queue limit that is never reached, and callers that leave before their turn."""
        caller = tightest(at.outside, for_waits=True)
        if caller is not None and self.timeout > caller.seconds:
            yield Contradiction(
                CALLER_LEAVES,
                (f"{at.path}.timeout", caller.setting),
                f"whoever waits for a turn that comes within {duration_text(self.timeout)} gives "
                f"up after {duration_text(caller.seconds)}, and is not told at once that it would "
                "take longer",
            )
        longest = math.floor(self.longest_queue + 1e-9)
        if self.queue_limit < math.inf and 0 < longest <= self.queue_limit:
            yield Contradiction(
                NEVER_FULL,
                (f"{at.path}.queue_limit", f"{at.path}.timeout"),
                f"the queue limit has no effect: no more than {longest} calls wait, as "
                f"another would do so for longer than {duration_text(self.timeout)}",
            )


NEVER_FULL = Rule(
    code="L01",
    name="rate-limit-queue-never-full",
    says="A rate limit refuses calls that would wait longer than its `timeout`, and that happens "
    "before its `queue_limit` is reached.",
    why="The queue limit looks like a protection and is none: `rate` times `timeout` calls wait at "
    "most.",
    example="""\
policies:
  - rate_limit: {rate: 10/s, timeout: 1s, queue_limit: 50}
""",
    instead="Leave `queue_limit` out, or set it below `rate` times `timeout`.",
)
CALLER_LEAVES = Rule(
    code="L02",
    name="rate-limit-wait-beyond-caller",
    says="A rate limit lets calls wait for their turn (`timeout`) for longer than a deadline "
    "around it gives them.",
    why="Calls wait that cannot be in time. They could have been rejected at once, as the limit "
    "knows how long a call would wait.",
    example="""\
policies:
  - deadline: {timeout: 1s}
  - rate_limit: {rate: 10/s, timeout: 10s}
""",
    instead="Set the rate limit's `timeout` below the deadline.",
)
