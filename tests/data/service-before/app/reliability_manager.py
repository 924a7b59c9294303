"""The reliability manager: a second breaker around all executions of agents."""

from datetime import timedelta


class ReliabilityManager:
    def __init__(self, recovery: timedelta = timedelta(seconds=60), threshold: int = 5) -> None:
        self.recovery = recovery
        self.threshold = threshold
