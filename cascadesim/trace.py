"""A trace of a run: when each request was in which part, and how full pools and queues were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cascadesim.records import Records

IN_FLIGHT = "in_flight"  # the level of requests under way


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
    request and each in order of time. The spans of a request follow each other without a gap, from
    its arrival to its end. Levels are by dotted path, such as "database.pool.checked_out", ".idle"
    and ".waiting", "agent.concurrency.busy" and ".waiting", "agent.breaker.waiting", and
    "in_flight". Work that runs on after its caller has given it up has no spans, but counts in
    levels; so does that of stages in parallel which the request had not to wait for.
    """

    records: Records
    request: NDArray[np.int64]
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
