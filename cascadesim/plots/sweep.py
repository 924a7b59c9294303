"""A measure over the settings of a sweep: a line over one, a heat map over a grid of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from cascadesim.analysis.effects import is_grid
from cascadesim.analysis.intervals import mean_interval
from cascadesim.plots.effects import hollow, main_effects, noted
from cascadesim.plots.style import COLOURS, measure_label, new_axes
from cascadesim.scenario.source import flow
from cascadesim.scenario.vary import quantity
from cascadesim.values.errors import ScenarioError, one_line
from cascadesim.values.words import in_words, lower_bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.studies.sweep import Sweep

_UNITS = {"s": " in seconds", "%": " in percent", "/s": " per second", "": ""}
_LINE = COLOURS[1]


def sweep(result: Sweep, measure: str = "p99", ax: Axes | None = None) -> Axes:
    """Draw a measure over the settings, with 95 % intervals where it is a line.

    What is a lower bound is hollow on a line, and after ">" in a heat map. Over more than two
    settings, and a sample of two, it draws main effects. Raises ScenarioError where there is
    nothing to draw.
    """
    estimates = np.mean(result.values(measure), axis=1)
    if np.isnan(estimates).all():
        problem = "nothing to draw: no request arrives between warm-up and horizon"
        raise ScenarioError(problem, result.scenario.document.source)
    if len(result.vary) > 2:
        return main_effects(result, measure, ax)
    if len(result.vary) == 2 and not is_grid(result.design.vary, result.settings):
        return main_effects(result, measure, ax)
    ax = ax or new_axes(4.5)
    if len(result.vary) == 1:
        _line(result, measure, ax)
    else:
        _heat_map(result, measure, estimates, ax)
    title = one_line(f"{result.scenario.name}: {in_words(measure)}")
    ax.set_title(title, loc="left", parse_math=False)
    return ax


def _line(result: Sweep, measure: str, ax: Axes) -> None:
    (path,) = result.vary
    written = [settings[path] for settings in result.settings]
    intervals = [mean_interval(list(values)) for values in result.values(measure)]
    positions, unit, whole = _positions(written)
    if unit is None:
        ax.set_xticks(positions, [one_line(flow(value)) for value in written], parse_math=False)
    elif whole:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    order = np.argsort(positions, kind="stable")
    x = np.asarray(positions)[order]
    y, low, high = np.array([[i.estimate, i.low, i.high] for i in intervals])[order].T
    ax.fill_between(x, low, high, color=_LINE, alpha=0.2)
    ax.plot(x, y, color=_LINE, marker="o")
    bounds = np.array(result.at_least(measure))[order]
    hollow(ax, x, y, bounds, _LINE)
    highest = np.nanmax([y, high])
    ax.set_ylim(0, 1.05 * highest if highest > 0 else 1)
    label = f"{path}{_UNITS.get(unit or '', '')}"
    ax.set_xlabel(noted(label, "hollow", any(bounds)), parse_math=False)
    ax.set_ylabel(measure_label(measure))
    ax.grid(color="0.9")
    ax.spines[["top", "right"]].set_visible(False)


def _positions(written: list[Any]) -> tuple[list[float], str | None, bool]:
    """Return where values stand on an axis, their unit, and whether they are whole numbers.

    Values that are no numbers of one unit have none, and stand in their order.
    """
    try:
        numbers, units, whole = zip(*map(quantity, written), strict=True)
    except ValueError:
        units = ()
    if len(set(units)) == 1:
        return list(numbers), units[0], all(whole)
    return [float(i) for i in range(len(written))], None, False


def _heat_map(result: Sweep, measure: str, estimates: Any, ax: Axes) -> None:
    down, across = result.vary
    cells = [(flow(settings[down]), flow(settings[across])) for settings in result.settings]
    rows, columns = (list(dict.fromkeys(values)) for values in zip(*cells, strict=True))
    table = np.empty((len(rows), len(columns)))
    bounds = np.zeros(table.shape, bool)
    for (row, column), value, bound in zip(cells, estimates, result.at_least(measure), strict=True):
        table[rows.index(row), columns.index(column)] = value
        bounds[rows.index(row), columns.index(column)] = bound
    image = ax.imshow(table, cmap="cividis", aspect="auto", origin="lower")
    _ticks(ax.xaxis, columns)
    _ticks(ax.yaxis, rows)
    legible = table.size <= 100
    ax.set_xlabel(noted(across, ">" if legible else "hollow", bool(bounds.any())), parse_math=False)
    ax.set_ylabel(down, parse_math=False)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(measure_label(measure))
    middle = (np.nanmin(table) + np.nanmax(table)) / 2
    colours = np.where(table <= middle, "white", "black")
    if not legible:
        y, x = np.nonzero(bounds)
        ax.scatter(x, y, s=9, facecolors="none", edgecolors=list(colours[bounds]))
        return
    for (y, x), value in np.ndenumerate(table):
        text = lower_bound("-" if np.isnan(value) else f"{value:.3g}", bool(bounds[y, x]))
        ax.text(x, y, text, ha="center", va="center", color=colours[y, x])


def _ticks(axis: Any, labels: list[str]) -> None:
    """Label up to 20 of the rows or columns, evenly spaced, so that labels do not collide."""
    step = -(-len(labels) // 20)
    places = range(0, len(labels), step)
    axis.set_ticks(places, [one_line(labels[i]) for i in places], parse_math=False)
