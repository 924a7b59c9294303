"""How a call or a request ends."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """Every request ends once, with one of these; what is above DEGRADED is no answer."""

    OK = 0
    DEGRADED = 1  # answered by a fallback
    REJECTED = 2  # refused by the caller's side: an open breaker, a limit of one's own
    SHED = 3  # refused by the other side, which has no room: a 429 or a 503
    TIMED_OUT = 4
    FAILED = 5
    DISCONNECTED = 6  # the connection was lost before the reply
    UNFINISHED = 7  # still under way at the horizon (censored)

    @property
    def word(self) -> str:
        """Return the name as it stands in tables and columns."""
        return self.name.lower()


ERRORS = (Outcome.REJECTED, Outcome.SHED, Outcome.TIMED_OUT, Outcome.FAILED, Outcome.DISCONNECTED)
