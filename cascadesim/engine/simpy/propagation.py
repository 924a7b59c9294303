"""Deadline propagation: calls inside know the deadline, so that zombies end at their next step.

A zombie is a call that goes on when its caller has given it up. This follows gRPC ("Deadlines",
sections "Deadline Propagation" and "Deadlines on the Server", grpc.io/docs/guides/deadlines, and
"Cancellation": the library cannot interrupt a handler, which must look itself) and Go's context
package (pkg.go.dev/context), whose errors go up the stack:

- Work, a connect, a ping, a backoff or a degraded answer that is under way runs on to its end.
- Nothing begins at the deadline or later: no work of a stage, no checkout of a connection, no
  queueing, no attempt, no degraded answer.
- Waits end at the deadline: for a place, a connection, a start-up, a breaker's recovery, and for
  the answer of a call that is silent. The calls that waited go on before the caller does.
- A backoff that would end at the deadline or later does not begin: the retry ends at once with the
  outcome of its last attempt (as with the `backOffContext` of cenkalti/backoff 3).
- A deadline inside ends with the one around it, where it would end later (context.WithDeadline: "If
  the parent's deadline is already earlier than d, WithDeadline(parent, d) is semantically
  equivalent to parent"). One that cancels then cancels its work.

Calls inside know only the deadline: they do not notice a caller that is cancelled before it. When
one ends, it frees what it holds. Breakers on the way see a call that timed out (DEADLINE_EXCEEDED
is an error like any other there), and parallel branches beside it end as by any error.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Call, Kernel, Task, Waiter
from cascadesim.engine.simpy.timers import Expired, Timer
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.engine.simpy.request import Layer, Request


class KnownDeadlineExpired(Expired):
    """A deadline has passed that the call inside knew of."""

    known = True


class Context(Timer):
    """A deadline that calls inside know: when it expires, and which of them wait until then."""

    __slots__ = ("_awaited", "_over", "_waiting", "end")

    def __init__(self, task: Task, expires: float, end: int) -> None:
        super().__init__(task, expires)
        self.end = end  # the number of its setting, which ends calls that stop for it
        self._awaited = True  # whether the caller still waits
        self._over = False
        self._waiting: dict[Waiter, None] = {}  # in the order in which they came

    def enter(self, waiter: Waiter) -> None:
        """Let a call wait until the deadline; raises Expired where that has passed."""
        if self._over:
            raise KnownDeadlineExpired(self)
        self._waiting[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Let a call wait no longer."""
        del self._waiting[waiter]

    def expire(self) -> None:
        """Raise Expired where calls inside wait, then where the caller does."""
        self._over = True
        for waiter in tuple(self._waiting):
            if waiter in self._waiting:
                waiter.task.cancel(KnownDeadlineExpired(self))
        if self._awaited:
            super().expire()

    def give_up(self) -> None:
        """Take note that the caller waits no longer; calls inside still do."""
        self._awaited = False


def too_late(request: Request, instant: float) -> bool:
    """Return whether the request knows a deadline that has passed at `instant`."""
    return request.context is not None and instant >= request.context.expires


def unanswered(request: Request) -> Generator[None, None, None]:
    """Wait for an answer that does not come, until somebody wakes or cancels the request."""
    if request.context is None:
        yield None
        return
    waiter = Waiter(request.task)
    request.context.enter(waiter)
    try:
        yield None
    finally:
        request.context.leave(waiter)


def answered(
    request: Request, kernel: Kernel, delay: float, priority: int
) -> Generator[None, None, None]:
    """Wait for an answer that comes, or is given up, after `delay` seconds."""
    alarm = kernel.alarm(delay, partial(kernel.wake, request.task), priority)
    try:
        yield from unanswered(request)
    finally:
        alarm.callbacks = []


class EndsWithContext:
    """Around a deadline: ends its call at the outer deadline, where that comes first."""

    def __init__(self, inner: Layer) -> None:
        self._inner = inner

    def call(self, request: Request) -> Call:
        """Carry the request through."""
        context = request.context
        assert context is not None
        waiter = Waiter(request.task)
        context.enter(waiter)
        try:
            return (yield from self._inner.call(request))
        finally:
            context.leave(waiter)


class InTime:
    """Begins the call inside only before the deadline that the request knows."""

    def __init__(self, inner: Layer, kernel: Kernel) -> None:
        self._inner = inner
        self._kernel = kernel

    def call(self, request: Request) -> Call:
        """Carry the request through, or raise Expired."""
        context = request.context
        assert context is not None
        if self._kernel.env.now >= context.expires:
            raise Expired(context)
        return (yield from self._inner.call(request))


def run(call: Call, twin: Request, kernel: Kernel, done: Callable[[Outcome], None]) -> None:
    """Run a call of a twin as a task of its own, which calls `done` with its outcome."""
    twin.task = Task(kernel, done)
    twin.task.start(call if twin.context is None else _in_time(call, twin))


def _in_time(call: Call, request: Request) -> Call:
    """Carry on a call; it has timed out if the deadline that it knows ends it."""
    context = request.context
    assert context is not None
    try:
        return (yield from call)
    except Expired as expired:
        if expired.timer is not context:
            raise
        return request.end(Outcome.TIMED_OUT, context.end)
