"""What SQLAlchemy's asyncio engine does with the connection of a task that is cancelled.

Held against the library itself, with SQLite by aiosqlite, whose query waits until it is told.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from kit import Data, run
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

Work = Callable[[AsyncConnection, asyncio.Event], Awaitable[None]]
KINDS: dict[str, Any] = {"queue": AsyncAdaptedQueuePool, "null": NullPool}


async def in_a_query(connection: AsyncConnection, begun: asyncio.Event) -> None:
    begun.set()
    await connection.execute(text("SELECT wait()"))


async def between_queries(connection: AsyncConnection, begun: asyncio.Event) -> None:
    await connection.execute(text("SELECT 1"))
    begun.set()
    await asyncio.Event().wait()


async def cancelled(work: Work, kind: str, file: Path) -> list[str]:
    """Return what the pool does while one task is cancelled at its work, and another comes."""
    told = threading.Event()
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", poolclass=KINDS[kind])
    seen: list[str] = []

    @event.listens_for(engine.sync_engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.create_function("wait", 0, told.wait)

    for name in ("connect", "invalidate", "reset", "close", "checkin"):
        event.listen(engine.pool, name, lambda *_, name=name: seen.append(name))
    begun = asyncio.Event()

    async def session(work: Work) -> None:
        async with engine.connect() as connection:
            await work(connection, begun)

    task = asyncio.create_task(session(work))
    await begun.wait()
    while kind == "queue" and engine.pool.checkedout() == 0:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    task.cancel()
    told.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    await engine.dispose()
    return seen


def reconnects(work: Work, kind: str, folder: Path) -> tuple[bool, bool]:
    """Return whether the connection of the cancelled one is invalidated, and another made after."""
    seen = asyncio.run(cancelled(work, kind, folder / "database"))
    return "invalidate" in seen, seen.count("connect") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_closed_whose_query_is_cancelled(kind: str, tmp_path: Path) -> None:
    assert sqlalchemy.__version__.startswith("2.")
    assert reconnects(in_a_query, kind, tmp_path) == (True, True)
    assert ours(kind, inside=False) == [0.1, 0.1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_kept_that_is_cancelled_between_queries(kind: str, tmp_path: Path) -> None:
    assert reconnects(between_queries, kind, tmp_path) == (False, kind == "null")
    assert ours(kind, inside=True) == [0.1, 0.1 if kind == "null" else 0.0]


def ours(kind: str, *, inside: bool) -> list[float]:
    """Return seconds of connecting of two calls, the first cancelled at its own work or inside."""
    work = {"work": {"constant": "10ms" if inside else "5s"}}
    stage: Data = work | {
        "pool": {"kind": kind, "connect_time": "100ms"},
        "stages": {"slow": {"work": {"constant": "5s"}}} if inside else {},
        "policies": [{"deadline": {"timeout": "800ms"}}],
    }
    records = run(
        {
            "name": "cancelled",
            "horizon": "2500ms",
            "drain": "9s",
            "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
            "stages": {"a": stage},
        }
    )
    found: list[float] = records.frame()["a.pool.connect_s"].round(6).tolist()
    return found
