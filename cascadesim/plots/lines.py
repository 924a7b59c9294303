"""Sorted latencies of variants as lines: what the curve of percentiles and the ECDF share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.lines import Line2D

from cascadesim.plots.style import legend_below, line_look, line_width, marker_size
from cascadesim.values.errors import short
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cascadesim.records import Records
    from cascadesim.studies.run import Result

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


def sorted_of_each(results: Mapping[str, Result]) -> dict[str, Sorted]:
    """Return the sorted latencies of each variant."""
    return {label: sorted_latencies(result.records) for label, result in results.items()}


def draw_line(ax: Axes, i: int, x: Any, y: Any, bound: Any) -> None:
    """Draw line `i` as steps, dashed where it is a lower bound."""
    style: dict[str, Any] = {
        **{"color": line_look(i).colour, "linewidth": line_width(i), "drawstyle": "steps-post"},
    }
    ax.plot(x, np.where(bound, np.nan, y), **style)
    if bound.any():
        leading = np.append(bound[1:], False)  # the step up to a lower bound is one, too
        ax.plot(x, np.where(bound | leading, y, np.nan), linestyle=_BOUND_LINE, **style)


def draw_points(ax: Axes, i: int, x: Any, y: Any, hollow: Any) -> None:
    """Draw the markers of line `i`, hollow where they are lower bounds."""
    colour, marker = line_look(i)
    faces = ["white" if bound else colour for bound in hollow]
    style: dict[str, Any] = {"edgecolors": colour, "marker": marker, "s": marker_size(i) ** 2}
    ax.scatter(x, y, c=faces, zorder=3, clip_on=False, **style)


def legend_of_lines(ax: Axes, lines: Mapping[str, Sorted], objective: list[Line2D]) -> None:
    """Write the legend: the variants, the objective, and what a lower bound looks like."""
    handles = []
    for i, label in enumerate(lines):
        colour, marker = line_look(i)
        style: dict[str, Any] = {"color": colour, "marker": marker, "linewidth": line_width(i)}
        handles.append(Line2D([], [], label=short(label), **style))
    handles += objective
    if any(line.at_least.any() for line in lines.values()):
        handles.append(Line2D([], [], color="0.3", linestyle=_BOUND_LINE, label=_NOTE))
    legend_below(ax, handles, [str(handle.get_label()) for handle in handles])
