"""What makes the connections of a pool, to a database that may restart."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.pool import GONE
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.pool import Pool
    from cascadesim.engine.simpy.request import Request
    from cascadesim.engine.simpy.timeline import Timeline
    from cascadesim.randomness import Stream

_HAIR = 1e-9  # seconds; a call that a restart cuts may end by so much before it, through rounding


class InUse:
    """Connections in use at a database that restarts: those that it closes count no longer."""

    def __init__(self, pool: Pool, timeline: Timeline) -> None:
        self._pool = pool
        self._timeline = timeline
        self._open: Counter[float] = Counter()  # by when they were made
        self._closed: Counter[float] = Counter()
        self._looked = 0.0

    def lend(self, made: float) -> None:
        """Take note of a connection that is in use from now on."""
        self._open[made] += 1

    def get_back(self, made: float) -> None:
        """Take note of a connection that is in use no longer."""
        if self._closed[made]:
            self._closed[made] -= 1
            self._pool.closed -= 1
        else:
            self._open[made] -= 1

    def look(self, now: float) -> None:
        """Tell the pool which of them the database has closed by now."""
        if not self._timeline.restarted(self._looked, now):
            return
        self._looked = now
        for made, number in tuple(self._open.items()):
            if self._timeline.restarted(made, now):
                del self._open[made]
                self._closed[made] += number
                self._pool.closed += number


class Connector:
    """Makes the connections of a pool."""

    doubts = False  # whether connections that were kept may be closed
    in_use: InUse | None = None  # where some of them may be, and their number has a limit

    def __init__(self, kernel: Kernel, pool: Pool, part: int, draws: Stream) -> None:
        self._kernel = kernel
        self._pool = pool
        self._part = part
        self._draws = draws

    def ready(
        self, request: Request, made: float | None
    ) -> Generator[float | None, Any, float | Outcome]:
        """Return when the connection for a lease was made, or how the call ends without one."""
        now = self._kernel.env.now
        request.enter(self._part, now)
        yield self._draws.at(request.number, request.attempt)
        self._pool.connected(now)
        return now

    def returned(self, made: float, outcome: Outcome | None) -> float:
        """Return the lease as it goes back, after a call that ended so or was cancelled."""
        return made


class DoubtingConnector(Connector):
    """Makes connections to a database that restarts, or pings those that were kept."""

    doubts = True

    def __init__(
        self,
        kernel: Kernel,
        pool: Pool,
        parts: tuple[int, int],
        ends: tuple[int, int],
        draws: Stream,
        timeline: Timeline,
    ) -> None:
        """Build the connector.

        `parts` are those of connecting and of pings, `ends` those of a database that is down and
        of a connection that it has closed; `timeline` has its restarts and no other faults.
        """
        part, self._ping_part = parts
        super().__init__(kernel, pool, part, draws)
        self._down_end, self._stale_end = ends
        self._timeline = timeline
        if pool.plan.max_connections < math.inf:
            self.in_use = InUse(pool, timeline)

    def ready(
        self, request: Request, made: float | None
    ) -> Generator[float | None, Any, float | Outcome]:
        """Return when the connection for a lease was made, or how the call ends without one."""
        env = self._kernel.env
        if made is None or made == GONE:
            return (yield from self._connect(request))
        plan = self._pool.plan
        if plan.pre_ping:
            request.enter(self._ping_part, env.now)
            yield plan.ping_time
        if not self._timeline.restarted(made, env.now):
            return made
        self._pool.invalidate(made, env.now)
        if plan.pre_ping:
            return (yield from self._connect(request))
        down = self._timeline.ready_at(env.now) > env.now
        return request.end(Outcome.FAILED, self._down_end if down else self._stale_end)

    def returned(self, made: float, outcome: Outcome | None) -> float:
        """Return the lease as it goes back, after a call that ended so or was cancelled."""
        now = self._kernel.env.now
        if not self._timeline.restarted(made, now + _HAIR):
            return made
        if outcome is Outcome.FAILED:
            self._pool.invalidate(made, now)
        return GONE

    def _connect(self, request: Request) -> Generator[float | None, Any, float | Outcome]:
        now = self._kernel.env.now
        seconds = self._draws.at(request.number, request.attempt)
        cut = self._timeline.cut(now, seconds)
        request.enter(self._part, now)
        if cut is None:
            yield seconds
            self._pool.connected(now)
            return now
        if cut[0] > 0:
            yield cut[0]
        return request.end(Outcome.FAILED, self._down_end)
