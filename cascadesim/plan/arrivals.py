"""When requests arrive: by gaps, by a rate over time, as recorded, or from clients that think."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.plan.classes import APART
from cascadesim.randomness import ARRIVALS, BLOCK, UNIFORM, Distribution, Stream, arrival_times

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Gaps:
    """Independent gaps between arrivals: equal ones, or exponential ones (a Poisson process)."""

    gaps: Distribution

    def times(
        self, seed: int, replication: int, horizon: float, stream: str = ARRIVALS
    ) -> NDArray[np.float64]:
        """Return the arrival instants before the horizon; a longer one moves none."""
        return arrival_times(seed, replication, self.gaps, horizon, stream)

    def mean_gap(self, horizon: float) -> float:
        """Return the mean seconds between arrivals before the horizon."""
        return self.gaps.mean


@dataclass(frozen=True, slots=True)
class Piece:
    """A rate in requests per second from `start` on, which grows by `slope` per second."""

    start: float
    rate: float
    slope: float = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """A rate made of pieces, by inversion: Law, "Simulation Modeling and Analysis", 5th ed., 8.6.2.

    Request i arrives when the integral of the rate reaches the i-th point of a process of rate 1,
    so other rates only move the same points. That process has `gaps` with mean 1: exponential gaps
    make a Poisson process, equal ones an even flow. Pieces begin at 0, in ascending order, and
    again after every `period`; where that is infinite the last one has no slope.
    """

    pieces: tuple[Piece, ...]
    gaps: Distribution
    period: float = math.inf

    def times(
        self, seed: int, replication: int, horizon: float, stream: str = ARRIVALS
    ) -> NDArray[np.float64]:
        """Return the arrival instants before the horizon; a longer one moves none."""
        # A little more, so that a point which rounding puts beyond the integral is not lost.
        until = self.expected(horizon) * (1 + 1e-9)
        times = self._inverse(arrival_times(seed, replication, self.gaps, until, stream))
        return times[times < horizon]

    def mean_gap(self, horizon: float) -> float:
        """Return the mean seconds between arrivals before the horizon, infinite for none."""
        expected = self.expected(horizon)
        return horizon / expected if expected else math.inf

    def expected(self, until: float) -> float:
        """Return the mean number of arrivals until then: the integral of the rate."""
        whole = until // self.period  # 0 where the period is infinite
        if not whole:
            return self._within(until)
        return whole * self._within(self.period) + self._within(until - whole * self.period)

    def _within(self, until: float) -> float:
        """Return the integral from the beginning of a period."""
        ends = [*(piece.start for piece in self.pieces[1:]), self.period]
        return math.fsum(
            (piece.rate + piece.slope * length / 2) * length
            for piece, end in zip(self.pieces, ends, strict=True)
            if (length := min(end, until) - piece.start) > 0
        )

    def _sums(self) -> list[float]:
        """Return the integral up to the beginning of every piece, and over a period if it ends."""
        ends = [piece.start for piece in self.pieces]
        if self.period < math.inf:
            ends.append(self.period)
        return [self._within(end) for end in ends]

    def _inverse(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when the integral of the rate reaches each of the points, which are positive."""
        sums = self._sums()
        begins = np.zeros(len(points))
        if self.period < math.inf:
            cycle = np.ceil(points / sums[-1]) - 1
            begins, points = cycle * self.period, points - cycle * sums[-1]
        starts, rates, slopes = np.array([(p.start, p.rate, p.slope) for p in self.pieces]).T
        ends = np.append(starts[1:], self.period)
        # A point at the very end of a piece is in that piece, and in none without arrivals.
        i = np.searchsorted(sums[: len(starts)], points, side="left") - 1
        i = np.maximum(i, 0)  # for a point that rounding has moved to 0
        missing = np.maximum(points - np.array(sums)[i], 0.0)
        # missing = (rate + slope * x / 2) * x, solved without cancellation
        root = np.sqrt(np.maximum(rates[i] ** 2 + 2 * slopes[i] * missing, 0.0))
        divisor = rates[i] + root
        never = np.where(missing > 0, np.inf, 0.0)
        x = np.divide(2 * missing, divisor, out=never, where=divisor > 0)
        times: NDArray[np.float64] = begins + np.minimum(starts[i] + x, ends[i])
        return times


@dataclass(frozen=True, slots=True)
class Recorded:
    """Arrivals at recorded instants, in seconds and ascending; a random `share` of them is kept.

    A larger share keeps the same arrivals, and more.
    """

    instants: tuple[float, ...]
    share: float = 1.0

    def times(
        self, seed: int, replication: int, horizon: float, stream: str = ARRIVALS
    ) -> NDArray[np.float64]:
        """Return the arrival instants before the horizon; a longer one moves none."""
        instants = np.array(self.instants)
        times: NDArray[np.float64] = instants[instants < horizon]
        if self.share == 1:
            return times
        draws = Stream(seed, replication, stream, UNIFORM)
        blocks = [draws.block(i) for i in range(len(times) // BLOCK + 1)]
        return times[np.concatenate(blocks)[: len(times)] < self.share]

    def mean_gap(self, horizon: float) -> float:
        """Return the mean seconds between arrivals before the horizon, infinite for none."""
        expected = self.share * sum(instant < horizon for instant in self.instants)
        return horizon / expected if expected else math.inf


@dataclass(frozen=True, slots=True)
class Closed:
    """Clients that think, send a request, wait for its end, and think again."""

    clients: int
    think: Distribution


Open = Gaps | Rates | Recorded


@dataclass(frozen=True, slots=True)
class Apart:
    """Arrivals of several classes of requests, by the name of the class."""

    arrivals: tuple[tuple[str, Open], ...]

    def times(self, seed: int, replication: int, horizon: float) -> NDArray[np.float64]:
        """Return the arrival instants of all classes before the horizon, in ascending order."""
        return self.numbered(seed, replication, horizon)[0]

    def numbered(
        self, seed: int, replication: int, horizon: float
    ) -> tuple[NDArray[np.float64], list[int]]:
        """Return the arrival instants with the numbers of their requests, see APART.

        Of requests that arrive at one instant, that of the earlier class comes first.
        """
        by_class = [
            arrivals.times(seed, replication, horizon, f"workload.classes.{name}.{ARRIVALS}")
            for name, arrivals in self.arrivals
        ]
        instants = np.concatenate(by_class)
        numbers = np.concatenate(
            [i * APART + np.arange(len(times)) for i, times in enumerate(by_class)]
        )
        order = np.argsort(instants, kind="stable")
        return instants[order], numbers[order].tolist()

    def shares(self, horizon: float) -> list[float]:
        """Return the share of each class in the arrivals that are expected before the horizon."""
        rates = [1 / arrivals.mean_gap(horizon) for _, arrivals in self.arrivals]
        return [rate / math.fsum(rates) for rate in rates]

    def mean_gap(self, horizon: float) -> float:
        """Return the mean seconds between arrivals of any class before the horizon."""
        return 1 / math.fsum(1 / arrivals.mean_gap(horizon) for _, arrivals in self.arrivals)


Arrivals = Open | Apart | Closed
