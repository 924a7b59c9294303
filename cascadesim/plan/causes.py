"""The causes that a request's time is charged to, with their words and colours, in one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of time.

    `doing` says what a request does meanwhile; {} stands for what it waits for. `colour` and
    `hatch` are its look: waits are hatched, no two alike, and work is plain, in colours that grey
    tells apart, too.
    """

    name: str
    doing: str
    colour: str
    hatch: str = ""

    @property
    def words(self) -> str:
        """Return the name as people read it."""
        return self.name.replace("_", " ")

    @property
    def is_wait(self) -> bool:
        """Return whether a request is not worked on meanwhile."""
        return bool(self.hatch)


CAUSES = {
    cause.name: cause
    for cause in (
        Cause("breaker_wait", "waiting for {} to recover", "#D55E00", "////"),
        Cause("pool_wait", "waiting for a connection of {}", "#0072B2", "\\\\\\\\"),
        Cause("queue_wait", "queueing for {}", "#56B4E9", "xxxx"),
        Cause("startup_wait", "waiting for {} to start up", "#CC79A7", "...."),
        Cause("rate_limit_wait", "waiting for a token of {}", "#B2A04E", "oooo"),
        Cause("handshake_wait", "waiting for a handshake of {}", "#882255", "***"),
        Cause("closing_wait", "waiting until {} has closed an old one", "#44AA99", "+++"),
        Cause("head_of_line_wait", "waiting behind earlier messages ({})", "#999933", "||||"),
        Cause("network_wait", "waiting for the network of {}", "#332288", "OO"),
        Cause("connect", "opening a connection of {}", "#F0E442"),
        Cause("agent_execution", "execution of {}", "#009E73"),
        Cause("retry_backoff", "pausing before the next attempt ({})", "#E69F00", "----"),
        Cause("hedge_wait", "waiting before it is sent again ({})", "#C7B3E5", "++++"),
        Cause("service_work", "work of {}", "#A6A6A6"),
        Cause("fallback", "answer of {}", "#000000"),
    )
}
WAITS = tuple(name for name, cause in CAUSES.items() if cause.is_wait)
