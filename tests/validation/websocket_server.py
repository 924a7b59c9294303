"""A WebSocket server and clients of the `websockets` library, and a network between them.

A second of a scenario lasts SCALE seconds here. What is told is who was answered or lost, in which
order, never how long it took.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SCALE = 0.2
HOST = "127.0.0.1"

Event = tuple[str, int]  # "ok" or "disconnected", and the number of a message


@dataclass(frozen=True)
class Message:
    """A message of a client: when it is sent, and how long it is worked on."""

    client: int
    at: float
    work: float


@dataclass(frozen=True)
class World:
    """What clients and server do, times in seconds of the scenario."""

    clients: int
    messages: Sequence[Message]
    until: float
    spread: float = 0.0  # between the first connects of one client and of the next
    in_order: bool = True
    limit: int | None = None
    concurrency: int | None = None  # messages that the server works on at once
    ping_interval: float | None = None
    ping_timeout: float | None = None
    idle_timeout: float | None = None
    reconnect: float = 1.0
    restart: tuple[float, float] | None = None  # from, to
    silence: tuple[float, float] | None = None


@dataclass
class Told:
    """What came of it: clients by connections that opened, and whose handshakes failed."""

    events: list[Event] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)


def scaled(seconds: float | None) -> float | None:
    """Return how long that lasts here, if it is a time."""
    return None if seconds is None else seconds * SCALE


class Network:
    """Carries bytes between clients and server, unless silent, and cuts what is idle."""

    def __init__(self, server_port: int, idle_timeout: float | None) -> None:
        self._server_port = server_port
        self._idle_timeout = idle_timeout
        self._flows = asyncio.Event()
        self._flows.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Carry bytes meanwhile; gives the port for clients."""
        carried: set[asyncio.Task[None]] = set()

        async def accept(*near: asyncio.StreamReader | asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            carried.add(task)
            with suppress(asyncio.CancelledError):
                await self._join(*near)
            carried.discard(task)

        listening = await asyncio.start_server(accept, HOST, 0)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
            for task in tuple(carried):
                task.cancel()
            await asyncio.gather(*carried, return_exceptions=True)
            await listening.wait_closed()

    def silence(self) -> None:
        self._flows.clear()

    def heal(self) -> None:
        self._flows.set()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._server_port)
            writers.append(far_writer)
            passed = asyncio.Event()
            ways = [
                asyncio.create_task(self._carry(reader, far_writer, passed)),
                asyncio.create_task(self._carry(far_reader, writer, passed)),
                asyncio.create_task(self._watch(passed)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for each in writers:
                each.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                await self._flows.wait()
                passed.set()
                writer.write(data)
                await writer.drain()
            await self._flows.wait()  # an end is no more delivered than data

    async def _watch(self, passed: asyncio.Event) -> None:
        """Return when nothing passed for the idle timeout."""
        with suppress(TimeoutError):
            while True:
                passed.clear()
                async with asyncio.timeout(self._idle_timeout):
                    await passed.wait()


class Service:
    """The server, which answers a message, its number, when the work of it is done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._places = asyncio.Semaphore(world.concurrency or len(world.messages))
        self._servers: list[Server] = []  # the last is the one that runs
        self.port = 0

    async def start(self) -> None:
        server = await serve(
            self._handle,
            HOST,
            self.port,
            process_request=self._admit,
            ping_interval=None,
            close_timeout=SCALE,
            compression=None,
        )
        self.port = server.sockets[0].getsockname()[1]
        self._servers.append(server)

    def stop(self) -> None:
        """Close all connections and refuse new ones, until the next start."""
        self._servers[-1].close()

    async def stopped(self) -> None:
        """Wait until nothing is left of it."""
        for server in self._servers:
            await server.wait_closed()

    def _admit(self, connection: ServerConnection, _: Request) -> Response | None:
        limit = self._world.limit
        if limit is not None and len(connection.server.connections) >= limit:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        """Answer messages as a loop over them does, or each in a task of its own."""
        working: set[asyncio.Task[None]] = set()
        try:
            async for text in connection:
                answer = self._answer(connection, int(text))
                if self._world.in_order:
                    await answer
                else:
                    working.add(asyncio.create_task(answer))
        except ConnectionClosed:
            pass
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def _answer(self, connection: ServerConnection, number: int) -> None:
        async with self._places:
            await asyncio.sleep(self._world.messages[number].work * SCALE)
        await connection.send(str(number))


class Caller:
    """A client that keeps one connection by the library's own loop, and its messages."""

    def __init__(self, world: World, index: int, told: Told) -> None:
        self._world = world
        self._index = index
        self._told = told
        self._waiting: deque[int] = deque()  # messages that are not sent
        self._more = asyncio.Event()
        self._sent: dict[int, None] = {}  # messages that are not answered

    def want(self, number: int) -> None:
        """Send a message now, or as soon as there is a connection."""
        self._waiting.append(number)
        self._more.set()

    async def run(self, port: int) -> None:
        world = self._world
        await asyncio.sleep(world.spread * self._index * SCALE)
        connections = connect(
            f"ws://{HOST}:{port}",
            ping_interval=scaled(world.ping_interval),
            ping_timeout=scaled(world.ping_timeout),
            close_timeout=SCALE / 10,
            reconnect_delays=self._delays,
            compression=None,
            proxy=None,
        )
        async for connection in connections:
            self._told.opened.append(self._index)
            await self._use(connection)
            for number in self._sent:
                self._told.events.append(("disconnected", number))
            self._sent.clear()

    def _delays(self) -> Generator[float, None, None]:
        self._told.failed.add(self._index)  # as the library asks after a failure only
        while True:
            yield self._world.reconnect * SCALE

    async def _use(self, connection: ClientConnection) -> None:
        sender = asyncio.create_task(self._send(connection))
        try:
            async for text in connection:
                number = int(text)
                del self._sent[number]
                self._told.events.append(("ok", number))
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self, connection: ClientConnection) -> None:
        while True:
            while self._waiting:
                number = self._waiting.popleft()
                self._sent[number] = None
                await connection.send(str(number))
            self._more.clear()
            await self._more.wait()


def play(worlds: Sequence[World]) -> list[Told]:
    """Let all of them happen side by side, and return what came of each."""

    async def together() -> list[Told]:
        return await asyncio.gather(*map(_play, worlds))

    return asyncio.run(together())


async def _play(world: World) -> Told:
    told, service = Told(), Service(world)
    await service.start()
    network = Network(service.port, scaled(world.idle_timeout))
    callers = [Caller(world, i, told) for i in range(world.clients)]
    async with network.running() as port:
        tasks = [asyncio.create_task(caller.run(port)) for caller in callers]
        tasks.append(asyncio.create_task(_follow(world, service, network, callers)))
        await asyncio.sleep(world.until * SCALE)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    service.stop()
    await service.stopped()
    for error in ended:
        if isinstance(error, Exception):
            raise error
    return told


async def _follow(world: World, service: Service, network: Network, callers: list[Caller]) -> None:
    """Do what is due, at the instants it is due."""
    due: list[tuple[float, Callable[[], Awaitable[None] | None]]] = [
        (message.at, partial(callers[message.client].want, number))
        for number, message in enumerate(world.messages)
    ]
    if world.silence is not None:
        due += zip(world.silence, (network.silence, network.heal), strict=True)
    if world.restart is not None:
        due += zip(world.restart, (service.stop, service.start), strict=True)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for at, act in sorted(due, key=lambda each: each[0]):
        await asyncio.sleep(start + at * SCALE - loop.time())
        doing = act()
        if doing is not None:
            await doing
