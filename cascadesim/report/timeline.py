"""Timelines: the latency of each request over time, in the units of a drawing.

Ticks, faults and the states of breakers are those of the figures (`plots.layout`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.breakers import breaker_paths, state_spans
from cascadesim.plots.layout import TimeTicks, faults, shades
from cascadesim.plots.thin import same_requests
from cascadesim.values.instants import Instants
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import duration_text
from cascadesim.values.words import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from cascadesim.analysis.breakers import StateSpan
    from cascadesim.records import Records
    from cascadesim.studies.run import Result

MOST_POINTS, MOST_IN_ALL = 600, 6000  # in one timeline and in all, so that the file stays small
WIDTH, LEFT, RIGHT = 960.0, 64.0, 32.0
PLOT, BAND, LANE = 260.0, 18.0, 40.0  # heights: of the latencies, a fault's label, a breaker
_BELOW = 28.0  # for the labels of the axis
_DECADES = 6  # of latency at most; what is shorter is drawn at the bottom
_LETTER = 7.0  # the width of a letter of a fault's label
_TOLD = 0.01  # the share of a latency below which a part of it is not named


@dataclass(frozen=True, slots=True)
class Point:
    """One request: where it is drawn, and the text that describes it.

    `key` is the same for the same request in another variant.
    """

    x: float
    y: float
    outcome: str
    key: str
    text: str
    observed: bool


@dataclass(frozen=True, slots=True)
class Band:
    """A fault: a shaded band from `x` on, and its label ("" for none) at (`label_x`, `y`).

    `anchor` is where in the label that place is: "start" or "end".
    """

    x: float
    width: float
    label: str
    label_x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class State:
    """A breaker is open or half-open, from `x` on."""

    x: float
    width: float
    name: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The states of one breaker that is not closed throughout."""

    y: float
    breaker: str
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing of one variant, WIDTH wide; positions of ticks with their labels."""

    variant: str
    height: float
    bottom: float
    times: tuple[tuple[float, str], ...]
    latencies: tuple[tuple[float, str], ...]
    limit: tuple[float, str] | None
    faults: tuple[Band, ...]
    points: tuple[Point, ...]
    lanes: tuple[Lane, ...]
    requests: int  # of which `points` shows some


@dataclass(frozen=True, slots=True)
class Opened:
    """How often and how long one breaker was open; `first` is the clock time of the first."""

    variant: str
    breaker: str
    times: int
    seconds: float
    first: str


def clock(zero: str | None) -> Callable[[float], str]:
    """Return what writes seconds after t = 0 as the clock has them; see `Instants`."""
    return Instants(zero).text


def timelines(results: Mapping[str, Result]) -> tuple[Timeline, ...]:
    """Return the timelines of variants on the same axes."""
    drawn = _drawn(results)
    latency = np.concatenate([result.records.latency for result in results.values()])
    end = max(result.records.horizon for result in results.values())
    axes = _Axes(end, latency[latency > 0], _instants(next(iter(results.values()))))
    return tuple(_timeline(label, result, axes, *drawn[label]) for label, result in results.items())


def opened(results: Mapping[str, Result]) -> tuple[Opened, ...]:
    """Return how often and how long each breaker of each variant was open."""
    return tuple(
        _opened(label, path, [span for span in spans if span.state == "open"], _instants(result))
        for label, result in results.items()
        for path, spans in _not_closed(result).items()
    )


def _opened(variant: str, breaker: str, spans: list[StateSpan], when: Instants) -> Opened:
    seconds = math.fsum(span.end - span.start for span in spans)
    first = when.text(spans[0].start) if spans else ""
    return Opened(variant, breaker, len(spans), seconds, first)


def _not_closed(result: Result) -> dict[str, list[StateSpan]]:
    """Return when each breaker of the plan, by its dotted path, is not closed."""
    plan = result.plan
    return {
        path: [
            span
            for span in state_spans(result.records, path, plan.end)
            if span.state != "closed" and span.end > span.start
        ]
        for path in breaker_paths(plan)
    }


def _instants(result: Result) -> Instants:
    return Instants(result.scenario.model.clock)


def spent(records: Records, row: int) -> list[tuple[str, float]]:
    """Return what the time of one request went to, in words and seconds, most first.

    What ran off its critical path comes last, and says so.
    """
    least = max(_TOLD * float(records.latency[row]), 1e-12)
    ledgers = [(records.parts, records.seconds[row], "")]
    if records.beside_parts:
        ledgers.append((records.beside_parts, records.beside[row], ", off the critical path"))
    return [
        (f"{in_words(parts[i].cause)} in {parts[i].where}{path}", float(seconds[i]))
        for parts, seconds, path in ledgers
        for i in np.argsort(-seconds, kind="stable").tolist()
        if seconds[i] >= least
    ]


def _drawn(results: Mapping[str, Result]) -> dict[str, tuple[int, NDArray[np.int64]]]:
    """Return, for each variant, the number of its traffic and the requests to draw.

    Variants have the same traffic where the same requests arrive; then the same are drawn.
    """
    traffics: list[list[str]] = []
    for label, result in results.items():
        for labels in traffics:
            arrival = results[labels[0]].records.arrival
            if np.array_equal(arrival, result.records.arrival):
                labels.append(label)
                break
        else:
            traffics.append([label])
    most = min(MOST_POINTS, MOST_IN_ALL // len(results))
    drawn: dict[str, tuple[int, NDArray[np.int64]]] = {}
    for number, labels in enumerate(traffics):
        rows = same_requests([results[label].records for label in labels], most)
        drawn |= dict.fromkeys(labels, (number, rows))
    return drawn


class _Axes:
    """Seconds and latencies as positions, the same for every variant."""

    def __init__(self, end: float, latency: NDArray[np.float64], when: Instants) -> None:
        self.end = end
        self.when = when
        longest = float(latency.max()) if len(latency) else 1.0
        shortest = float(latency.min()) if len(latency) else 1.0
        self.high = math.ceil(math.log10(longest) - 1e-9)
        low = math.floor(math.log10(shortest) + 1e-9)
        self.low = max(min(low, self.high - 1), self.high - _DECADES)

    def x(self, at: float) -> float:
        share = min(max(at, 0.0), self.end) / self.end
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def width(self, start: float, end: float) -> float:
        return round(max(self.x(end) - self.x(start), 1.0), 1)

    def y(self, latency: float, top: float) -> float:
        decade = math.log10(latency) if latency > 0 else -math.inf
        share = (min(max(decade, self.low), self.high) - self.low) / (self.high - self.low)
        return round(top + (1 - share) * PLOT, 1)

    def times(self) -> tuple[tuple[float, str], ...]:
        ticks = TimeTicks(self.when.zero)
        at, unit = ticks.at(0.0, self.end), ticks.unit(0.0, self.end)
        texts = (f"{text} {unit}".rstrip() for text in ticks.texts(at, unit))
        return tuple(zip(map(self.x, at), texts, strict=True))

    def latencies(self, top: float) -> tuple[tuple[float, str], ...]:
        return tuple(
            (self.y(10.0**decade, top), _decade(decade))
            for decade in range(self.low, self.high + 1)
        )


def _decade(decade: int) -> str:
    for unit, size in (("s", 0), ("ms", -3), ("us", -6)):
        if decade >= size:
            return f"{10 ** (decade - size)} {unit}"
    return f"{10.0**decade:g} s"


def _timeline(
    label: str, result: Result, axes: _Axes, traffic: int, rows: NDArray[np.int64]
) -> Timeline:
    bands = tuple(_bands(result, axes))
    top = 10.0 + BAND * len({band.y for band in bands})
    limit = result.summary.limit
    if limit is not None and not 10.0**axes.low <= limit <= 10.0**axes.high:
        limit = None
    bottom = top + PLOT
    lanes = tuple(_lanes(result, axes, bottom + _BELOW))
    return Timeline(
        variant=label,
        height=bottom + _BELOW + LANE * len(lanes) + 4,
        bottom=bottom,
        times=axes.times(),
        latencies=axes.latencies(top),
        limit=None if limit is None else (axes.y(limit, top), f"objective {limit:g} s"),
        faults=bands,
        points=tuple(_points(result.records, axes, top, traffic, rows)),
        lanes=lanes,
        requests=len(result.records.arrival),
    )


def _points(
    records: Records, axes: _Axes, top: float, traffic: int, rows: NDArray[np.int64]
) -> Iterator[Point]:
    for row in rows.tolist():
        yield Point(
            x=axes.x(float(records.arrival[row])),
            y=axes.y(float(records.latency[row]), top),
            outcome=Outcome(int(records.outcome[row])).word,
            key=f"{traffic}-{row}",
            text=_description(records, row, axes.when),
            observed=bool(records.observation[row] >= 0),
        )


def _description(records: Records, row: int, when: Instants) -> str:
    """Return what happened to a request, its parts between semicolons."""
    outcome = Outcome(int(records.outcome[row]))
    took = "still under way after" if outcome is Outcome.UNFINISHED else "took"
    texts = [
        f"arrived {when.text(float(records.arrival[row]))}",
        f"{took} {_short(float(records.latency[row]))}",
        in_words(outcome.word),
        *([f"class {records.class_of(row)}"] if records.classes else []),
        *(f"{_short(seconds)} {what}" for what, seconds in spent(records, row)[:4]),
    ]
    if records.observation[row] >= 0:
        texts.insert(0, "the observed request")
    return "; ".join(texts)


def _short(seconds: float) -> str:
    return duration_text(seconds) if seconds < 1 else f"{seconds:.3f} s"


def _bands(result: Result, axes: _Axes) -> Iterator[Band]:
    """Yield faults; the labels of those that lie close together stand below each other."""
    letter = _LETTER / (WIDTH - LEFT - RIGHT)
    for shade in shades(faults(result, in_words=True), 0.0, axes.end, letter):
        beside, anchor = (-4, "end") if shade.at_end else (4, "start")
        yield Band(
            x=axes.x(shade.start),
            width=axes.width(shade.start, shade.end),
            label=shade.name,
            label_x=axes.x(shade.at) + beside,
            y=14.0 + BAND * shade.line,
            anchor=anchor,
        )


def _lanes(result: Result, axes: _Axes, top: float) -> Iterator[Lane]:
    lanes = [(path, spans) for path, spans in _not_closed(result).items() if spans]
    for i, (path, spans) in enumerate(lanes):
        states = tuple(
            State(axes.x(span.start), axes.width(span.start, span.end), span.state)
            for span in spans
            if span.start <= axes.end
        )
        yield Lane(top + LANE * i, path, states)
