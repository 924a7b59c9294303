"""Deadlines: a caller that stops waiting, and what becomes of the work it gave up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.kernel import EXPIRES, Call, Cancelled, Kernel, Task, WaitQueue
from cascadesim.plan.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.engine.simpy.request import Layer, Request


@dataclass(frozen=True, slots=True)
class DeadlinePlan:
    """Settings of one deadline.

    `abandon` lets the work run on as a zombie when it expires; `propagate` tells the work of it.
    """

    name: str
    timeout: float  # seconds
    abandon: bool = False
    propagate: bool = False

    @property
    def ends_waits(self) -> bool:
        """Return whether no wait inside lasts longer."""
        return self.propagate or not self.abandon


class Timer:
    """One running deadline; set `done` when it no longer matters."""

    __slots__ = ("done", "expires", "task")

    def __init__(self, task: Task, expires: float) -> None:
        self.task = task
        self.expires = expires
        self.done = False

    def expire(self) -> None:
        """Raise Expired where the task waits."""
        self.task.cancel(Expired(self))

    def give_up(self) -> None:
        """Take note that the task waits no longer."""
        self.done = True


class Expired(Cancelled):
    """A deadline has passed; `timer` says which."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer


class Timers:
    """Deadlines of one length. They expire in the order they are set, so one alarm serves all."""

    def __init__(self, kernel: Kernel, timeout: float) -> None:
        self._kernel = kernel
        self._timeout = timeout
        self._running: deque[Timer] = deque()
        self._armed = False

    def start(self, task: Task) -> Timer:
        """Raise Expired in `task` after the timeout, unless the timer is done by then."""
        timer = Timer(task, self.expiry)
        self.add(timer)
        return timer

    @property
    def expiry(self) -> float:
        """Return when a timer expires that is set now."""
        return self._kernel.env.now + self._timeout

    def add(self, timer: Timer) -> None:
        """Let a timer that was made now expire when it is due, unless it is done by then."""
        running = self._running
        while running and running[0].done:
            running.popleft()
        running.append(timer)
        if not self._armed:
            self._arm()

    def _arm(self) -> None:
        while self._running and self._running[0].done:
            self._running.popleft()
        self._armed = bool(self._running)
        if self._armed:
            delay = self._kernel.until(self._running[0].expires)
            self._kernel.alarm(delay, self._expire, EXPIRES)

    def _expire(self) -> None:
        now = self._kernel.now
        while self._running and (self._running[0].done or self._running[0].expires <= now):
            timer = self._running.popleft()
            if not timer.done:
                timer.expire()
        self._arm()


class TimedQueue(WaitQueue):
    """Calls that wait for something, each for `timeout` seconds at most."""

    def __init__(self, kernel: Kernel, timeout: float) -> None:
        super().__init__(kernel)
        self._timers = Timers(kernel, timeout)

    def wait(
        self, request: Request, give_back: Callable[[Any], None], notes: Any = 0
    ) -> Generator[None, Any, Any]:
        """Park the request and return what it is granted, or TIMED_OUT if that takes too long."""
        timer = self._timers.start(request.task)
        try:
            return (yield from super().wait(request, give_back, notes))
        except Expired as expired:
            if expired.timer is not timer:
                raise
            return Outcome.TIMED_OUT
        finally:
            timer.done = True


class Deadline:
    """Cancels the call inside when its time is up, which frees what the call holds."""

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


def run(call: Call, twin: Request, kernel: Kernel, done: Callable[[Outcome], None]) -> None:
    """Run a call of a twin as a task of its own, which tells `done` how it ends."""
    twin.task = Task(kernel, done)
    twin.task.start(call if twin.context is None else _in_time(call, twin))


def _in_time(call: Call, request: Request) -> Call:
    """Carry on a call, which has timed out where the deadline ends it that it is told of."""
    context = request.context
    assert context is not None
    try:
        return (yield from call)
    except Expired as expired:
        if expired.timer is not context:
            raise
        return request.end(Outcome.TIMED_OUT, context.end)


class AbandoningDeadline:
    """Gives the call inside up when its time is up; the call runs on and keeps what it holds.

    The call runs as a task of its own, so a cancellation from outside does not reach it either.
    """

    def __init__(self, inner: Layer, kernel: Kernel, timeout: float, end: int) -> None:
        self._inner = inner
        self._kernel = kernel
        self._end = end
        self._timers = Timers(kernel, timeout)
        # Zombies. One that is parked for good has no other owner, and Python's garbage collector
        # would close its call, which frees what it holds.
        self._given_up: set[Request] = set()

    def call(self, request: Request) -> Call:
        """Carry the request through, for `timeout` seconds at most."""
        twin, timer = self._fork(request)
        ended: list[Outcome] = []
        waiting = False

        def done(outcome: Outcome) -> None:
            ended.append(outcome)
            timer.done = True
            self._given_up.discard(twin)
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
                    self._given_up.add(twin)
                request.adopt(twin)
        else:
            request.adopt(twin)
        return ended[0] if ended else request.end(Outcome.TIMED_OUT, self._end)

    def _fork(self, request: Request) -> tuple[Request, Timer]:
        """Return the twin that goes on inside, and a timer for the request."""
        return request.fork(), Timer(request.task, self._timers.expiry)
