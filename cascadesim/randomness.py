"""Addressed randomness: a draw belongs to (seed, replication, stream, request, attempt).

No draw depends on the order of events, so changing a setting leaves every other draw as it was and
variants meet the same world request by request (common random numbers).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024  # draws made at once
_KEPT = 64  # blocks kept per stream; a dropped one is drawn again when asked for


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of seconds: `kind` and its parameters.

    constant (value), exponential (mean), lognormal (mu, sigma of the logarithm),
    uniform (low, high).
    """

    kind: str
    parameters: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the expected value in seconds."""
        if self.kind == "lognormal":
            mu, sigma = self.parameters
            return math.exp(mu + sigma**2 / 2)
        return sum(self.parameters) / len(self.parameters)

    @property
    def upper(self) -> float:
        """Return the largest possible value in seconds, infinite where there is none."""
        return self.parameters[-1] if self.kind in ("constant", "uniform") else math.inf


def _sample(distribution: Distribution, rng: np.random.Generator) -> NDArray[np.float64]:
    # Standard variates, then scaled: another median or mean meets the same underlying draws.
    parameters = distribution.parameters
    if distribution.kind == "constant":
        return np.full(BLOCK, parameters[0])
    if distribution.kind == "exponential":
        return parameters[0] * rng.standard_exponential(BLOCK)
    if distribution.kind == "lognormal":
        return np.exp(parameters[0] + parameters[1] * rng.standard_normal(BLOCK))
    return parameters[0] + (parameters[1] - parameters[0]) * rng.random(BLOCK)


UNIFORM = Distribution("uniform", (0.0, 1.0))


class Stream:
    """Draws of one name, by request number and attempt, made in blocks from Philox generators."""

    def __init__(self, seed: int, replication: int, name: str, distribution: Distribution) -> None:
        self._address = f"{seed}/{replication}/{name}"
        self._distribution = distribution
        self._blocks: dict[tuple[int, int], list[float]] = {}

    def block(self, index: int, attempt: int = 0) -> NDArray[np.float64]:
        """Return the `BLOCK` draws of requests `index * BLOCK` and on, shape (BLOCK,)."""
        digest = hashlib.blake2b(f"{self._address}/{attempt}".encode(), digest_size=16).digest()
        key = np.frombuffer(digest, dtype="<u8")
        generator = np.random.Philox(key=key, counter=np.array([0, 0, 0, index], dtype=np.uint64))
        return _sample(self._distribution, np.random.Generator(generator))

    def at(self, request: int, attempt: int = 0) -> float:
        """Return the draw of one request's call number `attempt`."""
        address = (request // BLOCK, attempt)
        block = self._blocks.get(address)
        if block is None:
            if len(self._blocks) >= _KEPT:
                del self._blocks[next(iter(self._blocks))]
            block = self._blocks[address] = self.block(*address).tolist()
        return block[request % BLOCK]


def arrival_times(
    seed: int, replication: int, gaps: Distribution, horizon: float
) -> NDArray[np.float64]:
    """Return the arrival instants before `horizon`, in seconds, from independent gaps.

    Shape (n,). A longer horizon appends arrivals and moves none.
    """
    stream = Stream(seed, replication, "arrivals", gaps)
    blocks: list[NDArray[np.float64]] = []
    last = 0.0
    while last < horizon:
        block = last + np.cumsum(stream.block(len(blocks)))
        last = float(block[-1])
        blocks.append(block)
    times = np.concatenate(blocks) if blocks else np.empty(0)
    return times[times < horizon]
