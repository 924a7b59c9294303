"""How a call or a request ends."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """Every request ends once, with one of these; what is above DEGRADED is no answer."""

    OK = 0
    DEGRADED = 1  # answered by a fallback
    REJECTED = 2  # refused by an open breaker or a full queue
    TIMED_OUT = 3
    FAILED = 4
    DISCONNECTED = 5  # the connection was lost before the reply
    UNFINISHED = 6  # still under way at the horizon (censored)

    @property
    def word(self) -> str:
        """Return the name as it stands in tables and columns."""
        return self.name.lower()


ERRORS = (Outcome.REJECTED, Outcome.TIMED_OUT, Outcome.FAILED, Outcome.DISCONNECTED)
