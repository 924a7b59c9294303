"""Hedge: a call that is slow is sent again, and the first answer is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cascadesim.policies.plan import Attempts, Load, PolicyPlan, tightest
from cascadesim.policies.retry_limits import RetryThrottle
from cascadesim.policies.settings import ALL_ERRORS, ErrorName, Policy, outcomes_of
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.units import Duration, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.policies.plan import Position
    from cascadesim.values.outcome import Outcome

MOST_ATTEMPTS = 5  # that gRPC allows


class Hedge(Policy):
    """Sends a call that is slow again, and takes the first answer, as gRPC does."""

    KIND: ClassVar[str] = "hedge"
    SUMMARY: ClassVar[str] = "sends a call that is slow again"
    FOLLOWS = follows(
        sources.HEDGE,
        name=(),
        enabled=(),
        after=(sources.TAIL_AT_SCALE, sources.HEDGE),
        throttle=sources.THROTTLE,
    )

    after: Duration = Field(description="time without an answer after which it is sent again")
    attempts: Annotated[int, Field(strict=True, ge=2, le=MOST_ATTEMPTS)] = Field(
        2, description="calls in all, the first one included"
    )
    outcomes: list[ErrorName] = Field(
        ALL_ERRORS,
        description="errors after which the next call is sent at once; any other ends them all",
    )
    throttle: RetryThrottle | None = Field(
        None, description="sends no call again while too many of all calls fail"
    )

    def plan(self, name: str) -> HedgePlan:
        """Return the plan of a hedge of this name."""
        throttle = self.throttle
        tokens = (throttle.max_tokens, throttle.token_ratio) if throttle else ()
        return HedgePlan(name, self.after, self.attempts, outcomes_of(self.outcomes), *tokens)


@dataclass(frozen=True, slots=True)
class HedgePlan(PolicyPlan):
    """Settings of one hedge. Without a throttle `max_tokens` is 0."""

    kind: ClassVar[str] = "hedge"
    after: float  # seconds
    attempts: int  # calls in all, the first one included
    outcomes: frozenset[Outcome]  # after which the next is sent at once
    max_tokens: float = 0.0
    token_ratio: float = 0.0

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time is spent on: the wait until the decisive attempt is sent."""
        return (("hedge_wait", "after"),)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case, in which the last attempt decides.

        An attempt is sent `after` the one before, or sooner where that one failed. Where errors
        lead to no further attempt, the first attempt that ends decides.
        """
        if not self.outcomes:
            return inner
        if inner.total <= self.after:
            return inner.times(self.attempts)
        return inner + Bound({f"{where}.after": (self.attempts - 1) * self.after})

    @property
    def load(self) -> Load:
        """Return how many calls it makes of one that fails or is slow; one if throttled, later.

        Failures alone are what a throttle counts, and what leads to no further call without one.
        """
        throttled = self.max_tokens and self.outcomes
        return Load(self.attempts, 1 if throttled else self.attempts, "hedges")

    @property
    def backoffs(self) -> tuple[tuple[float, float], ...]:
        """Return how long a slow call lasts before each further one."""
        return ((self.after, self.after),) * (self.attempts - 1)

    def attempts_of(self, inner: Attempts) -> Attempts:
        """Return those of every call: after the one before, or sooner where that one can fail."""
        gap = min(self.after, inner.over) if self.outcomes else self.after
        starts = (k * gap + start for k in range(self.attempts) for start in inner.starts)
        return Attempts(tuple(starts), inner.over)

    @property
    def multiplies(self) -> bool:
        """Return that several calls of one request may be inside at once."""
        return True

    @property
    def overlaps(self) -> bool:
        """Return that it waits for several calls at once, of which one decides."""
        return True

    @property
    def sends_again(self) -> bool:
        """Return that a call may come again, without a place in the stage before."""
        return True

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield a timeout that ends every call before it could be sent again."""
        shortest = tightest(at.others)
        if shortest is not None and self.after >= shortest.seconds:
            yield Contradiction(
                NEVER_SENT,
                (f"{at.path}.after", shortest.setting),
                f"no slow call is sent again: it has ended after {duration_text(shortest.seconds)}",
            )


NEVER_SENT = Rule(
    code="H01",
    name="hedge-never-sent",
    says="A hedge waits for `after` until it sends a slow call again, and a deadline ends the call "
    "by then.",
    why="The hedge costs nothing and helps nobody: calls that are slow are never sent again.",
    example="""\
policies:
  - deadline: {timeout: 1s}
  - hedge: {after: 2s}
""",
    instead="Set `after` to about the p95 of the call, and well below the deadline.",
)
