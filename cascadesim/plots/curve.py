"""The curve of latency percentiles up to the slowest request, a line a variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from cascadesim.analysis.percentiles import PERCENTILES, share
from cascadesim.plots.lines import draw_line, draw_points, legend_of_lines, sorted_of_each
from cascadesim.plots.style import (
    check_drawable,
    entitle,
    latency_scale,
    line_look,
    name_of,
    new_axes,
    objective_line,
    objectives,
)
from cascadesim.plots.thin import ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.studies.compare import Comparison

FIGURE = {
    "draws": "latency by percentile, up to the slowest request",
    "of": "variants",
    "replicated": True,
}
FURTHEST = 10_000  # 1 / (1 - q) of 99.99 %, which the axis has in any case


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
    lines = sorted_of_each(comparison.results)
    end = 2.5 * max(FURTHEST, *(len(line.latency) for line in lines.values()))
    drawn: list[float] = []
    for i, (label, line) in enumerate(lines.items()):
        n = len(line.latency)
        if n:
            kept = ranks(n)
            ends = np.append(kept, -1)
            x = np.append(n / (n - kept), end)
            draw_line(ax, i, x, line.latency[ends], line.at_least[ends])
            drawn += [*line.latency.tolist(), *_marks(ax, comparison, label, i, end)]
    first = comparison.results[comparison.first]
    objective = objective_line(ax, "y", first)
    latency_scale(ax, "y", [*drawn, *objectives(first)])
    _percentile_axis(ax, end)
    many = f" (line: replication 0; markers: means of {comparison.count}, with 95 % intervals)"
    ax.set_xlabel("percentile of requests, in %" + many * (comparison.count > 1))
    ax.set_ylabel("latency in seconds")
    entitle(ax, name_of(comparison), "latency by percentile")
    legend_of_lines(ax, lines, objective)
    return ax


def _marks(ax: Axes, comparison: Comparison, label: str, i: int, end: float) -> list[float]:
    """Draw p50 to max, with intervals where there are replications; no latency is below 0."""
    values = [comparison.percentile(label, name) for name in PERCENTILES]
    x = [end if name == "max" else 1 / (1 - share(name)) for name in PERCENTILES]
    y = [value.estimate for value in values]
    draw_points(ax, i, x, y, [comparison.at_least(label, name) for name in PERCENTILES])
    if comparison.count == 1:
        return y
    low, high = np.array([[max(value.low, 0.0), value.high] for value in values]).T
    colour = line_look(i).colour
    ax.vlines(x, low, high, color=colour, linewidth=1.5, clip_on=False)
    for bound in (low, high):
        ax.plot(x, bound, linestyle="", marker="_", color=colour, clip_on=False)
    return [*y, *low, *high]


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
