"""Stages in a row of which one lets calls in late: they keep their place in the stage before it.

Blocking after service, or type I blocking (Onvural, "Survey of Closed Queueing Networks with
Blocking", ACM Computing Surveys 22(2), 1990), as Ciw has it between nodes with a queue capacity. A
call that is done in one stage, and finds the queue of the next full, waits in the place that it
has: so a slow stage slows those before it down, and the first that refuses turns callers away. The
call that has waited longest is let in first. What a place is kept for besides, such as the recovery
of a breaker around the next stage, is up to when that stage takes the call in, or is done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.kernel import Call, Kernel, Waiter, WaitQueue
from cascadesim.engine.simpy.place import Place
from cascadesim.engine.simpy.stage import Limit
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.place import Release
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.plan.stage import StagePlan


class Row:
    """Passes layers in order as a Sequence does, and lets places be kept between them.

    `keeps` says of each layer whether the one after it may let calls in late.
    """

    def __init__(self, layers: tuple[Layer, ...], keeps: tuple[bool, ...]) -> None:
        self._steps = tuple(zip(layers, keeps, strict=True))

    def call(self, request: Request) -> Call:
        """Carry the request through every layer, up to the first that ends in an error."""
        worst = Outcome.OK
        around = request.places
        before: Place | None = None
        after: Place | None = None
        try:
            for layer, keeps in self._steps:
                after = Place() if keeps else None
                request.places = before, after
                outcome = yield from layer.call(request)
                if before is not None:
                    before.free()
                if outcome > Outcome.DEGRADED:
                    return outcome
                worst = max(worst, outcome)
                before = after
            return worst
        finally:
            request.places = around
            for place in (before, after):
                if place is not None:
                    place.free()


class Line(WaitQueue):
    """Calls before a limit: up to `room` in its queue, the others in the places they come from."""

    def __init__(self, kernel: Kernel, room: float, *, lifo: bool) -> None:
        super().__init__(kernel)
        self._room = room
        self._lifo = lifo
        self._outside: dict[Waiter, Release | None] = {}  # in the order in which they came

    def __len__(self) -> int:
        return len(self._waiting) + len(self._outside)

    @property
    def blocked(self) -> int:
        """Return how many calls wait outside of the queue."""
        return len(self._outside)

    def grant(self, value: Any = None) -> None:
        """Give `value` to the call whose turn it is, and let another into the queue."""
        if not self._waiting:
            self._let_in()
        self._grant(self._waiting.pop() if self._lifo else self._waiting.popleft(), value)
        if self._outside and len(self._waiting) < self._room:
            self._let_in()

    def _join(self, waiter: Waiter) -> None:
        place: Place | None = waiter.notes
        if len(self._waiting) < self._room:
            super()._join(waiter)
            if place is not None:
                place.free()
        else:
            self._outside[waiter] = None if place is None else place.take()

    def _leave(self, waiter: Waiter) -> None:
        if waiter in self._outside:
            _free(self._outside.pop(waiter))
            return
        super()._leave(waiter)
        if self._outside:
            self._let_in()

    def _let_in(self) -> None:
        waiter = next(iter(self._outside))
        release = self._outside.pop(waiter)
        self._waiting.append(waiter)
        _free(release)


def _free(release: Release | None) -> None:
    if release is not None:
        release()


class RowLimit(Limit):
    """A limit of a stage in a row: it blocks calls where its plan does, and may keep their places.

    A call that ends in an error keeps none, as nothing takes it in.
    """

    def __init__(self, inner: Layer, kernel: Kernel, plan: StagePlan, part: int, end: int) -> None:
        super().__init__(inner, kernel, plan, part, end)
        if plan.blocks:
            self._queue = Line(kernel, plan.queue_limit, lifo=plan.lifo)
            self._queue_limit = float("inf")  # of calls that are not refused

    def levels(self) -> dict[str, int]:
        """Return also how many calls wait in the place that they come from."""
        levels = super().levels()
        if isinstance(self._queue, Line):
            blocked = self._queue.blocked
            return levels | {"waiting": levels["waiting"] - blocked, "blocked": blocked}
        return levels

    def call(self, request: Request) -> Call:
        """Carry the request through when there is room for it."""
        before, after = request.places or (None, None)
        if self._busy < self._concurrency:
            self._busy += 1
            if before is not None:
                before.free()
        elif len(self._queue) >= self._queue_limit:
            return request.end(Outcome.REJECTED, self._end)
        else:
            request.enter(self._part, self._kernel.env.now)
            yield from self._queue.wait(request, self._release, before)
        outcome = Outcome.UNFINISHED
        try:
            outcome = yield from self._inner.call(request)
            return outcome
        finally:
            if after is not None and outcome <= Outcome.DEGRADED:
                after.keep(self._release)
            else:
                self._release()
