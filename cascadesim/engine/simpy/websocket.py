"""WebSocket connections: clients that connect, send messages, lose the connection, and come back.

After the WebSocket protocol (RFC 6455) and what is around it:

- A connection begins with a handshake (section 4) that the client gives `handshake.timeout`, like
  `open_timeout` of Python's `websockets`; the server has one more connection from then on, and
  refuses it at once where it holds `limit` already.
- Keepalive follows `websockets` ("Keepalive and latency"): a ping `ping.interval` after the last,
  and a connection whose pong is not there `ping.timeout` later is lost. What TCP could not deliver
  comes as soon as the network is back, so a pong may come late but in time.
- A proxy cuts a connection on which nothing passed for its idle timeout (nginx,
  `proxy_read_timeout`; AWS, "Connection idle timeout"). Messages, replies and pings pass, but
  nothing does in a partition.
- A lost connection ends the messages that were sent and not answered, as disconnected, and the
  server drops their calls. Messages that were not sent yet wait for the next connection. Both ends
  know of it at once: a server that learns of it by its own pings holds the connection longer.
- The client connects again after a backoff, also the first time, as socket.io does
  (`reconnectionDelay`, `randomizationFactor`); a success begins the backoff anew.

Messages come whatever becomes of earlier ones. In order, the server takes the next message of a
connection when it has answered the one before, as a handler that loops over `recv` does; else all
at once. A client that gives a reply up (`reply_timeout`) drops what it has not sent, and tells the
server nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.deadline import AbandoningDeadline, Deadline, PropagatingDeadline
from cascadesim.engine.simpy.kernel import ARRIVES, EXPIRES, Alarm, Call, Cancelled, Task, WaitQueue
from cascadesim.engine.simpy.request import Request
from cascadesim.plan.connections import CONNECTED, CONNECTING, CONNECTIONS, GONE, WAITING
from cascadesim.randomness import UNIFORM
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Layer
    from cascadesim.engine.simpy.site import World
    from cascadesim.faults.plan import FaultPlan, Spans
    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.randomness import Stream

_HAIR = 1e-9  # of an interval between pings; less is rounding
# Handshakes are numbered from here, so that they take no draw of a message.
HANDSHAKES = 1 << 41


@dataclass(frozen=True, slots=True)
class Parts:
    """What a message's time goes to because of its connection, by index."""

    handshake: int
    backoff: int
    line: int
    network: int


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends messages and handshakes because of connections, by index."""

    connections: int  # a restart
    timeout: int  # of a handshake
    attempts: int
    limit: int
    ping: int
    idle: int
    reply: int


class Lost(Cancelled):
    """The connection is gone, by what, as an index."""

    def __init__(self, end: int) -> None:
        self.end = end


class Connections:
    """All connections and the server that they lead to. As a layer it carries a message over one.

    `opened` and `closed` count connections, `failed` handshakes and `lost` connections, each by
    what ended it.
    """

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        plan: ConnectionsPlan,
        parts: Parts,
        ends: Ends,
        jitter: Stream,
        lifetimes: Stream | None,
        spans_of: Callable[[FaultPlan], Spans],
    ) -> None:
        self.inner = inner
        self.kernel = kernel
        self.plan = plan
        self.parts = parts
        self.ends = ends
        self.jitter = jitter
        self.lifetimes = lifetimes
        self.open = 0
        self.opened = self.closed = 0
        self.failed: Counter[int] = Counter()
        self.lost: Counter[int] = Counter()
        self.states = {WAITING: plan.clients, CONNECTING: 0, CONNECTED: 0, GONE: 0}
        self._shaking: dict[Request, None] = {}
        self._silences = plan.spans("partition", spans_of)
        self._restarts = plan.spans("restart", spans_of)
        self._silent = WaitQueue(kernel)
        self.clients = [Client(self, i) for i in range(plan.clients)]

    def start(self, handshake: Layer, parts: int) -> None:
        """Let the clients connect, by the handshake's stages, whose ledger has so many parts."""
        self._handshake, self.handshake_parts = handshake, parts
        plan = self.plan.handshake
        deadline = AbandoningDeadline if plan.abandon else Deadline
        self.entrance = deadline(Entrance(self), self.kernel, plan.timeout, self.ends.timeout)
        env = self.kernel.env
        for start, end in self._silences:
            if min(self.plan.ping_timeout, self.plan.idle_timeout) < math.inf:
                self._at(start, partial(self._fall_silent, end), EXPIRES)
            if end < math.inf:
                self._at(end, self._heal)
        for start, _ in self._restarts:
            self._at(start, self._restart, EXPIRES)
        for i, client in enumerate(self.clients):
            delay = self.plan.connect_over * i / len(self.clients)
            Alarm(env, delay, ARRIVES, client.connect)

    def _at(self, instant: float, callback: Callable[[], None], priority: int = 1) -> None:
        self.kernel.alarm(self.kernel.until(instant), callback, priority)

    @property
    def way(self) -> Layer:
        """Return the layer by which messages go: this one, for a reply within the timeout."""
        timeout = self.plan.reply_timeout
        if timeout == math.inf:
            return self
        return PropagatingDeadline(self, self.kernel, timeout, self.ends.reply)

    def levels(self) -> dict[str, int]:
        """Return how many clients are in which state."""
        return dict(self.states)

    def call(self, request: Request) -> Call:
        """Carry a message over the connection of its client."""
        return self.clients[request.number % len(self.clients)].call(request)

    def pass_network(self, request: Request) -> Generator[None, Any, None]:
        """Wait while there is a partition."""
        while _inside(self._silences, self.kernel.env.now):
            request.enter(self.parts.network, self.kernel.env.now)
            yield from self._silent.wait(request, lambda _: None)

    def enter(self, request: Request) -> Call:
        """Carry a handshake through at the server."""
        yield from self.pass_network(request)
        client = self.clients[(request.number - HANDSHAKES) % len(self.clients)]
        if not client.awaits(request.number):  # it went before anything came through
            return request.end(Outcome.TIMED_OUT, self.ends.timeout)
        if _inside(self._restarts, self.kernel.env.now):
            return request.end(Outcome.FAILED, self.ends.connections)
        if self.open + len(self._shaking) >= self.plan.limit:
            return request.end(Outcome.REJECTED, self.ends.limit)
        self._shaking[request] = None
        try:
            outcome = yield from self._handshake.call(request)
            yield from self.pass_network(request)
        except Lost as lost:
            return request.end(Outcome.FAILED, lost.end)
        finally:
            del self._shaking[request]
        if outcome <= Outcome.DEGRADED:
            client.accept(request.number)
        return outcome

    def _heal(self) -> None:
        while self._silent:
            self._silent.grant()

    def _fall_silent(self, end: float) -> None:
        for client in self.clients:
            client.meet_silence(end)

    def _restart(self) -> None:
        for request in tuple(self._shaking):
            if request in self._shaking:
                request.task.cancel(Lost(self.ends.connections))
        for client in self.clients:
            client.lose(self.ends.connections)


class Entrance:
    """The server's side of handshakes, as a layer."""

    def __init__(self, connections: Connections) -> None:
        self.call = connections.enter


def _inside(spans: list[tuple[float, float]], now: float) -> bool:
    i = bisect_right(spans, (now, math.inf))
    return i > 0 and now < spans[i - 1][1]


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
        self._number = -1  # of the last of them, which is that of the connection, too
        self._failures = 0  # handshakes that failed since the last connection
        self._backoffs = 0  # waits since then
        self._backoff = 0.0  # the last of them
        self._queue = WaitQueue(connections.kernel)  # messages that wait for a connection,
        self._held: dict[Request, None] = {}  # which are these
        self._line = WaitQueue(connections.kernel)  # messages behind others
        self._busy = False  # with a message, in order
        self._sent: dict[Request, None] = {}  # messages that are not answered
        self._traffic = 0.0  # when something last passed, of pings those before a partition,
        # or the end of the one in which a ping is under way
        self._pinged = 0.0  # an instant from which on pings come at equal distances
        self._closing = False

    def call(self, request: Request) -> Call:
        """Carry a message over the connection, once there is one, and its reply back."""
        if self.state == GONE:  # as a recorded message may find it
            return request.end(Outcome.DISCONNECTED, self._all.ends.attempts)
        try:
            if self.state != CONNECTED or self._closing:
                yield from self._wait(request)
            request.context = None  # the server is not told how long the client waits
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
        """Work out what becomes of the connection in a partition that begins now."""
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


def build(world: World, plan: ConnectionsPlan, inner: Layer) -> Connections:
    """Return the connections that messages pass on their way to a layer."""
    settings = f"workload.{CONNECTIONS}"
    part, end = partial(world.layout.part, CONNECTIONS), world.layout.end
    ends = ("handshake.timeout", "reconnect.attempts", "limit", "ping.timeout", "idle_timeout")
    lifetime = plan.lifetime
    return Connections(
        inner,
        world.kernel,
        plan,
        Parts(
            part("handshake_wait"),
            part("retry_backoff"),
            part("head_of_line_wait"),
            part("network_wait"),
        ),
        Ends(end(CONNECTIONS), *(end(f"{settings}.{key}") for key in (*ends, "reply_timeout"))),
        world.stream(f"{settings}.reconnect.jitter", UNIFORM),
        None if lifetime is None else world.stream(f"{settings}.lifetime", lifetime),
        world.spans_of,
    )
