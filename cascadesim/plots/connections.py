"""WebSocket clients over time: how many are connected, how many connect, and how many wait to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cascadesim.plan.connections import CONNECTED, CONNECTING, CONNECTIONS, GONE, WAITING
from cascadesim.plots.layout import PIXELS, faults
from cascadesim.plots.style import (
    check_few,
    entitle,
    legend_below,
    name_of,
    name_rows,
    new_axes,
    results_of,
)
from cascadesim.plots.thin import value_at
from cascadesim.plots.timeaxis import mark_end, mark_spans, time_axis
from cascadesim.values.errors import ScenarioError, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cascadesim.plots.layout import Span
    from cascadesim.records import Level
    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "WebSocket clients that are connected, connect, or wait to",
    "of": "either",
}
# From below; those that wait are what is left to the number of clients, so that faults show there.
_LOOKS: dict[str, dict[str, Any]] = {
    CONNECTED: {"facecolor": "#56B4E9", "edgecolor": "#0072B2"},
    CONNECTING: {"facecolor": "#E69F00", "edgecolor": "black", "hatch": "////"},
    GONE: {"facecolor": "black", "edgecolor": "black"},
}
_WAITING: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.3"}
_CLIENTS: dict[str, Any] = {"color": "0.3", "linewidth": 0.8}
_BAND = 0.8  # of the distance from one variant to the next


class States(NamedTuple):
    """How many clients are in each state, from each of some instants on, in seconds, to `end`."""

    at: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]
    end: float

    @property
    def number(self) -> int:
        """Return how many clients there are in all."""
        return sum(int(count[0]) for count in self.counts.values())


def connections(drawn: Result | Comparison, ax: Axes | None = None) -> Axes:
    """Draw how many clients are connected, connect, and wait to connect again; as one stack.

    Of a comparison each variant that has connections has a band, as high as its clients are many
    beside those of the others, with how many are connected at the end behind it; faults are shaded
    that all of them have. Of a long run it draws for each 1/1200 of the time the instant at which
    most connect, so that no burst is lost. Raises ScenarioError where no variant has connections,
    or where there are too many of them.
    """
    runs = results_of(drawn)
    source = next(iter(runs.values())).scenario.document.source
    runs = {name: run for name, run in runs.items() if run.records.connections is not None}
    if not runs:
        raise ScenarioError("no connections to draw: the scenario's workload has none", source)
    check_few(runs, source)
    clients = {label: states(run) for label, run in runs.items()}
    ax = ax or new_axes(4.5 if len(runs) == 1 else 1.9 + 0.6 * len(runs))
    model = next(iter(runs.values())).scenario.model
    time_axis(ax, model, 0, max(of_run.end for of_run in clients.values()), "time")
    warmup = max(run.records.warmup for run in runs.values())
    patches, _, pad = mark_spans(ax, _common_faults(list(runs.values())), warmup)
    handles = _draw_one(ax, clients[""]) if "" in clients else _draw_bands(ax, clients)
    handles += mark_end(ax, model, "the last messages")
    entitle(ax, name_of(drawn), "clients and their connections", pad)
    legend_below(ax, [*handles, *patches])
    return ax


def _common_faults(runs: list[Result]) -> list[Span]:
    first, *others = (faults(run) for run in runs)
    return [span for span in first if all(span in spans for spans in others)]


def states(result: Result) -> States:
    """Return how many clients are in which state, at no more than PIXELS instants."""
    model = result.scenario.model
    end = model.horizon + model.drain
    levels = {
        state: result.trace.levels[f"{CONNECTIONS}.{state}"]
        for state in (CONNECTED, CONNECTING, WAITING, GONE)
    }
    at = np.unique(np.concatenate([level.at for level in levels.values()]))
    shown = at
    if len(at) > PIXELS:
        shown = np.linspace(0, end, PIXELS, endpoint=False)
        at = _busiest(levels[CONNECTING], np.union1d(at[at < end], shown), shown)
    return States(shown, {state: value_at(level, at) for state, level in levels.items()}, end)


def _busiest(
    connecting: Level, at: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the instant from each edge to the next, of those given, at which most connect."""
    pixel = np.searchsorted(edges, at, side="right")
    order = np.lexsort((at, -value_at(connecting, at), pixel))
    _, first = np.unique(pixel[order], return_index=True)
    return at[order[first]]


def _draw_one(ax: Axes, clients: States) -> list[Any]:
    ax.set_ylabel("clients")
    ax.set_ylim(0, 1.04 * clients.number)
    return _stack(ax, clients, 0.0, 1.0)


def _draw_bands(ax: Axes, variants: Mapping[str, States]) -> list[Any]:
    """Draw a band for each variant, the first on top, with how many are connected at the end."""
    most = max(clients.number for clients in variants.values())
    handles: dict[str, Any] = {}
    for row, clients in enumerate(variants.values()):
        for handle in _stack(ax, clients, row + _BAND / 2, -_BAND / most):
            handles.setdefault(str(handle.get_label()), handle)
        text = f"at the end\n{int(clients.counts[CONNECTED][-1]):,} of {clients.number:,}"
        place: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(text, (ax.get_xlim()[1], row), fontsize=9, annotation_clip=False, **place)
    name_rows(ax, [short(label, 26) for label in variants], len(variants) - 0.5, -0.5)
    return list(handles.values())


def _stack(ax: Axes, clients: States, base: float, scale: float) -> list[Any]:
    """Draw the states one above the other, and return what the legend has of them."""
    at = np.append(clients.at, clients.end)
    counts = {state: np.append(count, count[-1]) for state, count in clients.counts.items()}
    lower = np.zeros(len(at))
    handles: list[Any] = []
    for state in (CONNECTED, CONNECTING):
        upper = lower + counts[state]
        _fill(ax, at, base + scale * lower, base + scale * upper, state)
        handles.append(Patch(label=state, **_LOOKS[state]))
        lower = upper
    handles.append(Patch(label="waiting to connect", **_WAITING))
    if counts[GONE].any():
        top = np.full(len(at), clients.number)
        _fill(ax, at, base + scale * (top - counts[GONE]), base + scale * top, GONE)
        handles.append(Patch(label="gone for good", **_LOOKS[GONE]))
    full = base + scale * clients.number
    ax.add_line(Line2D([0, clients.end], [full, full], label="_clients", **_CLIENTS))
    return handles


def _fill(ax: Axes, at: Any, lower: Any, upper: Any, state: str) -> None:
    style: dict[str, Any] = {"step": "post", "zorder": 1, "label": f"_{state}", "linewidth": 0.3}
    ax.fill_between(at, lower, upper, **style, **_LOOKS[state])
