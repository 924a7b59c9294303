"""Timers: deadlines of one length, and queues whose calls wait no longer than that."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.kernel import Cancelled, Kernel, Task, WaitQueue
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.engine.simpy.request import Request


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
        self._priority = kernel.expiry_priority()

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
            self._kernel.alarm(delay, self._expire, self._priority)

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
