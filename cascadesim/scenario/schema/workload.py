"""The offered load: when requests arrive."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

from cascadesim.plan.arrivals import Piece, Rates
from cascadesim.randomness import Distribution
from cascadesim.scenario.objectives import ObjectiveText
from cascadesim.scenario.schema.connections import Connections
from cascadesim.values import sources
from cascadesim.values.columns import Column, bad_value, numbers, read_column
from cascadesim.values.distributions import Work
from cascadesim.values.errors import show
from cascadesim.values.sources import follows
from cascadesim.values.strict import NO_OTHERS, Choice, Name, Strict, one_kind, problem
from cascadesim.values.units import (
    SECONDS,
    Count,
    Instant,
    Number,
    PositiveDuration,
    Rate,
    RateOrNone,
    Share,
    TimeUnit,
    Weight,
    duration_text,
    parse_clock,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DAY = 86_400.0


class Arrival(Strict):
    """Arrivals at a rate."""

    rate: Rate = Field(description="requests per unit of time, such as 4/s or 240/min")


class RatePiece(Strict):
    """A rate from some time on, or a ramp: `{from: 5min, rate: 4/s, to: 40/s}`."""

    FOLLOWS = follows(sources.NONHOMOGENEOUS)

    start: Instant = Field(alias="from", description="time after t = 0, or by the clock")
    rate: RateOrNone = Field(description="requests per unit of time; 0/s for none")
    to: RateOrNone | None = Field(
        None, description="the rate that it reaches, evenly, when the next piece begins"
    )

    def plan(self, start: float, end: float) -> Piece:
        """Return the piece, from and to so many seconds after t = 0."""
        slope = 0.0 if self.to is None else (self.to - self.rate) / (end - start)
        return Piece(start, self.rate, slope)


class Piecewise(Strict):
    """A rate that changes: bursts, ramps, or the curve of a day. None before the first piece."""

    FOLLOWS = follows(sources.NONHOMOGENEOUS)

    rates: Annotated[list[RatePiece], Field(min_length=1)] = Field(
        description="pieces, in the order in which they begin"
    )
    period: PositiveDuration | None = Field(
        None, description="after which the pieces begin again, such as 24h for the curve of a day"
    )
    spacing: Literal["poisson", "even"] = Field(
        "poisson", description="independent of each other, or as evenly as the rate allows"
    )

    def plan(self, starts: Sequence[float], *at: str) -> Rates:
        """Return the rates of pieces that begin at these seconds after t = 0.

        Raises the error of pieces that cannot begin then; `at` is where they stand.
        """
        end = math.inf if self.period is None else self.period
        for i, start in enumerate(starts):
            if i and start <= starts[i - 1]:
                before = duration_text(starts[i - 1])
                message = f"must begin after the piece before it, at {before}"
                raise problem(message, *at, i, "from")
            if start >= end:
                message = f"must begin within the period, {duration_text(end)}"
                raise problem(message, *at, i, "from")
        if self.period is None and self.rates[-1].to is not None:
            message = "the last piece has no end to reach it at; add a piece, or give a period"
            raise problem(message, *at, len(starts) - 1, "to")
        ends = [*starts[1:], end]
        pieces = [rate.plan(*span) for rate, *span in zip(self.rates, starts, ends, strict=True)]
        if starts[0] > 0:
            pieces.insert(0, Piece(0.0, 0.0))
        kind = "exponential" if self.spacing == "poisson" else "constant"
        return Rates(tuple(pieces), Distribution(kind, (1.0,)), end)


class Replay(Column):
    """Arrivals as they were recorded: numbers with a unit, or timestamps beside the clock.

    What came before t = 0 is left out.
    """

    unit: TimeUnit | None = Field(
        None, description="of numbers, which count from t = 0; none for timestamps"
    )
    speed: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        1.0, description="2 sends them twice as fast as they were recorded"
    )
    share: Share = Field(1.0, description="share of them that is sent")
    _stamps: tuple[float | datetime, ...] = PrivateAttr(())  # seconds of the day if not datetimes

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        if not self.share:
            raise problem("must be more than 0%", "share")
        path = self.path(info.context)
        if self.unit is not None:
            self._seconds = numbers(path, self.column, SECONDS[self.unit])
        else:
            self._stamps = _stamps(path, self.column)
        return self

    def place(self, clock: str | None, horizon: float, *at: str) -> None:
        """Place timestamps on a clock by which t = 0 is that time of a day, the nearest to them.

        Raises the error of those that are of no use; `at` is where the settings stand.
        """
        if self.unit is None:
            if clock is None:
                message = 'timestamps need "clock", what t = 0 is called'
                raise problem(message, *at, "column")
            after = _after(self._stamps, parse_clock(clock) or 0.0, horizon)
            self._seconds = tuple(seconds for seconds in after if seconds >= 0)
        instants = self.instants
        if not instants or instants[0] >= horizon:
            message = f"none of the times in {show(Path(self.file).name)} lies within the run"
            if instants:
                message += f"; the first is at t = {duration_text(instants[0])}"
            raise problem(message, *at, "file")

    @property
    def instants(self) -> tuple[float, ...]:
        """Return when requests arrive, in seconds after t = 0 and ascending order."""
        return tuple(sorted(seconds / self.speed for seconds in self._seconds))


def _stamps(path: Path, column: str) -> tuple[float | datetime, ...]:
    stamps: list[float | datetime] = []
    for row, value in enumerate(read_column(path, column), 1):
        stamp = _stamp(value)
        if stamp is None:
            right = 'a timestamp or a clock time such as "23:29:00"; numbers need a unit'
            raise bad_value(path, column, row, f"got {show(value)}, expected {right}")
        if stamps and _kind(stamp) != _kind(stamps[0]):
            wrong = f"is {_kind(stamp)}, and the first row is {_kind(stamps[0])}"
            raise bad_value(path, column, row, wrong)
        stamps.append(stamp)
    return tuple(stamps)


def _stamp(value: Any) -> float | datetime | None:
    """Return a date with time, or the seconds of the day for a clock time alone."""
    if isinstance(value, datetime):  # as Parquet has them
        return value
    if not isinstance(value, str) or ":" not in value:
        return None
    seconds = parse_clock(value)
    if seconds is not None:
        return seconds
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return None


def _kind(stamp: float | datetime) -> str:
    if not isinstance(stamp, datetime):
        return "a clock time"
    return "a date without a time zone" if stamp.tzinfo is None else "a date with a time zone"


def _after(stamps: tuple[float | datetime, ...], clock: float, horizon: float) -> list[float]:
    """Return the seconds of stamps after t = 0, which is `clock`, in seconds of a day."""
    dates = [stamp for stamp in stamps if isinstance(stamp, datetime)]
    if not dates:
        after = ((stamp - clock) % _DAY for stamp in stamps if not isinstance(stamp, datetime))
        # As with other clock times: those of the half day before t = 0 are not of the next day.
        return [x - _DAY if x >= max(horizon, _DAY / 2) else x for x in after]
    first = min(dates)  # its time zone is that of the clock
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    since = [(date - midnight).total_seconds() for date in dates]
    zero = clock + _DAY * round((min(since) - clock) / _DAY)
    return [seconds - zero for seconds in since]


class Arrivals(Choice):
    """When requests arrive."""

    FOLLOWS = follows(poisson=sources.POISSON)

    constant: Arrival | None = Field(None, description="at equal distances")
    poisson: Arrival | None = Field(None, description="independent of each other")
    piecewise: Piecewise | None = Field(None, description="at a rate that changes over time")
    replay: Replay | None = Field(None, description="when recorded ones did, from a file")


class Clients(Strict):
    """Clients that wait: each thinks, sends a request, waits for its end, and thinks again."""

    clients: Annotated[Count, Field(le=100_000)] = Field(description="how many there are")
    think: Work = Field(description="how long each thinks before it sends")


class RequestClass(Strict):
    """A class of requests: `{weight: 9, path: [auth, agent], objectives: [p99 < 5s]}`.

    All classes share the stages, and so their limits, pools and breakers.
    """

    weight: Weight | None = Field(
        None, description="how often a request is of this class, beside the others' weights"
    )
    arrivals: Arrivals | None = Field(
        None, description="when its requests arrive, in place of a weight, where all have their own"
    )
    path: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="top-level stages in the order in which it passes them; all by default"
    )
    objectives: list[ObjectiveText] = Field(
        [], description="thresholds to keep, of its own requests", examples=[["p99 < 5s"]]
    )


def _load_or_classes(schema: dict[str, Any], model: type[Choice]) -> None:
    one_kind(schema, model)
    without = {"not": {"anyOf": [{"required": [kind]} for kind in model.kinds()]}}
    schema["oneOf"].append({"required": ["classes"]} | without)
    schema["properties"]["classes"]["anyOf"][0] |= NO_OTHERS


class Workload(Choice):
    """The offered load: requests that come whatever happens to others, or clients that wait.

    Classes that have arrivals of their own stand alone.
    """

    model_config = ConfigDict(json_schema_extra=_load_or_classes)
    BESIDE = ("classes",)
    FOLLOWS = follows(closed=sources.MACHINE_REPAIR)

    classes: Annotated[dict[Name, RequestClass], Field(min_length=1, max_length=100)] | None = (
        Field(
            None,
            description="classes of requests by name, each with a path and objectives of its own",
        )
    )
    arrivals: Arrivals | None = Field(None, description="when requests arrive")
    closed: Clients | None = Field(None, description="a fixed number of clients that wait")
    connections: Connections | None = Field(
        None, description="WebSocket clients, whose messages are the requests"
    )

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        if data.get("classes") is None or any(kind in data for kind in cls.kinds()):
            super()._check_keys(data)
        else:
            super(Choice, cls)._check_keys(data)

    @property
    def load(self) -> str | None:
        """Return what sends the requests, None where each class does for itself."""
        return next((key for key in self.kinds() if key in self.model_fields_set), None)
