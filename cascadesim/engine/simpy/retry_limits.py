"""What keeps retries to a share of all calls: how the limits of libraries count.

Followed: Finagle's RetryBudget and LeakyTokenBucket (a call deposits its share of a retry, a retry
withdraws one, and both are forgotten after the span, which is counted in ten slices); gRPC's
proposal A6, "Throttling Retry Attempts and Hedged RPCs"; botocore's `retries/standard.py` and
`retries/quota.py`; Envoy's `retry_budget` of a cluster's circuit breakers.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from cascadesim.policies.retry_limits import ActiveLimit, QuotaLimit, ShareLimit, TokenLimit
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.policies.retry_limits import RetryLimit

_SLICES = 10  # of Finagle's span


class Limit(Protocol):
    """Counts attempts and their ends, and says whether another attempt may be sent."""

    def begin(self, now: float) -> None:
        """Take note of a call, at its first attempt."""

    def attempt(self, by: int) -> None:
        """Take note that so many more attempts are under way."""

    def settle(self, outcome: Outcome, taken: int | None) -> None:
        """Take note of how an attempt ended, a retry that had `taken` so much, None for a first."""

    def take(self, outcome: Outcome, now: float) -> int | None:
        """Return what a retry takes after an attempt that ended so, None where it may not be."""

    def give_back(self) -> None:
        """Take note that a retry has ended."""


class _Limit:
    """One that takes no note of anything."""

    def begin(self, now: float) -> None:
        """Take note of a call, at its first attempt."""

    def attempt(self, by: int) -> None:
        """Take note that so many more attempts are under way."""

    def settle(self, outcome: Outcome, taken: int | None) -> None:
        """Take note of how an attempt ended."""

    def give_back(self) -> None:
        """Take note that a retry has ended."""


class OfShare(_Limit):
    """Finagle's: what the calls of the last span allow, and the reserve of that span."""

    def __init__(self, plan: ShareLimit) -> None:
        self._share = plan.share
        self._reserve = plan.reserve * plan.span
        self._slice = plan.span / _SLICES
        self._sum = 0.0
        self._slices: deque[tuple[int, float]] = deque()  # number of a slice, and its sum

    def begin(self, now: float) -> None:
        """Deposit the share of a retry."""
        self._add(self._share, now)

    def take(self, outcome: Outcome, now: float) -> int | None:
        """Withdraw a retry, if there is one."""
        self._add(0.0, now)
        if self._sum + self._reserve < 1 - _ROUNDING:
            return None
        self._add(-1.0, now)
        return 1

    def _add(self, amount: float, now: float) -> None:
        number = int(now / self._slice)
        while self._slices and self._slices[0][0] <= number - _SLICES:
            self._slices.popleft()
        if self._slices and self._slices[-1][0] == number:
            amount += self._slices.pop()[1]
        self._slices.append((number, amount))
        self._sum = sum(kept for _, kept in self._slices)


_ROUNDING = 1e-9  # of sums of shares: ten times 10 % is a retry


class OfTokens(_Limit):
    """gRPC's: nothing is sent again while no more than half of the tokens are left."""

    def __init__(self, plan: TokenLimit, failures: frozenset[Outcome]) -> None:
        self._plan = plan
        self._failures = failures
        self._tokens = plan.max_tokens

    def settle(self, outcome: Outcome, taken: int | None) -> None:
        """Take the tokens of an attempt that ended so, or give them back."""
        if outcome in self._failures:
            self._tokens = max(0.0, self._tokens - 1)
        elif outcome <= Outcome.DEGRADED:
            self._tokens = min(self._plan.max_tokens, self._tokens + self._plan.token_ratio)

    def take(self, outcome: Outcome, now: float) -> int | None:
        """Return None while too few tokens are left."""
        return 0 if self._tokens > self._plan.max_tokens / 2 else None


class OfQuota(_Limit):
    """The AWS SDKs': retries take tokens, and answers give some."""

    def __init__(self, plan: QuotaLimit) -> None:
        self._plan = plan
        self._tokens = plan.tokens

    def settle(self, outcome: Outcome, taken: int | None) -> None:
        """Give tokens for an answer: what its retry took, or a little for a first attempt."""
        if outcome <= Outcome.DEGRADED:
            given = self._plan.refund if taken is None else taken
            self._tokens = min(self._plan.tokens, self._tokens + given)

    def take(self, outcome: Outcome, now: float) -> int | None:
        """Take the tokens of a retry, if there are as many."""
        cost = self._plan.timeout_cost if outcome is Outcome.TIMED_OUT else self._plan.cost
        if cost > self._tokens:
            return None
        self._tokens -= cost
        return cost


class OfActive(_Limit):
    """Envoy's: so many retries at once as a share of the calls under way, or the minimum."""

    def __init__(self, plan: ActiveLimit) -> None:
        self._plan = plan
        self._active = 0
        self._retries = 0

    def attempt(self, by: int) -> None:
        """Count attempts under way."""
        self._active += by

    def take(self, outcome: Outcome, now: float) -> int | None:
        """Take the place of a retry, if there is one."""
        most = max(self._plan.minimum, int(self._plan.share * self._active + _ROUNDING))
        if self._retries >= most:
            return None
        self._retries += 1
        return 1

    def give_back(self) -> None:
        """Free the place of a retry."""
        self._retries -= 1


def build(plan: RetryLimit, failures: frozenset[Outcome]) -> Limit:
    """Return what counts for a limit; `failures` are the outcomes that are sent again."""
    if isinstance(plan, ShareLimit):
        return OfShare(plan)
    if isinstance(plan, TokenLimit):
        return OfTokens(plan, failures)
    return OfQuota(plan) if isinstance(plan, QuotaLimit) else OfActive(plan)
