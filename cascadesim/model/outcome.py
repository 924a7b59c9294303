"""How a call or a request ends, and what its time can go to."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """Every request ends once, with one of these; what is above DEGRADED is no answer."""

    OK = 0
    DEGRADED = 1  # answered by a fallback
    REJECTED = 2  # refused by an open breaker or a full queue
    TIMED_OUT = 3
    FAILED = 4
    UNFINISHED = 5  # still under way at the horizon (censored)

    @property
    def word(self) -> str:
        """Return the name as it stands in tables and columns."""
        return self.name.lower()


ERRORS = (Outcome.REJECTED, Outcome.TIMED_OUT, Outcome.FAILED)

CAUSES = (
    "breaker_wait",
    "pool_wait",
    "queue_wait",
    "startup_wait",
    "rate_limit_wait",
    "connect",
    "agent_execution",
    "retry_backoff",
    "hedge_wait",
    "service_work",
    "fallback",
)
