"""A connection pool over time: what is checked out, what is open, and who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cascadesim.plots.layout import faults
from cascadesim.plots.style import entitle, legend_below, new_axes, run_name
from cascadesim.plots.thin import steps, value_at
from cascadesim.plots.timeaxis import mark_end, mark_spans, time_axis
from cascadesim.records import Level
from cascadesim.values.errors import ScenarioError, short, show, suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.resources.pool import PoolPlan
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "how full a connection pool is",
    "of": "run",
    "options": [("name", "--pool", "NAME", "the stage that has it")],
}
_WITHIN: dict[str, Any] = {"facecolor": "#56B4E9", "edgecolor": "none"}
_OVERFLOW: dict[str, Any] = {"facecolor": "#E69F00", "edgecolor": "0.2", "hatch": "////"}
_OUT: dict[str, Any] = {"color": "#0072B2", "linewidth": 1.2}
_OPEN: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": ":"}
_CALLERS: dict[str, Any] = {"color": "#D55E00", "linewidth": 1.4, "linestyle": "-."}
_FAR = 4  # times the most that was seen, from which on a limit is not drawn but told


class _Limit(NamedTuple):
    label: str
    number: float
    linestyle: Any


def pool(result: Result, name: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how many connections of a pool are checked out and open, and how many callers wait.

    `name` is the stage that has the pool; it may be left out where there is one pool only. What is
    checked out beyond `size` is hatched; lines stand at `size`, `size` + `max_overflow` and
    `max_connections`, or are named in the legend where they are far off. Of a long run it draws
    the most of each 1/1200 of the time. Faults are shaded and named above the axes. Raises
    ScenarioError where there is no such pool, or none at all.
    """
    name, plan = _find(result, name)
    model, levels = result.scenario.model, result.trace.levels
    end = model.horizon + model.drain
    out, idle, waiting = (
        levels[f"{name}.pool.{what}"] for what in ("checked_out", "idle", "waiting")
    )
    ax = ax or new_axes(4.5)
    handles = _connections(ax, plan, out, idle, end)
    if waiting.value.any():
        handles.append(_steps(ax, waiting, end, "callers waiting", zorder=3, **_CALLERS))
    most = max(int((_sum(out, idle)).value.max()), int(waiting.value.max()), 1)
    handles += _limits(ax, plan, most)
    handles += mark_end(ax, model, "the last arrivals")
    time_axis(ax, model, 0, end, "time")
    patches, _, pad = mark_spans(ax, faults(result), result.records.warmup)
    ax.set_ylabel("connections" + " or callers" * bool(waiting.value.any()))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    kind = "a new connection each time" if plan.kind == "null" else "connections are kept"
    entitle(ax, run_name(result), f"pool of {short(name)}, {kind}", pad)
    legend_below(ax, [*handles, *patches])
    return ax


def pool_names(result: Result) -> list[str]:
    """Return the stages that have a pool, outer ones first."""
    plan = result.plan
    return [stage.name for stage in plan.walk() if stage.pool is not None]


def _find(result: Result, name: str | None) -> tuple[str, PoolPlan]:
    plan = result.plan
    pools = {stage.name: stage.pool for stage in plan.walk() if stage.pool is not None}
    source = result.scenario.document.source
    if not pools:
        raise ScenarioError("no pool to draw: no stage has one", source)
    if name is None and len(pools) > 1:
        problem = f"has {len(pools)} pools; choose one by --pool: {', '.join(pools)}"
        raise ScenarioError(problem, source)
    name = next(iter(pools)) if name is None else name.removesuffix(".pool")
    if name not in pools:
        raise ScenarioError(f"no pool {show(name)}; {suggest(name, list(pools))}", source)
    return name, pools[name]


def _connections(ax: Axes, plan: PoolPlan, out: Level, idle: Level, end: float) -> list[Any]:
    """Draw what is checked out, within `size` and beyond it, and what is open."""
    at, value = steps(out, 0, end)
    size = (plan.size or np.inf) if plan.kind == "queue" else np.inf
    within = np.minimum(value, size)
    ax.fill_between(at, 0, within, step="post", label="_within", linewidth=0, zorder=1, **_WITHIN)
    handles: list[Any] = [Patch(label="checked out", **_WITHIN)]
    if (value > size).any():
        style: dict[str, Any] = {"step": "post", "linewidth": 0, "zorder": 1, **_OVERFLOW}
        ax.fill_between(at, size, np.maximum(value, size), label="_overflow", **style)
        handles.append(Patch(label="overflow: beyond size", **_OVERFLOW))
    _steps(ax, out, end, "_checked out", zorder=2, **_OUT)
    if plan.kind == "queue":
        handles.append(_steps(ax, _sum(out, idle), end, "open, idle ones too", zorder=2, **_OPEN))
    return handles


def _steps(ax: Axes, level: Level, end: float, label: str, **style: Any) -> Line2D:
    (line,) = ax.plot(*steps(level, 0, end), drawstyle="steps-post", label=label, **style)
    return line


def _sum(one: Level, other: Level) -> Level:
    at = np.union1d(one.at, other.at)
    return Level(at, value_at(one, at) + value_at(other, at))


def _limits(ax: Axes, plan: PoolPlan, most: int) -> list[Any]:
    limits = [_Limit("max_connections", plan.max_connections, "-")]
    if plan.kind == "queue":
        limits = [
            _Limit("size", plan.size or np.inf, "--"),
            _Limit("size + max_overflow", plan.limit, (0, (6, 1, 1, 1, 1, 1))),
            *limits,
        ]
    handles: list[Any] = []
    for label, number, linestyle in limits:
        if number > _FAR * most:
            far = "unlimited" if number == np.inf else f"{number:g}, far above"
            handles.append(Line2D([], [], linestyle="", label=f"{label}: {far}"))
        else:
            style = {"color": "0.3", "linestyle": linestyle, "linewidth": 1}
            handles.append(ax.axhline(number, label=f"{label} {number:g}", **style))
    return handles
