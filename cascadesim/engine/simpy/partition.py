"""A stage behind a network that is partitioned at times: calls and answers wait for its end."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import ENDS, Call, Cancelled
from cascadesim.engine.simpy.propagation import answered
from cascadesim.faults.partition import PartitionPlan
from cascadesim.faults.plan import merged
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator

    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Shared
    from cascadesim.faults.plan import Spans
    from cascadesim.plan.stage import StagePlan


class Network:
    """Carries calls to the work of a stage, number `index`, and answers back.

    A call whose answer is not there when the stage's tracker looks fails; see `Work`.
    """

    def __init__(
        self, shared: Shared, stage: StagePlan, index: int, inner: Layer, spans: Spans
    ) -> None:
        self._kernel = shared.kernel
        self._tracker = stage.tracker
        self._tracked = shared.kernel.expiry_priority()
        self._index = index
        self._inner = inner
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._part = shared.layout.part(stage.name, PartitionPlan.wait)
        self._end = shared.layout.end(f"{stage.name}.tracker.timeout")

    def call(self, request: Request) -> Call:
        """Carry the request through and its answer back."""
        noticed = self._kernel.env.now + self._tracker
        try:
            if (yield from self._passes(request, noticed)):
                outcome = yield from self._inner.call(request)
                if (yield from self._passes(request, noticed)):
                    return outcome
        except Cancelled as cancelled:
            cancelled.within = self._index  # a query is under way
            raise
        return request.end(Outcome.FAILED, self._end)

    def _passes(self, request: Request, noticed: float) -> Generator[float | None, None, bool]:
        """Wait for the network; return whether it delivers before the tracker looks."""
        now = self._kernel.env.now
        i = bisect_right(self._starts, now) - 1
        if i < 0 or now >= self._ends[i]:
            return True
        end = self._ends[i]
        request.enter(self._part, now)
        delay = self._kernel.until(min(end, noticed))
        priority = ENDS if end <= noticed else self._tracked
        yield from answered(request, self._kernel, delay, priority)
        return end <= noticed


def build(shared: Shared, stage: StagePlan, index: int, inner: Layer) -> Network:
    """Return the network between the callers of a stage, number `index`, and its work."""
    spans = (shared.spans_of(f) for f in stage.faults if isinstance(f, PartitionPlan))
    return Network(shared, stage, index, inner, merged(spans))
