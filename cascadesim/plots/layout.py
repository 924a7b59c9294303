"""What stands where on a time axis: ticks with their texts, and faults with their names.

The figures and the report's page draw what is computed here. It needs no matplotlib.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cascadesim.values.errors import short
from cascadesim.values.units import clock_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cascadesim.studies.run import Result

PIXELS = 1200  # of an axis, and so the steps of a level that can be seen
DAY = 86_400
_TICKS = 8  # at whole minutes, or without a clock
_TICKS_AT_SECONDS = 6  # of a clock, as their texts are longer
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY),
)
_UNITS = {"h": 3600, "min": 60, "s": 1}  # in seconds
_SLACK = 1e-9  # of a step, by which rounding can move the last tick beyond the end
_LINES = 4  # of fault names; what finds no room has none
_SHADES = 400  # faults that are shaded one by one


def round_step(length: float, most: float) -> float:
    """Return the least round number of seconds of which at most so many make up a length."""
    fits = (step for step in _STEPS if length / step <= most)
    return next(fits, DAY * math.ceil(length / DAY / most))


@dataclass(frozen=True, slots=True)
class TimeTicks:
    """Ticks at round times of a clock that shows `zero` (seconds since midnight) at t = 0.

    Without a clock (None) they are at round times after t = 0. Instants are in seconds after t = 0.
    """

    zero: float | None

    def at(self, start: float, end: float) -> list[float]:
        """Return the ticks from `start` to `end`, at most 9 of them."""
        step, zero = self._step(end - start), self.zero or 0.0
        first = math.ceil((zero + start) / step - _SLACK)
        last = math.floor((zero + end) / step + _SLACK)
        return [number * step - zero for number in range(first, last + 1)]

    def unit(self, start: float, end: float) -> str:
        """Return the unit of the texts of these ticks: "s", "min" or "h"; "" of clock times."""
        if self.zero is not None:
            return ""
        step = self._step(end - start)
        return next((unit for unit, size in _UNITS.items() if step >= size), "s")

    def texts(self, at: Sequence[float], unit: str = "s") -> list[str]:
        """Return the texts of ticks, without seconds where all are at whole minutes of a clock.

        They name the day where there are several. `unit` is the one of times without a clock.
        """
        if self.zero is None:
            return [f"{x / _UNITS[unit]:g}" for x in at]
        shown = [round(self.zero + float(x), 3) for x in at]
        texts = [clock_text(seconds) for seconds in shown]
        if all(seconds % 60 == 0 for seconds in shown):
            texts = [text[:5] for text in texts]
        if shown and max(shown) - min(shown) >= DAY:
            days = [math.floor(seconds / DAY) + 1 for seconds in shown]
            texts = [f"{text}\nday {day}" for text, day in zip(texts, days, strict=True)]
        return texts

    def _step(self, length: float) -> float:
        step = round_step(length, _TICKS if self.zero is None else _TICKS_AT_SECONDS)
        return max(60, round_step(length, _TICKS)) if step >= 60 else step


class Span(NamedTuple):
    """A fault as it is drawn, in seconds after t = 0."""

    name: str
    start: float
    end: float


def faults(result: Result, in_words: bool = False) -> list[Span]:
    """Return the faults of a run by their start, named as in the scenario or in plain words."""
    return [
        Span(
            f"{short(', '.join(stages), 24)}: {fault.words if in_words else fault.kind}",
            *(fault.start, fault.end),
        )
        for fault, stages in result.plan.faults_in(result.seed)
    ]


class Shade(NamedTuple):
    """A stretch of the axis that is shaded, and the name that stands for it.

    start, end: seconds after t = 0, within the axis. name: "" where there is no room for one.
    line: the line of the name, from 0. at: where the name begins; where it ends if `at_end`.
    """

    start: float
    end: float
    name: str = ""
    line: int = 0
    at: float = 0.0
    at_end: bool = False


def shades(spans: Iterable[Span], left: float, right: float, letter: float) -> list[Shade]:
    """Return how faults, by their start, are shaded and named on an axis from `left` to `right`.

    Each name is on the first line that has room for it. Of very many faults, those without a name
    that follow each other within a pixel are one shade. `letter` is the width of a letter, as a
    share of the axis.
    """
    shown = [span for span in spans if span.start < right and span.end > left]
    placed = list(_placed(shown, left, right, letter))
    if len(placed) <= _SHADES:
        return placed
    merged = placed[:1]
    for shade in placed[1:]:
        last = merged[-1]
        near = shade.start - last.end < (right - left) / PIXELS
        if near and not last.name and not shade.name:
            merged[-1] = last._replace(end=max(last.end, shade.end))
        else:
            merged.append(shade)
    return merged


def _placed(spans: Sequence[Span], left: float, right: float, letter: float) -> Iterator[Shade]:
    """Yield a shade for each span, its name on the first line that has room for it."""
    ends: list[float] = []  # of what stands on each line, as a share of the axis
    for span in spans:
        shade = Shade(max(span.start, left), min(span.end, right))
        begins = (shade.start - left) / (right - left)
        length = letter * (len(span.name) + 2)
        at_end = begins > 1 - length  # it would go beyond the axis, so it ends where the axis does
        if at_end:
            begins = max(0.0, 1 - length)
        line = next((i for i, end in enumerate(ends) if end <= begins), len(ends))
        if line == _LINES:
            yield shade
            continue
        ends[line : line + 1] = [begins + length]
        at = right if at_end else shade.start
        yield shade._replace(name=span.name, line=line, at=at, at_end=at_end)
