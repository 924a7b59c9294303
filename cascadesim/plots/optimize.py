"""A search for better settings: its history, or one goal against the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from cascadesim.plots.style import LogSeconds, entitle, legend_beside, measure_label, new_axes
from cascadesim.scenario.objectives import RATES
from cascadesim.studies.aims import OPTIMIZED, TODAY
from cascadesim.values.errors import ScenarioError, short

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


def optimization(search: Optimization, ax: Axes | None = None) -> Axes:
    """Draw a search: the value of each trial, or the trials by two goals and their Pareto front.

    What misses a constraint, or has a value that unfinished requests could move up, is hollow, be
    it a trial or a setting confirmed in fresh replications. Raises ScenarioError for more than two
    goals.
    """
    check_goals(len(search.measures), "optimization")
    ax = ax or new_axes(4.5, width=9)
    if len(search.measures) == 1:
        _history(search, ax)
    else:
        _trade_off(search, ax)
    entitle(ax, short(search.scenario.name, 60), "")
    ax.grid(color="0.9")
    legend_beside(ax, *ax.get_legend_handles_labels())
    return ax


def _values(search: Optimization, measure: str) -> Any:
    return np.array([search.value(trial, measure) for trial in search.trials])


def _history(search: Optimization, ax: Axes) -> None:
    (goal,) = search.aims.goals
    values = _values(search, goal.measure)
    feasible = np.array([search.aims.feasible(trial) for trial in search.trials])
    numbers = np.arange(len(values))
    _trials(ax, numbers, values, _full(search))
    fill, running = (-np.inf, np.fmax) if goal.maximize else (np.inf, np.fmin)
    best = running.accumulate(np.where(feasible, values, fill))
    best[~np.isfinite(best)] = np.nan
    ax.step(numbers, best, where="post", color=_BEST, linewidth=2, label="best so far")
    style: dict[str, Any] = {"color": _TODAY, "linestyle": "--", "linewidth": 1, "zorder": 3}
    ax.axhline(values[0], label="today's settings", **style)
    if OPTIMIZED in search.proposals:
        _with_bars(search, ax, OPTIMIZED, _CONFIRMED)
    ax.set_xlabel("trial")
    _scale(ax, "y", goal.measure, values)


def _full(search: Optimization) -> Any:
    """Return whether each trial is feasible and has values that are no lower bounds."""
    return np.array(
        [
            search.aims.feasible(trial) and not any(map(trial.at_least, search.measures))
            for trial in search.trials
        ]
    )


def _trials(ax: Axes, x: Any, y: Any, full: Any) -> None:
    if full.any():
        ax.scatter(x[full], y[full], color=_TRIED, s=22, label="trial", zorder=2)
    if not full.all():
        others: dict[str, Any] = {"facecolors": "none", "edgecolors": "0.6", "s": 22, "zorder": 2}
        ax.scatter(x[~full], y[~full], label="not feasible, or a lower bound", **others)


def _with_bars(search: Optimization, ax: Axes, label: str, colour: str) -> None:
    """Draw a confirmed variant with its intervals, hollow where it is a lower bound."""
    bound = any(search.at_least(label, measure) for measure in search.measures)
    text = "today's settings" if label == TODAY else "confirmed in fresh replications"
    text += ", a lower bound" if bound else ""
    if text in ax.get_legend_handles_labels()[1]:
        text = "_nolegend_"
    intervals = [search.confirmed(label, measure) for measure in search.measures]
    if len(intervals) == 1:
        # Beside the last trial, as it is none of them.
        x, x_error = len(search.trials) + 0.5, None
    else:
        x, x_error = intervals[0].estimate, intervals[0].half_width
    y, y_error = intervals[-1].estimate, intervals[-1].half_width
    marker = "s" if label == TODAY else "D"
    style: dict[str, Any] = {"color": colour, "marker": marker, "capsize": 3, "linestyle": ""}
    if bound:
        style["markerfacecolor"] = "white"
    ax.errorbar(x, y, xerr=x_error, yerr=y_error, label=text, zorder=4, **style)


def _trade_off(search: Optimization, ax: Axes) -> None:
    across, up = (_values(search, measure) for measure in search.measures)
    _trials(ax, across, up, _full(search))
    on_front = [trial.number for trial in search.chosen]
    if on_front:
        # Steps, since nothing says that there are settings on a line from one point to the next.
        style: dict[str, Any] = {"color": _BEST, "where": "post"}
        ax.step(across[on_front], up[on_front], label="Pareto front of the search", **style)
    for label in search.proposals:
        _with_bars(search, ax, label, _CONFIRMED)
        x, y = (search.confirmed(label, measure).estimate for measure in search.measures)
        number = label.removeprefix("pareto-")
        ax.annotate(number, (x, y), xytext=(5, 5), textcoords="offset points")
    if search.confirmation is None:
        ax.scatter(across[0], up[0], color=_TODAY, marker="s", label="today's settings", zorder=4)
    else:
        _with_bars(search, ax, TODAY, _TODAY)
    for axis, measure, values in zip("xy", search.measures, (across, up), strict=True):
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
