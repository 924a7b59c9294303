"""The database: connections are kept, and waited for when all are in use."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

POOL = {"pool_size": 5, "max_overflow": 10, "pool_timeout": 5, "pool_recycle": 5 * 60}


def engine(url: str) -> AsyncEngine:
    return create_async_engine(url, poolclass=AsyncAdaptedQueuePool, **POOL)
