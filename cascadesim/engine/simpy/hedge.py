"""Hedge: send a call that is slow again, and take the answer that comes first.

It follows "hedged requests" (J. Dean, L. A. Barroso, "The Tail at Scale", Communications of the ACM
56(2), 2013) as gRPC has them ("Request Hedging", grpc.io/docs/guides/request-hedging, and proposal
A6, "Client Retries", section "Hedging Policy"): `attempts` is its `maxAttempts`, at most 5, `after`
its `hedgingDelay`, `outcomes` its `nonFatalStatusCodes` (of which gRPC has none by default), and
`throttle` its `retryThrottling`.

The first attempt is sent at once, and another one each time that `after` passes without an answer.
An answer, be it degraded, cancels all others, and so does an error that is not among `outcomes`.
After one that is, the next attempt is sent at once and those after it `after` apart again; the last
of such errors is the call's when nothing is under way and nothing more may be sent. Each attempt
takes an error among `outcomes` as one token, and an answer as `token_ratio` tokens back; only the
first attempt of a call is sent while no more than half of `max_tokens` are left, and a call that
is refused another attempt sends no more.

An answer at the very instant of the next attempt is in time to save it. Each attempt goes on as a
twin of the request with a ledger of its own, and the request takes that of the one that decides:
the time before that was sent is a wait for the hedge, from where an attempt that failed has left
it. The time of the attempts that lose is recorded beside it. Breakers inside see them as calls that
are cancelled.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel
from cascadesim.engine.simpy.propagation import run, too_late
from cascadesim.engine.simpy.timers import Timer, Timers
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.hedge import HedgePlan

MAX_ATTEMPTS = 5  # a fixed stride, so that other `attempts` move no draw of an outer retry


class Hedge:
    """Sends a call several times where the first answer is late."""

    def __init__(self, inner: Layer, kernel: Kernel, plan: HedgePlan, part: int) -> None:
        self.inner = inner
        self.kernel = kernel
        self.plan = plan
        self.part = part
        self.timers = Timers(kernel, plan.after)
        self._tokens = plan.max_tokens

    def call(self, request: Request) -> Call:
        """Carry the request through, as often as it takes or the settings allow."""
        attempts = _Attempts(self, request)
        try:
            if attempts.outcome is None:
                attempts.waited_for = True
                yield None
        except Cancelled:
            attempts.end()
            raise
        attempts.end()
        assert attempts.outcome is not None
        return attempts.outcome

    def settle(self, outcome: Outcome) -> None:
        """Take the tokens of an attempt that ended so, or give them back."""
        plan = self.plan
        if outcome in plan.outcomes:
            self._tokens = max(0.0, self._tokens - 1)
        elif outcome <= Outcome.DEGRADED:
            self._tokens = min(plan.max_tokens, self._tokens + plan.token_ratio)

    def throttled(self) -> bool:
        """Return whether only first attempts are sent."""
        most = self.plan.max_tokens
        return bool(most) and self._tokens <= most / 2


class _Next(Timer):
    """Sends the next attempt."""

    __slots__ = ("_attempts",)

    def __init__(self, attempts: _Attempts, request: Request, expires: float) -> None:
        super().__init__(request.task, expires)
        self._attempts = attempts

    def expire(self) -> None:
        """Send it, unless it may not be sent."""
        self._attempts.send_next()


class _Attempts:
    """The attempts of one call: those under way, and the call's outcome once it is decided."""

    __slots__ = (
        "_critical",
        "_ended_by",
        "_failed",
        "_hedge",
        "_next",
        "_outer",
        "_request",
        "_running",
        "_sent",
        "_twins",
        "outcome",
        "waited_for",
    )

    def __init__(self, hedge: Hedge, request: Request) -> None:
        self._hedge = hedge
        self._request = request
        self._outer = request.attempt * MAX_ATTEMPTS
        self._ended_by = request.ended_by
        self._running: list[Request] = []
        self._twins: list[Request] = []  # all attempts, in the order in which they were sent
        self._failed: dict[Request, int] = {}  # and how many attempts had been sent by then
        self._sent = 0
        self._next: Timer | None = None
        self.outcome: Outcome | None = None  # of the call, once that is decided
        self.waited_for = False
        self._send()

    def send_next(self) -> bool:
        """Send another attempt, and return whether that may be."""
        hedge, request = self._hedge, self._request
        if self._sent == hedge.plan.attempts or too_late(request, hedge.kernel.now):
            return False
        if hedge.throttled():
            self._sent = hedge.plan.attempts
            return False
        for twin in (request, *self._running):
            twin.retries += 1
        self._send()
        return True

    def end(self) -> None:
        """Cancel what is under way, and give the request the ledger of what decides."""
        self._drop_next()
        critical = self._running[0] if self.outcome is None else self._critical
        for twin in tuple(self._running):
            with suppress(Cancelled):
                twin.task.cancel(Cancelled())
        self._follow(critical)
        self._request.catch_up(self._hedge.kernel.now)
        if self.outcome is Outcome.OK:
            self._request.ended_by = self._ended_by  # what the other attempts met is mended

    def _send(self) -> None:
        hedge, request = self._hedge, self._request
        self._drop_next()
        request.follow(None)
        twin = request.branch(hedge.kernel.now)
        twin.attempt = self._outer + self._sent
        # Its own ledger waits meanwhile, from here or from where an attempt has failed.
        request.enter(hedge.part, hedge.kernel.now)
        self._sent += 1
        self._twins.append(twin)
        self._running.append(twin)
        self._follow(self._running[0])
        if self._sent < hedge.plan.attempts:
            self._next = _Next(self, request, hedge.timers.expiry)
            hedge.timers.add(self._next)
        run(hedge.inner.call(twin), twin, hedge.kernel, partial(self._done, twin))

    def _follow(self, twin: Request) -> None:
        """Let the request take the ledger of this attempt, and the time of the others beside it.

        The ledger of an attempt begins with those that failed before it was sent.
        """
        sent = self._twins.index(twin)
        known = [failed for failed, number in self._failed.items() if number <= sent]
        self._request.follow(twin, [other for other in self._twins if other not in known])

    def _drop_next(self) -> None:
        if self._next is not None:
            self._next.done = True

    def _done(self, twin: Request, outcome: Outcome) -> None:
        self._running.remove(twin)
        twin.stop(self._hedge.kernel.now)
        if self.outcome is not None:
            return  # another one has decided, at this very instant
        hedge, request = self._hedge, self._request
        hedge.settle(outcome)
        self._critical = twin
        if outcome in hedge.plan.outcomes:
            self._failed[twin] = len(self._twins)
            request.follow(None)
            request.adopt(twin, hedge.kernel.now)
            request.enter(hedge.part, hedge.kernel.now)
            if self.send_next():
                return
            if self._running:
                self._follow(self._running[0])
                return
        self.outcome = outcome
        self._drop_next()
        if self.waited_for:
            hedge.kernel.wake(request.task)


def build(site: Site, plan: HedgePlan, inner: Layer) -> Hedge:
    """Return the layer of a hedge."""
    return Hedge(inner, site.kernel, plan, site.part("hedge_wait"))
