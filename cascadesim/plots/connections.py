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
    comparison_name,
    entitle,
    legend_below,
    new_axes,
    run_name,
)
from cascadesim.plots.timeaxis import mark_spans, time_axis
from cascadesim.studies.run import Result
from cascadesim.values.errors import ScenarioError, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cascadesim.plots.layout import Span
    from cascadesim.studies.compare import Comparison
    from cascadesim.trace import Level

# From below; those that wait are what is left to the number of clients, so that faults show there.
_LOOKS: dict[str, dict[str, Any]] = {
    CONNECTED: {"facecolor": "#56B4E9", "edgecolor": "#0072B2"},
    CONNECTING: {"facecolor": "#E69F00", "edgecolor": "black", "hatch": "////"},
    GONE: {"facecolor": "black", "edgecolor": "black"},
}
_WAITING: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.3"}
_CLIENTS: dict[str, Any] = {"color": "0.3", "linewidth": 0.8}
_LAST: dict[str, Any] = {"color": "0.5", "linestyle": (0, (1, 3)), "linewidth": 1.5}
_BAND = 0.8  # of the distance from one variant to the next


class States(NamedTuple):
    """How many clients are in each state, from each of some instants on, in seconds, to `end`."""

    at: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]
    end: float

    @property
    def clients(self) -> int:
        """Return how many there are in all."""
        return sum(int(count[0]) for count in self.counts.values())


def connections(drawn: Result | Comparison, ax: Axes | None = None) -> Axes:
    """Draw how many clients are connected, connect, and wait to connect again; as one stack.

    Of a comparison each variant that has connections has a band, as high as its clients are many
    beside those of the others, with how many are connected at the end behind it; faults are shaded
    that all of them have. Of a long run it draws for each 1/1200 of the time the instant at which
    most connect, so that no burst is lost. Raises ScenarioError where no variant has connections,
    or where there are too many of them.
    """
    results = {"": drawn} if isinstance(drawn, Result) else drawn.results
    found = {label: states(result) for label, result in results.items() if _has_some(result)}
    first = next(iter(results.values()))
    if not found:
        problem = "no connections to draw: the scenario's workload has none"
        raise ScenarioError(problem, first.scenario.document.source)
    check_few(found, first.scenario.document.source)
    ax = ax or new_axes(4.5 if len(found) == 1 else 1.9 + 0.6 * len(found))
    drawn_results = [results[label] for label in found]
    model = drawn_results[0].scenario.model
    time_axis(ax, model, 0, max(each.end for each in found.values()), "time")
    patches, names, pad = mark_spans(
        ax, _common_faults(drawn_results), max(each.records.warmup for each in drawn_results)
    )
    handles = _draw_one(ax, found[""]) if "" in found else _draw_bands(ax, found)
    if model.drain:
        handles.append(ax.axvline(model.horizon, label="the last messages", **_LAST))
    name = run_name(drawn) if isinstance(drawn, Result) else comparison_name(drawn)
    entitle(ax, name, "clients and their connections", pad)
    legend_below(ax, [*handles, *patches], [*(str(each.get_label()) for each in handles), *names])
    return ax


def _has_some(result: Result) -> bool:
    return result.records.connections is not None


def _common_faults(results: list[Result]) -> list[Span]:
    own, *others = (faults(result) for result in results)
    return [span for span in own if all(span in spans for spans in others)]


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
    return States(shown, {state: _value(level, at) for state, level in levels.items()}, end)


def _busiest(
    connecting: Level, at: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the instant from each edge to the next, of those given, at which most connect."""
    pixel = np.searchsorted(edges, at, side="right")
    order = np.lexsort((at, -_value(connecting, at), pixel))
    _, first = np.unique(pixel[order], return_index=True)
    return at[order[first]]


def _value(level: Level, at: NDArray[np.float64]) -> NDArray[np.int64]:
    value: NDArray[np.int64] = level.value[np.searchsorted(level.at, at, side="right") - 1]
    return value


def _draw_one(ax: Axes, found: States) -> list[Any]:
    ax.set_ylabel("clients")
    ax.set_ylim(0, 1.04 * found.clients)
    return _stack(ax, found, 0.0, 1.0)


def _draw_bands(ax: Axes, found: Mapping[str, States]) -> list[Any]:
    """Draw a band for each variant, the first on top, with how many are connected at the end."""
    most = max(each.clients for each in found.values())
    handles: dict[str, Any] = {}
    for row, each in enumerate(found.values()):
        base = row + _BAND / 2
        for handle in _stack(ax, each, base, -_BAND / most):
            handles.setdefault(str(handle.get_label()), handle)
        text = f"at the end\n{int(each.counts[CONNECTED][-1]):,} of {each.clients:,}"
        place: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(text, (ax.get_xlim()[1], row), fontsize=9, annotation_clip=False, **place)
    ax.set_yticks(range(len(found)), [short(label, 26) for label in found], parse_math=False)
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    return list(handles.values())


def _stack(ax: Axes, found: States, base: float, scale: float) -> list[Any]:
    """Draw the states one above the other, and return what the legend has of them."""
    at = np.append(found.at, found.end)
    lower = np.zeros(len(at))
    handles: list[Any] = []
    for state in (CONNECTED, CONNECTING):
        upper = lower + _to_end(found.counts[state])
        _fill(ax, at, base + scale * lower, base + scale * upper, state)
        handles.append(Patch(label=state, **_LOOKS[state]))
        lower = upper
    handles.append(Patch(label="waiting to connect", **_WAITING))
    if found.counts[GONE].any():
        top = np.full(len(at), found.clients)
        _fill(ax, at, base + scale * (top - _to_end(found.counts[GONE])), base + scale * top, GONE)
        handles.append(Patch(label="gone for good", **_LOOKS[GONE]))
    full = base + scale * found.clients
    ax.add_line(Line2D([0, found.end], [full, full], label="_clients", **_CLIENTS))
    return handles


def _fill(ax: Axes, at: Any, lower: Any, upper: Any, state: str) -> None:
    style: dict[str, Any] = {"step": "post", "zorder": 1, "label": f"_{state}", "linewidth": 0.3}
    ax.fill_between(at, lower, upper, **style, **_LOOKS[state])


def _to_end(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.append(count, count[-1])
