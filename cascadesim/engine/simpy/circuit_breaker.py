"""Circuit breaker: a state machine that owns no clock, and the layer whose callers meet it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel, Waiter, WaitQueue
from cascadesim.engine.simpy.window import window_of
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator

    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.policies.breaker import BreakerPlan

Ticket = Any  # what a breaker gives with a call, and wants back with its outcome


class State(Enum):
    """The three states of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Decides which calls pass, from the outcomes of earlier ones.

    Transitions: closed -> open on the `failure_threshold`-th failure in a row;
    open -> half-open at the first call `recovery_timeout` after opening;
    half-open -> closed after `successes_to_close` trial successes, -> open on any
    trial failure. An outcome that comes back in another state than its call left in
    is ignored, as a late answer says nothing about the trial under way. After a
    failed trial the open state lasts `recovery_growth` times as long as the last
    one. With `clear_every` a closed breaker forgets its failures at the first call
    or outcome beyond that time, and with them the calls under way (as gobreaker).
    `history` lists the instants of the transitions with the state entered.
    """

    def __init__(self, plan: BreakerPlan) -> None:
        self.plan = plan
        self.state = State.CLOSED
        self.history: list[tuple[float, State]] = []
        self.reopens_at = 0.0  # when the open state ends
        self._failures = 0
        self._successes = 0
        self._trials = 0
        self._epoch = 0  # counts transitions, so that late outcomes are told apart
        self._recovery = plan.recovery_timeout  # of the last open state
        self._clears_at = plan.clear_every

    def admit(self, now: float) -> Ticket | None:
        """Return a ticket for the call, or None if it may not pass at `now`."""
        if self.state is State.CLOSED:
            if now > self._clears_at:
                self._clear(now)
            return self._epoch
        if self.state is State.OPEN:
            if now < self.reopens_at:
                return None
            self._enter(State.HALF_OPEN, now)
        if self._trials == self.plan.half_open_permits:
            return None
        self._trials += 1
        return self._epoch

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        if now > self._clears_at and self.state is State.CLOSED:
            self._clear(now)
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

    def take_back(self, ticket: Ticket) -> None:
        """Let another call have the ticket of one that counts nowhere."""
        if ticket == self._epoch and self.state is State.HALF_OPEN:
            self._trials -= 1

    def _clear(self, now: float) -> None:
        self._failures = 0
        self._epoch += 1
        self._clears_at = now + self.plan.clear_every

    def _settle_trial(self, ok: bool, now: float) -> None:
        if not self.plan.in_total:
            self._trials -= 1
        if not ok:
            self._open(now)
            return
        self._successes += 1
        if self._successes == self.plan.successes_to_close:
            self._enter(State.CLOSED, now)

    def _open(self, now: float) -> None:
        plan = self.plan
        if self.state is State.HALF_OPEN:
            self._recovery = min(self._recovery * plan.recovery_growth, plan.longest_recovery)
        else:
            self._recovery = plan.recovery_timeout
        self.reopens_at = now + self._recovery
        self._enter(State.OPEN, now)

    def _enter(self, state: State, now: float) -> None:
        self.state = state
        self.history.append((now, state))
        self._failures = self._successes = self._trials = 0
        self._epoch += 1
        self._clears_at = now + self.plan.clear_every


class WindowBreaker(CircuitBreaker):
    """Opens where, over a window of calls, the failures or the slow calls reach a rate.

    Both count once the window holds its minimum of calls, and are looked at after every call, be
    it a success (as in resilience4j). In half-open a slow trial is a failed one, or a breaker that
    slow calls had opened would close upon them. The window is empty after every transition.
    """

    def __init__(self, plan: BreakerPlan) -> None:
        super().__init__(plan)
        assert plan.window is not None
        self._slow_call = plan.window.slow_call
        self._window = window_of(plan.window)

    def admit(self, now: float) -> Ticket | None:
        """Return a ticket for the call, or None if it may not pass at `now`."""
        epoch = super().admit(now)
        return None if epoch is None else (epoch, now)

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        if ticket[0] != self._epoch:
            return
        slow = self._is_slow(ticket, now)
        if self.state is State.HALF_OPEN:
            self._settle_trial(ok and not slow, now)
        elif self._window.record(now, failed=not ok, slow=slow):
            self._open(now)

    def take_back(self, ticket: Ticket) -> None:
        """Let another call have the ticket of one that counts nowhere."""
        super().take_back(ticket[0])

    def _is_slow(self, ticket: Ticket, now: float) -> bool:
        # A sum rounds as the clock does: a call that takes `slow_call` to the dot is not slower.
        return bool(now > ticket[1] + self._slow_call)

    def _enter(self, state: State, now: float) -> None:
        super()._enter(state, now)
        self._window.clear()


class BreakerLayer:
    """Lets calls through while the breaker admits them, and rejects or parks the others.

    Waiting calls go first come first served: as trials when the recovery is over, all at once when
    the breaker closes. A call whose caller cancels it counts as the plan says; one that ends itself
    at a deadline that it knows of has timed out.
    """

    def __init__(
        self, inner: Layer, kernel: Kernel, breaker: CircuitBreaker, part: int, end: int
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._breaker = breaker
        self._part = part
        self._end = end
        self._queue = WaitQueue(kernel)

    def levels(self) -> dict[str, int]:
        """Return how many calls wait for the recovery."""
        return {"waiting": len(self._queue)}

    def call(self, request: Request) -> Call:
        """Carry the request through, or reject it."""
        breaker = self._breaker
        ticket = None if self._queue else breaker.admit(self._kernel.env.now)
        if ticket is None:
            if breaker.plan.waits:
                ticket = yield from self._wait(request)
            if ticket is None:
                return request.end(Outcome.REJECTED, self._end)
        try:
            outcome = yield from self._inner.call(request)
        except Cancelled as cancelled:
            self._settle_cancelled(ticket, cancelled)
            raise
        self._settle(ticket, ok=outcome not in breaker.plan.outcomes)
        return outcome

    def _wait(self, request: Request) -> Generator[None, Ticket | None, Ticket | None]:
        now = self._kernel.now
        is_open = self._breaker.state is State.OPEN
        if is_open and self._breaker.plan.max_recoveries == 0:
            return None
        request.enter(self._part, now)
        if is_open and not self._queue:
            self._recover_later()
        # The waiter's note counts the recoveries it sits through.
        return (yield from self._queue.wait(request, self._give_back, int(is_open)))

    def _give_back(self, ticket: Ticket | None) -> None:
        if ticket is not None:
            self._breaker.take_back(ticket)
            self._admit_waiting()

    def _recover_later(self) -> None:
        self._kernel.alarm(self._kernel.until(self._breaker.reopens_at), self._admit_waiting)

    def _admit_waiting(self) -> None:
        while self._queue:
            ticket = self._breaker.admit(self._kernel.now)
            if ticket is None:
                return
            self._queue.grant(ticket)

    def _settle_cancelled(self, ticket: Ticket, cancelled: Cancelled) -> None:
        plan = self._breaker.plan
        if cancelled.known:
            self._settle(ticket, ok=Outcome.TIMED_OUT not in plan.outcomes)
        elif plan.cancelled == "ignored":
            self._give_back(ticket)
        else:
            self._settle(ticket, ok=plan.cancelled == "success")

    def _settle(self, ticket: Ticket, *, ok: bool) -> None:
        state = self._breaker.state
        self._breaker.settle(ticket, ok=ok, now=self._kernel.env.now)
        if not self._queue:
            return
        if self._breaker.state is not State.OPEN:
            self._admit_waiting()
        elif state is not State.OPEN:
            self._queue.grant_where(self._has_waited_enough, None)
            if self._queue:
                self._recover_later()

    def _has_waited_enough(self, waiter: Waiter) -> bool:
        waiter.notes += 1
        return bool(waiter.notes > self._breaker.plan.max_recoveries)
