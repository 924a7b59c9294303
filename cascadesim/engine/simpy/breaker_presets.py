"""Breakers that change their state as those of known libraries do.

Where libraries differ is in what an outcome means that comes back after the state has changed,
in who passes in half-open and what decides there, and in when the open state ends.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.circuit_breaker import (
    BreakerLayer,
    CircuitBreaker,
    State,
    Ticket,
    WindowBreaker,
)
from cascadesim.engine.simpy.window import CountWindow, TimeWindow
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Call
    from cascadesim.engine.simpy.request import Request
    from cascadesim.policies.breaker import BreakerPlan

_BUCKETS = 10  # HealthMetrics.NumberOfWindows of Polly, rollingCountBuckets of opossum


def _just_after(instant: float) -> float:
    """Return when an open state ends that needs the clock to be past an instant."""
    return math.nextafter(instant, math.inf)


class PybreakerBreaker(CircuitBreaker):
    """pybreaker 1.4, `CircuitBreaker.calling()` (danielfm/pybreaker, src/pybreaker/__init__.py).

    Half-open lets every call through. An outcome is taken by the state that its call left in, and
    whatever the state is by then: a trial that fails late opens a closed breaker, one that succeeds
    late closes an open one, and a failure beyond `fail_max` begins the open state anew. Failures in
    a row are counted on through open and half-open, and any success ends the row. The call that
    opens the breaker raises CircuitBreakerError in place of its own error, so it is rejected.

    Not modelled: the lock that `call()` holds, so that only one call is under way at all (limit
    the stage to `concurrency: 1` for that), `throw_new_error_on_trip=False`, and that a cancelled
    call that opens it raises CircuitBreakerError, too, in place of CancelledError.
    """

    tripped = False  # by the last outcome

    def admit(self, now: float) -> Ticket | None:
        """Return a ticket for the call, or None if it may not pass at `now`."""
        if self.state is State.OPEN:
            if now < self.reopens_at:
                return None
            self._enter(State.HALF_OPEN, now)
        return self.state

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        plan, is_trial = self.plan, ticket is State.HALF_OPEN
        self._failures = 0 if ok else self._failures + 1
        self.tripped = not ok and (is_trial or self._failures >= plan.failure_threshold)
        if self.tripped:
            self._open(now)
        elif ok and is_trial:
            self._successes += 1
            if self._successes >= plan.successes_to_close:
                self._enter(State.CLOSED, now)

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.history.append((now, state))
        self.state = state
        self._successes = 0
        if state is State.CLOSED:
            self._failures = 0


class PybreakerLayer(BreakerLayer):
    """Rejects the call that opens the breaker."""

    _breaker: PybreakerBreaker

    def call(self, request: Request) -> Call:
        """Carry the request through, or reject it."""
        outcome = yield from super().call(request)
        return request.end(Outcome.REJECTED, self._end) if self._breaker.tripped else outcome

    def _recover_later(self) -> None:
        self._kernel.alarm(self._kernel.until(self._breaker.reopens_at), self._recover)

    def _recover(self) -> None:
        self._admit_waiting()
        if self._queue and self._breaker.state is State.OPEN:  # it has begun anew
            self._recover_later()


class PurgatoryBreaker(CircuitBreaker):
    """purgatory 3 (mardiros/purgatory, src/purgatory/domain/model.py).

    Half-open lets every call through. An outcome is taken by the state of the moment, so that in
    half-open the first to come decides, even that of a call from before; in open all are ignored.
    The open state ends once more than `ttl` has passed.

    Not modelled: state that several processes share through Redis.
    """

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        if self.state is not State.OPEN:
            super().settle(self._epoch, ok=ok, now=now)

    def _open(self, now: float) -> None:
        super()._open(now)
        self.reopens_at = _just_after(self.reopens_at)


class Resilience4jBreaker(WindowBreaker):
    """resilience4j 2, CircuitBreakerStateMachine and CircuitBreakerMetrics.

    An outcome is taken by the state of the moment; in open all are ignored. Half-open lets
    `permittedNumberOfCallsInHalfOpenState` calls through in all, and at the last of them (or after
    `minimumNumberOfCalls`, if that is less) their rates decide: open again if one is reached, or
    else closed. A call that counts nowhere leaves half-open a permit more, even one from before. A
    window of time has buckets of whole seconds; t = 0 is taken to be one. The open state ends with
    the first call after more than `waitDurationInOpenState`, or what its `IntervalFunction` says.

    Not modelled: `maxWaitDurationInHalfOpenState`, the automatic transition to half-open, ignored
    exceptions, and the forced, disabled and metrics-only states.
    """

    def __init__(self, plan: BreakerPlan) -> None:
        assert plan.window is not None
        permits = int(plan.half_open_permits)
        minimum = min(plan.window.minimum, permits)
        self._half_open = CountWindow(replace(plan.window, calls=permits, minimum=minimum))
        super().__init__(plan)
        if not plan.window.calls:
            self._window = TimeWindow(plan.window, 1.0, aligned=True)

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        if self.state is State.OPEN:
            return
        window = self._window if self.state is State.CLOSED else self._half_open
        if window.record(now, failed=not ok, slow=self._is_slow(ticket, now)):
            self._open(now)
        elif self.state is State.HALF_OPEN and window.has_minimum:
            self._enter(State.CLOSED, now)

    def take_back(self, ticket: Ticket) -> None:
        """Let another call have the ticket of one that counts nowhere."""
        if self.state is State.HALF_OPEN:
            self._trials -= 1

    def _open(self, now: float) -> None:
        super()._open(now)
        self.reopens_at = _just_after(self.reopens_at)

    def _enter(self, state: State, now: float) -> None:
        super()._enter(state, now)
        self._half_open.clear()


class PollyBreaker(WindowBreaker):
    """Polly 8, CircuitStateController, AdvancedCircuitBehavior and RollingHealthMetrics.

    Only a failure opens it, though successes count in the ratio. Half-open lets one call through.
    An outcome is taken by the state of the moment, so that in half-open the first to come decides,
    even that of a call from before; in open all are ignored. The window is ten buckets, each begun
    by a call.

    Of what a `BreakDurationGenerator` can be there is growth with `HalfOpenAttempts`. Not modelled:
    manual isolation.
    """

    def __init__(self, plan: BreakerPlan) -> None:
        super().__init__(plan)
        assert plan.window is not None
        self._window = TimeWindow(plan.window, plan.window.time / _BUCKETS)

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        if self.state is State.HALF_OPEN:
            self._settle_trial(ok, now)
        elif self.state is State.CLOSED:
            reached = self._window.record(now, failed=not ok, slow=False)
            if reached and not ok:
                self._open(now)


class EnvoyBreaker(CircuitBreaker):
    """Outlier detection of Envoy, by consecutive_5xx (envoyproxy/envoy, outlier_detection_impl.cc).

    The stage is one host: open while it is ejected, and closed again without a half-open state at
    the first sweep, one every `interval`, after the ejection. The n-th ejection lasts n times
    `base_ejection_time` but at most `max_ejection_time`; n falls by one with each sweep that finds
    the host back for an interval or longer. An outcome is taken by the state of the moment; in open
    all are ignored. A route's timeout is a deadline inside the breaker.

    As an only host it is ejected where `max_ejection_percent` is 100 (or `always_eject_one_host` is
    true; before Envoy 1.31 always), and then spared in a panic, which its absence alone is unless
    `healthy_panic_threshold` is 0: all calls go to it nevertheless, so it counts as closed.

    Not modelled: other hosts, which would take over, `fail_traffic_on_panic`, success rate and
    failure percentage, active health checks, and jitter.
    """

    def __init__(self, plan: BreakerPlan) -> None:
        super().__init__(plan)
        self._ejections = 0  # as far as they still lengthen the next one

    def admit(self, now: float) -> Ticket | None:
        """Return a ticket for the call, or None if it may not pass at `now`."""
        self.sweep(now)
        return None if self.state is State.OPEN else self._epoch

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        self.sweep(now)
        if self.state is not State.OPEN:
            super().settle(self._epoch, ok=ok, now=now)

    def sweep(self, now: float) -> None:
        """Return the host to service if that is due by `now`."""
        if self.state is State.OPEN and now >= self.reopens_at:
            self._enter(State.CLOSED, self.reopens_at)

    def _open(self, now: float) -> None:
        if not self.plan.can_open:
            self._failures = 0
            return
        base, longest, interval = (
            self.plan.recovery_timeout,
            self.plan.longest_recovery,
            self.plan.interval,
        )
        quiet = int((now - self.reopens_at) / interval)  # sweeps since it came back
        self._ejections = max(0, self._ejections - quiet)
        if self._ejections * base < longest + base:
            self._ejections += 1
        due = now + min(base * self._ejections, longest)
        self.reopens_at = math.ceil(due / interval) * interval
        if self.reopens_at < due:  # by rounding
            self.reopens_at += interval
        self._enter(State.OPEN, now)


class SweptLayer(BreakerLayer):
    """Ends the open state on time, whether or not a call comes then."""

    _breaker: EnvoyBreaker | OpossumBreaker

    def _settle(self, ticket: Ticket, *, ok: bool) -> None:
        self._sweep()  # which may be due at this very instant
        was_open = self._breaker.state is State.OPEN
        super()._settle(ticket, ok=ok)
        if self._breaker.state is State.OPEN and not was_open:
            self._kernel.alarm(self._kernel.until(self._breaker.reopens_at), self._sweep)

    def _sweep(self) -> None:
        self._breaker.sweep(self._kernel.now)
        self._admit_waiting()

    def _recover_later(self) -> None:
        """Do nothing, as the sweep is due already."""


class GobreakerBreaker(CircuitBreaker):
    """gobreaker 2 (sony/gobreaker, v2/gobreaker.go).

    Half-open lets `MaxRequests` calls through in all, and as many successes close it. The open
    state ends after more than `Timeout`. An outcome is taken only in the state that its call left
    in, and in the same `Interval`.

    Not modelled: other `ReadyToTrip` than of failures in a row, and `BucketPeriod`.
    """

    def _open(self, now: float) -> None:
        super()._open(now)
        self.reopens_at = _just_after(self.reopens_at)


class OpossumBreaker(WindowBreaker):
    """opossum 9 (nodeshift/opossum, lib/circuit.js and lib/status.js).

    A failure opens it where those in the window are more than their share of the calls in it. Calls
    count when they begin, even those that are refused, and failures when they end; the window, ten
    buckets from t = 0 on, outlives all transitions. The open state ends on time, whether or not a
    call comes. Half-open lets one call through, and takes whatever comes back first.

    Not modelled: its `timeout` of 10 s (a deadline inside the breaker is one), `capacity`,
    `allowWarmUp`, caches and health checks.
    """

    _window: TimeWindow

    def __init__(self, plan: BreakerPlan) -> None:
        super().__init__(plan)
        assert plan.window is not None
        self._window = TimeWindow(plan.window, plan.window.time / _BUCKETS, aligned=True)
        self._opens_alone = plan.window.minimum == 1  # as good as a volumeThreshold of 0

    def admit(self, now: float) -> Ticket | None:
        """Return a ticket for the call, or None if it may not pass at `now`."""
        self.sweep(now)
        self._window.add(now, 1, 0, 0)
        return super().admit(now)

    def settle(self, ticket: Ticket, *, ok: bool, now: float) -> None:
        """Take the outcome of the call that `admit` gave this ticket."""
        self.sweep(now)
        reached = self._window.add(now, 0, int(not ok), 0)
        # The share of a failure among no calls is above any.
        reached |= self._opens_alone and not self._window.has_minimum
        if self.state is State.HALF_OPEN:
            self._settle_trial(ok, now)
        elif self.state is State.CLOSED and reached and not ok:
            self._open(now)

    def sweep(self, now: float) -> None:
        """Enter the half-open state if that is due by `now`."""
        if self.state is State.OPEN and now >= self.reopens_at:
            self._enter(State.HALF_OPEN, self.reopens_at)

    def _enter(self, state: State, now: float) -> None:
        CircuitBreaker._enter(self, state, now)
