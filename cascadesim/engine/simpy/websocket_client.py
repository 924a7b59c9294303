"""One client and its WebSocket connection: it connects, sends messages, loses it, and comes back.

What all connections share, the server and the network, is in websocket.py, as are the sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import ARRIVES, EXPIRES, Alarm, Call, Cancelled, Task, WaitQueue
from cascadesim.engine.simpy.request import Request
from cascadesim.plan.connections import CONNECTED, CONNECTING, GONE, WAITING
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from cascadesim.engine.simpy.websocket import Connections

_HAIR = 1e-9  # of an interval between pings; less is rounding
# Handshakes are numbered from here, so that they take no draw of a message.
HANDSHAKES = 1 << 41


@dataclass(frozen=True, slots=True)
class Parts:
    """Numbers of the parts that a message's time can go to because of its connection."""

    handshake: int
    backoff: int
    line: int
    network: int
    closing: int


@dataclass(frozen=True, slots=True)
class Ends:
    """Numbers of what can end messages and handshakes because of connections."""

    connections: int  # a restart
    timeout: int  # of a handshake
    attempts: int
    limit: int
    ping: int
    idle: int
    reply: int
    dropped: int


class Lost(Cancelled):
    """The connection is lost; `end` is the number of what ended it."""

    def __init__(self, end: int) -> None:
        self.end = end


class Client:
    """One client and its connection."""

    __slots__ = (
        "_all",
        "_backoff",
        "_backoffs",
        "_busy",
        "_closing",
        "_count",
        "_failures",
        "_held",
        "_index",
        "_line",
        "_number",
        "_pinged",
        "_queue",
        "_sent",
        "_traffic",
        "state",
    )

    def __init__(self, connections: Connections, index: int) -> None:
        self._all = connections
        self._index = index
        self.state = WAITING
        self._count = 0  # handshakes that it has begun
        self._number = -1  # of the last handshake, and of the connection that it opened
        self._failures = 0  # handshakes that failed since the last connection
        self._backoffs = 0  # backoffs since the last connection
        self._backoff = 0.0  # seconds of the last backoff
        self._queue = WaitQueue(connections.kernel)  # of messages that wait for a connection
        self._held: dict[Request, None] = {}  # the messages in that queue
        self._line = WaitQueue(connections.kernel)  # of messages behind others, if in order
        self._busy = False  # whether the server works on a message, if in order
        self._sent: dict[Request, None] = {}  # messages that are not answered
        # When something last passed. It is kept up to date for messages; for pings only at the
        # begin of a partition, where it may be the end of a partition that a ping waits for.
        self._traffic = 0.0
        self._pinged = 0.0  # an instant from which on pings come at equal distances
        self._closing = False

    def call(self, request: Request) -> Call:
        """Carry a message over the connection, once there is one, and its reply back."""
        if self.state == GONE:
            return request.end(Outcome.DISCONNECTED, self._all.ends.attempts)
        try:
            if self.state != CONNECTED or self._closing:
                if self._all.plan.drops:
                    return request.end(Outcome.DISCONNECTED, self._all.ends.dropped)
                yield from self._wait(request)
            request.context = None  # the server does not know how long the client waits
            self._sent[request] = None
            try:
                outcome = yield from self._reply(request)
            finally:
                del self._sent[request]
        except Lost as lost:
            return request.end(Outcome.DISCONNECTED, lost.end)
        self._traffic = self._all.kernel.env.now
        if self._closing and not self._sent:
            self._close()
        return outcome

    def _wait(self, request: Request) -> Generator[None, Any, None]:
        self._held[request] = None
        request.enter(self._waiting_part, self._all.kernel.env.now)
        try:
            yield from self._queue.wait(request, lambda _: None)
        finally:
            del self._held[request]

    def _reply(self, request: Request) -> Call:
        connections = self._all
        yield from connections.pass_network(request)
        self._traffic = connections.kernel.env.now
        if not connections.plan.in_order:
            outcome = yield from connections.inner.call(request)
        else:
            if self._busy:
                request.enter(connections.parts.line, connections.kernel.env.now)
                yield from self._line.wait(request, self._next)
            self._busy = True
            try:
                outcome = yield from connections.inner.call(request)
            finally:
                self._next()
        yield from connections.pass_network(request)
        return outcome

    def _next(self, _: None = None) -> None:
        if self._line:
            self._line.grant()  # the turn passes on, so it stays busy
        else:
            self._busy = False

    def connect(self, _: object) -> None:
        """Connect, when it is time to."""
        self._shake_hands()
        self._all.kernel.run_ready()

    def _shake_hands(self) -> None:
        connections = self._all
        self._number = HANDSHAKES + self._count * len(connections.clients) + self._index
        self._count += 1
        self._become(CONNECTING)
        kernel = connections.kernel
        request = Request(self._number, kernel.env.now, connections.handshake_parts)
        request.task = Task(kernel, partial(self._shaken, request))
        request.task.start(connections.entrance.call(request))

    def awaits(self, number: int) -> bool:
        """Return whether the client still waits for this handshake."""
        return self.state == CONNECTING and self._number == number

    def accept(self, number: int) -> None:
        """Open the connection if the client still waits for this handshake."""
        connections = self._all
        if not self.awaits(number):
            return  # it was given up
        now = connections.kernel.env.now
        connections.open += 1
        connections.opened += 1
        self._failures = self._backoffs = 0
        self._backoff = 0.0
        self._traffic = self._pinged = now
        self._become(CONNECTED)
        while self._queue:
            self._queue.grant()
        plan = connections.plan
        if plan.idle_timeout < plan.ping_interval:  # else pings keep it alive
            self._watch_idling(now)
        if connections.lifetimes is not None:
            seconds = connections.lifetimes.at(number - HANDSHAKES)
            connections.kernel.alarm(seconds, partial(self._retire, number), EXPIRES)

    def lose(self, end: int) -> None:
        """Lose the connection, if there is one, and all messages that it carries."""
        if self.state != CONNECTED:
            return
        self._all.open -= 1
        self._all.lost[end] += 1
        self._closing = False
        self._back_off()
        for request in tuple(self._sent):
            if request in self._sent:
                request.task.cancel(Lost(end))

    def meet_silence(self, end: float) -> None:
        """Decide whether the connection outlasts a partition from now to `end`, in seconds."""
        if self.state != CONNECTED:
            return
        plan, now = self._all.plan, self._all.kernel.env.now
        turns = max(1, math.ceil((now - self._pinged) / plan.ping_interval - _HAIR))
        ping = self._pinged + turns * plan.ping_interval
        if turns > 1:
            self._traffic = max(self._traffic, ping - plan.ping_interval)
        if self._traffic + plan.idle_timeout < end:
            self._lose_at(self._traffic + plan.idle_timeout, self._all.ends.idle)
        if ping >= end:
            return
        if end <= ping + plan.ping_timeout:  # the next ping waits for this pong
            self._pinged = ping + max(0.0, end - ping - plan.ping_interval)
            self._traffic = end
        else:
            self._lose_at(ping + plan.ping_timeout, self._all.ends.ping)

    def _lose_at(self, instant: float, end: int) -> None:
        kernel = self._all.kernel
        kernel.alarm(kernel.until(instant), partial(self._lose_it, self._number, end), EXPIRES)

    def _lose_it(self, number: int, end: int) -> None:
        if self._number == number:
            self.lose(end)

    def _shaken(self, request: Request, outcome: Outcome) -> None:
        if outcome <= Outcome.DEGRADED or self._number != request.number:
            return
        connections = self._all
        connections.failed[request.ended_by] += 1
        self._failures += 1
        if self._failures < connections.plan.attempts:
            self._back_off()
            return
        self._become(GONE)
        for message in tuple(self._held):
            message.task.cancel(Lost(connections.ends.attempts))

    def _back_off(self) -> None:
        connections = self._all
        draw = connections.jitter.at(self._number - HANDSHAKES)
        self._backoff = connections.plan.reconnect.wait(self._backoffs, draw, self._backoff)
        self._backoffs += 1
        self._become(WAITING)
        Alarm(connections.kernel.env, self._backoff, ARRIVES, self.connect)

    @property
    def _waiting_part(self) -> int:
        parts = self._all.parts
        if self._closing:
            return parts.closing
        return parts.backoff if self.state == WAITING else parts.handshake

    def _become(self, state: str) -> None:
        self._all.states[self.state] -= 1
        self._all.states[state] += 1
        self.state = state
        part = self._waiting_part
        for message in self._held:
            message.enter(part, self._all.kernel.env.now)

    def _watch_idling(self, since: float) -> None:
        instant = since + self._all.plan.idle_timeout
        look = partial(self._look_whether_idle, self._number)
        self._all.kernel.alarm(self._all.kernel.until(instant), look, EXPIRES)

    def _look_whether_idle(self, number: int) -> None:
        if self.state != CONNECTED or self._number != number:
            return
        plan, now = self._all.plan, self._all.kernel.env.now
        last = self._traffic
        if plan.ping_interval < math.inf:
            pings = math.floor((now - self._pinged) / plan.ping_interval + _HAIR)
            last = max(last, self._pinged + pings * plan.ping_interval)
        if last + plan.idle_timeout > now:
            self._watch_idling(last)
        else:
            self.lose(self._all.ends.idle)

    def _retire(self, number: int) -> None:
        if self.state != CONNECTED or self._number != number:
            return
        self._closing = True
        if not self._sent:
            self._close()

    def _close(self) -> None:
        self._closing = False
        self._all.open -= 1
        self._all.closed += 1
        self._shake_hands()
