"""Confidence intervals across replications, and what they say of a difference.

A replication gives one value of a measure (its p99, say); values of different replications are
independent, so the mean of n of them has a Student t interval with n - 1 degrees of freedom (Law,
"Simulation Modeling and Analysis", 5th ed., 9.4.1). Differences of variants are taken replication
by replication, as variants meet the same world (paired t, Law 10.2.1 and 11.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVEL = 0.95
ROUNDING = 1e-9  # what values may differ by from rounding alone


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the bounds that hold the true value with confidence `level`.

    The bounds are NaN where there are too few replications to tell.
    """

    estimate: float
    low: float
    high: float
    level: float = LEVEL

    @property
    def half_width(self) -> float:
        """Return half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def relative(self) -> float:
        """Return the half width as a share of the estimate, infinite where that is 0."""
        if math.isnan(self.half_width):
            return math.inf
        if self.half_width == 0:
            return 0.0
        return self.half_width / abs(self.estimate) if self.estimate else math.inf

    def to_dict(self, name: str) -> dict[str, float | None]:
        """Return the estimate by a name, and `low` and `high`; None for NaN."""
        values = {name: self.estimate, "low": self.low, "high": self.high}
        return {key: None if math.isnan(value) else value for key, value in values.items()}


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the Student t interval of the mean of independent values.

    Its bounds are NaN for fewer than two values, and where the mean is no finite number.
    """
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2 or not math.isfinite(mean):
        return Interval(mean, math.nan, math.nan, level)
    from scipy import stats  # slow to import, and not every command needs it

    half = float(stats.t.ppf((1 + level) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, level)


def p_value(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of "no difference" by the paired t test, NaN if untestable."""
    from scipy import stats

    values = np.asarray(differences, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        return math.nan
    if np.ptp(values) < ROUNDING:
        # The same difference in every replication leaves no doubt, or none to doubt.
        return 1.0 if np.abs(values).max() < ROUNDING else 0.0
    return float(stats.ttest_1samp(values, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, after Holm (1979); NaN stays NaN.

    A corrected value below 5 % keeps the chance of any false alarm among all of them below 5 %.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    corrected = [math.nan] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[i] = largest
    return corrected


def mser5(series: Sequence[float] | NDArray[np.float64]) -> int | None:
    """Return how many of the first values belong to the warm-up, by the rule MSER-5.

    The series is averaged in batches of 5; the cut is where the variance of the remaining batch
    means over their number is least, and at most half way (White, Cobb and Spratt, "A comparison
    of five steady-state truncation heuristics", 2000). It is None where the least is half way, or
    there are fewer than two batches: such a series is too short to tell.
    """
    batches = np.asarray(series, dtype=float)[: len(series) // 5 * 5].reshape(-1, 5).mean(axis=1)
    n = len(batches)
    if n < 2:
        return None
    left = n - np.arange(n)
    # Sums of what remains after each cut, from the end.
    sums = np.cumsum(batches[::-1])[::-1]
    squares = np.cumsum(batches[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left**2
    cut = int(np.argmin(errors[: n // 2 + 1]))
    return None if cut == n // 2 else cut * 5
