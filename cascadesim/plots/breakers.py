"""The states of all circuit breakers over time, one below the other, and who waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cascadesim.analysis.breakers import breaker_paths, state_spans
from cascadesim.plots.layout import faults
from cascadesim.plots.style import (
    STATE_LOOKS,
    entitle,
    legend_below,
    name_rows,
    new_axes,
    run_name,
    state_fill,
)
from cascadesim.plots.thin import most_of_each_pixel
from cascadesim.plots.timeaxis import mark_spans, time_axis
from cascadesim.values.errors import ScenarioError, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.analysis.breakers import StateSpan
    from cascadesim.plots.layout import Span
    from cascadesim.records import Records
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "the states of the breakers, and who waits for them",
    "of": "run",
}
_BAR = 0.3  # of a breaker's line, below its middle; the waiting callers are above
_WAITING = 0.4
_CLOSED = 0.08
_HALF_OPEN: dict[str, Any] = {
    **{"marker": "D", "linestyle": "", "markersize": 6},
    **{"color": STATE_LOOKS["half-open"].colour, "markeredgecolor": "black"},
}
_CALLERS: dict[str, Any] = {"color": "#0072B2", "linewidth": 1.2}
_MARGIN = 0.15  # of the time that is drawn, before the first event and after the last


def breakers(result: Result, ax: Axes | None = None) -> Axes:
    """Draw the state of each breaker over time: closed a thin line, half-open and open as bars.

    A diamond stands where a breaker became half-open, as that may be for an instant only. Above
    each breaker are the callers that wait for its recovery, on one scale for all, with their
    largest number. The time goes from a little before the first fault or change of state to a
    little after the last, or to the end where a breaker is not closed again, and over the whole run
    where there is none. Faults are shaded and named above the axes. Raises ScenarioError where no
    breaker is enabled.
    """
    model, records = result.scenario.model, result.records
    paths = breaker_paths(result.plan)
    if not paths:
        problem = "no breaker to draw: the scenario has none, or none is enabled"
        raise ScenarioError(problem, result.scenario.document.source)
    ax = ax or new_axes(1.9 + 0.66 * len(paths))
    end = model.horizon + model.drain
    spans = faults(result)
    time_axis(ax, model, *_window(spans, records, end), "time")
    most = max(int(result.trace.levels[f"{path}.waiting"].value.max()) for path in paths)
    for row, path in enumerate(paths):
        for span in state_spans(records, path, end):
            _state(ax, row, span)
        _callers(ax, result, row, path, most, end)
    name_rows(ax, [short(path, 26) for path in paths], len(paths) - 0.5, -0.75)
    patches, _, pad = mark_spans(ax, spans, records.warmup)
    entitle(ax, run_name(result), "states of the breakers", pad)
    legend_below(ax, [*_handles(most), *patches])
    return ax


def _window(spans: list[Span], records: Records, end: float) -> tuple[float, float]:
    """Return from when to when is drawn, in seconds after t = 0."""
    changes = records.transitions
    at = [t.at for t in changes]
    at += [instant for span in spans for instant in (span.start, span.end)]
    if not at:
        return 0.0, end
    margin = max(_MARGIN * (max(at) - min(at)), 1.0)
    left_open = any(state != "closed" for state in {t.breaker: t.state for t in changes}.values())
    return max(0.0, min(at) - margin), end if left_open else min(end, max(at) + margin)


def _state(ax: Axes, row: int, span: StateSpan) -> None:
    height = _CLOSED if span.state == "closed" else _BAR
    extent, place = (span.start, span.end - span.start), (row + (_BAR - height) / 2, height)
    ax.broken_barh([extent], place, label=f"_{span.state}", zorder=2, **state_fill(span.state))
    if span.state == "half-open":
        ax.plot(span.start, row + _BAR / 2, label="_half-open since", zorder=3, **_HALF_OPEN)


def _callers(ax: Axes, result: Result, row: int, path: str, most: int, end: float) -> None:
    """Draw how many callers wait, upwards from the breaker's bar."""
    level = most_of_each_pixel(result.trace.levels[f"{path}.waiting"], *ax.get_xlim())
    peak = int(level.value.max())
    if peak == 0:
        return
    at, height = np.append(level.at, end), np.append(level.value, level.value[-1])
    base = row - 0.05
    y = base - _WAITING * height / most
    ax.fill_between(at, base, y, step="post", color=_CALLERS["color"], alpha=0.25, linewidth=0)
    ax.plot(at, y, drawstyle="steps-post", label="_waiting", **_CALLERS)
    where = float(level.at[int(np.argmax(level.value))])
    left, right = ax.get_xlim()
    aligned = "right" if where > left + (right - left) / 4 else "left"
    place: dict[str, Any] = {"xytext": (0, 1), "textcoords": "offset points", "va": "bottom"}
    ax.annotate(f"{peak:,} waiting", (where, y.min()), ha=aligned, fontsize=9, **place)


def _handles(waiting: int) -> list[Any]:
    """Return what the legend has of states and, if there are any, of waiting callers."""
    handles: list[Any] = [Patch(label=state, **state_fill(state)) for state in STATE_LOOKS]
    handles.append(Line2D([], [], label="becomes half-open", **_HALF_OPEN))
    if waiting:
        handles.append(Line2D([], [], label="callers waiting", **_CALLERS))
    return handles
