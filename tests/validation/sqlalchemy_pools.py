"""SQLAlchemy's pools, with made-up connections, in a loop whose clock jumps to the next timer.

So waits are exact and cost nothing.
"""

import asyncio
import math
import selectors
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import exc
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool
from sqlalchemy.pool import Pool as LibraryPool
from sqlalchemy.pool import StaticPool as LibraryStaticPool
from sqlalchemy.pool.base import _AsyncConnDialect
from sqlalchemy.util import await_only, greenlet_spawn

from cascadesim.faults.restart import RestartPlan
from cascadesim.resources.pool import PoolPlan

HAIR = 1e-7


TIMED_OUT, FULL, REAPED, DOWN, STALE, CUT, GAVE_UP, OK = (
    *("timed out", "server full", "reaped", "down", "stale", "cut", "gave up", "ok"),
)


REASONS = (TIMED_OUT, FULL, REAPED, DOWN, STALE, CUT)  # in the order of `ended_by`


@dataclass(frozen=True)
class Use:
    """One call: when it comes, how long its query takes, and how long it waits for a connection.

    The query is cancelled after `cancel`, if it takes longer.
    """

    arrival: float
    hold: float
    patience: float = math.inf
    cancel: float = math.inf


@dataclass(frozen=True)
class Setup:
    plan: PoolPlan
    lifetime: float = math.inf
    restarts: tuple[RestartPlan, ...] = ()

    @property
    def connect_time(self) -> float:
        return self.plan.connect_time.upper


@dataclass
class Seen:
    """What a schedule led to.

    calls: for each, when it had its connection, how many were out and idle then, when and how it
    ended. returned: when each live connection came back, and when the making of it began.
    made_twice: whether the library made one of them twice in a row, as the pool was invalidated
    while it was made; ours knows what has been made, and replaces it at the next checkout.
    """

    calls: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    returned: list[tuple[float, float]] = field(default_factory=list)
    made_twice: bool = False

    def end(self, number: int, at: float, how: str, in_hand: tuple[Any, ...] = ()) -> None:
        assert number not in self.calls
        self.calls[number] = (*in_hand, round(at, 6), how)

    def give_back(self, at: float, made: float) -> None:
        self.returned.append((round(at, 6), round(made, 6)))


def closed(setup: Setup, made: float, now: float) -> bool:
    """Return whether the server has closed a connection by restarting since."""
    return any(made < restart.start <= now + HAIR for restart in setup.restarts)


def down(setup: Setup, now: float) -> bool:
    return any(r.start <= now + HAIR < r.end for r in setup.restarts)


def until_restart(setup: Setup, now: float) -> float:
    return min((r.start - now for r in setup.restarts if r.start > now + HAIR), default=math.inf)


class JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing but the loop's timers, to which it moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for ever"
        self.now += max(0.0, timeout)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = JumpingSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


class RefusedError(Exception):
    """The server does not let anybody connect."""


class Server:
    """What a pool connects to, and the dialect by which it does."""

    def __init__(self, setup: Setup, loop: JumpingLoop) -> None:
        self.setup = setup
        self.loop = loop
        self.open = 0
        self.pool: LibraryPool
        self.seen: Seen

    def connect(self) -> "Connection":
        """Connect, or raise RefusedError saying why not."""
        now = self.loop.time()
        if down(self.setup, now):
            raise RefusedError(DOWN)
        if self.open >= self.setup.plan.max_connections:
            raise RefusedError(FULL)
        connection = Connection(self, now)
        seconds = self.setup.connect_time
        cut = until_restart(self.setup, now)
        try:
            await_only(asyncio.sleep(min(seconds, cut)))
            if cut < seconds:
                raise RefusedError(DOWN)
        except BaseException:
            connection.close()
            raise
        self.seen.made_twice |= self.pool._invalidate_time > now
        return connection


class Dialect(_AsyncConnDialect):
    def _do_ping_w_event(self, connection: Any) -> bool:
        server = connection.server
        await_only(asyncio.sleep(server.setup.plan.ping_time))
        return not closed(server.setup, connection.made, server.loop.time())


class Connection:
    """A connection without a database."""

    def __init__(self, server: Server, made: float) -> None:
        self.server = server
        self.made = made
        server.open += 1
        self._is_open = True

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        self.server.open -= self._is_open
        self._is_open = False


def library_pool(setup: Setup, server: Server) -> LibraryPool:
    plan = setup.plan
    rest: dict[str, Any] = {"pre_ping": plan.pre_ping, "dialect": Dialect()}
    if plan.kind != "queue":
        kind = NullPool if plan.kind == "null" else LibraryStaticPool
        return kind(server.connect, **rest)
    recycle: Any = plan.recycle if plan.recycle < math.inf else -1
    return AsyncAdaptedQueuePool(
        server.connect,
        pool_size=plan.size,
        max_overflow=plan.max_overflow,
        timeout=plan.timeout,
        use_lifo=plan.use_lifo,
        recycle=recycle,
        **rest,
    )


async def library_call(
    pool: Any, setup: Setup, loop: JumpingLoop, number: int, use: Use, seen: Seen
) -> None:
    await asyncio.sleep(use.arrival)
    got = await take(pool, loop, use)
    if isinstance(got, str):
        seen.end(number, loop.time(), got)
        return
    made = got.dbapi_connection.made
    if closed(setup, made, loop.time()):  # the first query fails, which the engine tells its pool
        pool._invalidate(got, RefusedError())
        seen.end(number, loop.time(), DOWN if down(setup, loop.time()) else STALE)
        return
    counts = (pool.checkedout(), pool.checkedin()) if setup.plan.kind == "queue" else ()
    in_hand = (round(loop.time(), 6), *counts)
    cut = until_restart(setup, loop.time())
    ends = min(use.hold, setup.lifetime)
    await asyncio.sleep(min(ends, cut, use.cancel))
    if use.cancel < min(ends, cut):
        how = GAVE_UP
        got.invalidate()  # as the engine does: test_sqlalchemy_cancellation.py
    elif cut <= ends:
        how = CUT
        pool._invalidate(got, RefusedError())
    elif setup.lifetime < use.hold:
        how = REAPED
        got.invalidate()
    else:
        how = OK
        seen.give_back(loop.time(), made)
        got.close()
    seen.end(number, loop.time(), how, in_hand)


async def take(pool: Any, loop: JumpingLoop, use: Use) -> Any:
    """Return a connection, or how the call ended without one."""
    task = asyncio.current_task()
    assert task is not None
    patience = loop.call_later(min(use.patience, 1e6), task.cancel)
    try:
        return await greenlet_spawn(pool.connect)
    except exc.TimeoutError:
        return TIMED_OUT
    except RefusedError as refused:
        return str(refused)
    except asyncio.CancelledError:
        return GAVE_UP
    finally:
        patience.cancel()


def library(setup: Setup, uses: list[Use]) -> Seen:
    """Return what the library's pool makes of a schedule."""
    seen = Seen()
    loop = JumpingLoop()

    async def everybody() -> None:
        server = Server(setup, loop)
        pool = server.pool = library_pool(setup, server)
        server.seen = seen
        calls = [library_call(pool, setup, loop, i, use, seen) for i, use in enumerate(uses)]
        await asyncio.gather(*calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlalchemy.pool.base, "time", SimpleNamespace(time=loop.time))
        try:
            loop.run_until_complete(everybody())
        finally:
            loop.close()
    return seen
