"""Deadlines: the caller stops waiting; the call inside is cancelled, or goes on as a zombie."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Cancelled
from cascadesim.engine.simpy.propagation import Context, EndsWithContext, run
from cascadesim.engine.simpy.timers import Expired, Timer, Timers
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Call, Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.deadline import DeadlinePlan


class Deadline:
    """Cancels the call inside after `timeout` seconds, which frees what the call holds."""

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        timeout: float,
        end: int,
        outcome: Outcome = Outcome.TIMED_OUT,
    ) -> None:
        self._inner = inner
        self._end = end
        self._outcome = outcome
        self._timers = Timers(kernel, timeout)

    def call(self, request: Request) -> Call:
        """Carry the request through, for `timeout` seconds at most."""
        timer = self._timers.start(request.task)
        try:
            return (yield from self._inner.call(request))
        except Expired as expired:
            if expired.timer is not timer:
                raise
            return request.end(self._outcome, self._end)
        finally:
            timer.done = True


class AbandoningDeadline:
    """Gives up the call inside after `timeout` seconds; the call goes on and keeps what it holds.

    The call runs as a task of its own, so a cancellation from outside does not reach it either.
    """

    def __init__(
        self, inner: Layer, kernel: Kernel, timeout: float, end: int, goes_on: str = ""
    ) -> None:
        """Build the layer; `goes_on` is the dotted path of what lets the call go on."""
        self._inner = inner
        self._kernel = kernel
        self._end = end
        self._goes_on = goes_on
        self._timers = Timers(kernel, timeout)
        # Zombies. A zombie that waits for ever has no other owner: without this one, Python's
        # garbage collector would close its call, which frees what it holds.
        self._given_up: dict[Request, None] = {}

    def call(self, request: Request) -> Call:
        """Carry the request through, for `timeout` seconds at most."""
        twin, timer = self._fork(request)
        ended: list[Outcome] = []
        waiting = False

        def done(outcome: Outcome) -> None:
            ended.append(outcome)
            timer.done = True
            self._given_up.pop(twin, None)
            if waiting:
                self._kernel.wake(request.task)

        run(self._inner.call(twin), twin, self._kernel, done)
        if not ended:
            waiting = True
            self._timers.add(timer)
            try:
                yield None
            except Expired as expired:
                if expired.timer is not timer:
                    raise
            finally:
                timer.give_up()
                waiting = False
                if not ended:
                    self._given_up[twin] = None
                    twin.leave(self._kernel.now, self._goes_on)
                request.adopt(twin, self._kernel.now)
        else:
            request.adopt(twin, self._kernel.now)
        return ended[0] if ended else request.end(Outcome.TIMED_OUT, self._end)

    def _fork(self, request: Request) -> tuple[Request, Timer]:
        """Return the twin that goes on inside, and a timer for the request."""
        return request.fork(self._kernel.now), Timer(request.task, self._timers.expiry)


class PropagatingDeadline(AbandoningDeadline):
    """An abandoning deadline that calls inside know; see propagation.py."""

    def _fork(self, request: Request) -> tuple[Request, Timer]:
        twin = request.fork(self._kernel.now)
        context = Context(request.task, self._timers.expiry, self._end)
        if twin.context is None or context.expires < twin.context.expires:
            twin.context = context
        return twin, context


class Handlers(AbandoningDeadline):
    """The work of a server for its clients: it goes on when a client is gone, without a limit."""

    def __init__(self, inner: Layer, kernel: Kernel, goes_on: str) -> None:
        super().__init__(inner, kernel, math.inf, -1, goes_on)

    def stop(self, reason: Cancelled) -> None:
        """End the work that goes on for clients that are gone, as the server's process ends."""
        for twin in tuple(self._given_up):
            with suppress(Cancelled):
                twin.task.cancel(reason)
        self._given_up.clear()


def build(site: Site, plan: DeadlinePlan, inner: Layer) -> Layer:
    """Return the layer of a deadline."""
    given = (inner, site.kernel, plan.timeout, site.end("timeout"))
    deadline: Layer = Deadline(*given)
    if plan.abandon:
        kind = PropagatingDeadline if plan.propagate else AbandoningDeadline
        deadline = kind(*given, f"{site.where}.on_timeout")
    return EndsWithContext(deadline) if site.in_context else deadline
