"""Addressed randomness: a draw belongs to (seed, replication, stream, request, attempt).

No draw depends on the order of events. So changing a setting leaves every other draw as it was, and
variants meet the same draws request by request (common random numbers).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Sampler = Callable[[np.random.Generator], NDArray[Any]]  # makes a block of draws

BLOCK = 1024  # draws made at once
ARRIVALS = "arrivals"  # the stream of gaps between them
_KEPT = 64  # blocks kept per stream; a dropped one is drawn again when asked for


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of seconds: `kind` and its parameters.

    constant (value), exponential (mean), lognormal (mu, sigma of the logarithm), uniform (low,
    high), gamma (shape, scale), pareto (minimum, alpha, and a cap that longer values are cut to),
    empirical (the samples in ascending order), mixture (the weight of each of the components, which
    have names).
    """

    kind: str
    parameters: tuple[float, ...]
    components: tuple[tuple[str, Distribution], ...] = ()

    @property
    def mean(self) -> float:
        """Return the expected value in seconds."""
        parameters = self.parameters
        match self.kind:
            case "lognormal":
                mu, sigma = parameters
                return math.exp(mu + sigma**2 / 2)
            case "gamma":
                shape, scale = parameters
                return shape * scale
            case "pareto":
                return _pareto_mean(*parameters)
            case "mixture":
                weighed = zip(parameters, self.components, strict=True)
                total = math.fsum(weight * part.mean for weight, (_, part) in weighed)
                return total / math.fsum(parameters)
        return math.fsum(parameters) / len(parameters)

    @property
    def lower(self) -> float:
        """Return the least possible value in seconds."""
        if self.kind == "mixture":
            weighed = zip(self.parameters, self.components, strict=True)
            return min(part.lower for weight, (_, part) in weighed if weight)
        bounded = ("constant", "uniform", "pareto", "empirical")
        return self.parameters[0] if self.kind in bounded else 0.0

    @property
    def upper(self) -> float:
        """Return the largest possible value in seconds, infinite where there is none."""
        if self.kind == "mixture":
            weighed = zip(self.parameters, self.components, strict=True)
            return max(part.upper for weight, (_, part) in weighed if weight)
        bounded = ("constant", "uniform", "pareto", "empirical")
        return self.parameters[-1] if self.kind in bounded else math.inf


def _pareto_mean(minimum: float, alpha: float, cap: float) -> float:
    """Return the mean of a Pareto variable cut to `cap`: minimum + the integral of P(X > x).

    Johnson, Kotz, Balakrishnan, "Continuous Univariate Distributions", vol. 1, 2nd ed., ch. 20.
    """
    span = math.log(cap / minimum)
    if alpha == 1:
        return minimum * (1 + span)
    return minimum * (1 + math.expm1((1 - alpha) * span) / (1 - alpha))


# How draws are made. The parameters do not change which variates are taken from the generator, and
# a draw grows with its variate: another median, mean or shape meets the same underlying draws.


def _gamma(shape: float, scale: float) -> Sampler:
    # By the inverse of its distribution function: NumPy's `standard_gamma`, which rejects, takes as
    # many variates as it happens, and others for another shape.
    from scipy.special import gammaincinv  # slow to import, and seldom needed

    return lambda rng: scale * gammaincinv(shape, rng.random(BLOCK))


def _pareto(minimum: float, alpha: float, cap: float) -> Sampler:
    most = math.log(cap / minimum)

    def sample(rng: np.random.Generator) -> NDArray[np.float64]:
        # The logarithm of a Pareto variable is exponential.
        powers = np.minimum(rng.standard_exponential(BLOCK) / alpha, most)
        return np.minimum(minimum * np.exp(powers), cap)

    return sample


def _empirical(*parameters: float) -> Sampler:
    samples = np.array(parameters)
    return lambda rng: samples[(len(samples) * rng.random(BLOCK)).astype(np.intp)]


def _mixture(*weights: float) -> Sampler:
    """Return a sampler of the positions of components."""
    sums = np.cumsum(weights)
    return lambda rng: np.searchsorted(sums, sums[-1] * rng.random(BLOCK), side="right")


_SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "constant": lambda value: lambda _: np.full(BLOCK, value),
    "exponential": lambda mean: lambda rng: mean * rng.standard_exponential(BLOCK),
    "lognormal": lambda mu, sigma: lambda rng: np.exp(mu + sigma * rng.standard_normal(BLOCK)),
    "uniform": lambda low, high: lambda rng: low + (high - low) * rng.random(BLOCK),
    "gamma": _gamma,
    "pareto": _pareto,
    "empirical": _empirical,
    "mixture": _mixture,
}
UNIFORM = Distribution("uniform", (0.0, 1.0))


class Stream:
    """Draws of one name, by request number and attempt, made in blocks from Philox generators."""

    def __init__(self, seed: int, replication: int, name: str, distribution: Distribution) -> None:
        self._address = f"{seed}/{replication}/{name}"
        # No other stream has a space in its name.
        self._components = [
            Stream(seed, replication, f"{name} {component}", part)
            for component, part in distribution.components
        ]
        self._sample = _SAMPLERS[distribution.kind](*distribution.parameters)
        self._blocks: dict[tuple[int, int], list[float]] = {}

    def block(self, index: int, attempt: int = 0) -> NDArray[np.float64]:
        """Return the `BLOCK` draws of requests `index * BLOCK` and on, shape (BLOCK,)."""
        digest = hashlib.blake2b(f"{self._address}/{attempt}".encode(), digest_size=16).digest()
        key = np.frombuffer(digest, dtype="<u8")
        generator = np.random.Philox(key=key, counter=np.array([0, 0, 0, index], dtype=np.uint64))
        draws: NDArray[np.float64] = self._sample(np.random.Generator(generator))
        if not self._components:
            return draws
        # Every component draws for every request, at an address of its own.
        parts = np.stack([component.block(index, attempt) for component in self._components])
        chosen: NDArray[np.float64] = parts[draws.astype(np.intp), np.arange(BLOCK)]
        return chosen

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
    seed: int, replication: int, gaps: Distribution, horizon: float, stream: str = ARRIVALS
) -> NDArray[np.float64]:
    """Return the arrival instants before `horizon`, in seconds, from independent gaps.

    Shape (n,). A longer horizon adds arrivals and moves none. `stream` names the draws.
    """
    draws = Stream(seed, replication, stream, gaps)
    blocks: list[NDArray[np.float64]] = []
    last = 0.0
    while last < horizon:
        block = last + np.cumsum(draws.block(len(blocks)))
        last = float(block[-1])
        blocks.append(block)
    times = np.concatenate(blocks) if blocks else np.empty(0)
    return times[times < horizon]
