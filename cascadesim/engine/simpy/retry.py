"""Retry: what to wait before another attempt, which outcomes earn one, and how many there are.

Backoff and jitter are functions of the attempt and a draw. Kinds of jitter follow "Exponential
Backoff And Jitter" (M. Brooker, AWS Architecture Blog, 2015); the budget follows Finagle's
RetryBudget, without its expiry: tokens are earned by calls and spent by retries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.propagation import too_late
from cascadesim.plan.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Call, Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.randomness import Stream

MAX_ATTEMPTS = 1000  # a fixed stride, so that other `attempts` move no draw of an outer retry
LONGEST = 1e250  # seconds, as good as for ever; times a base it is a number still
BUDGET_RESERVE = 10.0  # retries that a full budget allows at once


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """Settings of one retry, times in seconds.

    `backoff` is "constant", "linear" or "exponential" in the attempt; `jitter` is "none", "full",
    "equal" or "decorrelated". `budget` is the share of first attempts that may be retried.
    """

    name: str
    attempts: int  # calls in all, the first one included
    outcomes: frozenset[Outcome]  # which earn another attempt
    backoff: str = "exponential"
    base: float = 0.1
    multiplier: float = 2.0  # exponential only
    cap: float = float("inf")  # longest single wait
    jitter: str = "none"
    budget: float | None = None

    def longest(self, attempt: int) -> float:
        """Return the longest wait after attempt number `attempt` (from 0)."""
        if self.jitter == "decorrelated":
            return min(self.cap, self.base * _power(3.0, attempt + 1))
        return self._plain(attempt)

    def shortest(self, attempt: int) -> float:
        """Return the shortest wait after attempt number `attempt` (from 0)."""
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


def _power(base: float, exponent: int) -> float:
    try:
        return min(LONGEST, base**exponent)
    except OverflowError:
        return LONGEST


class Retry:
    """Calls again after a backoff, while an outcome earns it and attempts and budget last."""

    def __init__(
        self, inner: Layer, kernel: Kernel, plan: RetryPlan, part: int, draws: Stream
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._part = part
        self._draws = draws
        self._tokens = BUDGET_RESERVE

    def call(self, request: Request) -> Call:
        """Carry the request through, as often as it takes or the settings allow."""
        plan = self._plan
        if plan.budget is not None:
            self._tokens = min(BUDGET_RESERVE, self._tokens + plan.budget)
        outer = request.attempt
        ended_by = request.ended_by
        waited = 0.0
        try:
            for attempt in range(plan.attempts):
                request.attempt = outer * MAX_ATTEMPTS + attempt
                outcome = yield from self._inner.call(request)
                if outcome not in plan.outcomes or attempt == plan.attempts - 1:
                    break
                draw = self._draws.at(request.number, request.attempt)
                waited = plan.wait(attempt, draw, waited)
                if too_late(request, self._kernel.now + waited):
                    break  # as the attempt after it would be
                if plan.budget is not None and not self._spend():
                    break
                request.retries += 1
                request.enter(self._part, self._kernel.now)
                if waited > 0:
                    yield waited
        finally:
            request.attempt = outer
        if outcome is Outcome.OK:
            request.ended_by = ended_by  # what the earlier attempts met is mended
        return outcome

    def _spend(self) -> bool:
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
