"""Connection pool after SQLAlchemy's QueuePool and NullPool. It owns no clock and no waiters.

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
    lifetime: float = math.inf  # a session's; the reaper ends it then
    leak: float = 0.0  # share of sessions that are never closed by their request

    @property
    def limit(self) -> float:
        """Return how many connections can be checked out at once."""
        return self.size + self.max_overflow if self.kind == "queue" else math.inf


class ServerFull(Exception):  # noqa: N818 - named after the database's answer
    """The database refuses one more connection."""


class Pool:
    """Counts connections; a lease is the instant its connection was made, or None if it must be."""

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
