"""One request's way through the chain: when it waited, and when it was worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from cascadesim.analysis.breakers import StateSpan, state_spans
from cascadesim.plots.layout import Span, faults
from cascadesim.plots.style import (
    CAUSE_LOOKS,
    entitle,
    fill,
    legend_below,
    name_rows,
    new_axes,
    run_name,
    state_fill,
)
from cascadesim.plots.timeaxis import mark_spans
from cascadesim.values.errors import ScenarioError, short
from cascadesim.values.instants import Instants
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import duration_text
from cascadesim.values.words import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.plan.layout import Part
    from cascadesim.records import Records
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "where one request spent its time",
    "of": "run",
    "options": [("request", "--request", "N", "the number of the request")],
}
_PALE = 0.35  # opacity of what ran off the critical path
_HIGH = 0.5  # a bar, of its line
_STATE = 0.12  # a breaker's state, below the bar of those that wait for it


def timeline(result: Result, request: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw when one request was where, in seconds after its arrival: a line for each part.

    `request` is its number in the records; if not given, the first one that an observation
    replays, or else the slowest that is measured. Waits are hatched and work is plain, in the
    colour of the cause, and behind each line stands its sum. Below the wait for a breaker is the
    state that the breaker was in, and faults are shaded and named above the axes. What ran off the
    critical path, in parallel stages or attempts of a hedge, is drawn paler. Raises
    ScenarioError where there is no such request.
    """
    row = _row(result, request)
    records = result.records
    arrival, latency = float(records.arrival[row]), float(records.latency[row])
    bars, beside = _bars(result, row), _bars(result, row, beside=True)
    bars |= {part: [] for part in beside if part not in bars}
    ax = ax or new_axes(2.1 + 0.45 * max(len(bars), 1))
    ax.set_xlim(0, 1.12 * latency or 1)  # with room for the sum behind the longest line
    handles = _draw(ax, result, bars, row)
    for part, spans in beside.items():
        place = (list(bars).index(part) - _HIGH / 2, _HIGH)
        ax.broken_barh(spans, place, zorder=1, alpha=_PALE, **fill(part.cause))
    if beside:
        handles.append(Patch(label="paler: off the critical path", facecolor="0.5", alpha=_PALE))
    name_rows(ax, [_part_name(part) for part in bars], max(len(bars), 1) - 0.4, -0.6)
    ax.grid(axis="x", color="0.9")
    moved = [Span(f.name, f.start - arrival, f.end - arrival) for f in faults(result)]
    patches, _, pad = mark_spans(ax, moved, 0)
    ax.set_xlabel(_arrived(result, row))
    entitle(ax, run_name(result), _ended(records, row), pad)
    legend_below(ax, [*handles, *patches])
    return ax


def _bars(
    result: Result, row: int, *, beside: bool = False
) -> dict[Part, list[tuple[float, float]]]:
    """Return the bars of each part: start, in seconds after the request's arrival, and length.

    They are those of the critical path, or what ran `beside` it. Parts are in the order in which
    the request reached them.
    """
    trace, records = result.trace, result.records
    bars: dict[Part, list[tuple[float, float]]] = {}
    for i in np.flatnonzero((trace.request == row) & ((trace.branch > 0) == beside)):
        start, end = float(trace.start[i]), float(trace.end[i])
        part = records.parts[trace.part[i]]
        bars.setdefault(part, []).append((start - float(records.arrival[row]), end - start))
    return bars


def _draw(
    ax: Axes, result: Result, bars: dict[Part, list[tuple[float, float]]], row: int
) -> list[Patch]:
    """Draw a line for each part, and return what the legend has of them."""
    states: dict[str, None] = {}
    for line, (part, spans) in enumerate(bars.items()):
        if not spans:
            continue
        place = (line - _HIGH / 2, _HIGH)
        ax.broken_barh(spans, place, label=f"_{part.cause}", zorder=2, **fill(part.cause))
        _sum(ax, line, spans)
        if part.cause == "breaker_wait":
            for span in _states(result, part.where, row):
                where = (line + _HIGH / 2 + 0.06, _STATE)
                extent = [(span.start, span.end - span.start)]
                ax.broken_barh(extent, where, label=f"_{span.state}", **state_fill(span.state))
                states[span.state] = None
    causes = [cause for cause in CAUSE_LOOKS if any(part.cause == cause for part in bars)]
    handles = [Patch(label=in_words(cause), **fill(cause)) for cause in causes]
    return handles + [Patch(label=f"breaker {state}", **state_fill(state)) for state in states]


def _sum(ax: Axes, line: float, spans: list[tuple[float, float]]) -> None:
    """Write the sum behind the last of the spans."""
    text = duration_text(sum(length for _, length in spans))
    if len(spans) > 1:
        text += f", {len(spans)} times"
    place: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    ax.annotate(text, (sum(spans[-1]), line), fontsize=9, **place)


def _states(result: Result, breaker: str, row: int) -> list[StateSpan]:
    """Return the states of a breaker while the request was under way, after its arrival."""
    arrival, latency = float(result.records.arrival[row]), float(result.records.latency[row])
    return [
        StateSpan(span.state, max(0.0, span.start - arrival), min(latency, span.end - arrival))
        for span in state_spans(result.records, breaker, arrival + latency)
        if span.end >= arrival and span.start <= arrival + latency
    ]


def _part_name(part: Part) -> str:
    return f"{short(part.where, 26)}\n{in_words(part.cause)}"


def _ended(records: Records, row: int) -> str:
    outcome = Outcome(int(records.outcome[row]))
    ended = "still under way" if outcome is Outcome.UNFINISHED else in_words(outcome.word)
    of = f" ({short(records.class_of(row) or '', 20)})" if records.classes else ""
    return f"request {row}{of}, {ended} after {records.latency[row]:.6f} s"


def _arrived(result: Result, row: int) -> str:
    model, records = result.scenario.model, result.records
    at = Instants(model.clock).text(float(records.arrival[row]))
    index = int(records.observation[row])
    if index < 0:
        return f"seconds after its arrival at {at}"
    seen = model.observations[index]
    work = ", ".join(f"{stage} work {duration_text(s)}" for stage, s in seen.work.items())
    fitted = f"; fitted: {work}" if work else ""
    return f"seconds after {at} (observed: {seen.latency:.6f} s{fitted})"


def _row(result: Result, request: int | None) -> int:
    records = result.records
    n = len(records.arrival)
    source = result.scenario.document.source
    if n == 0:
        raise ScenarioError("nothing to draw: no request arrives", source)
    if request is not None:
        if not 0 <= request < n:
            raise ScenarioError(f"no request {request}; they go from 0 to {n - 1}", source)
        return request
    observed = np.flatnonzero(records.observation >= 0)
    if len(observed):
        return int(observed[0])
    chosen = records.measured if records.measured.any() else np.ones(n, bool)
    return int(np.argmax(np.where(chosen, records.latency, -1.0)))
