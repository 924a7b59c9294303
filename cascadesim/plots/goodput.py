"""Requests per second over time: what arrives, and what ends how."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cascadesim.analysis.breakers import breaker_paths, state_spans
from cascadesim.plots.layout import faults, round_step
from cascadesim.plots.style import (
    OUTCOME_LOOKS,
    entitle,
    legend_below,
    new_axes,
    run_name,
    state_fill,
)
from cascadesim.plots.timeaxis import mark_end, mark_spans, time_axis
from cascadesim.values.errors import ScenarioError, short
from cascadesim.values.outcome import Outcome
from cascadesim.values.words import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cascadesim.analysis.breakers import StateSpan
    from cascadesim.records import Records
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "requests per second that arrive, and that end how",
    "of": "run",
}
MOST_PARTS = 120  # of the time, in each of which requests are counted
FEWEST = 10  # requests that a part of the time has on average, as fewer would be noise
_ARRIVE: dict[str, Any] = {"color": "black", "linewidth": 1.2, "linestyle": (0, (3, 1))}
_ROW = 0.07  # of a breaker below the axis, as a share of the height above it
_BAR = 0.6  # of a breaker's row


def goodput(result: Result, ax: Axes | None = None) -> Axes:
    """Draw how many requests arrive per second, and how many end, stacked by their outcome.

    A request counts when it arrives and when it ends; values are means over parts of the time, as
    long as the label of the axis says. Where more arrive than end, requests pile up. Below the axis
    are the times when breakers were open and half-open, of those that ever were. Faults are shaded
    and named above the axes, and the warm-up is hatched. Raises ScenarioError where no request
    arrives.
    """
    records, model = result.records, result.scenario.model
    if not len(records.arrival):
        raise ScenarioError("nothing to draw: no request arrives", result.scenario.document.source)
    breakers = _breakers(result)
    ax = ax or new_axes(4.5 + 0.25 * len(breakers))
    end = model.horizon + model.drain
    step = round_step(end, min(MOST_PARTS, max(1.0, len(records.arrival) / FEWEST)))
    edges = np.minimum(step * np.arange(math.ceil(end / step - 1e-9) + 1), end)
    handles, most = _draw_ends(ax, records, edges)
    time_axis(ax, model, 0, end, "time")
    _name_rows(ax, list(breakers), most)
    handles += _draw_breakers(ax, list(breakers.values()), most)
    handles += mark_end(ax, model, "the last arrivals")
    patches, _, pad = mark_spans(ax, faults(result), records.warmup)
    ax.set_ylabel(f"requests per second, means over {step:g} s")
    entitle(ax, run_name(result), "requests that arrive and that end", pad)
    legend_below(ax, [*handles, *patches])
    return ax


def rates(at: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many instants per second lie in each part of the time, shape (parts,).

    at, edges: seconds, shape (n,) and (parts + 1,).
    """
    return np.histogram(at, edges)[0] / np.diff(edges)


def _draw_ends(ax: Axes, records: Records, edges: NDArray[np.float64]) -> tuple[list[Any], float]:
    """Draw requests per second; return what the legend has of them, and the most that there are."""
    arrive = rates(records.arrival, edges)
    handles: list[Any] = [Line2D([], [], label=f"arrive ({len(records.arrival):,})", **_ARRIVE)]
    base = np.zeros(len(arrive))
    for outcome, look in OUTCOME_LOOKS.items():
        rows = records.outcome == outcome
        if outcome is Outcome.UNFINISHED or not rows.any():
            continue
        top = base + rates(records.arrival[rows] + records.latency[rows], edges)
        style: dict[str, Any] = {"facecolor": look.colour, "edgecolor": "white", "linewidth": 0.3}
        low, high = (np.append(y, y[-1]) for y in (base, top))
        ax.fill_between(edges, low, high, step="post", label=f"_{outcome.word}", **style)
        handles.append(Patch(label=f"{in_words(outcome.word)} ({rows.sum():,})", **style))
        base = top
    unfinished = int((records.outcome == Outcome.UNFINISHED).sum())
    if unfinished:
        handles.append(Line2D([], [], linestyle="", label=f"unfinished at the end: {unfinished:,}"))
    steps = np.append(arrive, arrive[-1])
    ax.plot(edges, steps, drawstyle="steps-post", label="_arrive", zorder=3, **_ARRIVE)
    return handles, 1.05 * float(max(arrive.max(), base.max()))


def _breakers(result: Result) -> dict[str, list[StateSpan]]:
    """Return when breakers were not closed, by dotted path, of those that ever were not."""
    plan = result.plan
    spans = {
        path: [s for s in state_spans(result.records, path, plan.end) if s.state != "closed"]
        for path in breaker_paths(plan)
    }
    return {path: states for path, states in spans.items() if states}


def _name_rows(ax: Axes, breakers: list[str], most: float) -> None:
    """Number the axis from 0 up to `most`, and name a row for each breaker below it."""
    ax.set_ylim(-_ROW * most * len(breakers), most)
    numbers = [tick for tick in ax.get_yticks() if 0 <= tick <= most]
    rows = [_middle(row, most) for row in range(len(breakers))]
    names = [f"{number:g}" for number in numbers] + [short(path, 26) for path in breakers]
    ax.set_yticks([*numbers, *rows], names, parse_math=False)
    ax.axhline(0, color="black", linewidth=0.8, zorder=2)


def _middle(row: int, most: float) -> float:
    return -_ROW * most * (row + 0.5)


def _draw_breakers(ax: Axes, breakers: list[list[StateSpan]], most: float) -> list[Patch]:
    """Draw a bar for each time that a breaker is not closed; return what the legend has of them."""
    height = _BAR * _ROW * most
    for row, spans in enumerate(breakers):
        for state, start, end in spans:
            place = (_middle(row, most) - height / 2, height)
            ax.broken_barh([(start, end - start)], place, label=f"_{state}", **state_fill(state))
    drawn = {span.state for spans in breakers for span in spans}
    return [
        Patch(label=f"breaker {state}", **state_fill(state))
        for state in ("open", "half-open")
        if state in drawn
    ]
