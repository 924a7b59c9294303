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
- A lost connection ends the messages that were sent and not answered, as disconnected. Both ends
  know of it at once: a server that learns of it by its own pings holds the connection longer. With
  `on_disconnect: abandon` the work for such messages goes on at the server until it would reply, as
  a handler of `websockets` does, whose next `send` raises ConnectionClosed; messages behind it in
  line are never handled. A restart ends all work, as the server's process ends.
- Messages meant while there is no connection wait for the next one, as socket.io buffers them
  ("Offline behavior"), or are dropped at once, as `send` of a WebSocket drops or refuses them
  (WHATWG, "WebSockets Standard", `send`). Those of a client that has given up end at once, too.
- The client connects again after a backoff, also the first time, as socket.io does
  (`reconnectionDelay`, `randomizationFactor`); a success begins the backoff anew.

A client sends messages whether or not earlier ones are answered. In order, the server takes the
next message of a connection when it has answered the one before, as a handler that loops over
`recv` does; else all at once. A client that waits no longer for a reply (`reply_timeout`) drops the
message if it is not sent, and says nothing to the server. One client is in websocket_client.py.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from cascadesim.engine.simpy.deadline import (
    AbandoningDeadline,
    Deadline,
    Handlers,
    PropagatingDeadline,
)
from cascadesim.engine.simpy.kernel import ARRIVES, EXPIRES, Alarm, Call, WaitQueue
from cascadesim.engine.simpy.websocket_client import HANDSHAKES, Client, Ends, Lost, Parts
from cascadesim.plan.connections import (
    CONNECTED,
    CONNECTING,
    CONNECTIONS,
    ENDS,
    GONE,
    SETTINGS,
    WAITING,
)
from cascadesim.randomness import UNIFORM
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Shared
    from cascadesim.faults.plan import FaultPlan, Spans
    from cascadesim.plan.connections import ConnectionsPlan
    from cascadesim.randomness import Stream


class Connections:
    """All connections and their server; as a layer, it carries a message over one of them.

    `opened` and `closed` count connections. `failed` counts handshakes and `lost` connections, by
    the number of what ended them.
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
        goes_on = f"{SETTINGS}.on_disconnect"
        self._handlers = None if plan.cancels else Handlers(inner, kernel, goes_on)
        self.inner = self._handlers or inner
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
        """Let the clients connect through the handshake's stages; `parts` is its ledger's size."""
        self._handshake, self.handshake_parts = handshake, parts
        plan = self.plan.handshake
        given = (Entrance(self), self.kernel, plan.timeout, self.ends.timeout)
        self.entrance: Layer = Deadline(*given)
        if plan.abandon:
            self.entrance = AbandoningDeadline(*given, f"{SETTINGS}.handshake.on_timeout")
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
        """Return the layer that messages enter: this one, inside of the reply timeout if any."""
        timeout = self.plan.reply_timeout
        if timeout == math.inf:
            return self
        setting = f"{SETTINGS}.reply_timeout"
        return PropagatingDeadline(self, self.kernel, timeout, self.ends.reply, setting)

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
        if not client.awaits(request.number):  # the client gave up during the partition
            return request.end(Outcome.TIMED_OUT, self.ends.timeout)
        if _inside(self._restarts, self.kernel.env.now):
            return request.end(Outcome.FAILED, self.ends.connections)
        if self.open + len(self._shaking) >= self.plan.limit:
            return request.end(Outcome.SHED, self.ends.limit)
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
        if self._handlers is not None:
            self._handlers.stop(Lost(self.ends.connections))


class Entrance:
    """The server's side of handshakes, as a layer."""

    def __init__(self, connections: Connections) -> None:
        self.call = connections.enter


def _inside(spans: list[tuple[float, float]], now: float) -> bool:
    i = bisect_right(spans, (now, math.inf))
    return i > 0 and now < spans[i - 1][1]


def build(shared: Shared, plan: ConnectionsPlan, inner: Layer) -> Connections:
    """Return the connections that messages pass on their way to a layer."""
    part = partial(shared.layout.part, CONNECTIONS)
    lifetime = plan.lifetime
    return Connections(
        inner,
        shared.kernel,
        plan,
        Parts(
            part("handshake_wait"),
            part("retry_backoff"),
            part("head_of_line_wait"),
            part("network_wait"),
            part("handshake_wait" if lifetime is None else "closing_wait"),
        ),
        Ends(*map(shared.layout.end, ENDS)),
        shared.stream(f"{SETTINGS}.reconnect.jitter", UNIFORM),
        None if lifetime is None else shared.stream(f"{SETTINGS}.lifetime", lifetime),
        shared.spans_of,
    )
