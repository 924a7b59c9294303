"""A search for better settings: its history, or one goal against the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cascadesim.plots.style import LogSeconds, measure_label
from cascadesim.scenario.objectives import RATES
from cascadesim.studies.aims import OPTIMIZED, TODAY
from cascadesim.values.errors import ScenarioError, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.studies.optimization import Optimization

# Okabe and Ito's, as in the other figures.
_TRIED, _BEST, _TODAY, _CONFIRMED = "#56B4E9", "#0072B2", "#D55E00", "#009E73"
_WIDE = 10  # times the least value, from which on an axis of latencies is logarithmic


def check_goals(number: int, source: str) -> None:
    """Raise ScenarioError where so many goals cannot be drawn."""
    if number > 2:
        raise ScenarioError(f"can be drawn for one goal or for two, got {number}", source)


def optimization(found: Optimization, ax: Axes | None = None) -> Axes:
    """Draw a search: the value of each trial, or the trials by two goals and their Pareto front.

    What misses a constraint, or has a value that unfinished requests could move up, is hollow, be
    it a trial or a setting confirmed in fresh worlds. Raises ScenarioError for more than two goals.
    """
    check_goals(len(found.measures), "optimization")
    if ax is None:
        ax = Figure(figsize=(9, 4.5), layout="constrained").add_subplot()
    if len(found.measures) == 1:
        _history(found, ax)
    else:
        _trade_off(found, ax)
    ax.set_title(one_line(found.scenario.name), loc="left", parse_math=False)
    ax.set_axisbelow(True)
    ax.grid(color="0.9")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return ax


def _values(found: Optimization, measure: str) -> Any:
    return np.array([found.value(trial, measure) for trial in found.trials])


def _history(found: Optimization, ax: Axes) -> None:
    (goal,) = found.aims.goals
    values = _values(found, goal.measure)
    feasible = np.array([found.aims.feasible(trial) for trial in found.trials])
    numbers = np.arange(len(values))
    _trials(ax, numbers, values, _full(found))
    fill, running = (-np.inf, np.fmax) if goal.maximize else (np.inf, np.fmin)
    best = running.accumulate(np.where(feasible, values, fill))
    best[~np.isfinite(best)] = np.nan
    ax.step(numbers, best, where="post", color=_BEST, linewidth=2, label="best so far")
    style: dict[str, Any] = {"color": _TODAY, "linestyle": "--", "linewidth": 1, "zorder": 3}
    ax.axhline(values[0], label="today's settings", **style)
    if OPTIMIZED in found.proposals:
        _with_bars(found, ax, OPTIMIZED, _CONFIRMED)
    ax.set_xlabel("trial")
    _scale(ax, "y", goal.measure, values)


def _full(found: Optimization) -> Any:
    """Return whether each trial is feasible and has values that are no lower bounds."""
    return np.array(
        [
            found.aims.feasible(trial) and not any(map(trial.at_least, found.measures))
            for trial in found.trials
        ]
    )


def _trials(ax: Axes, x: Any, y: Any, full: Any) -> None:
    if full.any():
        ax.scatter(x[full], y[full], color=_TRIED, s=22, label="trial", zorder=2)
    if not full.all():
        others: dict[str, Any] = {"facecolors": "none", "edgecolors": "0.6", "s": 22, "zorder": 2}
        ax.scatter(x[~full], y[~full], label="not feasible, or a lower bound", **others)


def _with_bars(found: Optimization, ax: Axes, label: str, colour: str) -> None:
    """Draw a confirmed variant with its intervals, hollow where it is a lower bound."""
    bound = any(found.at_least(label, measure) for measure in found.measures)
    text = "today's settings" if label == TODAY else "confirmed in fresh worlds"
    text += ", a lower bound" if bound else ""
    if text in ax.get_legend_handles_labels()[1]:
        text = "_nolegend_"
    intervals = [found.confirmed(label, measure) for measure in found.measures]
    if len(intervals) == 1:
        # Beside the last trial, as it is none of them.
        x, x_error = len(found.trials) + 0.5, None
    else:
        x, x_error = intervals[0].estimate, intervals[0].half_width
    y, y_error = intervals[-1].estimate, intervals[-1].half_width
    marker = "s" if label == TODAY else "D"
    style: dict[str, Any] = {"color": colour, "marker": marker, "capsize": 3, "linestyle": ""}
    if bound:
        style["markerfacecolor"] = "white"
    ax.errorbar(x, y, xerr=x_error, yerr=y_error, label=text, zorder=4, **style)


def _trade_off(found: Optimization, ax: Axes) -> None:
    across, up = (_values(found, measure) for measure in found.measures)
    _trials(ax, across, up, _full(found))
    on_front = [trial.number for trial in found.chosen]
    if on_front:
        # Steps, since nothing says that there are settings on a line from one point to the next.
        style: dict[str, Any] = {"color": _BEST, "where": "post"}
        ax.step(across[on_front], up[on_front], label="Pareto front of the search", **style)
    for label in found.proposals:
        _with_bars(found, ax, label, _CONFIRMED)
        x, y = (found.confirmed(label, measure).estimate for measure in found.measures)
        number = label.removeprefix("pareto-")
        ax.annotate(number, (x, y), xytext=(5, 5), textcoords="offset points")
    if found.confirmation is None:
        ax.scatter(across[0], up[0], color=_TODAY, marker="s", label="today's settings", zorder=4)
    else:
        _with_bars(found, ax, TODAY, _TODAY)
    for axis, measure, values in zip("xy", found.measures, (across, up), strict=True):
        _scale(ax, axis, measure, values)


def _scale(ax: Axes, axis: str, measure: str, values: Any) -> None:
    which = ax.xaxis if axis == "x" else ax.yaxis
    which.set_label_text(measure_label(measure))
    known = values[np.isfinite(values)]
    if measure in RATES:
        which.set_major_formatter(PercentFormatter(1.0))
    elif measure != "goodput" and len(known) and 0 < _WIDE * known.min() < known.max():
        (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
        which.set_major_formatter("{x:g}")
        which.set_minor_formatter(LogSeconds())
