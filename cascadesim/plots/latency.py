"""Latency over time: every request of a run, where it arrived and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from cascadesim.plots.layout import faults
from cascadesim.plots.style import (
    OUTCOME_LOOKS,
    entitle,
    latency_scale,
    legend_below,
    new_axes,
    objective_line,
    objectives,
    run_name,
)
from cascadesim.plots.thin import MANY, slowest_of_each_cell
from cascadesim.plots.timeaxis import mark_spans, time_axis
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome
from cascadesim.values.words import in_words, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.records import Records
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "each request, with faults and what was observed",
    "of": "run",
}
_OBSERVED: dict[str, Any] = {
    **{"marker": "*", "color": "#F0E442", "markeredgecolor": "black", "markersize": 11},
    **{"linestyle": "", "zorder": 4, "label": "observed, by the report"},
}
_SIMULATED: dict[str, Any] = {
    **{"marker": "o", "markerfacecolor": "none", "markeredgecolor": "black", "markersize": 14},
    **{"markeredgewidth": 1.3, "linestyle": "", "zorder": 4},
    **{"label": "the same request, simulated"},
}


def latency(result: Result, ax: Axes | None = None) -> Axes:
    """Draw the latency of each request, in seconds on a logarithmic axis, over its arrival.

    A colour and a marker stand for each outcome; unfinished requests are hollow, as their latency
    is a lower bound. A star is a latency of the source report, and a ring what was simulated for
    the same request. Faults are shaded and named above the axes, the warm-up is hatched, and the
    first latency objective is a dashed line. Of more than 5000 requests with one outcome it draws
    the slowest of each of 400 by 200 cells and the fastest of all, so that no extreme is lost, and
    as pixels even in vector files. Raises ScenarioError where no request arrives.
    """
    records, model = result.records, result.scenario.model
    if not len(records.arrival):
        raise ScenarioError("nothing to draw: no request arrives", result.scenario.document.source)
    ax = ax or new_axes(5)
    handles = [handle for outcome in Outcome for handle in _outcome(ax, records, outcome)]
    observed = [observation.latency for observation in model.observations]
    latency_scale(ax, "y", [*records.latency, *observed, *objectives(result)])
    handles += _observations(ax, result)
    handles += objective_line(ax, "y", result)
    time_axis(ax, model, 0, records.horizon, "arrival")
    patches, _, pad = mark_spans(ax, faults(result), records.warmup)
    ax.set_ylabel("latency in seconds")
    ax.grid(axis="y", color="0.9")
    entitle(ax, run_name(result), "latency of each request", pad)
    legend_below(ax, [*handles, *patches])
    return ax


def _outcome(ax: Axes, records: Records, outcome: Outcome) -> list[Any]:
    """Draw the requests with one outcome, if there are any, and return what the legend has of them.

    Errors are above answers, and a fallback's above the others.
    """
    rows = np.flatnonzero(records.outcome == outcome)
    if not len(rows):
        return []
    arrival, seconds = records.arrival[rows], records.latency[rows]
    kept = slowest_of_each_cell(arrival, seconds)
    colour, marker = OUTCOME_LOOKS[outcome]
    style: dict[str, Any] = {"linestyle": "", "marker": marker, "color": colour}
    if outcome is Outcome.UNFINISHED:
        style["markerfacecolor"] = "none"
    ax.plot(
        arrival[kept],
        seconds[kept],
        label=f"_{outcome.word}",
        markersize=3 if outcome is Outcome.OK else 4.5,
        rasterized=len(rows) > MANY,
        zorder=2 + int(outcome) / 10,
        **style,
    )
    return [Line2D([], [], label=f"{in_words(outcome.word)} ({len(rows):,})", **style)]


def _observations(ax: Axes, result: Result) -> list[Any]:
    """Draw what was observed and what was simulated for it, and a line between the two."""
    model, records = result.scenario.model, result.records
    rows = np.flatnonzero(records.observation >= 0)
    if not len(rows):
        return []
    for row in rows:
        seen = model.observations[records.observation[row]]
        x = [float(records.arrival[row])] * 2
        ax.plot(x, [seen.latency, records.latency[row]], color="black", linewidth=1, zorder=3)
    arrival = records.arrival[rows]
    observed = [model.observations[i].latency for i in records.observation[rows]]
    stages = dict.fromkeys(stage for seen in model.observations for stage in seen.work)
    fitted = {"label": f"{_SIMULATED['label']} ({listed([*stages])} work fitted)"} if stages else {}
    ring = ax.plot(arrival, records.latency[rows], **(_SIMULATED | fitted))
    return [*ax.plot(arrival, observed, **_OBSERVED), *ring]
