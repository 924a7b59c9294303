"""Fewer points for long runs, without losing an extreme."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.plots.layout import PIXELS
from cascadesim.records import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cascadesim.records import Records

MANY = 5000  # points, from which on they are thinned
COLUMNS, ROWS = 400, 200  # of cells, each about as large as a marker


def slowest_of_each_cell(
    arrival: NDArray[np.float64], latency: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return which points to draw of many: the slowest of each cell, and the fastest of all.

    arrival, latency: seconds, shape (n,). The cells are COLUMNS by ROWS, even in arrival and in
    the logarithm of the latency, so what is left out lies under a marker that is drawn.
    """
    if len(arrival) <= MANY:
        return np.arange(len(arrival))
    positive = latency > 0
    least = latency[positive].min() if positive.any() else 1.0
    rows = np.where(positive, 1 + _cell(np.log(np.maximum(latency, least)), ROWS), 0)
    cells = rows * COLUMNS + _cell(arrival, COLUMNS)
    slowest_first = np.argsort(-latency, kind="stable")
    _, first = np.unique(cells[slowest_first], return_index=True)
    return np.union1d(slowest_first[first], np.argmin(latency))


def _cell(values: NDArray[np.float64], number: int) -> NDArray[np.intp]:
    span = np.ptp(values)
    if span == 0:
        return np.zeros(len(values), np.intp)
    share = (values - values.min()) / span
    cell: NDArray[np.intp] = np.minimum((share * number).astype(np.intp), number - 1)
    return cell


def most_of_each_pixel(level: Level, start: float, end: float, pixels: int = PIXELS) -> Level:
    """Return a level with a step for each pixel from `start` to `end`: the most that it was there.

    Times are in seconds. A level of no more steps than pixels is returned as it is.
    """
    if len(level.at) <= pixels:
        return level
    edges = np.linspace(start, end, pixels, endpoint=False)
    carried = value_at(level, edges)
    within = (start <= level.at) & (level.at < end)
    at = np.concatenate((edges, level.at[within]))
    value = np.concatenate((carried, level.value[within]))
    order = np.argsort(at, kind="stable")
    starts = np.searchsorted(at[order], edges)
    return Level(edges, np.maximum.reduceat(value[order], starts))


def steps(level: Level, start: float, end: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return a level as it is drawn: the instants where it changes, and its values from there on.

    At most a step for each pixel from `start` to `end` (see `most_of_each_pixel`), in seconds; the
    last value is there again at `end`.
    """
    seen = most_of_each_pixel(level, start, end)
    return np.append(seen.at, end), np.append(seen.value, seen.value[-1])


def value_at(level: Level, at: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the value of a level at instants, in seconds, shape (n,)."""
    value: NDArray[np.int64] = level.value[np.searchsorted(level.at, at, side="right") - 1]
    return value


def same_requests(runs: Sequence[Records], most: int) -> NDArray[np.int64]:
    """Return at most so many requests to draw, in order of arrival, of runs of the same traffic.

    All of them if they are few; else those that replay an observation, the slowest of any run, and
    every so many of the others.
    """
    arrival = runs[0].arrival
    if len(arrival) <= most:
        return np.argsort(arrival, kind="stable")
    slowness = np.max([records.latency for records in runs], axis=0)
    slowness = np.where(runs[0].observation >= 0, np.inf, slowness)
    order = np.argsort(-slowness, kind="stable")
    slowest, others = order[: most // 2], np.sort(order[most // 2 :])
    step = math.ceil(len(others) / (most - len(slowest)))
    rows = np.concatenate([slowest, others[::step]])
    return rows[np.argsort(arrival[rows], kind="stable")]


def ranks(n: int, most: int = 1000) -> NDArray[np.intp]:
    """Return which of `n` sorted values to draw, counted from 0: both ends among them.

    They are even in the share of values below them, and even in the logarithm of the share of
    those above, so that neither an ECDF nor a curve of percentiles shows that some are missing.
    """
    if n <= 2 * most:
        return np.arange(n)
    even = np.linspace(0, n - 1, most)
    beyond = np.geomspace(1, n, most)
    return np.unique(np.concatenate((even, n - beyond)).round().astype(np.intp))
