"""Circuit breaker as a state machine. It owns no clock: every call passes `now`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """The three states of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerPlan:
    """Settings of one breaker, times in seconds.

    `waits` makes callers wait out an open state instead of being rejected; each sits through
    at most `max_recoveries` recoveries before it is rejected after all.
    """

    failure_threshold: int  # consecutive failures that open it
    recovery_timeout: float  # how long it stays open
    half_open_permits: int = 1  # trial calls let through at once
    successes_to_close: int = 1  # trial successes that close it
    waits: bool = False
    max_recoveries: int = 1


class CircuitBreaker:
    """Decides which calls pass, from the outcomes of earlier ones.

    Transitions: closed -> open on the `failure_threshold`-th failure in a row;
    open -> half-open at the first call `recovery_timeout` after opening;
    half-open -> closed after `successes_to_close` trial successes, -> open on any
    trial failure. An outcome that comes back in another state than its call left in
    is ignored, as a late answer says nothing about the trial under way.
    """

    def __init__(self, plan: BreakerPlan) -> None:
        self.plan = plan
        self.state = State.CLOSED
        self.reopens_at = 0.0  # when the open state ends
        self._failures = 0
        self._successes = 0
        self._trials = 0
        self._epoch = 0  # counts transitions, so that late outcomes are told apart

    def admit(self, now: float) -> int | None:
        """Return a ticket for the call, or None if it may not pass at `now`."""
        if self.state is State.CLOSED:
            return self._epoch
        if self.state is State.OPEN:
            if now < self.reopens_at:
                return None
            self._enter(State.HALF_OPEN)
        if self._trials == self.plan.half_open_permits:
            return None
        self._trials += 1
        return self._epoch

    def settle(self, ticket: int, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        if ticket != self._epoch:
            return
        if self.state is State.HALF_OPEN:
            self._settle_trial(ok, now)
        elif ok:
            self._failures = 0
        else:
            self._failures += 1
            if self._failures == self.plan.failure_threshold:
                self._open(now)

    def _settle_trial(self, ok: bool, now: float) -> None:
        self._trials -= 1
        if not ok:
            self._open(now)
            return
        self._successes += 1
        if self._successes == self.plan.successes_to_close:
            self._enter(State.CLOSED)

    def _open(self, now: float) -> None:
        self.reopens_at = now + self.plan.recovery_timeout
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._failures = self._successes = self._trials = 0
        self._epoch += 1
