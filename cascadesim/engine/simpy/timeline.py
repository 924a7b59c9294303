"""The faults of one stage over time: what they do to a call is looked up, not an event."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from cascadesim.faults.plan import merged, planned
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cascadesim.faults.plan import FaultPlan, Spans


class _Lane(NamedTuple):
    """A fault with its spans of time, which do not overlap: starts and ends in seconds."""

    fault: FaultPlan
    starts: list[float]
    ends: list[float]

    def span(self, now: float) -> int | None:
        """Return the number of the span that `now` lies in, None if in none."""
        i = bisect_right(self.starts, now) - 1
        return i if i >= 0 and now < self.ends[i] else None


def _lane(fault: FaultPlan, active: Spans) -> _Lane:
    return _Lane(fault, [start for start, _ in active], [end for _, end in active])


def _slowing(lane: _Lane) -> Iterator[_Lane]:
    """Yield the slow-downs of a fault: the fault itself, or the cold start after each of its spans.

    A cold start ends where the next one begins.
    """
    if lane.fault.slows:
        yield lane
        return
    after = [fault for end in lane.ends if (fault := lane.fault.aftermath(end)) is not None]
    if after:
        yield _lane(after[0], [(fault.start, fault.end) for fault in after])


class Timeline:
    """The faults of one stage; `spans` returns when a fault is active, drawn for random ones."""

    def __init__(
        self, faults: Iterable[FaultPlan], spans: Callable[[FaultPlan], Spans] = planned
    ) -> None:
        lanes = [_lane(fault, spans(fault)) for fault in faults]
        stretching = {lane.fault.kind: lane.fault for lane in lanes if lane.fault.stretches}
        self._stretching = [
            (fault, merged(spans(lane.fault) for lane in lanes if lane.fault.kind == kind))
            for kind, fault in stretching.items()
        ]
        self._cutting = [lane for lane in lanes if lane.fault.cuts]
        self._slowing = [slow for lane in lanes for slow in _slowing(lane)]
        self._errors = [lane for lane in lanes if lane.fault.error_share]
        self._leaks = [lane for lane in lanes if lane.fault.leak_share]
        self._restarts = [lane for lane in lanes if lane.fault.restarts]

    def ready_at(self, now: float) -> float:
        """Return when the stage has started up: `now` unless a restart is under way."""
        ready = now
        for lane in self._restarts:
            i = lane.span(now)
            if i is not None:
                ready = max(ready, lane.ends[i])
        return ready

    def restarted(self, since: float, now: float) -> bool:
        """Return whether a restart has begun after `since`."""
        for _, starts, _ in self._restarts:
            i = bisect_right(starts, now)
            if i and starts[i - 1] > since:
                return True
        return False

    def work(self, now: float, work: float) -> float:
        """Return the seconds of work of a call that starts at `now`."""
        for lane in self._slowing:
            i = lane.span(now)
            if i is not None:
                start, end = lane.starts[i], lane.ends[i]
                work = lane.fault.slowed(work, (now - start) / (end - start))
        for fault, spans in self._stretching:
            work = fault.stretched(work, now, spans)
        return work

    def error_rate(self, now: float, base: float) -> float:
        """Return the chance that a call which starts at `now` fails after its work."""
        good = 1 - base
        for lane in self._errors:
            if lane.span(now) is not None:
                good *= 1 - lane.fault.error_share
        return 1 - good

    def leak(self, now: float, base: float) -> float:
        """Return the chance that a session which ends at `now` is leaked."""
        good = 1 - base
        for lane in self._leaks:
            if lane.span(now) is not None:
                good *= 1 - lane.fault.leak_share
        return 1 - good

    def cut(self, now: float, work: float) -> tuple[float, Outcome] | None:
        """Return what cuts a call of `work` seconds that starts at `now`, or None.

        It is (seconds from now, FAILED) for an error, and (seconds from now until the silence
        begins, UNFINISHED) where no answer ever comes.
        """
        cut: tuple[float, Outcome] | None = None
        soonest = math.inf
        for lane in self._cutting:
            fault, starts, ends = lane
            i = bisect_right(starts, now)
            after = math.inf
            if i and now < ends[i - 1]:
                after = fault.fails_after
            if i < len(starts) and starts[i] < now + work:
                after = min(after, starts[i] - now)
            if after < soonest:
                soonest = after
                cut = (after, Outcome.UNFINISHED if fault.silent else Outcome.FAILED)
        return cut
