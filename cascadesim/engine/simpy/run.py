"""The engine: a plan and a seed become records.

A request is one call through the layers that builder.py builds.
"""

from __future__ import annotations

from array import array
from functools import partial
from itertools import count, takewhile
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.engine.simpy.builder import Builder
from cascadesim.engine.simpy.kernel import Kernel, Task
from cascadesim.engine.simpy.request import Request, TracedRequest
from cascadesim.engine.simpy.senders import (
    ClosedClients,
    ConnectedClients,
    OpenArrivals,
    send_observed,
)
from cascadesim.plan.arrivals import Apart, Closed
from cascadesim.plan.classes import OBSERVED
from cascadesim.plan.connections import ConnectionsPlan
from cascadesim.records import ConnectionCounts, Records, Transition
from cascadesim.trace import IN_FLIGHT, Level, Snapshot, Trace
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cascadesim.engine.simpy.senders import Ended
    from cascadesim.plan.plan import Plan

_ROWS = 1024  # that there is room for at first, where their number is not known
_SLICES = 200  # how often a run reports its progress


def simulate(
    plan: Plan,
    seed: int,
    replication: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Records:
    """Run the plan once and return its records, the same for the same arguments.

    `progress` is called with the share of simulated time that is done.
    """
    run = _Run(plan, seed, replication)
    if progress is None:
        run.kernel.env.run(until=plan.end)
    else:
        for i in range(1, _SLICES + 1):
            run.kernel.env.run(until=plan.end * (i / _SLICES))  # the last one is the end exactly
            progress(i / _SLICES)
    return run.records()


def trace(plan: Plan, seed: int, replication: int = 0) -> Trace:
    """Run the plan once and return its records, the same as `simulate` does, with a trace."""
    run = _TracedRun(plan, seed, replication)
    env = run.kernel.env
    while env.peek() < plan.end:
        env.step()
        run.note()
    env.run(until=plan.end)
    return run.trace()


def watch(
    plan: Plan, seed: int, show: Callable[[Snapshot], None], every: float, replication: int = 0
) -> Records:
    """Run the plan as `simulate` does, and `show` it after `every` so many simulated seconds."""
    run = _Run(plan, seed, replication)
    # Not by dividing: a quotient that rounds up would have an instant at the end itself.
    for at in takewhile(lambda at: at < plan.end, (i * every for i in count(1))):
        run.kernel.env.run(until=at)
        show(run.snapshot())
    run.kernel.env.run(until=plan.end)
    show(run.snapshot())
    return run.records()


def _numbered(plan: Plan, seed: int, replication: int) -> tuple[NDArray[np.float64], Sequence[int]]:
    """Return when requests arrive that wait for nobody, and their numbers."""
    arrivals = plan.arrivals
    if isinstance(arrivals, Apart):
        return arrivals.numbered(seed, replication, plan.horizon)
    if isinstance(arrivals, Closed | ConnectionsPlan):  # whose requests are not known before
        return np.empty(0), ()
    instants = arrivals.times(seed, replication, plan.horizon)
    return instants, range(len(instants))


class _Run:
    """One run: sends the requests, and keeps a row of each."""

    request: type[Request] = Request

    def __init__(self, plan: Plan, seed: int, replication: int) -> None:
        self.kernel = Kernel()
        self._plan = plan
        builder = Builder(self.kernel, plan, seed, replication)
        self._root = builder.root(plan)
        self._connections = None
        if plan.connections is not None:
            self._connections = builder.connections(plan.connections, self._root)
            self._root = self._connections.way
        self._builder = builder
        self._parts = len(builder.layout.parts)
        arrivals, horizon = plan.arrivals, plan.horizon
        instants, numbers = _numbered(plan, seed, replication)
        self._first_observed = len(instants)
        n = len(instants) + len(plan.observed)
        # Columns: arrival, latency, retries, ended_by, then the parts. An arrival that rounding
        # moves to the horizon is not sent, so rows begin as unfinished requests.
        self._rows = np.zeros((n, 4 + self._parts))
        observed_at = [observed.arrival for observed in plan.observed]
        self._rows[:, 0] = np.concatenate((instants, observed_at))
        self._rows[:, 1] = plan.end - self._rows[:, 0]
        self._rows[:, 3] = -1
        self._outcomes = bytearray([Outcome.UNFINISHED]) * n
        self._used = n  # rows, of which clients add more, with their numbers
        self._numbers = array("q")
        self._request_class = bytearray()  # by row, where there are classes
        if builder.classes is not None:
            observed = range(OBSERVED, OBSERVED + len(plan.observed))
            self._request_class += bytes(map(builder.classes.of, (*numbers, *observed)))
        self._live: dict[int, Request] = {}
        OpenArrivals(self, instants, numbers)
        send_observed(self, plan.observed, self._first_observed)
        if isinstance(arrivals, Closed):
            ClosedClients(self, arrivals, horizon, seed, replication)
        if self._connections is not None:
            ConnectedClients(self, self._connections, horizon, seed, replication)

    def add_row(self, number: int) -> int:
        """Return the row of one more request, which goes by a number."""
        row = self._used
        self._numbers.append(number)
        if row == len(self._rows):
            more = max(_ROWS, row)
            self._rows = np.concatenate((self._rows, np.zeros((more, self._rows.shape[1]))))
            self._outcomes += bytearray([Outcome.UNFINISHED]) * more
            self._request_class += bytes(more)
        self._used += 1
        return row

    def send(
        self,
        row: int,
        number: int,
        *,
        work: dict[int, float] | None = None,
        ended: Ended | None = None,
    ) -> None:
        """Send a request now; `ended` is told how it ends."""
        kernel, classes = self.kernel, self._builder.classes
        if classes is not None:
            self._request_class[row] = classes.of(number)
        request = self.request(number, kernel.env.now, self._parts, work)
        self._live[row] = request
        request.task = Task(kernel, partial(self._finish, row, request, ended))
        request.task.start(self._root.call(request))
        kernel.run_ready()

    def _finish(self, row: int, request: Request, ended: Ended | None, outcome: Outcome) -> None:
        del self._live[row]
        self._outcomes[row] = outcome
        if not outcome:
            request.ended_by = -1  # an earlier attempt's error, mended by a retry
        self._write(row, request)
        if ended is not None:
            ended(outcome)

    def _write(self, row: int, request: Request) -> None:
        now = self.kernel.env.now
        request.enter(0, now)
        latency = now - request.arrival
        self._rows[row] = [
            *(request.arrival, latency, request.retries, request.ended_by),
            *request.parts,
        ]

    def records(self) -> Records:
        """Return the records, unfinished requests with their age."""
        for row, request in self._live.items():
            request.catch_up()
            request.ended_by = -1
            self._write(row, request)
        rows = self._rows[: self._used]
        observation = np.full(len(rows), -1, dtype=np.int32)
        first, n = self._first_observed, len(self._plan.observed)
        observation[first : first + n] = np.arange(n)
        transitions = [
            Transition(at, where, state.value)
            for where, breaker in self._builder.world.breakers
            for at, state in breaker.history
        ]
        return Records(
            parts=self._builder.layout.parts,
            arrival=rows[:, 0],
            latency=rows[:, 1],
            outcome=np.frombuffer(self._outcomes, dtype=np.uint8)[: self._used],
            retries=rows[:, 2].astype(np.int32),
            observation=observation,
            ends=self._builder.layout.ends,
            ended_by=rows[:, 3].astype(np.int32),
            seconds=rows[:, 4:],
            transitions=tuple(sorted(transitions, key=lambda t: t.at)),
            calls={name: work.calls for name, work in self._builder.works},
            horizon=self._plan.horizon,
            warmup=self._plan.warmup,
            first_fault=self._builder.first_fault(self._plan),
            classes=tuple(each.name for each in self._plan.classes),
            request_class=self._classes_of_rows(),
            number=self._numbers_of_rows(),
            connections=self._connection_counts(),
        )

    def _connection_counts(self) -> ConnectionCounts | None:
        found = self._connections
        if found is None:
            return None
        ends = self._builder.layout.ends
        failed, lost = (
            {ends[i]: n for i, n in sorted(c.items())} for c in (found.failed, found.lost)
        )
        return ConnectionCounts(found.opened, found.closed, failed, lost)

    def _classes_of_rows(self) -> NDArray[np.uint8]:
        used = self._used if self._plan.classes else 0
        return np.frombuffer(self._request_class, dtype=np.uint8)[:used]

    def _numbers_of_rows(self) -> NDArray[np.int64]:
        if not isinstance(self._plan.arrivals, Closed | ConnectionsPlan):
            return np.empty(0, np.int64)
        observed = OBSERVED + np.arange(len(self._plan.observed))
        return np.concatenate((observed, np.array(self._numbers, np.int64)))

    def levels(self) -> dict[str, int]:
        """Return how full everything is, by dotted path, and how many requests are under way."""
        found = {
            f"{where}.{name}": value
            for where, levels in self._builder.world.levels.items()
            for name, value in levels().items()
        }
        return found | {IN_FLIGHT: len(self._live)}

    def snapshot(self) -> Snapshot:
        """Return how the run stands now."""
        outcomes = np.frombuffer(self._outcomes, dtype=np.uint8)
        ended = outcomes != Outcome.UNFINISHED
        arrived = int(ended.sum()) + len(self._live)
        ended &= self._rows[:, 0] >= self._plan.warmup
        return Snapshot(
            at=self.kernel.now,
            arrived=arrived,
            arrival=self._rows[ended, 0],
            latency=self._rows[ended, 1],
            outcome=outcomes[ended],
            breakers={
                where: breaker.state.value for where, breaker in self._builder.world.breakers
            },
            levels=self.levels(),
        )


class _TracedRun(_Run):
    """A run that remembers spans and levels."""

    request = TracedRequest

    def __init__(self, plan: Plan, seed: int, replication: int) -> None:
        super().__init__(plan, seed, replication)
        self._spans: list[tuple[int, list[tuple[int, float, float]]]] = []
        self._steps = {name: [(0.0, value)] for name, value in self.levels().items()}

    def note(self) -> None:
        """Remember the levels that have changed."""
        now = self.kernel.now
        for name, value in self.levels().items():
            steps = self._steps[name]
            if steps[-1][0] == now:
                steps.pop()
            if not steps or steps[-1][1] != value:
                steps.append((now, value))

    def _write(self, row: int, request: Request) -> None:
        super()._write(row, request)
        assert isinstance(request, TracedRequest)
        self._spans.append((row, request.spans))

    def trace(self) -> Trace:
        """Return the records with the trace."""
        records = self.records()
        spans = sorted(self._spans)
        counts = [len(each) for _, each in spans]
        flat = np.array([span for _, each in spans for span in each]).reshape(-1, 3)
        return Trace(
            records=records,
            request=np.repeat([row for row, _ in spans], counts).astype(np.int64),
            part=flat[:, 0].astype(np.int64),
            start=flat[:, 1],
            end=flat[:, 2],
            levels={
                name: Level(*(np.array(column) for column in zip(*steps, strict=True)))
                for name, steps in self._steps.items()
            },
        )
