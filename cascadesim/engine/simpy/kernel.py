"""Runs calls in simulated time: generators over SimPy's event loop.

A call is a generator that yields seconds to sleep, or None to be parked until somebody wakes it,
and returns its outcome. Being generators, calls nest with `yield from`, and what a call holds is
released by `finally` when it is cancelled.

Order of events at one instant: first what ends (work, connects, backoffs, recoveries), in the
order in which it was begun; then deadlines that expire, so that an answer at the deadline is in
time, the outer one of two before the inner one, as its caller is gone when the inner one's would
be told; then arrivals. Calls woken by an event run right after it, in the order of waking.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import simpy

from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.request import Request

Call = Generator[float | None, Any, Outcome]

# SimPy priorities; 0 is its own end of `run(until)`. Deadlines have those below EXPIRES.
ENDS, EXPIRES, ARRIVES = 1, 1 << 30, 1 << 31


class Cancelled(Exception):  # noqa: N818 - a signal, not an error
    """Thrown into a call that its caller no longer waits for.

    `within` is the index of the stage whose own work it interrupts, -1 for none. `known` says that
    the call knew of the deadline that ends it, and so ends by itself.
    """

    within = -1
    known = False


class Alarm(simpy.Event):
    """Calls back once, `delay` seconds from now; clear `callbacks` to silence it.

    One object and no process: SimPy's Timeout has no place in the tie order.
    """

    def __init__(
        self, env: simpy.Environment, delay: float, priority: int, callback: Callable[[Any], None]
    ) -> None:
        self.env = env
        self.callbacks = [callback]
        self._value = None
        self._ok = True
        env.schedule(self, priority, delay)  # type: ignore[arg-type] # priorities are integers


class Kernel:
    """The event loop and the calls that are about to run."""

    def __init__(self) -> None:
        self.env = simpy.Environment()
        self._ready: deque[tuple[Task, Any]] = deque()
        self._deadlines = 0

    def expiry_priority(self) -> int:
        """Return the priority of a new deadline: before those of all that were made so far.

        Layers are built from the inside out, so an outer deadline comes before an inner one.
        """
        self._deadlines += 1
        return EXPIRES - self._deadlines

    @property
    def now(self) -> float:
        """Return the simulated time in seconds."""
        return self.env.now

    def until(self, instant: float) -> float:
        """Return the delay to `instant`; rounding may add a hair to it, but ends it never early."""
        now = self.env.now
        delay = max(0.0, instant - now)
        return delay if now + delay >= instant else math.nextafter(delay, math.inf)

    def alarm(self, delay: float, callback: Callable[[], None], priority: int = ENDS) -> Alarm:
        """Call back after `delay` seconds, then run the calls that this woke."""

        def ring(_: simpy.Event) -> None:
            callback()
            self.run_ready()

        return Alarm(self.env, max(0.0, delay), priority, ring)

    def wake(self, task: Task, value: Any = None) -> None:
        """Let a parked call go on, with `value` as what it waited for."""
        self._ready.append((task, value))

    def run_ready(self) -> None:
        """Run woken calls. A queue, not recursion: one may wake a thousand."""
        ready = self._ready
        while ready:
            task, value = ready.popleft()
            task.go_on(value)

    def forget(self, task: Task) -> None:
        """Take back the waking of a call that is cancelled in the same instant."""
        for entry in self._ready:
            if entry[0] is task:
                self._ready.remove(entry)
                return


class Task:
    """One call under way, and the function to call with its outcome."""

    __slots__ = ("_done", "_env", "_kernel", "_send", "_throw", "_timer")

    def __init__(self, kernel: Kernel, done: Callable[[Outcome], None]) -> None:
        self._kernel = kernel
        self._env = kernel.env
        self._done = done
        self._timer: Alarm | None = None

    def start(self, call: Call) -> None:
        """Run the call up to its first wait."""
        self._send = call.send
        self._throw = call.throw
        self.go_on(None)

    def go_on(self, value: Any) -> None:
        """Run from one wait to the next, the wait having given `value`."""
        self._advance(self._send, value)

    def cancel(self, reason: Cancelled) -> None:
        """Raise `reason` where the call waits."""
        if self._timer is not None:
            self._timer.callbacks = []
            self._timer = None
        else:
            self._kernel.forget(self)
        self._advance(self._throw, reason)

    def _advance(self, step: Callable[[Any], float | None], value: Any) -> None:
        try:
            seconds = step(value)
        except StopIteration as end:
            self._done(end.value)
            return
        if seconds is not None:
            self._timer = Alarm(self._env, seconds, ENDS, self._ring)

    def _ring(self, _: Any) -> None:
        self._timer = None
        self._advance(self._send, None)
        if self._kernel._ready:
            self._kernel.run_ready()


class Waiter:
    """One parked call of a queue; `value` is what it was granted."""

    __slots__ = ("granted", "notes", "task", "value")

    def __init__(self, task: Task, notes: Any = 0) -> None:
        self.task = task
        self.notes = notes  # whatever the queue's owner counts for each waiter
        self.granted = False
        self.value: Any = None


class WaitQueue:
    """Calls that wait for something, first come first served."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._waiting: deque[Waiter] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(
        self, request: Request, give_back: Callable[[Any], None], notes: Any = 0
    ) -> Generator[None, Any, Any]:
        """Park the request and return what it is granted.

        `give_back` takes a grant that comes in the very instant the call is cancelled.
        """
        waiter = Waiter(request.task, notes)
        context = request.context
        if context is not None:
            context.enter(waiter)
        self._join(waiter)
        try:
            return (yield None)
        except Cancelled:
            if waiter.granted:
                give_back(waiter.value)
            else:
                self._leave(waiter)
            raise
        finally:
            if context is not None:
                context.leave(waiter)

    def grant(self, value: Any = None) -> None:
        """Give `value` to the call that waits longest."""
        self._grant(self._waiting.popleft(), value)

    def grant_where(self, chosen: Callable[[Waiter], bool], value: Any = None) -> None:
        """Give `value` to every waiter that is `chosen`, in order."""
        waiting = list(self._waiting)
        self._waiting.clear()
        for waiter in waiting:
            if chosen(waiter):
                self._grant(waiter, value)
            else:
                self._waiting.append(waiter)

    def _join(self, waiter: Waiter) -> None:
        self._waiting.append(waiter)

    def _leave(self, waiter: Waiter) -> None:
        self._waiting.remove(waiter)

    def _grant(self, waiter: Waiter, value: Any) -> None:
        waiter.granted = True
        waiter.value = value
        self._kernel.wake(waiter.task, value)


class WaitStack(WaitQueue):
    """Calls that wait for something, last come first served."""

    def grant(self, value: Any = None) -> None:
        """Give `value` to the call that came last."""
        self._grant(self._waiting.pop(), value)
