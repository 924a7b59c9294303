"""Windows of calls that a breaker decides by: the last N calls, or those of the last seconds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascadesim.policies.breaker_window import WindowPlan


class _Window:
    """Counts calls, failures and slow ones among them."""

    def __init__(self, plan: WindowPlan) -> None:
        self._plan = plan
        self.clear()

    def clear(self) -> None:
        """Forget all calls."""
        self._calls = self._failures = self._slow = 0

    @property
    def has_minimum(self) -> bool:
        """Return whether there are enough calls for their rates to count."""
        return self._calls >= self._plan.minimum

    def _add(self, calls: int, failures: int, slow: int) -> None:
        self._calls += calls
        self._failures += failures
        self._slow += slow

    def _reached(self) -> bool:
        plan, calls = self._plan, self._calls
        if calls < plan.minimum:
            return False
        failed, slow = self._failures / calls, self._slow / calls
        if plan.strict:
            return failed > plan.failure_rate or slow > plan.slow_rate
        return failed >= plan.failure_rate or slow >= plan.slow_rate


class CountWindow(_Window):
    """The last `calls` calls."""

    def clear(self) -> None:
        """Forget all calls."""
        super().clear()
        self._last: deque[tuple[bool, bool]] = deque()

    def record(self, now: float, *, failed: bool, slow: bool) -> bool:
        """Take a call that ended; return whether a rate is reached."""
        last = self._last
        if len(last) == self._plan.calls:
            first_failed, first_slow = last.popleft()
            self._add(-1, -first_failed, -first_slow)
        last.append((failed, slow))
        self._add(1, failed, slow)
        return self._reached()


class TimeWindow(_Window):
    """The calls that ended less than `time` seconds ago.

    Libraries keep no call but sums over buckets, and drop a bucket whole once it began `time`
    ago; buckets are `width` seconds wide, and begin with the first call in them or, if they are
    `aligned`, at multiples of their width. With no width every call is dropped by itself.
    """

    def __init__(self, plan: WindowPlan, width: float = 0.0, *, aligned: bool = False) -> None:
        super().__init__(plan)
        self._width = width
        self._aligned = aligned

    def clear(self) -> None:
        """Forget all calls."""
        super().clear()
        self._buckets: deque[tuple[float, list[int]]] = deque()  # begin; calls, failures, slow

    def record(self, now: float, *, failed: bool, slow: bool) -> bool:
        """Take a call that ended; return whether a rate is reached."""
        return self.add(now, 1, failed, slow)

    def add(self, now: float, new_calls: int, failed: int, slow: int) -> bool:
        """Take calls that began or ended now; return whether a rate is reached."""
        buckets = self._buckets
        while buckets and now - buckets[0][0] >= self._plan.time:
            calls, failures, slows = buckets.popleft()[1]
            self._add(-calls, -failures, -slows)
        if not buckets or now - buckets[-1][0] >= self._width:
            buckets.append((now - now % self._width if self._aligned else now, [0, 0, 0]))
        sums = buckets[-1][1]
        sums[0] += new_calls
        sums[1] += failed
        sums[2] += slow
        self._add(new_calls, failed, slow)
        return self._reached()


Window = CountWindow | TimeWindow


def window_of(plan: WindowPlan) -> Window:
    """Return an empty window."""
    return CountWindow(plan) if plan.calls else TimeWindow(plan)
