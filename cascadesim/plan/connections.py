"""Clients with a WebSocket connection: their settings, and the states that they can be in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.faults.plan import merged
from cascadesim.plan.stage import StagePlan, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cascadesim.faults.plan import FaultPlan, Spans
    from cascadesim.policies.retry import RetryPlan
    from cascadesim.randomness import Distribution

CONNECTIONS = "connections"  # the name of all of them in faults, records and tables
SETTINGS = f"workload.{CONNECTIONS}"  # the dotted path of their settings
# What can end messages and handshakes, in the order of its numbers: restarts, and these settings.
ENDS = (
    CONNECTIONS,
    *(
        f"{SETTINGS}.{key}"
        for key in (
            *("handshake.timeout", "reconnect.attempts", "limit", "ping.timeout", "idle_timeout"),
            *("reply_timeout", "when_disconnected"),
        )
    ),
)
CONNECTED, CONNECTING, WAITING, GONE = "connected", "connecting", "waiting", "gone"


@dataclass(frozen=True, slots=True)
class HandshakePlan:
    """The handshake of a connection; `abandon` lets the server go on when the client gives up."""

    stages: tuple[StagePlan, ...] = ()
    timeout: float = 10.0  # seconds
    abandon: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionsPlan:
    """Clients with a connection each, times in seconds."""

    clients: int
    messages: Distribution  # seconds from one message of a client to the next
    reconnect: RetryPlan  # its waits alone count
    handshake: HandshakePlan
    attempts: float = math.inf  # handshakes that fail in a row before a client gives up
    connect_over: float = 0.0  # the time over which clients connect first
    in_order: bool = True
    drops: bool = False  # messages that are meant while there is no connection
    cancels: bool = False  # the server's work for messages when their connection is lost
    ping_interval: float = math.inf
    ping_timeout: float = math.inf
    idle_timeout: float = math.inf
    limit: float = math.inf  # connections that the server holds
    reply_timeout: float = math.inf
    lifetime: Distribution | None = None  # after which a client closes its connection
    faults: tuple[FaultPlan, ...] = ()

    def walk(self) -> Iterator[StagePlan]:
        """Yield every stage of a handshake, outer ones first."""
        return walk(self.handshake.stages)

    def spans(self, kind: str, spans_of: Callable[[FaultPlan], Spans]) -> list[tuple[float, float]]:
        """Return when faults of a kind are active, in order and without overlap."""
        return merged(spans_of(fault) for fault in self.faults if fault.kind == kind)
