"""Queues from which CoDel sheds calls: before a stage's concurrency, and before a bulkhead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.codel import law_of
from cascadesim.engine.simpy.kernel import Call, Kernel, WaitQueue
from cascadesim.engine.simpy.stage import Limit
from cascadesim.engine.simpy.timers import TimedQueue
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.codel import Law
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.plan.stage import StagePlan


class Shedding(WaitQueue):
    """Calls that wait for something, of which some are shed."""

    law: Law

    def shed(self, now: float) -> None:
        """Refuse calls at the head until one is to be served."""
        waiting = self._waiting
        while waiting and self.law.sheds(now, now - waiting[0].notes, len(waiting) - 1):
            self.grant(Outcome.REJECTED)


class TimedShedding(Shedding, TimedQueue):
    """Shedding in which each call waits for a time at most."""


class CodelLimit(Limit):
    """Lets `concurrency` calls through at once, and sheds others that wait."""

    _queue: Shedding

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        plan: StagePlan,
        part: int,
        ends: tuple[int, int],
    ) -> None:
        """Build the layer; `ends` are those of its queue_limit and of CoDel's target."""
        assert plan.codel is not None
        full, self._codel_end = ends
        super().__init__(inner, kernel, plan, part, full)
        self._queue = Shedding(kernel)
        self._queue.law = law_of(plan.codel)

    def call(self, request: Request) -> Call:
        """Carry the request through when there is room for it, unless it is shed."""
        now = self._kernel.env.now
        if self._busy < self._concurrency:
            self._queue.law.sheds(now, 0.0, 0)
            self._busy += 1
        elif len(self._queue) >= self._queue_limit:
            return request.end(Outcome.SHED, self._end)
        else:
            request.enter(self._part, now)
            shed = yield from self._queue.wait(request, self._undo, now)
            if shed is Outcome.REJECTED:
                return request.end(Outcome.SHED, self._codel_end)
        try:
            return (yield from self._inner.call(request))
        finally:
            self._release()

    def _undo(self, granted: Outcome | None) -> None:
        if granted is None:
            self._release()

    def _release(self, _: None = None) -> None:
        self._queue.shed(self._kernel.env.now)
        super()._release()
