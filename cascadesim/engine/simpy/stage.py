"""What a stage is made of: start-up, a concurrency limit, its own work, and the stages inside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel, WaitQueue, WaitStack
from cascadesim.engine.simpy.propagation import answered, unanswered
from cascadesim.engine.simpy.timers import TimedQueue
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator

    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.timeline import Timeline
    from cascadesim.plan.stage import StagePlan
    from cascadesim.randomness import Stream


class Sequence:
    """Passes layers in order, up to the first that ends in an error.

    One degraded answer makes the whole degraded.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self._layers = layers

    def call(self, request: Request) -> Call:
        """Carry the request through every layer."""
        worst = Outcome.OK
        for layer in self._layers:
            outcome = yield from layer.call(request)
            if outcome > Outcome.DEGRADED:
                return outcome
            worst = max(worst, outcome)
        return worst


class Work:
    """The stage's own work. It never waits, so it is one sleep, which a fault may cut short."""

    def __init__(
        self,
        kernel: Kernel,
        plan: StagePlan,
        index: int,
        part: int,
        ends: tuple[int, int],
        draws: Stream,
        failures: Stream,
        timeline: Timeline | None,
    ) -> None:
        self._kernel = kernel
        self._plan = plan
        self._index = index
        self._part = part
        self._failed_end, self._silent_end = ends
        self._draws = draws
        self._failures = failures
        self._timeline = timeline
        self._tracked = kernel.expiry_priority()
        self.calls = 0  # that reached the work

    def call(self, request: Request) -> Call:
        """Work for the request."""
        self.calls += 1
        now = self._kernel.env.now
        request.enter(self._part, now)
        if request.work is not None and self._index in request.work:
            work = request.work[self._index]
        else:
            work = self._draws.at(request.number, request.attempt)
        chance = self._plan.failure_rate
        try:
            if self._timeline is not None:
                work = self._timeline.work(now, work)
                cut = self._timeline.cut(now, work)
                if cut is not None:
                    yield from self._cut(request, *cut)
                    failed = cut[1] is Outcome.FAILED
                    end = self._failed_end if failed else self._silent_end
                    return request.end(Outcome.FAILED, end)
                chance = self._timeline.error_rate(now, chance)
            yield work
        except Cancelled as cancelled:
            cancelled.within = self._index
            raise
        if chance and self._failures.at(request.number, request.attempt) < chance:
            return request.end(Outcome.FAILED, self._failed_end)
        return Outcome.OK

    def _cut(
        self, request: Request, after: float, outcome: Outcome
    ) -> Generator[float | None, None, None]:
        if outcome is Outcome.FAILED:
            if after > 0:
                yield after
        elif self._plan.tracker < math.inf:
            # The tracker counts from the start of the call; one that is silent for longer is past.
            delay = max(after, self._plan.tracker)
            yield from answered(request, self._kernel, delay, self._tracked)
        else:
            yield from unanswered(request)  # for ever: only a deadline outside ends it


class Startup:
    """Makes calls wait while the stage starts up, for `timeout` seconds at most.

    When it is ready they go on in the order in which they came.
    """

    def __init__(
        self, inner: Layer, kernel: Kernel, timeline: Timeline, timeout: float, part: int, end: int
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._timeline = timeline
        self._part = part
        self._end = end
        self._queue = TimedQueue(kernel, timeout)

    def call(self, request: Request) -> Call:
        """Carry the request through once the stage is ready."""
        now = self._kernel.env.now
        if self._queue or self._timeline.ready_at(now) > now:
            request.enter(self._part, now)
            if not self._queue:
                self._look_again(now)
            gone = yield from self._queue.wait(request, lambda _: None)
            if gone is Outcome.TIMED_OUT:
                return request.end(Outcome.TIMED_OUT, self._end)
        return (yield from self._inner.call(request))

    def _look_again(self, now: float) -> None:
        self._kernel.alarm(self._kernel.until(self._timeline.ready_at(now)), self._let_through)

    def _let_through(self) -> None:
        now = self._kernel.now
        if self._timeline.ready_at(now) > now:  # meanwhile another restart has begun
            self._look_again(now)
            return
        while self._queue:
            self._queue.grant()


class Limit:
    """Lets `concurrency` calls through at once; the others queue.

    The oldest call is served first, or the newest (`lifo`): under overload its caller is the most
    likely to wait still (B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015). A full queue refuses
    new calls either way.
    """

    def __init__(self, inner: Layer, kernel: Kernel, plan: StagePlan, part: int, end: int) -> None:
        self._inner = inner
        self._kernel = kernel
        self._concurrency = plan.concurrency
        self._queue_limit = plan.queue_limit
        self._part = part
        self._end = end
        self._busy = 0
        self._queue = WaitStack(kernel) if plan.lifo else WaitQueue(kernel)

    def levels(self) -> dict[str, int]:
        """Return how many calls are inside and how many wait for room."""
        return {"busy": self._busy, "waiting": len(self._queue)}

    def call(self, request: Request) -> Call:
        """Carry the request through when there is room for it."""
        if self._busy < self._concurrency:
            self._busy += 1
        elif len(self._queue) >= self._queue_limit:
            return request.end(Outcome.SHED, self._end)
        else:
            request.enter(self._part, self._kernel.env.now)
            yield from self._queue.wait(request, self._release)
        try:
            return (yield from self._inner.call(request))
        finally:
            self._release()

    def _release(self, _: None = None) -> None:
        if self._queue:
            self._queue.grant()  # the room passes on, so `busy` stays
        else:
            self._busy -= 1
