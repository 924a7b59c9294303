"""Columnar records of a replication, one row a request; a trace of it; and a snapshot.

A trace adds when each request was in which part, and how full pools and queues were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cascadesim.plan.layout import Part


_COLUMNS = (
    *("arrival", "latency", "outcome", "retries", "ended_by", "observation", "seconds"),
    *("request_class", "number", "beside", "cut"),
)
IN_FLIGHT = "in_flight"  # the level of requests under way


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker, by its dotted path, enters a state ("open", "half-open", "closed")."""

    at: float
    breaker: str
    state: str


@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """Outcomes of WebSocket connections in a replication.

    `failed` counts handshakes and `lost` connections, by the dotted path of what ended them;
    `closed` counts connections that their client closed, `gave_up` clients that connect no more.
    """

    opened: int
    closed: int
    failed: dict[str, int]
    lost: dict[str, int]
    gave_up: int = 0


@dataclass(frozen=True)
class Records:
    """The records of one replication: row i is request i, in order of arrival.

    Observed requests are the last rows; with clients, whose number of requests is not known
    before, they are the first.

    arrival, latency: seconds, shape (n,); the latency of an unfinished request is its age at the
    end. outcome: Outcome codes, shape (n,). retries: how often the request was sent again; of
    parallel stages, on the critical path, as in `seconds`. ended_by: what made the request an
    error, or led to its fallback: an index into `ends`, which are dotted paths of settings and of
    stages that fail; -1 for none. seconds: shape (n, len(parts)); a row adds up to the latency.
    observation: the position of the observation that the request replays, -1 for background
    traffic. classes: the names of the classes of requests, empty where there are none.
    request_class: the class of each request, an index into `classes`, shape (n,); shape (0,) where
    there are none. beside: seconds off the critical path, in the other branches of parallel stages
    and in attempts of a hedge that lost, shape (n, len(beside_parts)); they are in no latency.
    number: the request's number, the same in all variants of one seed, shape (n,); shape (0,) where
    it is the row. Only clients that wait for each reply (a closed load) send more or fewer requests
    in other variants.
    held: for each pool by its dotted path, the seconds for which its places were held while calls
    waited for one, by the dotted path of the setting that they were held for. behind: for each end
    that is a breaker's, the indices of the ends behind the breaker. cut: the timeout that last
    ended a call of the request, which a retry may have mended: an index into `ends`, -1 for none,
    shape (n,); shape (0,) where it is not recorded.
    """

    parts: tuple[Part, ...]
    arrival: NDArray[np.float64]
    latency: NDArray[np.float64]
    outcome: NDArray[np.uint8]
    retries: NDArray[np.int32]
    ends: tuple[str, ...]
    ended_by: NDArray[np.int32]
    observation: NDArray[np.int32]
    seconds: NDArray[np.float64]
    transitions: tuple[Transition, ...]
    calls: dict[str, int]  # calls that reached each stage's own work
    horizon: float
    warmup: float
    first_fault: float = math.inf  # when the first fault begins
    connections: ConnectionCounts | None = None  # where messages come over connections
    classes: tuple[str, ...] = ()
    request_class: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    number: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    beside_parts: tuple[Part, ...] = ()
    beside: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    held: dict[str, dict[str, float]] = field(default_factory=dict)
    behind: dict[int, range] = field(default_factory=dict)
    cut: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Return which requests arrived after the warm-up, shape (n,)."""
        return self.arrival >= self.warmup

    def class_of(self, row: int) -> str | None:
        """Return the name of a request's class, None where there are no classes."""
        return self.classes[self.request_class[row]] if self.classes else None

    def of_class(self, name: str) -> Records:
        """Return the records of the requests of one class; transitions and calls are of all."""
        chosen = self.request_class == self.classes.index(name)
        columns = {key: getattr(self, key) for key in _COLUMNS}
        chosen_rows = {key: column[chosen] for key, column in columns.items() if len(column)}
        return replace(self, **chosen_rows)

    def number_of(self, row: int) -> int:
        """Return the request's number: the same in all variants of one seed."""
        return int(self.number[row]) if len(self.number) else row

    def row_of(self, number: int) -> int | None:
        """Return the row of the request with this number, None where it was not sent."""
        if not len(self.number):
            return number
        rows = np.flatnonzero(self.number == number)
        return int(rows[0]) if len(rows) else None

    def frame(self) -> pd.DataFrame:
        """Return one row a request.

        Columns: request, class (category; only where the scenario has classes), arrival_s,
        latency_s, outcome (category), retries, observation (-1 for background traffic), measured
        (arrived after the warm-up), ended_by (category: the setting that made an error of the
        request, or the stage that failed), then a column of seconds for each part of the latency,
        such as agent.breaker.breaker_wait_s, and for each part that can be off the critical path,
        such as writer.service_work_beside_s.
        """
        import pandas as pd  # slow to import, and not every command needs it

        columns = {
            "request": np.arange(len(self.arrival)),
            "arrival_s": self.arrival,
            "latency_s": self.latency,
            "outcome": pd.Categorical.from_codes(
                self.outcome.astype(np.int8), categories=pd.Index([o.word for o in Outcome])
            ),
            "retries": self.retries,
            "observation": self.observation,
            "measured": self.measured,
            "ended_by": pd.Categorical.from_codes(
                self.ended_by.astype(np.int16), categories=pd.Index(self.ends)
            ),
        }
        if self.classes:
            codes = self.request_class.astype(np.int16)
            named = pd.Categorical.from_codes(codes, categories=pd.Index(self.classes))
            columns = {"request": columns.pop("request"), "class": named, **columns}
        columns |= {part.column: self.seconds[:, i] for i, part in enumerate(self.parts)}
        for i, part in enumerate(self.beside_parts):
            columns[f"{part.column.removesuffix('_s')}_beside_s"] = self.beside[:, i]
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class Level:
    """A number over time, a step function: `value[i]` holds from `at[i]` on, in seconds.

    at, value: shape (n,), `at` rising from 0.
    """

    at: NDArray[np.float64]
    value: NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """The records of a run, and what they leave out.

    Span i says that request `request[i]` (a row of the records) was in part `part[i]` (an index
    into the records' parts) from `start[i]` to `end[i]`, in seconds; all of shape (n,), request by
    request, branch by branch and each in order of time. Those of branch 0 are the critical path:
    they follow each other without a gap, from the request's arrival to its end. Branches 1, 2, …
    ran beside it. Levels are by dotted path, such as "database.pool.checked_out", ".idle"
    and ".waiting", "agent.concurrency.busy" and ".waiting", "agent.breaker.waiting", and
    "in_flight". Work that runs on after its caller has given it up has no spans, but counts in
    levels.
    """

    records: Records
    request: NDArray[np.int64]
    branch: NDArray[np.int64]
    part: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    levels: dict[str, Level]


@dataclass(frozen=True)
class Snapshot:
    """A run as it stands at one instant, `at` in seconds.

    arrived: requests so far, observed ones included. arrival, latency, outcome: of those that have
    ended and arrived after the warm-up, shape (n,), seconds and Outcome codes. breakers: the state
    of each, as "open". levels: as a Trace has them.
    """

    at: float
    arrived: int
    arrival: NDArray[np.float64]
    latency: NDArray[np.float64]
    outcome: NDArray[np.uint8]
    breakers: dict[str, str]
    levels: dict[str, int]
