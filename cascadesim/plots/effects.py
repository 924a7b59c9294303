"""Main effects: the mean of a measure along the values of each setting, over all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.plots.style import (
    MOST,
    entitle,
    legend_beside,
    line_look,
    line_width,
    marker_size,
    measure_label,
    new_axes,
)
from cascadesim.scenario.source import flow
from cascadesim.values.errors import ScenarioError, one_line, short
from cascadesim.values.words import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.scenario.vary import Vary
    from cascadesim.studies.sweep import Sweep

UNKNOWN = "a lower bound, as requests were unfinished at the end"


def main_effects(result: Sweep, measure: str = "p99", ax: Axes | None = None) -> Axes:
    """Draw a line for each setting, from its first value (or the low end of its range) to its last.

    A steep line is a setting that matters, a flat one is one that does not (alone). Settings that a
    sample varies are in up to 8 bins. Means that are lower bounds are hollow. Raises ScenarioError
    for more lines than can be told apart.
    """
    if len(result.vary) > MOST:
        message = f"varies {len(result.vary)} settings, and {MOST} lines can be told apart"
        raise ScenarioError(message, "sweep")
    # As high as the legend, which has a line for each.
    ax = ax or new_axes(max(4.5, 1 + 0.23 * len(result.vary)), width=10)
    levels = result.levels(measure)
    for i, vary in enumerate(result.design.vary):
        line = [level for level in levels if level.setting == vary.path]
        x, y = [level.along for level in line], [level.mean for level in line]
        colour, marker = line_look(i)
        style: dict[str, Any] = {"linewidth": line_width(i), "markersize": marker_size(i)}
        ax.plot(x, y, color=colour, marker=marker, label=_label(vary), **style)
        hollow(ax, x, y, [level.at_least for level in line], colour, marker, marker_size(i))
    highest = max((level.mean for level in levels if level.mean == level.mean), default=0)
    ax.set_ylim(0, 1.05 * highest if highest > 0 else 1)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xticks([0, 1], ["first value", "last value"])
    bounds = any(level.at_least for level in levels)
    ax.set_xlabel(noted("along the values of each setting", "hollow", bounds))
    ax.set_ylabel(f"{measure_label(measure)}, mean over the others")
    entitle(ax, short(result.scenario.name, 60), f"main effects on {in_words(measure)}")
    legend_beside(ax, *ax.get_legend_handles_labels())
    ax.grid(color="0.9")
    return ax


def hollow(
    ax: Axes,
    x: Any,
    y: Any,
    at_least: Any,
    colour: str,
    marker: str = "o",
    size: float = 6.0,
) -> None:
    """Draw the points that are lower bounds hollow, on top of what is there."""
    if any(at_least):
        inside = np.asarray(at_least, bool)
        points = np.asarray(x)[inside], np.asarray(y)[inside]
        ax.scatter(*points, s=size**2, c="white", edgecolors=colour, marker=marker, zorder=3)


def noted(label: str, mark: str, at_least: bool) -> str:
    """Return the label of an axis, and below it what marks lower bounds, if there are any."""
    return f"{label}\n({mark}: {UNKNOWN})" if at_least else label


def _label(vary: Vary) -> str:
    first, last = flow(vary.at(0)), flow(vary.at(1))
    ends = first if first == last else f"{first} … {last}"
    return one_line(f"{vary.path} ({ends})")
