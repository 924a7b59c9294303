"""Bulkhead: a limit of the calls inside at once, with a short wait for a place.

It follows resilience4j's SemaphoreBulkhead ("Getting started with resilience4j-bulkhead",
resilience4j.readme.io/docs/bulkhead): `maxConcurrentCalls` is `concurrency` here, `maxWaitDuration`
is `timeout`, whoever waits is served first come first served (`fairCallHandlingEnabled`), and
who gets no place in time is refused (BulkheadFullException), not timed out. `queue_limit` is the
`queueCapacity` of its FixedThreadPoolBulkhead; the semaphore has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.codel import law_of
from cascadesim.engine.simpy.shedding import TimedShedding
from cascadesim.engine.simpy.timers import TimedQueue
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from cascadesim.engine.simpy.kernel import Call, Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.bulkhead import BulkheadPlan


class Bulkhead:
    """Lets `concurrency` calls through at once; others wait for `timeout`, or are refused.

    A call that an abandoning deadline inside has given up is no longer counted.
    """

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        plan: BulkheadPlan,
        part: int,
        ends: tuple[int, ...],
    ) -> None:
        """Build the layer; `ends` are those of its concurrency, queue_limit and timeout."""
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._part = part
        self._no_wait_end, self._full_end, self._timeout_end = ends
        self._busy = 0
        self._queue = TimedQueue(kernel, plan.timeout)

    def levels(self) -> dict[str, int]:
        """Return how many calls are inside and how many wait for a place."""
        return {"busy": self._busy, "waiting": len(self._queue)}

    def call(self, request: Request) -> Call:
        """Carry the request through if it gets a place in time."""
        if not self._enter():
            refused = yield from self._wait(request)
            if refused is not None:
                return request.end(Outcome.REJECTED, refused)
        try:
            return (yield from self._inner.call(request))
        finally:
            self._release()

    def _enter(self) -> bool:
        """Take a place if there is one, and return whether there was."""
        if self._busy >= self._plan.concurrency:
            return False
        self._busy += 1
        return True

    def _wait(self, request: Request) -> Generator[None, Any, int | None]:
        """Wait for a place, and return what refuses one."""
        if not self._plan.timeout:
            return self._no_wait_end
        if len(self._queue) >= self._plan.queue_limit:
            return self._full_end
        request.enter(self._part, self._kernel.now)
        return (yield from self._queued(request))

    def _queued(self, request: Request) -> Generator[None, Any, int | None]:
        gone = yield from self._queue.wait(request, self._release)
        return self._timeout_end if gone is Outcome.TIMED_OUT else None

    def _release(self, _: None = None) -> None:
        if self._queue:
            self._queue.grant()  # the place passes on, so `busy` stays
        else:
            self._busy -= 1


class CodelBulkhead(Bulkhead):
    """Lets `concurrency` calls through at once, and sheds others that wait."""

    _queue: TimedShedding

    def __init__(
        self, inner: Layer, kernel: Kernel, plan: BulkheadPlan, part: int, ends: tuple[int, ...]
    ) -> None:
        """Build the layer; `ends` are those of a bulkhead, then that of CoDel's target."""
        assert plan.codel is not None
        super().__init__(inner, kernel, plan, part, ends[:-1])
        self._codel_end = ends[-1]
        self._queue = TimedShedding(kernel, plan.timeout)
        self._queue.law = law_of(plan.codel)

    def _enter(self) -> bool:
        if not super()._enter():
            return False
        self._queue.law.sheds(self._kernel.env.now, 0.0, 0)
        return True

    def _queued(self, request: Request) -> Generator[None, Any, int | None]:
        now = self._kernel.env.now
        gone = yield from self._queue.wait(request, self._undo, now)
        if gone is Outcome.REJECTED:
            return self._codel_end
        return self._timeout_end if gone is Outcome.TIMED_OUT else None

    def _undo(self, granted: Outcome | None) -> None:
        if granted is None:
            self._release()

    def _release(self, _: None = None) -> None:
        self._queue.shed(self._kernel.env.now)
        super()._release()


def build(site: Site, plan: BulkheadPlan, inner: Layer) -> Bulkhead:
    """Return the layer of a bulkhead."""
    kind = Bulkhead if plan.codel is None else CodelBulkhead
    bulkhead = kind(inner, site.kernel, plan, site.part("queue_wait"), site.ends(plan))
    site.show(bulkhead.levels)
    return bulkhead
