"""Percentiles of variants: a line for each percentile, from the first variant to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.errors import ScenarioError, one_line

if TYPE_CHECKING:
    from typing import Any

    from matplotlib.axes import Axes

    from cascadesim.experiment.compare import Comparison

# Okabe and Ito's colours, told apart by colour-blind readers; the markers by those who see grey.
# There are 7 and 8 of them, so that a pair comes again only after 56 variants.
_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
_MOST = len(_COLOURS) * len(_MARKERS)


def percentiles(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the latency percentiles of each variant on a logarithmic axis in seconds.

    A percentile that falls among unfinished requests is drawn hollow, as it is a lower bound. The
    first latency objective of the first scenario is a dashed line. Below the smallest latency that
    is more than 0 the axis is linear, if any is 0. Raises ScenarioError where there are no
    requests to draw, or more variants than can be told apart.
    """
    summaries = {label: result.summary for label, result in comparison.results.items()}
    values = np.array([[s.percentiles[p].seconds for p in PERCENTILES] for s in summaries.values()])
    scenario = next(iter(comparison.results.values())).scenario
    if np.isnan(values).all():
        problem = "nothing to draw: no request arrives between warm-up and horizon"
        raise ScenarioError(problem, scenario.document.source)
    if len(values) > _MOST:
        problem = f"{len(values)} variants cannot be told apart; choose up to {_MOST} by --variants"
        raise ScenarioError(problem, scenario.document.source)
    if ax is None:
        height = max(4, 1 + 0.23 * len(values))  # inches, as the legend has a line for each
        ax = Figure(figsize=(9, height), layout="constrained").add_subplot()
    rows = np.arange(len(PERCENTILES))[::-1]
    # Each variant a little below the one before, so that equal ones do not hide each other.
    step = min(0.12, 0.7 / len(values))
    lines = rows - step * (np.arange(len(values)) - (len(values) - 1) / 2)[:, np.newaxis]
    ax.plot(values, lines, color="0.75", linewidth=2, zorder=1)
    legend = {}
    for i, (label, summary) in enumerate(summaries.items()):
        hollow = [summary.percentiles[p].at_least for p in PERCENTILES]
        colour, marker = _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)]
        faces = ["white" if lower_bound else colour for lower_bound in hollow]
        ax.scatter(values[i], lines[i], c=faces, edgecolors=colour, marker=marker, s=60)
        legend[label] = Line2D([], [], linestyle="", marker=marker, color=colour, markersize=7)
    limit = next(iter(summaries.values())).limit
    handles, labels = list(legend.values()), [_short(label) for label in legend]
    if limit is not None:
        handles.append(ax.axvline(limit, color="0.3", linestyle="--", linewidth=1))
        labels.append(f"objective {limit:g} s")
    _scale(ax, np.append(values, [] if limit is None else limit))
    ax.set_axisbelow(True)
    ax.set_yticks(rows, PERCENTILES)
    ax.set_xlabel("latency in seconds")
    # What a user named is no formula, even if it has dollar signs.
    ax.set_title(_short(scenario.name, 60), loc="left", parse_math=False)
    ax.grid(axis="x", color="0.9")
    box = ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    for text in box.get_texts():
        text.set_parse_math(False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _scale(ax: Axes, values: Any) -> None:
    positive = values[values > 0]
    if not len(positive):
        return
    if (values == 0).any():
        ax.set_xscale("symlog", linthresh=positive.min())
    else:
        ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(_Seconds())


class _Seconds(LogFormatter):
    """Labels the ticks that LogFormatter would, but never as powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def _short(name: str, longest: int = 32) -> str:
    """Return a name with its middle left out where it is long, as ends tell names apart too."""
    name = one_line(name)
    half = longest // 2
    return name if len(name) <= longest else f"{name[: half - 1]}…{name[-half:]}"
