"""Timelines: the latency of each request over time, in the units of a drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.policies.breaker import BreakerPlan
from cascadesim.values.errors import cut
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import clock_text, duration_text, parse_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from cascadesim.records import Records
    from cascadesim.studies.run import Result

MOST_POINTS, MOST_IN_ALL = 600, 6000  # in one timeline and in all, so that the file stays small
WIDTH, LEFT, RIGHT = 960.0, 64.0, 32.0
PLOT, BAND, LANE = 260.0, 18.0, 40.0  # heights: of the latencies, a fault's label, a breaker
_BELOW = 28.0  # for the labels of the axis
_DECADES = 6  # of latency at most; what is shorter is drawn at the bottom
_TICKS = 8
_STEPS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
)
_ROWS = 5  # of labels of faults
_TOLD = 0.01  # the share of a latency below which a part of it is not named
_FAULTS = {  # what a fault does, where its kind does not say it
    "outage": "calls fail",
    "partition": "no answer",
    "error_rate": "some calls fail",
    "latency": "slow",
    "restart": "restarts",
    "pool_leak": "sessions leak",
    "cold_start": "slow at first",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One request: where it is drawn, and what is told of it.

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
    """A span of time, from `x` on: a fault, or the state of a breaker."""

    x: float
    width: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The states of one breaker that is not closed throughout."""

    y: float
    breaker: str
    states: tuple[Band, ...]


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
    """Return what writes seconds from t = 0 as clock times, or as seconds where there is none."""
    if zero is None:
        return lambda at: f"{at:.3f} s"
    start = parse_clock(zero) or 0.0
    return lambda at: clock_text(start + at)


def timelines(results: Mapping[str, Result]) -> tuple[Timeline, ...]:
    """Return the timelines of variants on the same axes."""
    worlds = _worlds(results)
    latency = np.concatenate([each.records.latency for each in results.values()])
    end = max(each.records.horizon for each in results.values())
    axes = _Axes(end, latency[latency > 0], next(iter(results.values())).scenario.model.clock)
    return tuple(
        _timeline(label, result, axes, *worlds[label]) for label, result in results.items()
    )


def breaker_lanes(result: Result) -> dict[str, list[tuple[float, float, str]]]:
    """Return the spans in which each breaker is not closed: start and end in seconds, state.

    By dotted path, every breaker of the plan in.
    """
    records = result.records
    plan = result.plan
    spans: dict[str, list[tuple[float, float, str]]] = {
        path: []
        for _, _, own in plan.walk_policies()
        for path, policy in own
        if isinstance(policy, BreakerPlan)
    }
    for path, found in spans.items():
        changes = [(t.at, t.state) for t in records.transitions if t.breaker == path]
        ends = [*(at for at, _ in changes), plan.end][1:]
        for (start, state), end in zip(changes, ends, strict=True):
            if state != "closed" and end > start:
                found.append((start, end, state))
    return spans


def opened(results: Mapping[str, Result]) -> tuple[Opened, ...]:
    """Return what each breaker of each variant did."""
    found = []
    for label, result in results.items():
        when = clock(result.scenario.model.clock)
        for path, spans in breaker_lanes(result).items():
            own = [(start, end) for start, end, state in spans if state == "open"]
            seconds = math.fsum(end - start for start, end in own)
            first = when(own[0][0]) if own else ""
            found.append(Opened(label, path, len(own), seconds, first))
    return tuple(found)


def spent(records: Records, row: int) -> list[tuple[str, float]]:
    """Return what the time of one request went to, in words and seconds, most first."""
    seconds = records.seconds[row]
    order = np.argsort(-seconds, kind="stable")
    least = max(_TOLD * float(records.latency[row]), 1e-12)
    return [
        (f"{records.parts[i].cause.replace('_', ' ')} in {records.parts[i].where}", float(s))
        for i, s in zip(order.tolist(), seconds[order], strict=True)
        if s >= least
    ]


def _worlds(results: Mapping[str, Result]) -> dict[str, tuple[int, NDArray[np.int64]]]:
    """Return the number of the world that each variant met, and the requests of it to draw.

    Variants meet the same world where the same requests arrive; then the same are drawn.
    """
    worlds: list[list[str]] = []
    for label, result in results.items():
        for labels in worlds:
            arrival = results[labels[0]].records.arrival
            if np.array_equal(arrival, result.records.arrival):
                labels.append(label)
                break
        else:
            worlds.append([label])
    found: dict[str, tuple[int, NDArray[np.int64]]] = {}
    for i, labels in enumerate(worlds):
        most = min(MOST_POINTS, MOST_IN_ALL // len(results))
        rows = chosen([results[label].records for label in labels], most)
        found |= dict.fromkeys(labels, (i, rows))
    return found


def chosen(records: list[Records], most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Return at most so many requests to draw, in order of arrival, of runs in the same world.

    All of them if they are few; else those that replay an observation, the slowest of any run, and
    every so many of the others.
    """
    n = len(records[0].arrival)
    if n <= most:
        return np.argsort(records[0].arrival, kind="stable")
    slowness = np.max([each.latency for each in records], axis=0)
    slowness = np.where(records[0].observation >= 0, math.inf, slowness)
    order = np.argsort(-slowness, kind="stable")
    slowest, others = order[: most // 2], np.sort(order[most // 2 :])
    step = math.ceil(len(others) / (most - len(slowest)))
    rows = np.concatenate([slowest, others[::step]])
    return rows[np.argsort(records[0].arrival[rows], kind="stable")]


class _Axes:
    """Seconds and latencies as positions, the same for every variant."""

    def __init__(self, end: float, latency: NDArray[np.float64], zero: str | None) -> None:
        self.end = end
        self.zero = zero
        self.when = clock(zero)
        longest = float(latency.max()) if len(latency) else 1.0
        shortest = float(latency.min()) if len(latency) else 1.0
        self.high = math.ceil(math.log10(longest) - 1e-9)
        low = math.floor(math.log10(shortest) + 1e-9)
        self.low = max(min(low, self.high - 1), self.high - _DECADES)

    def x(self, at: float) -> float:
        share = min(max(at, 0.0), self.end) / self.end
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, latency: float, top: float) -> float:
        decade = math.log10(latency) if latency > 0 else -math.inf
        share = (min(max(decade, self.low), self.high) - self.low) / (self.high - self.low)
        return round(top + (1 - share) * PLOT, 1)

    def times(self) -> tuple[tuple[float, str], ...]:
        steps = (step for step in _STEPS if self.end / step <= _TICKS)
        step = next(steps, float(math.ceil(self.end / _TICKS)))
        first = 0.0 if self.zero is None else -(parse_clock(self.zero) or 0.0) % step
        ticks = np.arange(first, self.end * (1 + 1e-9), step).tolist()
        return tuple((self.x(at), self._time(at, step)) for at in ticks)

    def _time(self, at: float, step: float) -> str:
        if self.zero is None:
            return f"{at:g} s" if step < 60 else f"{at / 60:g} min"
        text = self.when(at)
        return text[:5] if step % 60 == 0 and text.endswith(":00") else text

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
    label: str, result: Result, axes: _Axes, world: int, rows: NDArray[np.int64]
) -> Timeline:
    faults = tuple(_faults(result, axes))
    top = 10.0 + BAND * len({band.y for band in faults})
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
        faults=faults,
        points=tuple(_points(result.records, axes, top, world, rows)),
        lanes=lanes,
        requests=len(result.records.arrival),
    )


def _points(
    records: Records, axes: _Axes, top: float, world: int, rows: NDArray[np.int64]
) -> Iterator[Point]:
    for row in rows.tolist():
        latency = float(records.latency[row])
        outcome = Outcome(int(records.outcome[row]))
        observed = bool(records.observation[row] >= 0)
        yield Point(
            x=axes.x(float(records.arrival[row])),
            y=axes.y(latency, top),
            outcome=outcome.word,
            key=f"{world}-{row}",
            text=_told(records, row, axes.when),
            observed=observed,
        )


def _told(records: Records, row: int, when: Callable[[float], str]) -> str:
    """Return what is told of a request, its parts between semicolons."""
    latency = float(records.latency[row])
    outcome = Outcome(int(records.outcome[row]))
    took = "still under way after" if outcome is Outcome.UNFINISHED else "took"
    texts = [
        f"arrived {when(float(records.arrival[row]))}",
        f"{took} {_short(latency)}",
        outcome.word.replace("_", " "),
        *([f"class {records.class_of(row)}"] if records.classes else []),
        *(f"{_short(seconds)} {what}" for what, seconds in spent(records, row)[:4]),
    ]
    if records.observation[row] >= 0:
        texts.insert(0, "the observed request")
    return "; ".join(texts)


def _short(seconds: float) -> str:
    return duration_text(seconds) if seconds < 1 else f"{seconds:.3f} s"


def _faults(result: Result, axes: _Axes) -> Iterator[Band]:
    """Yield faults; the labels of those that lie close together stand below each other.

    What finds no room has no label, and no band of its own within another such band.
    """
    plan = result.plan
    taken: list[float] = []  # where the labels of each row end
    unnamed = -math.inf  # where the last band without a label ends
    shown = (each for each in plan.faults_in(result.seed) if each[0].start < axes.end)
    for fault, stages in shown:
        x = axes.x(fault.start)
        width = max(axes.x(fault.end) - x, 1.0)
        label = f"{cut(', '.join(stages), 24)}: {_FAULTS.get(fault.kind, fault.kind)}"
        row = next((i for i, right in enumerate(taken) if right <= x), len(taken))
        if row < _ROWS:
            taken[row : row + 1] = [x + 7.0 * len(label) + 8]
            yield Band(x, width, 14.0 + BAND * row, label)
        elif x + width > unnamed:
            unnamed = x + width
            yield Band(x, width, 14.0, "")


def _lanes(result: Result, axes: _Axes, top: float) -> Iterator[Lane]:
    drawn = {path: spans for path, spans in breaker_lanes(result).items() if spans}
    for i, (path, spans) in enumerate(drawn.items()):
        states = tuple(
            Band(axes.x(start), round(max(axes.x(end) - axes.x(start), 1.0), 1), 0.0, state)
            for start, end, state in spans
            if start <= axes.end
        )
        yield Lane(top + LANE * i, path, states)
