"""Sessions: the spans for which calls hold a connection of a pool."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.connector import Connector, DoubtingConnector
from cascadesim.engine.simpy.deadline import Deadline
from cascadesim.engine.simpy.holders import Holders
from cascadesim.engine.simpy.kernel import Cancelled
from cascadesim.engine.simpy.pool import GONE, Pool, ServerFull, StaticPool
from cascadesim.engine.simpy.timers import TimedQueue
from cascadesim.randomness import UNIFORM
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from cascadesim.engine.simpy.kernel import Call, Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Shared
    from cascadesim.engine.simpy.timeline import Timeline
    from cascadesim.plan.stage import StagePlan
    from cascadesim.randomness import Stream
    from cascadesim.resources.pool import PoolPlan
    from cascadesim.resources.session import SessionPlan


class Leaks:
    """Says which sessions are leaked: their request never closes them."""

    def __init__(self, draws: Stream, share: float) -> None:
        self._draws = draws
        self._share = share

    def share(self, now: float) -> float:
        """Return the share of the sessions that end now."""
        return self._share

    def leaked(self, request: Request, now: float) -> bool:
        """Return whether the request's session, which ends now, is leaked."""
        return self._draws.at(request.number, request.attempt) < self.share(now)


class FaultyLeaks(Leaks):
    """Leaks that faults add to."""

    def __init__(self, draws: Stream, share: float, timeline: Timeline) -> None:
        super().__init__(draws, share)
        self._timeline = timeline

    def share(self, now: float) -> float:
        """Return the share of the sessions that end now."""
        return self._timeline.leak(now, self._share)


class SessionLayer:
    """Gives the call inside a connection, for which it may have to wait.

    A call that waits longer than the pool's timeout has timed out, one that the database refuses
    has failed, and one whose session outlives its lifetime fails as the reaper takes its connection
    away. The connection of a leaked session comes back only through the reaper.
    """

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        pool: Pool,
        connector: Connector,
        session: SessionPlan,
        part: int,
        ends: tuple[int, int, int],
        leaks: Leaks | None,
        stage: int,
        holders: Holders,
    ) -> None:
        """Build the layer.

        `part` is the number of the wait, `ends` are those of the pool's timeout, the server's
        `max_connections` and the session's lifetime; `stage` is the index of the stage. `holders`
        counts who holds the pool.
        """
        self._timeout_end, self._full_end, lifetime_end = ends
        self._inner = inner
        if session.lifetime < math.inf:
            self._inner = Deadline(inner, kernel, session.lifetime, lifetime_end, Outcome.FAILED)
        self._kernel = kernel
        self._pool = pool
        self._connector = connector
        self._session = session
        self._wait_part = part
        self._leaks = leaks
        self._stage = stage
        self._holders = holders
        self._in_use = connector.in_use
        self._queue = TimedQueue(kernel, pool.plan.timeout)

    def levels(self) -> dict[str, int]:
        """Return how many connections are checked out and idle, and how many calls wait."""
        pool = self._pool
        return {
            "checked_out": pool.checked_out,
            "idle": pool.idle,
            "waiting": len(self._queue),
        }

    def call(self, request: Request) -> Call:
        """Carry the request through with a connection of its own."""
        lease = self._lease() if self._pool.available() else (yield from self._wait(request))
        if isinstance(lease, Outcome):
            timed_out = lease is Outcome.TIMED_OUT
            return request.end(lease, self._timeout_end if timed_out else self._full_end)
        env = self._kernel.env
        made = None if lease is None else GONE  # what goes back if it gets no connection
        opened = env.now
        outcome: Outcome | None = None
        leaked = False
        lent: float | None = None
        self._holders.open(request)
        try:
            if lease is None or lease == GONE or self._connector.doubts:
                ready = yield from self._connector.ready(request, lease)
                if isinstance(ready, Outcome):
                    return ready
                made = ready
            else:
                made = lease
            opened = env.now
            if self._in_use is not None:
                self._in_use.lend(made)
                lent = made
            outcome = yield from self._inner.call(request)
            leaked = self._leaks is not None and self._leaks.leaked(request, env.now)
            return outcome
        except Cancelled as cancelled:
            if cancelled.within == self._stage and made is not None:
                made = self._pool.lose(made)
            raise
        finally:
            self._holders.close(request)
            self._end(made, outcome, opened, leaked, lent)

    def _wait(self, request: Request) -> Generator[None, Any, float | Outcome | None]:
        request.enter(self._wait_part, self._kernel.env.now)
        self._holders.wait()
        try:
            lease: float | Outcome | None = yield from self._queue.wait(request, self._undo)
        finally:
            self._holders.leave()
        if lease is Outcome.TIMED_OUT and self._pool.available():
            return self._lease()  # room that a connect left when it failed
        return lease

    def _end(
        self,
        made: float | None,
        outcome: Outcome | None,
        opened: float,
        leaked: bool,
        lent: float | None,
    ) -> None:
        reaped = opened + self._session.lifetime  # the very sum that its deadline uses
        if leaked and self._kernel.env.now < reaped:
            waited = self._holders.leak()
            if reaped < math.inf:
                self._kernel.alarm(self._kernel.until(reaped), partial(self._reap, lent, waited))
            return
        if made is not None and self._kernel.env.now >= reaped:
            made = GONE
        elif made is not None and self._connector.doubts:
            made = self._connector.returned(made, outcome)
        self._take_back(made, lent)

    def _lease(self) -> float | Outcome | None:
        if self._in_use is not None:
            self._in_use.look(self._kernel.env.now)
        try:
            return self._pool.checkout(self._kernel.env.now)
        except ServerFull:
            return Outcome.FAILED

    def _undo(self, lease: float | Outcome | None) -> None:
        if not isinstance(lease, Outcome):
            self._give_back(lease)

    def _give_back(self, made: float | None) -> None:
        self._pool.checkin(made)
        if self._queue and self._pool.has_place:
            self._queue.grant(self._lease())

    def _reap(self, lent: float | None, waited: float) -> None:
        self._holders.reap(waited)
        self._take_back(GONE, lent)

    def _take_back(self, made: float | None, lent: float | None) -> None:
        if self._in_use is not None and lent is not None:
            self._in_use.get_back(lent)
        self._give_back(made)


def build(shared: Shared, stage: StagePlan, index: int, inner: Layer) -> SessionLayer:
    """Return the layer that gives calls of a stage, number `index`, a connection of its pool."""
    assert stage.pool is not None
    where = f"{stage.name}.pool"
    paths = (f"{where}.timeout", f"{where}.max_connections", f"{stage.name}.session.lifetime")
    timeout, full, lifetime = map(shared.layout.end, paths)
    pool = StaticPool(stage.pool) if stage.pool.kind == "static" else Pool(stage.pool)
    # A fault leaks where the setting does not; what fails is then the stage itself.
    leaks = f"{stage.name}.session.leak" if stage.session.leak else stage.name
    holders = shared.holders[where] = Holders(shared.kernel, shared.layout, leaks)
    layer = SessionLayer(
        inner,
        shared.kernel,
        pool,
        _connector(shared, stage, stage.pool, pool),
        stage.session,
        shared.layout.part(where, "pool_wait"),
        (timeout, full, lifetime),
        _leaks(shared, stage),
        index,
        holders,
    )
    shared.levels[where] = layer.levels
    return layer


def _leaks(shared: Shared, stage: StagePlan) -> Leaks | None:
    faults = tuple(fault for fault in stage.faults if fault.leak_share)
    share = stage.session.leak
    if not share and not faults:
        return None
    draws = shared.stream(f"{stage.name}.leak", UNIFORM)
    return FaultyLeaks(draws, share, shared.timeline(faults)) if faults else Leaks(draws, share)


def _connector(shared: Shared, stage: StagePlan, plan: PoolPlan, pool: Pool) -> Connector:
    where, layout = f"{stage.name}.pool", shared.layout
    part = layout.part(where, "connect")
    draws = shared.stream(f"{stage.name}.connect", plan.connect_time)
    restarts = tuple(fault for fault in stage.faults if fault.restarts)
    if not restarts and not plan.pre_ping:
        return Connector(shared.kernel, pool, part, draws)
    pinging = layout.part(f"{where}.pre_ping", "connect") if plan.pre_ping else part
    ends = layout.end(stage.name), layout.end(f"{where}.pre_ping")
    timeline = shared.timeline(restarts)
    return DoubtingConnector(shared.kernel, pool, (part, pinging), ends, draws, timeline)
