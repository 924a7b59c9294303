"""Blocking: a call waits in its place in one stage until the next stage has room for it.

This is blocking after service, or type I blocking (Onvural, "Survey of Closed Queueing Networks
with Blocking", ACM Computing Surveys 22(2), 1990), as Ciw has it between nodes with a queue
capacity. A call that one stage has finished, and that finds the queue of the next stage full, keeps
its place in the first. So a slow stage slows down those before it, and the first stage that refuses
turns callers away. The call that has waited longest enters first.

A policy around the next stage, such as a breaker that recovers, can delay the call too. The place
is freed when that stage takes the call in, or when the call has ended.
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
    """Passes layers in order as a Sequence does; calls may keep places between them.

    `keeps` says, for each layer, whether the next one can block it.
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
    """Calls before a limit: up to `room` in its queue, the others in the stage before."""

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
    """A stage's limit that can block the stage before it, or be blocked by the next.

    A call that ends in an error keeps no place, as no further stage takes it in.
    """

    def __init__(self, inner: Layer, kernel: Kernel, plan: StagePlan, part: int, end: int) -> None:
        super().__init__(inner, kernel, plan, part, end)
        if plan.blocks:
            self._queue = Line(kernel, plan.queue_limit, lifo=plan.lifo)
            self._queue_limit = float("inf")  # of calls that are not refused

    def levels(self) -> dict[str, int]:
        """Return the levels of a Limit, and how many calls wait in the stage before."""
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
            return request.end(Outcome.SHED, self._end)
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
