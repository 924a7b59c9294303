"""WebSocket clients: their connections, how they are kept, and how they come back."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cascadesim.policies.retry import Backoff
from cascadesim.scenario.schema.stages import Stage
from cascadesim.values import sources
from cascadesim.values.distributions import Work
from cascadesim.values.sources import follows
from cascadesim.values.strict import NO_OTHERS, Name, Strict, problem
from cascadesim.values.units import Count, Duration, PositiveDuration


class Handshake(Strict):
    """What a connection begins with."""

    FOLLOWS = follows(timeout=(sources.WEBSOCKET, sources.KEEPALIVE))

    timeout: PositiveDuration = Field(
        "10s", validate_default=True, description="longest time that the client gives it"
    )
    on_timeout: Literal["cancel", "abandon"] = Field(
        "cancel",
        description="cancel if the server notices that the client has gone; abandon if it goes on",
    )
    stages: dict[Name, Stage] = Field(
        {},
        description="what it passes at the server, such as tls and login; none takes no time",
        json_schema_extra=NO_OTHERS,
    )


class Ping(Strict):
    """Keepalive by ping and pong."""

    FOLLOWS = follows(sources.KEEPALIVE)

    interval: PositiveDuration = Field(
        "20s", validate_default=True, description="from one ping to the next"
    )
    timeout: PositiveDuration = Field(
        "20s", validate_default=True, description="after which a missing pong ends the connection"
    )


class Reconnect(Backoff):
    """How a client that has no connection comes back."""

    FOLLOWS = follows(
        sources.RECONNECT,
        backoff=sources.BACKOFF,
        multiplier=sources.BACKOFF,
        jitter=(sources.BACKOFF, sources.RECONNECT),
    )

    base: PositiveDuration = Field(
        "1s", validate_default=True, description="the wait before the first handshake"
    )
    cap: PositiveDuration = Field("60s", validate_default=True, description="longest single wait")
    attempts: Count | None = Field(
        None, description="handshakes that fail in a row before the client gives up; none: never"
    )


class Connections(Strict):
    """WebSocket clients, each of which keeps a connection and sends messages over it."""

    FOLLOWS = follows(
        ping=sources.KEEPALIVE,
        handshake=sources.WEBSOCKET,
        idle_timeout=sources.IDLE_TIMEOUT,
        reconnect=sources.RECONNECT,
        when_disconnected=sources.OFFLINE,
        on_disconnect=sources.HANDLERS,
    )

    clients: Annotated[Count, Field(le=100_000)] = Field(description="how many there are")
    messages: Work = Field(
        description="time from one message of a client to its next, replied to, connected or not"
    )
    connect_over: Duration = Field(
        "0s", validate_default=True, description="time over which clients first connect, evenly"
    )
    ordering: Literal["per_connection", "independent"] = Field(
        "per_connection",
        description="handle a connection's messages one after the other, or all at once",
    )
    when_disconnected: Literal["queue", "drop"] = Field(
        "queue",
        description="what a client does with a message while it has no connection: send it once "
        "it has one, or drop it",
    )
    on_disconnect: Literal["cancel", "abandon"] = Field(
        "abandon",
        description="what a lost connection does to the work for its messages at the server: "
        "cancel it, or let it go on until it replies to nobody",
    )
    handshake: Handshake = Field(
        {}, validate_default=True, description="what a connection begins with"
    )
    ping: Ping | None = Field(None, description="keepalive; none without")
    idle_timeout: PositiveDuration | None = Field(
        None, description="after which a proxy cuts a connection that nothing passes, not a ping"
    )
    limit: Count | None = Field(
        None, description="connections that the server holds, with handshakes; it refuses one more"
    )
    reply_timeout: PositiveDuration | None = Field(
        None, description="how long a client waits for a reply, connecting included"
    )
    lifetime: Work | None = Field(
        None,
        description="after which a client closes its connection, once all is answered, and "
        "connects anew",
    )
    reconnect: Reconnect = Field(
        {}, validate_default=True, description="how clients come back after a loss or a failure"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lifetime is not None and not self.lifetime.distribution.mean:
            raise problem("must take some time, or clients would connect without end", "lifetime")
        return self
