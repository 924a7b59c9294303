"""Connection pool after SQLAlchemy's QueuePool and NullPool, and sessions that draw from it.

Followed behaviour (SQLAlchemy, "Connection Pooling"): a pool starts empty and connects on demand;
up to size + max_overflow connections are checked out at once; a returned one is kept while fewer
than `size` are idle and closed otherwise; idle ones are reused first in, first out; one older than
`recycle` at checkout is replaced; NullPool connects for each checkout and keeps none. The database
itself refuses a connection beyond `max_connections`, as PostgreSQL does.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.model.deadline import Deadline, TimedQueue
from cascadesim.model.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.model.kernel import Call, Kernel
    from cascadesim.model.request import Layer, Request
    from cascadesim.randomness import Stream


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Settings of one pool, times in seconds. `kind` is "queue" or "null"."""

    kind: str
    connect_time: float
    max_connections: float = math.inf  # of the database server
    size: int = 5
    max_overflow: int = 10
    timeout: float = 30.0
    recycle: float = math.inf

    @property
    def limit(self) -> float:
        """Return how many connections can be checked out at once."""
        return self.size + self.max_overflow if self.kind == "queue" else math.inf


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """Settings of the sessions of one stage: the spans for which requests hold a connection."""

    lifetime: float = math.inf  # seconds after which the reaper ends a session, in use or leaked
    leak: float = 0.0  # share of sessions that their request never closes


class ServerFull(Exception):  # noqa: N818 - named after the database's answer
    """The database refuses one more connection."""


class Pool:
    """Counts connections, without clock or waiters.

    A lease is the instant its connection was made, or None if it must be.
    """

    def __init__(self, plan: PoolPlan) -> None:
        self.plan = plan
        self.checked_out = 0
        self._idle: deque[float] = deque()  # when each was made

    @property
    def open(self) -> int:
        """Return how many connections the database sees."""
        return self.checked_out + len(self._idle)

    def available(self) -> bool:
        """Return whether a checkout would be granted without waiting."""
        return self.checked_out < self.plan.limit

    def checkout(self, now: float) -> float | None:
        """Return when the granted connection was made, None if it must be made now.

        Raises ServerFull where the database refuses to make it.
        """
        if self._idle:
            made = self._idle.popleft()
            self.checked_out += 1
            return made if now - made <= self.plan.recycle else None
        if self.open >= self.plan.max_connections:
            raise ServerFull
        self.checked_out += 1
        return None

    def checkin(self, made: float | None) -> None:
        """Take a connection back; None for one that was closed (reaped, or never made)."""
        self.checked_out -= 1
        if made is not None and self.plan.kind == "queue" and len(self._idle) < self.plan.size:
            self._idle.append(made)


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
        session: SessionPlan,
        parts: tuple[int, int],
        ends: tuple[int, int, int],
        leaks: Stream | None,
    ) -> None:
        """Build the layer.

        `parts` are those of waiting and of connecting, `ends` those of the pool's timeout, the
        server's `max_connections` and the session's lifetime.
        """
        self._timeout_end, self._full_end, lifetime_end = ends
        self._inner = inner
        if session.lifetime < math.inf:
            self._inner = Deadline(inner, kernel, session.lifetime, lifetime_end, Outcome.FAILED)
        self._kernel = kernel
        self._pool = pool
        self._session = session
        self._wait_part, self._connect_part = parts
        self._leaks = leaks
        self._queue = TimedQueue(kernel, pool.plan.timeout)

    def levels(self) -> dict[str, int]:
        """Return how many connections are checked out and idle, and how many calls wait."""
        pool = self._pool
        return {
            "checked_out": pool.checked_out,
            "idle": pool.open - pool.checked_out,
            "waiting": len(self._queue),
        }

    def call(self, request: Request) -> Call:
        """Carry the request through with a connection of its own."""
        env = self._kernel.env
        if self._pool.available():
            lease = self._lease()
        else:
            request.enter(self._wait_part, env.now)
            lease = yield from self._queue.wait(request, self._undo)
        if isinstance(lease, Outcome):
            timed_out = lease is Outcome.TIMED_OUT
            return request.end(lease, self._timeout_end if timed_out else self._full_end)
        made = lease
        opened = env.now
        leaked = False
        try:
            if made is None:
                request.enter(self._connect_part, opened)
                yield self._pool.plan.connect_time
                made = env.now
            opened = env.now
            outcome = yield from self._inner.call(request)
            leaked = self._leaks is not None and (
                self._leaks.at(request.number, request.attempt) < self._session.leak
            )
            return outcome
        finally:
            reaped = opened + self._session.lifetime  # the very sum that its deadline uses
            if env.now >= reaped:
                self._give_back(None)
            elif not leaked:
                self._give_back(made)
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
        # A refused waiter takes no connection, so the next one may try.
        while self._queue and self._pool.available():
            self._queue.grant(self._lease())

    def _reap(self) -> None:
        self._give_back(None)
