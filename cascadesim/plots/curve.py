"""The curve of latency percentiles and the share of requests by latency, a line a variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from cascadesim.analysis.percentiles import PERCENTILES, share
from cascadesim.plots.style import (
    COLOURS,
    MARKERS,
    OBJECTIVE,
    check_drawable,
    comparison_name,
    entitle,
    latency_scale,
    legend_below,
    line_width,
    marker_size,
    new_axes,
)
from cascadesim.plots.thin import ranks
from cascadesim.values.errors import short
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cascadesim.records import Records
    from cascadesim.studies.compare import Comparison

FURTHEST = 10_000  # 1 / (1 - q) of 99.99 %, which the axis has in any case
_BOUND_LINE = (0, (2, 1.2))
_NOTE = "dashed and hollow: a lower bound, as requests were unfinished at the end"


class Sorted(NamedTuple):
    """The measured latencies in seconds, rising, and which unfinished requests could move up."""

    latency: NDArray[np.float64]
    at_least: NDArray[np.bool_]


def sorted_latencies(records: Records) -> Sorted:
    """Return the measured latencies, sorted; both shape (n,).

    A rank is a lower bound as a percentile is one: where it would be more than 1 % higher if the
    unfinished requests never ended.
    """
    latency = records.latency[records.measured]
    unfinished = records.outcome[records.measured] == Outcome.UNFINISHED
    rising = np.sort(latency)
    at_most = np.sort(np.where(unfinished, np.inf, latency))
    return Sorted(rising, at_most > rising * 1.01)


def curve(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the latency in seconds of every percentile, on an axis of 1 / (1 - percentile).

    So each further nine has as much room as the one before (as HdrHistogram's plots have it). A
    line is every percentile of replication 0, of the definition `inverted_cdf`, to the slowest
    request at the right end. With several replications the markers at p50 to max are their means
    instead, and bars the 95 % intervals. What unfinished requests could move up is dashed, and its
    markers are hollow. The first latency objective of the first scenario is a dashed line. Raises
    ScenarioError where there are no requests to draw, or more variants than can be told apart.
    """
    check_drawable(comparison.results)
    ax = ax or new_axes(5)
    measured = {label: _sorted(comparison, label) for label in comparison.results}
    most = max(FURTHEST, *(len(each.latency) for each in measured.values()))
    end = 2.5 * most
    drawn: list[float] = []
    for i, (label, values) in enumerate(measured.items()):
        n = len(values.latency)
        if n:
            kept = ranks(n)
            x = np.append(n / (n - kept), end)
            bound = values.at_least[np.append(kept, -1)]
            drawn += values.latency.tolist()
            _line(ax, i, x, values.latency[np.append(kept, -1)], bound)
            drawn += _marks(ax, comparison, label, i, end)
    limit = _objective(ax, comparison, "y")
    latency_scale(ax, "y", [*drawn, *limit])
    _percentile_axis(ax, end)
    many = f" (line: replication 0; markers: means of {comparison.count}, with 95 % intervals)"
    ax.set_xlabel("percentile of requests, in %" + many * (comparison.count > 1))
    ax.set_ylabel("latency in seconds")
    entitle(ax, comparison_name(comparison), "latency by percentile")
    _legend(ax, comparison, measured)
    return ax


def ecdf(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the share of the measured requests that took at most so long, of replication 0.

    The latency is in seconds on a logarithmic axis; markers are p50 to max. From where unfinished
    requests could move latencies up the line is dashed, and markers are hollow: the share is at
    most that. The first latency objective of the first scenario is a dashed line. Raises
    ScenarioError where there are no requests to draw, or more variants than can be told apart.
    """
    check_drawable(comparison.results)
    ax = ax or new_axes(5)
    measured = {label: _sorted(comparison, label) for label in comparison.results}
    for i, values in enumerate(measured.values()):
        n = len(values.latency)
        if n:
            kept = ranks(n)
            x, y = values.latency[kept], (kept + 1) / n
            _line(ax, i, x, y, values.at_least[kept])
            at = [int(np.ceil(round(share(name) * n, 6))) - 1 for name in PERCENTILES]
            shares = [share(name) for name in PERCENTILES]
            _points(ax, i, values.latency[at], shares, values.at_least[at])
    limit = _objective(ax, comparison, "x")
    latency_scale(ax, "x", [*(s for each in measured.values() for s in each.latency), *limit])
    ax.set_ylim(0, 1.03)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(color="0.9")
    ax.set_xlabel("latency in seconds" + " (replication 0)" * (comparison.count > 1))
    ax.set_ylabel("requests that took at most so long")
    entitle(ax, comparison_name(comparison), "share of requests by latency")
    _legend(ax, comparison, measured)
    return ax


def _sorted(comparison: Comparison, label: str) -> Sorted:
    return sorted_latencies(comparison.results[label].records)


def _line(ax: Axes, i: int, x: Any, y: Any, bound: Any) -> None:
    """Draw a line of steps, dashed where it is a lower bound."""
    colour = COLOURS[i % len(COLOURS)]
    style: dict[str, Any] = {"color": colour, "linewidth": line_width(i), "drawstyle": "steps-post"}
    ax.plot(x, np.where(bound, np.nan, y), **style)
    if bound.any():
        leading = np.append(bound[1:], False)  # the step up to a lower bound is one, too
        ax.plot(x, np.where(bound | leading, y, np.nan), linestyle=_BOUND_LINE, **style)


def _points(ax: Axes, i: int, x: Any, y: Any, hollow: Any) -> None:
    colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
    faces = ["white" if each else colour for each in hollow]
    style: dict[str, Any] = {"edgecolors": colour, "marker": marker, "s": marker_size(i) ** 2}
    ax.scatter(x, y, c=faces, zorder=3, clip_on=False, **style)


def _marks(ax: Axes, comparison: Comparison, label: str, i: int, end: float) -> list[float]:
    """Draw p50 to max, with intervals where there are replications; no latency is below 0."""
    found = [comparison.percentile(label, name) for name in PERCENTILES]
    x = [end if name == "max" else 1 / (1 - share(name)) for name in PERCENTILES]
    y = [each.estimate for each in found]
    _points(ax, i, x, y, [comparison.at_least(label, name) for name in PERCENTILES])
    if comparison.count == 1:
        return y
    low, high = np.array([[max(each.low, 0.0), each.high] for each in found]).T
    colour = COLOURS[i % len(COLOURS)]
    ax.vlines(x, low, high, color=colour, linewidth=1.5, clip_on=False)
    for bound in (low, high):
        ax.plot(x, bound, linestyle="", marker="_", color=colour, clip_on=False)
    return [*y, *low, *high]


def _objective(ax: Axes, comparison: Comparison, which: str) -> list[float]:
    limit = comparison.results[comparison.first].summary.limit
    if limit is None:
        return []
    draw = ax.axhline if which == "y" else ax.axvline
    draw(limit, label="objective", **OBJECTIVE)
    return [limit]


def _percentile_axis(ax: Axes, end: float) -> None:
    """Tick 0, 50, 90, 99 %, … as far as the axis goes, and the slowest request at its end."""
    nines = range(1, int(round(np.log10(end / 2.5), 6)) + 1)
    places = [1, 2, *(10.0**k for k in nines), end]
    percents = ["0", "50", *(f"{100 - 100 / 10**k:.10g}" for k in nines), "max"]
    ax.set_xscale("log")
    ax.set_xlim(1, end)
    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(places, percents)
    ax.grid(color="0.9")


def _legend(ax: Axes, comparison: Comparison, measured: dict[str, Sorted]) -> None:
    handles: list[Any] = []
    labels = [short(label) for label in measured]
    for i in range(len(labels)):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        handles.append(Line2D([], [], color=colour, marker=marker, linewidth=line_width(i)))
    limit = comparison.results[comparison.first].summary.limit
    if limit is not None:
        handles.append(Line2D([], [], **OBJECTIVE))
        labels.append(f"objective {limit:g} s")
    if any(each.at_least.any() for each in measured.values()):
        handles.append(Line2D([], [], color="0.3", linestyle=_BOUND_LINE))
        labels.append(_NOTE)
    legend_below(ax, handles, labels)
