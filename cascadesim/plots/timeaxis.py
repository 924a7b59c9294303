"""The axis of simulated time: by the scenario's clock, with its faults and its warm-up marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import Formatter, Locator
from matplotlib.transforms import blended_transform_factory

from cascadesim.plots.layout import TimeTicks, shades
from cascadesim.values.instants import Instants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from cascadesim.plots.layout import Shade, Span
    from cascadesim.scenario.schema.scenario import ScenarioModel

LINE = 11  # points from one line of fault names to the next
_LETTER = 0.0125  # of a fault's name, as a share of the axis
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}
# Faults that overlap are darker where they do, and their ends are lines.
_FAULT: dict[str, Any] = {"facecolor": (0.5, 0.5, 0.5, 0.17), "edgecolor": "0.6", "zorder": 0}
_LAST: dict[str, Any] = {"color": "0.5", "linestyle": (0, (1, 3)), "linewidth": 1.5}
_WARMUP: dict[str, Any] = {
    **{"facecolor": "0.97", "edgecolor": "0.75", "hatch": "//", "linewidth": 0},
    **{"zorder": 0},
}


class ClockLocator(Locator):
    """The ticks of `TimeTicks`, for matplotlib."""

    def __init__(self, zero: float | None) -> None:
        self._ticks = TimeTicks(zero)

    def __call__(self) -> Any:
        """Return the ticks within the view."""
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return the ticks from `vmin` to `vmax`."""
        return np.array(self._ticks.at(vmin, vmax))


class ClockFormatter(Formatter):
    """The texts of `TimeTicks`, for matplotlib; `unit` is the one of times without a clock."""

    def __init__(self, zero: float | None, unit: str = "s") -> None:
        self._ticks = TimeTicks(zero)
        self._unit = unit

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the text of a single instant."""
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Any) -> list[str]:
        """Return the texts of ticks."""
        return self._ticks.texts(values, self._unit)


def time_axis(ax: Axes, model: ScenarioModel, start: float, end: float, what: str) -> None:
    """Make the x axis one of time from `start` to `end`, in seconds after t = 0.

    `what` is what happens at a time, as in "arrival"; it begins the label.
    """
    zero = Instants(model.clock).zero
    unit = TimeTicks(zero).unit(start, end)
    ax.set_xlim(start, end)
    ax.xaxis.set_major_locator(ClockLocator(zero))
    ax.xaxis.set_major_formatter(ClockFormatter(zero, unit))
    by = f"in {_UNITS[unit]} after the start" if unit else "by the scenario's clock"
    ax.set_xlabel(f"{what}, {by}")


def mark_spans(
    ax: Axes, spans: Iterable[Span], warmup: float
) -> tuple[list[Patch], list[str], float]:
    """Shade faults and warm-up on the time axis, and write the faults' names above the axes.

    Returns what the legend has of them, its labels too by themselves, and how many points the names
    take above the axes.
    """
    handles: list[Patch] = []
    left, right = ax.get_xlim()
    shown = [span for span in spans if span.start < right and span.end > left]
    lines = 0
    named = 0
    for shade in shades(shown, left, right, _LETTER):
        ax.axvspan(shade.start, shade.end, **_FAULT)
        if shade.name:
            _write_name(ax, shade)
            named += 1
            lines = max(lines, shade.line + 1)
    if shown:
        label = "fault" if named == len(shown) else f"fault ({len(shown)} in all)"
        handles.append(Patch(label=label, **_FAULT))
    if warmup > left:
        ax.axvspan(left, min(warmup, right), **_WARMUP)
        handles.append(Patch(label="warm-up, not measured", **_WARMUP))
    return handles, [str(handle.get_label()) for handle in handles], 6 + LINE * lines


def mark_end(ax: Axes, model: ScenarioModel, what: str) -> list[Line2D]:
    """Draw where the horizon ends and the drain begins, if there is one; `what` ends there."""
    return [ax.axvline(model.horizon, label=what, **_LAST)] if model.drain else []


def _write_name(ax: Axes, shade: Shade) -> None:
    """Write the name of a fault on its line above the axes."""
    place: dict[str, Any] = {
        **{"xycoords": blended_transform_factory(ax.transData, ax.transAxes)},
        **{"textcoords": "offset points", "annotation_clip": False},
        **{"fontsize": 9, "color": "0.25", "parse_math": False},
    }
    aligned = "right" if shade.at_end else "left"
    offset = (0, 3 + LINE * shade.line)
    ax.annotate(shade.name, (shade.at, 1), xytext=offset, ha=aligned, **place)
