"""Connection pools after SQLAlchemy's QueuePool, NullPool and StaticPool, and sessions on them.

Followed behaviour (SQLAlchemy 2.1, "Connection Pooling", `pool/impl.py` and `pool/base.py`): a pool
starts empty and connects on demand; up to size + max_overflow connections are checked out at once,
any number where max_overflow is -1 or size is 0; a returned one is kept while fewer than `size` are
idle and closed otherwise (a size of 0 keeps all); idle ones are reused first in, first out, or last
in, first out. One older than `recycle` at checkout is replaced. What is kept is a place for a
connection: one that was taken away leaves its place among the idle ones, which whoever gets it
fills. Waiters are served in order by what is returned; a connect that fails makes room of which no
waiter is told, so it is seen by newcomers, and by waiters only when their timeout is over.

NullPool connects for each checkout and keeps none. StaticPool has one connection that everybody
uses at once and nobody waits for; where a driver takes one query at a time (SQLite's do), give the
stage `concurrency: 1`. Those who come while it is being made for the first time make their own, of
which the last stays, as with the library.

The database refuses a connection beyond `max_connections` at once, as PostgreSQL does, and closes
all of them when it restarts. A pool does not notice: with `pre_ping` it finds out at checkout and
connects anew, else the call fails. Either way it then replaces all connections made before.

Not followed: a new connection that is past `recycle`, or invalidated with the pool, by the time it
is made is made once more at once by the library, and here when it is lent again.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.model.deadline import Deadline, TimedQueue
from cascadesim.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from cascadesim.model.faults import Timeline
    from cascadesim.model.kernel import Call, Kernel
    from cascadesim.model.request import Layer, Request
    from cascadesim.randomness import Distribution, Stream

GONE = -math.inf  # stands for the instant at which a connection was made that is closed by now
_HAIR = 1e-9  # seconds; a call that a restart cuts may end by so much before it, through rounding


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Settings of one pool, times in seconds. `kind` is "queue", "null" or "static"."""

    kind: str
    connect_time: Distribution
    max_connections: float = math.inf  # of the database server
    size: int = 5  # 0 keeps all
    max_overflow: int = 10  # -1 sets no limit
    timeout: float = 30.0
    recycle: float = math.inf
    use_lifo: bool = False
    pre_ping: bool = False
    ping_time: float = 0.0

    @property
    def limit(self) -> float:
        """Return how many connections can be checked out at once."""
        if self.kind != "queue" or self.size == 0 or self.max_overflow == -1:
            return math.inf
        return self.size + self.max_overflow

    @property
    def keeps(self) -> float:
        """Return how many idle connections it keeps."""
        if self.kind == "queue":
            return self.size or math.inf
        return 1 if self.kind == "static" else 0


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """Settings of the sessions of one stage: the spans for which requests hold a connection."""

    lifetime: float = math.inf  # seconds after which the reaper ends a session, in use or leaked
    leak: float = 0.0  # share of sessions that their request never closes


class ServerFull(Exception):  # noqa: N818 - named after the database's answer
    """The database refuses one more connection."""


class Pool:
    """Counts connections, without clock or waiters.

    A lease is the instant at which the making of its connection began, from where the library
    counts its age, GONE where a place has lost its connection, or None where there is no place yet;
    in both of these cases the caller connects.
    """

    def __init__(self, plan: PoolPlan) -> None:
        self.plan = plan
        self.checked_out = 0
        self._idle: deque[float] = deque()  # when the connection of each place was made
        self._gone = 0  # idle places without a connection
        self._invalidated = GONE  # connections made before are replaced at checkout

    @property
    def idle(self) -> int:
        """Return how many connections are kept."""
        return len(self._idle) - self._gone

    @property
    def open(self) -> int:
        """Return how many connections the database sees."""
        return self.checked_out + self.idle

    @property
    def has_place(self) -> bool:
        """Return whether a place is idle, with a connection or without."""
        return bool(self._idle)

    def available(self) -> bool:
        """Return whether a checkout would be granted without waiting."""
        return self.checked_out < self.plan.limit

    def checkout(self, now: float) -> float | None:
        """Return the lease of a connection, or of one to be made now.

        Raises ServerFull where the database refuses to make it.
        """
        if self._idle:
            made = self._idle.pop() if self.plan.use_lifo else self._idle.popleft()
            self.checked_out += 1
            if made == GONE:
                self._gone -= 1
                return GONE
            fresh = now - made <= self.plan.recycle and made >= self._invalidated
            return made if fresh else GONE
        if self.open >= self.plan.max_connections:
            raise ServerFull
        self.checked_out += 1
        return None

    def connected(self, made: float) -> None:
        """Take note of a connection that was made for a lease."""

    def checkin(self, made: float | None) -> None:
        """Take a lease back; None for one that got neither a place nor a connection."""
        self.checked_out -= 1
        if made is not None and len(self._idle) < self.plan.keeps:
            self._idle.append(made)
            self._gone += made == GONE

    def invalidate(self, made: float, now: float) -> None:
        """Replace all connections made before `now`, as that one has turned out to be closed.

        Where the pool was invalidated since it was made, that has been done.
        """
        if made > self._invalidated:
            self._invalidated = now


class StaticPool(Pool):
    """Lends one connection to all."""

    _shared: float | None = None  # when it was made

    @property
    def idle(self) -> int:
        """Return 1 if the connection is there and nobody uses it."""
        return int(self._shared is not None and not self.checked_out)

    def checkout(self, now: float) -> float | None:
        """Return the lease of the connection."""
        self.checked_out += 1
        made = self._shared
        return made if made is None or made >= self._invalidated else None

    def connected(self, made: float) -> None:
        """Lend this one from now on."""
        self._shared = made

    def checkin(self, made: float | None) -> None:
        """Take a lease back."""
        self.checked_out -= 1
        if made == GONE:
            self._shared = None


class Connector:
    """Makes the connections of a pool."""

    doubts = False  # whether connections that were kept may be closed

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
        cut = self._timeline.broken(now, seconds)
        request.enter(self._part, now)
        if cut is None:
            yield seconds
            self._pool.connected(now)
            return now
        if cut[0] > 0:
            yield cut[0]
        return request.end(Outcome.FAILED, self._down_end)


class Leaks:
    """Says which sessions their request never closes, of which it is a share."""

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
    ) -> None:
        """Build the layer.

        `part` is that of waiting, `ends` those of the pool's timeout, the server's
        `max_connections` and the session's lifetime.
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
        try:
            if lease is None or lease == GONE or self._connector.doubts:
                ready = yield from self._connector.ready(request, lease)
                if isinstance(ready, Outcome):
                    return ready
                made = ready
            else:
                made = lease
            opened = env.now
            outcome = yield from self._inner.call(request)
            leaked = self._leaks is not None and self._leaks.leaked(request, env.now)
            return outcome
        finally:
            self._end(made, outcome, opened, leaked)

    def _wait(self, request: Request) -> Generator[None, Any, float | Outcome | None]:
        request.enter(self._wait_part, self._kernel.env.now)
        lease: float | Outcome | None = yield from self._queue.wait(request, self._undo)
        if lease is Outcome.TIMED_OUT and self._pool.available():
            return self._lease()  # room that a connect left when it failed
        return lease

    def _end(
        self, made: float | None, outcome: Outcome | None, opened: float, leaked: bool
    ) -> None:
        reaped = opened + self._session.lifetime  # the very sum that its deadline uses
        if made is None:
            self._give_back(None)
        elif self._kernel.env.now >= reaped:
            self._give_back(GONE)
        elif not leaked:
            doubts = self._connector.doubts
            self._give_back(self._connector.returned(made, outcome) if doubts else made)
        elif reaped < math.inf:
            self._kernel.alarm(self._kernel.until(reaped), self._reap)

    def _lease(self) -> float | Outcome | None:
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

    def _reap(self) -> None:
        self._give_back(GONE)
