"""Sparklines: latency over time in the height of a line, as block characters and as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.values.outcome import Outcome
from cascadesim.values.words import lower_bound, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from cascadesim.records import Records

PARTS = 60  # of the time between warm-up and horizon
CHARACTERS = 12  # of text, each for as many parts
BLOCKS = "▁▂▃▄▅▆▇█"
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
        slowest = np.array([np.fmax.reduce(part) for part in parts])
        return blocks(slowest / (self.top or 1.0))

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


def slowest_of_parts(
    at: NDArray[np.float64], latency: NDArray[np.float64], parts: int
) -> NDArray[np.float64]:
    """Return the longest latency in each of so many equal parts of time, NaN where there is none.

    at: when each request counts, as a share of the time, from 0 to 1, shape (n,).
    latency: seconds, shape (n,).
    """
    slowest = np.full(parts, np.nan)
    np.fmax.at(slowest, np.minimum((at * parts).astype(int), parts - 1), latency)
    return slowest


def blocks(shares: Iterable[float], characters: str = BLOCKS) -> str:
    """Return shares of the full height, 0 to 1, as characters; a space for NaN."""
    most = len(characters) - 1
    return "".join(
        " " if math.isnan(share) else characters[round(share * most)] for share in shares
    )


def sparklines(records: Mapping[str, Records]) -> dict[str, Sparkline]:
    """Return a sparkline of each run, all of one scale: the slowest request of each part of time.

    By arrival, over the requests that are measured. Runs without any have none.
    """
    seconds = {name: _slowest(run) for name, run in records.items() if run.measured.any()}
    top = max((float(np.nanmax(slowest)) for slowest in seconds.values()), default=0.0)
    return {
        name: Sparkline(_title(name, records[name], slowest), tuple(slowest.tolist()), top)
        for name, slowest in seconds.items()
    }


def _slowest(records: Records) -> NDArray[np.float64]:
    measured = records.measured
    share = (records.arrival[measured] - records.warmup) / (records.horizon - records.warmup)
    return slowest_of_parts(share, records.latency[measured], PARTS)


def _title(name: str, records: Records, seconds: NDArray[np.float64]) -> str:
    part = (records.horizon - records.warmup) / PARTS
    unfinished = bool((records.outcome[records.measured] == Outcome.UNFINISHED).any())
    most = lower_bound(number(float(np.nanmax(seconds))), unfinished)
    at = records.warmup + (int(np.nanargmax(seconds)) + 0.5) * part
    return (
        f"{name}: latency over time, the slowest request of each {part:.3g} s; "
        f"the slowest of all takes {most} s, and arrives about {at:.0f} s after the start"
    )
