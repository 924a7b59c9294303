"""Latency percentiles, with unfinished requests counted as at least their age."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9", "max")
OK = "ok_"  # begins the name of a percentile of ok replies alone
OK_PERCENTILES = tuple(f"{OK}{name}" for name in PERCENTILES)
FEW = 10  # requests beyond a percentile that it takes to trust it
DEFINITION = (
    "inverted_cdf: an actual latency, of all requests that arrived after the warm-up, "
    "every outcome in"
)


@dataclass(frozen=True, slots=True)
class Percentile:
    """A latency in seconds, unfinished requests counted as their age.

    `at_most` is what it would be if those never ended.
    """

    seconds: float
    at_most: float

    @property
    def at_least(self) -> bool:
        """Return whether unfinished requests could move it up by more than 1 %."""
        return self.at_most > self.seconds * 1.01


def share(name: str) -> float:
    """Return the share of requests at or below a percentile: 0.99 for "p99", 1 for "max"."""
    name = name.removeprefix(OK)
    return 1.0 if name == "max" else float(name[1:]) / 100


def too_few(requests: int, names: Sequence[str]) -> list[str]:
    """Return the percentiles that have fewer than FEW of so many requests beyond them.

    None of them is max, which has none beyond it by its nature.
    """
    return [
        name for name in names if name != "max" and round(requests * (1 - share(name)), 6) < FEW
    ]


def percentile(
    name: str, latency: NDArray[np.float64], unfinished: NDArray[np.bool_]
) -> Percentile:
    """Return one percentile, NaN where there are no requests.

    latency: seconds, shape (n,). unfinished: which of them are ages at the horizon, shape (n,).
    The definition is numpy's `inverted_cdf` (Hyndman and Fan, 1996, definition 1).
    """
    if len(latency) == 0:
        return Percentile(math.nan, math.nan)
    value, highest = (
        float(np.quantile(seconds, share(name), method="inverted_cdf"))
        for seconds in (latency, np.where(unfinished, math.inf, latency))
    )
    return Percentile(value, highest)
