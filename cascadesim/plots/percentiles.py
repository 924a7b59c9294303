"""Percentiles of variants: a line for each percentile, from the first variant to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plots.style import (
    COLOURS,
    MARKERS,
    check_drawable,
    comparison_name,
    latency_scale,
)
from cascadesim.values.errors import short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from cascadesim.analysis.intervals import Interval
    from cascadesim.studies.compare import Comparison


def percentiles(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the latency percentiles of each variant on a logarithmic axis in seconds.

    With several replications it draws their means, and bars for the 95 % intervals. A percentile
    that falls among unfinished requests is drawn hollow, as it is a lower bound. The first latency
    objective of the first scenario is a dashed line. If any latency is 0, the axis is linear near
    it. Raises ScenarioError where there are no requests to draw, or
    more variants than can be told apart.
    """
    check_drawable(comparison.results)
    labels = list(comparison.results)
    found = [[comparison.percentile(label, p) for p in PERCENTILES] for label in labels]
    values = np.array([[each.estimate for each in own] for own in found])
    if ax is None:
        height = max(4, 1 + 0.23 * len(values))  # inches, as the legend has a line for each
        ax = Figure(figsize=(9, height), layout="constrained").add_subplot()
    rows = np.arange(len(PERCENTILES))[::-1]
    # Each variant a little below the one before, so that equal ones do not hide each other.
    step = min(0.12, 0.7 / len(values))
    lines = rows - step * (np.arange(len(values)) - (len(values) - 1) / 2)[:, np.newaxis]
    ax.plot(values, lines, color="0.75", linewidth=2, zorder=1)
    handles: list[Artist] = []
    for i, label in enumerate(labels):
        hollow = [comparison.at_least(label, p) for p in PERCENTILES]
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        if comparison.count > 1:
            _bars(ax, found[i], lines[i], colour)
        faces = ["white" if lower_bound else colour for lower_bound in hollow]
        ax.scatter(values[i], lines[i], c=faces, edgecolors=colour, marker=marker, s=60)
        handles.append(Line2D([], [], linestyle="", marker=marker, color=colour, markersize=7))
    names = [short(label) for label in labels]
    limit = comparison.results[comparison.first].summary.limit
    if limit is not None:
        handles.append(ax.axvline(limit, color="0.3", linestyle="--", linewidth=1))
        names.append(f"objective {limit:g} s")
    latency_scale(ax, "x", np.append(values, [] if limit is None else limit))
    ax.set_axisbelow(True)
    ax.set_yticks(rows, PERCENTILES)
    _describe(ax, comparison)
    box = ax.legend(handles, names, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    for text in box.get_texts():
        text.set_parse_math(False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _bars(ax: Axes, intervals: Sequence[Interval], lines: Any, colour: str) -> None:
    """Draw intervals; no latency is below 0, so neither is a bar."""
    bounds = np.array([[max(each.low, 0.0), each.high] for each in intervals])
    ax.hlines(lines, *bounds.T, color=colour, linewidth=1.5)
    ax.plot(bounds, np.column_stack([lines, lines]), linestyle="", marker="|", color=colour)


def _describe(ax: Axes, comparison: Comparison) -> None:
    label = "latency in seconds"
    if comparison.count > 1:
        label += f": mean of {comparison.count} replications (bars: 95 % intervals)"
    ax.set_xlabel(label)
    # What a user named is no formula, even if it has dollar signs.
    ax.set_title(comparison_name(comparison), loc="left", parse_math=False)
    ax.grid(axis="x", color="0.9")
