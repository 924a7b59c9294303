"""Sparklines: latency over time in the height of a line, as block characters and as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.shown import lower_bound, number
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cascadesim.records import Records

PARTS = 60  # of the time between warm-up and horizon
CHARACTERS = 12  # of text, each for as many parts
_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT = 120, 20  # of an SVG, in pixels


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Seconds in equal parts of time, NaN where there are none, drawn between 0 and `top`.

    `title` says what is seen, to those who cannot see it.
    """

    title: str
    seconds: tuple[float, ...]
    top: float

    @property
    def blocks(self) -> str:
        """Return it as block characters, a space where there is no value."""
        parts = np.array_split(np.array(self.seconds), CHARACTERS)
        return "".join(self._block(part[~np.isnan(part)].max(initial=-1.0)) for part in parts)

    def _block(self, seconds: float) -> str:
        if seconds < 0:
            return " "
        return _BLOCKS[round(seconds / self.top * (len(_BLOCKS) - 1))] if self.top else _BLOCKS[0]

    @property
    def svg(self) -> str:
        """Return it as inline SVG in the colour of the text around it."""
        step = _WIDTH / max(len(self.seconds) - 1, 1)
        path, pen = "", "M"
        for i, seconds in enumerate(self.seconds):
            if math.isnan(seconds):
                pen = "M"
                continue
            y = _HEIGHT * (1 - seconds / self.top) if self.top else _HEIGHT
            # A value with no neighbour is a dot, which takes a line of no length.
            path += f"{pen}{i * step:.1f} {y:.1f}{'h0' if pen == 'M' else ''}"
            pen = "L"
        title = escape(self.title)
        return (
            f'<svg role="img" aria-label="{title}" width="{_WIDTH}" height="{_HEIGHT}" '
            f'viewBox="-1 -1 {_WIDTH + 2} {_HEIGHT + 2}" fill="none" stroke="currentColor" '
            f'stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round">'
            f'<title>{title}</title><path d="{path}"/></svg>'
        )


def sparklines(records: Mapping[str, Records]) -> dict[str, Sparkline]:
    """Return a sparkline of each run, all of one scale: the slowest request of each part of time.

    By arrival, over the requests that are measured. Runs without any have none.
    """
    seconds = {name: _slowest(each) for name, each in records.items() if each.measured.any()}
    top = max((float(np.nanmax(each)) for each in seconds.values()), default=0.0)
    return {
        name: Sparkline(_title(name, records[name], each), tuple(each.tolist()), top)
        for name, each in seconds.items()
    }


def _slowest(records: Records) -> np.ndarray:
    measured = records.measured
    share = (records.arrival[measured] - records.warmup) / (records.horizon - records.warmup)
    slowest = np.full(PARTS, np.nan)
    place = np.minimum((share * PARTS).astype(int), PARTS - 1)
    np.fmax.at(slowest, place, records.latency[measured])
    return slowest


def _title(name: str, records: Records, seconds: np.ndarray) -> str:
    part = (records.horizon - records.warmup) / PARTS
    unfinished = bool((records.outcome[records.measured] == Outcome.UNFINISHED).any())
    most = lower_bound(number(float(np.nanmax(seconds))), unfinished)
    at = records.warmup + (int(np.nanargmax(seconds)) + 0.5) * part
    return (
        f"{name}: latency over time, the slowest request of each {part:.3g} s; "
        f"the slowest of all takes {most} s, and arrives about {at:.0f} s after the start"
    )
