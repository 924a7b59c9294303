"""The share of requests by latency, a line a variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import PercentFormatter

from cascadesim.analysis.percentiles import PERCENTILES, share
from cascadesim.plots.lines import draw_line, draw_points, legend_of_lines, sorted_of_each
from cascadesim.plots.style import (
    check_drawable,
    entitle,
    latency_scale,
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
    "draws": "the share of requests that took at most so long",
    "of": "variants",
}


def ecdf(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the share of the measured requests that took at most so long, of replication 0.

    The latency is in seconds on a logarithmic axis; markers are p50 to max. From where unfinished
    requests could move latencies up the line is dashed, and markers are hollow: the share is at
    most that. The first latency objective of the first scenario is a dashed line. Raises
    ScenarioError where there are no requests to draw, or more variants than can be told apart.
    """
    check_drawable(comparison.results)
    ax = ax or new_axes(5)
    lines = sorted_of_each(comparison.results)
    shares = [share(name) for name in PERCENTILES]
    for i, line in enumerate(lines.values()):
        n = len(line.latency)
        if n:
            kept = ranks(n)
            draw_line(ax, i, line.latency[kept], (kept + 1) / n, line.at_least[kept])
            at = [int(np.ceil(round(part * n, 6))) - 1 for part in shares]
            draw_points(ax, i, line.latency[at], shares, line.at_least[at])
    first = comparison.results[comparison.first]
    objective = objective_line(ax, "x", first)
    latencies = [seconds for line in lines.values() for seconds in line.latency]
    latency_scale(ax, "x", [*latencies, *objectives(first)])
    ax.set_ylim(0, 1.03)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(color="0.9")
    ax.set_xlabel("latency in seconds" + " (replication 0)" * (comparison.count > 1))
    ax.set_ylabel("requests that took at most so long")
    entitle(ax, name_of(comparison), "share of requests by latency")
    legend_of_lines(ax, lines, objective)
    return ax
