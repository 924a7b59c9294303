"""The axis of simulated time: by the scenario's clock, with its faults and its warm-up marked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import Formatter, Locator
from matplotlib.transforms import blended_transform_factory

from cascadesim.plots.style import short
from cascadesim.values.units import clock_text, parse_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cascadesim.scenario.schema.scenario import ScenarioModel
    from cascadesim.studies.run import Result

DAY = 86_400
LINE = 11  # points from one line of fault names to the next
_LINES = 4  # of fault names; what finds no room has none
_SHADES = 400  # spans that are shaded one by one
PIXELS = 1200  # of the axis
_CHARACTER = 0.0125  # of a fault's name, as a share of the axis
_ALIGN = {False: "left", True: "right"}
_TICKS = 8  # at whole minutes; fewer at seconds, as their labels are longer
_TICKS_AT_SECONDS = 6
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY),
)
# Faults that overlap are darker where they do, and their ends are lines.
_FAULT: dict[str, Any] = {"facecolor": (0.5, 0.5, 0.5, 0.17), "edgecolor": "0.6", "zorder": 0}
_WARMUP: dict[str, Any] = {
    **{"facecolor": "0.97", "edgecolor": "0.75", "hatch": "//", "linewidth": 0},
    **{"zorder": 0},
}


class Span(NamedTuple):
    """A fault as it is drawn, in seconds after t = 0."""

    name: str
    start: float
    end: float


def faults(result: Result) -> list[Span]:
    """Return the faults of a run, by their start."""
    return [
        Span(f"{short(', '.join(stages), 24)}: {fault.kind}", fault.start, fault.end)
        for fault, stages in result.plan.faults_in(result.seed)
    ]


class ClockLocator(Locator):
    """Ticks at round times of a clock that shows `zero` (seconds since midnight) at t = 0."""

    def __init__(self, zero: float) -> None:
        self._zero = zero

    def __call__(self) -> Any:
        """Return the ticks within the view."""
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return the ticks from `vmin` to `vmax`, at most 9 of them."""
        length = vmax - vmin
        days = DAY * max(1, math.ceil(length / DAY / _TICKS))
        most = ((step, _TICKS if step >= 60 else _TICKS_AT_SECONDS) for step in _STEPS)
        step = next((step for step, number in most if length / step <= number), days)
        first = math.ceil((self._zero + vmin) / step)
        last = math.floor((self._zero + vmax) / step)
        return np.arange(first, last + 1) * step - self._zero


class ClockFormatter(Formatter):
    """Writes seconds after t = 0 as times of the clock, and the day where there are several."""

    def __init__(self, zero: float) -> None:
        self._zero = zero

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a single instant."""
        return clock_text(self._zero + x)

    def format_ticks(self, values: Any) -> list[str]:
        """Return the labels of ticks, without seconds where all are at whole minutes."""
        shown = [round(self._zero + float(x), 3) for x in values]
        texts = [clock_text(seconds) for seconds in shown]
        if all(seconds % 60 == 0 for seconds in shown):
            texts = [text[:5] for text in texts]
        if shown and max(shown) - min(shown) >= DAY:
            days = [math.floor(seconds / DAY) + 1 for seconds in shown]
            texts = [f"{text}\nday {day}" for text, day in zip(texts, days, strict=True)]
        return texts


def instant(model: ScenarioModel, at: float) -> str:
    """Return an instant by the scenario's clock, or as seconds after the start."""
    zero = clock_zero(model)
    return f"{at:.3f} s" if zero is None else clock_text(zero + at)


def clock_zero(model: ScenarioModel) -> float | None:
    """Return what the clock shows at t = 0, in seconds since midnight; None without a clock."""
    return None if model.clock is None else parse_clock(model.clock)


def time_axis(ax: Axes, model: ScenarioModel, start: float, end: float, what: str) -> None:
    """Make the x axis one of time from `start` to `end`, in seconds after t = 0.

    `what` is what happens at a time, as in "arrival"; it begins the label.
    """
    ax.set_xlim(start, end)
    zero = clock_zero(model)
    if zero is None:
        ax.set_xlabel(f"{what}, in seconds after the start")
        return
    ax.xaxis.set_major_locator(ClockLocator(zero))
    ax.xaxis.set_major_formatter(ClockFormatter(zero))
    ax.set_xlabel(f"{what}, by the scenario's clock")


def mark_spans(
    ax: Axes, spans: Sequence[Span], warmup: float
) -> tuple[list[Patch], list[str], float]:
    """Shade faults and warm-up on the time axis, and write the faults' names above the axes.

    Returns what the legend has of them, and how many points the names take above the axes.
    """
    handles, labels = [], []
    left, right = ax.get_xlim()
    shown = [span for span in spans if span.start < right and span.end > left]
    for start, end in _shades(shown, right - left):
        ax.axvspan(max(start, left), min(end, right), **_FAULT)
    lines = _write_names(ax, shown)
    if shown:
        handles.append(Patch(**_FAULT))
        labels.append("fault" if lines.named == len(shown) else f"fault ({len(shown)} in all)")
    if warmup > left:
        ax.axvspan(left, min(warmup, right), **_WARMUP)
        handles.append(Patch(**_WARMUP))
        labels.append("warm-up, not measured")
    return handles, labels, 6 + LINE * lines.number


def _shades(spans: Sequence[Span], width: float) -> list[tuple[float, float]]:
    """Return what to shade; of very many spans those that no pixel parts are one."""
    if len(spans) <= _SHADES:
        return [(span.start, span.end) for span in spans]
    shades: list[tuple[float, float]] = []
    for _, start, end in spans:
        if shades and start - shades[-1][1] < width / PIXELS:
            shades[-1] = (shades[-1][0], max(end, shades[-1][1]))
        else:
            shades.append((start, end))
    return shades


class _Lines(NamedTuple):
    number: int
    named: int


def _write_names(ax: Axes, spans: Sequence[Span]) -> _Lines:
    """Write each name on the first line that has room for it."""
    left, right = ax.get_xlim()
    ends: list[float] = []  # of what stands on each line, as a share of the axis
    named = 0
    place: dict[str, Any] = {
        **{"xycoords": blended_transform_factory(ax.transData, ax.transAxes)},
        **{"textcoords": "offset points", "annotation_clip": False},
        **{"fontsize": 9, "color": "0.25", "parse_math": False},
    }
    for span in spans:
        start = (max(span.start, left) - left) / (right - left)
        length = _CHARACTER * (len(span.name) + 2)
        at_end = start > 1 - length  # and so right-aligned, not to stand out
        start = max(0.0, 1 - length) if at_end else start
        line = next((i for i, end in enumerate(ends) if end <= start), len(ends))
        if line == _LINES:
            continue
        ends[line : line + 1] = [start + length]
        named += 1
        x = right if at_end else left + start * (right - left)
        ax.annotate(span.name, (x, 1), xytext=(0, 3 + LINE * line), ha=_ALIGN[at_end], **place)
    return _Lines(len(ends), named)
