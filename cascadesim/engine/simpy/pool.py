"""Connection pools after SQLAlchemy's QueuePool, NullPool and StaticPool, and sessions on them.

Followed behaviour (SQLAlchemy 2.1, "Connection Pooling", `pool/impl.py` and `pool/base.py`): a pool
starts empty and connects on demand; up to size + max_overflow connections are checked out at once,
any number where max_overflow is -1 or size is 0; a returned one is kept while fewer than `size` are
idle and closed otherwise (a size of 0 keeps all); idle ones are reused first in, first out, or last
in, first out. One older than `recycle` at checkout is replaced. What is kept is a place for a
connection: one that was taken away leaves its place among the idle ones, which whoever gets it
fills. Returned connections go to waiters in order. A connect that fails makes room, but wakes no
waiter: only new calls use that room, and waiters when their timeout is over.

NullPool connects for each checkout and keeps none. StaticPool has one connection that everybody
uses at once and nobody waits for; where a driver takes one query at a time (SQLite's do), give the
stage `concurrency: 1`. Those who come while it is being made for the first time make their own, of
which the last stays, as with the library.

The database refuses a connection beyond `max_connections` at once, as PostgreSQL does, and closes
all of them when it restarts, those of leaked sessions too, whose places in the pool stay taken. A
pool does not notice: with `pre_ping` it finds out at checkout and connects anew, else the call
fails. Either way it then replaces all connections made before.

A stage's own work is a query. One that is cancelled leaves its connection in a state that nobody
knows, so asyncio engines close it and put its place back (`Connection._handle_dbapi_exception`,
which takes CancelledError for a disconnect of this connection alone); one that is cancelled while
it holds a connection besides, as in the stages inside, is rolled back and keeps it alive. Drivers
for threads cannot be cancelled; for them, let the deadline abandon its call.

Not followed: others that use a static pool's connection when it is closed fail with the library,
and go on here. A new connection that is past `recycle`, or invalidated with the pool, by the time
it is made is made once more at once by the library, and here when it is lent again.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascadesim.resources.pool import PoolPlan

GONE = -math.inf  # stands for the instant at which a connection was made that is closed by now


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
        self.closed = 0  # of those checked out, which the database has closed by restarting
        self._invalidated = GONE  # connections made before are replaced at checkout

    @property
    def idle(self) -> int:
        """Return how many connections are kept."""
        return len(self._idle) - self._gone

    @property
    def open(self) -> int:
        """Return how many connections the database sees."""
        return self.checked_out - self.closed + self.idle

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

    def lose(self, made: float) -> float | None:
        """Return what is left of a lease whose connection is closed."""
        return GONE

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

    def lose(self, made: float) -> None:
        """Lend the connection that is closed no longer, if it is the one that all share."""
        if made == self._shared:
            self._shared = None

    def connected(self, made: float) -> None:
        """Lend this one from now on."""
        self._shared = made

    def checkin(self, made: float | None) -> None:
        """Take a lease back."""
        self.checked_out -= 1
        if made == GONE:
            self._shared = None
