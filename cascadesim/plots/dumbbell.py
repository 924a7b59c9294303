"""Percentiles of variants: a line for each percentile, from the first variant to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plots.style import (
    check_drawable,
    entitle,
    latency_scale,
    legend_beside,
    line_look,
    name_of,
    new_axes,
    objective_line,
    objectives,
)
from cascadesim.values.errors import short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes

    from cascadesim.analysis.intervals import Interval
    from cascadesim.studies.compare import Comparison

FIGURE = {
    "draws": "percentiles, side by side",
    "of": "variants",
    "replicated": True,
}


def dumbbell(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the latency percentiles of each variant on a logarithmic axis in seconds.

    With several replications it draws their means, and bars for the 95 % intervals. A percentile
    that falls among unfinished requests is drawn hollow, as it is a lower bound. The first latency
    objective of the first scenario is a dashed line. If any latency is 0, the axis is linear near
    it. Raises ScenarioError where there are no requests to draw, or more variants than can be told
    apart.
    """
    check_drawable(comparison.results)
    labels = list(comparison.results)
    intervals = [[comparison.percentile(label, p) for p in PERCENTILES] for label in labels]
    values = np.array([[interval.estimate for interval in row] for row in intervals])
    # As high as the legend, which has a line for each.
    ax = ax or new_axes(max(4, 1 + 0.23 * len(values)), width=9)
    rows = np.arange(len(PERCENTILES))[::-1]
    # Each variant a little below the one before, so that equal ones do not hide each other.
    step = min(0.12, 0.7 / len(values))
    lines = rows - step * (np.arange(len(values)) - (len(values) - 1) / 2)[:, np.newaxis]
    ax.plot(values, lines, color="0.75", linewidth=2, zorder=1)
    handles: list[Line2D] = []
    for i, label in enumerate(labels):
        colour, marker = line_look(i)
        if comparison.count > 1:
            _bars(ax, intervals[i], lines[i], colour)
        bounds = [comparison.at_least(label, name) for name in PERCENTILES]
        faces = ["white" if bound else colour for bound in bounds]
        ax.scatter(values[i], lines[i], c=faces, edgecolors=colour, marker=marker, s=60)
        style: dict[str, Any] = {"linestyle": "", "color": colour, "markersize": 7}
        handles.append(Line2D([], [], marker=marker, label=short(label), **style))
    first = comparison.results[comparison.first]
    handles += objective_line(ax, "x", first)
    latency_scale(ax, "x", [*values.flat, *objectives(first)])
    ax.set_yticks(rows, PERCENTILES)
    replicated = f": mean of {comparison.count} replications (bars: 95 % intervals)"
    ax.set_xlabel("latency in seconds" + replicated * (comparison.count > 1))
    ax.grid(axis="x", color="0.9")
    entitle(ax, name_of(comparison), "")
    legend_beside(ax, handles, [str(handle.get_label()) for handle in handles])
    return ax


def _bars(ax: Axes, intervals: Sequence[Interval], lines: Any, colour: str) -> None:
    """Draw intervals; no latency is below 0, so neither is a bar."""
    bounds = np.array([[max(interval.low, 0.0), interval.high] for interval in intervals])
    ax.hlines(lines, *bounds.T, color=colour, linewidth=1.5)
    ax.plot(bounds, np.column_stack([lines, lines]), linestyle="", marker="|", color=colour)
