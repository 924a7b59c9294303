"""The database: a new connection for each session."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool


def engine(url: str) -> AsyncEngine:
    return create_async_engine(url, poolclass=NullPool)
