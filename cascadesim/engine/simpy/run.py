"""One replication: a plan and a seed become records.

A request is one call through the layers that builder.py builds.
"""

from __future__ import annotations

from functools import partial
from itertools import count, takewhile
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.engine.simpy.builder import Builder
from cascadesim.engine.simpy.kernel import Kernel, Task
from cascadesim.engine.simpy.request import Request, TracedRequest
from cascadesim.engine.simpy.rows import HEAD, Rows
from cascadesim.engine.simpy.senders import (
    ClosedClients,
    ConnectedClients,
    OpenArrivals,
    send_observed,
)
from cascadesim.plan.arrivals import Apart, Closed
from cascadesim.plan.classes import OBSERVED
from cascadesim.plan.connections import GONE, ConnectionsPlan
from cascadesim.records import (
    IN_FLIGHT,
    ConnectionCounts,
    Level,
    Records,
    Snapshot,
    Trace,
    Transition,
)
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cascadesim.engine.simpy.request import Span
    from cascadesim.engine.simpy.senders import Ended
    from cascadesim.plan.plan import Plan

_SLICES = 200  # how often a replication reports its progress


def simulate(
    plan: Plan,
    seed: int,
    replication: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Records:
    """Run the plan once and return its records, the same for the same arguments.

    `progress` is called with the share of simulated time that is done.
    """
    run = _Replication(plan, seed, replication)
    if progress is None:
        run.kernel.env.run(until=plan.end)
    else:
        for i in range(1, _SLICES + 1):
            run.kernel.env.run(until=plan.end * (i / _SLICES))  # the last one is the end exactly
            progress(i / _SLICES)
    return run.records()


def trace(plan: Plan, seed: int, replication: int = 0) -> Trace:
    """Run the plan once and return its records, the same as `simulate` does, with a trace."""
    run = _TracedReplication(plan, seed, replication)
    env = run.kernel.env
    while env.peek() < plan.end:
        env.step()
        run.note()
    env.run(until=plan.end)
    return run.trace()


def watch(
    plan: Plan, seed: int, show: Callable[[Snapshot], None], every: float, replication: int = 0
) -> Records:
    """Run the plan as `simulate` does, and `show` it after every `every` simulated seconds."""
    run = _Replication(plan, seed, replication)
    # Not by dividing: a quotient that rounds up would have an instant at the end itself.
    for at in takewhile(lambda at: at < plan.end, (i * every for i in count(1))):
        run.kernel.env.run(until=at)
        show(run.snapshot())
    run.kernel.env.run(until=plan.end)
    show(run.snapshot())
    return run.records()


def _numbered(plan: Plan, seed: int, replication: int) -> tuple[NDArray[np.float64], Sequence[int]]:
    """Return when requests arrive whose instants are known before, in seconds, and their numbers.

    None of clients, who send when they have thought.
    """
    arrivals = plan.arrivals
    if isinstance(arrivals, Apart):
        return arrivals.numbered(seed, replication, plan.horizon)
    if isinstance(arrivals, Closed | ConnectionsPlan):
        return np.empty(0), ()
    instants = arrivals.times(seed, replication, plan.horizon)
    return instants, range(len(instants))


class _Replication:
    """One replication: sends the requests, and keeps a row of each."""

    request: type[Request] = Request

    def __init__(self, plan: Plan, seed: int, replication: int) -> None:
        self.kernel = Kernel()
        self._plan = plan
        self._builder = builder = Builder(self.kernel, plan, seed, replication)
        self._root = builder.root(plan)
        self._connections = None
        if plan.connections is not None:
            self._connections = builder.connections(plan.connections, self._root)
            self._root = self._connections.way
        instants, numbers = _numbered(plan, seed, replication)
        self._first_observed = len(instants)
        observed_at = [observed.arrival for observed in plan.observed]
        arrivals = np.concatenate((instants, observed_at))
        self._rows = Rows(arrivals, builder.layout, plan.end)
        if builder.classes is not None:
            observed = range(OBSERVED, OBSERVED + len(plan.observed))
            self._rows.classes += bytes(map(builder.classes.of, (*numbers, *observed)))
        self._live: dict[int, Request] = {}
        OpenArrivals(self, instants, numbers)
        send_observed(self, plan.observed, self._first_observed)
        if isinstance(plan.arrivals, Closed):
            ClosedClients(self, plan.arrivals, plan.horizon, seed, replication)
        if self._connections is not None:
            ConnectedClients(self, self._connections, plan.horizon, seed, replication)

    def add_row(self, number: int) -> int:
        """Return the row of one more request, which has this number."""
        return self._rows.add(number)

    def send(
        self,
        row: int,
        number: int,
        *,
        work: dict[int, float] | None = None,
        ended: Ended | None = None,
    ) -> None:
        """Send a request now; `ended` is called with its outcome."""
        kernel, classes = self.kernel, self._builder.classes
        if classes is not None:
            self._rows.classes[row] = classes.of(number)
        parts = len(self._builder.layout.parts)
        request = self.request(number, kernel.env.now, parts, work)
        self._live[row] = request
        request.task = Task(kernel, partial(self._finish, row, request, ended))
        request.task.start(self._root.call(request))
        kernel.run_ready()

    def _finish(self, row: int, request: Request, ended: Ended | None, outcome: Outcome) -> None:
        del self._live[row]
        self._rows.outcomes[row] = outcome
        if not outcome:
            request.ended_by = -1  # an earlier attempt's error, mended by a retry
        self._write(row, request)
        if ended is not None:
            ended(outcome)

    def _write(self, row: int, request: Request) -> None:
        self._rows.write(row, request, self.kernel.env.now)

    def records(self) -> Records:
        """Return the records, unfinished requests with their age."""
        for row, request in self._live.items():
            request.catch_up(self.kernel.now)
            request.ended_by = -1
            self._write(row, request)
        plan, builder, used = self._plan, self._builder, self._rows.used
        values = self._rows.values[:used]
        parts = builder.layout.parts
        return Records(
            parts=parts,
            arrival=values[:, 0],
            latency=values[:, 1],
            outcome=np.frombuffer(self._rows.outcomes, dtype=np.uint8)[:used],
            retries=values[:, 2].astype(np.int32),
            observation=self._observation(),
            ends=builder.layout.ends,
            ended_by=values[:, 3].astype(np.int32),
            cut=values[:, 4].astype(np.int32),
            seconds=values[:, HEAD:],
            beside_parts=tuple(parts[i] for i in builder.layout.beside),
            beside=self._rows.beside[:used],
            transitions=self._transitions(),
            calls={name: work.calls for name, work in builder.works},
            horizon=plan.horizon,
            warmup=plan.warmup,
            first_fault=builder.first_fault(plan),
            classes=tuple(request_class.name for request_class in plan.classes),
            request_class=self._classes_of_rows(),
            number=self._numbers_of_rows(),
            connections=self._connection_counts(),
            held={where: each.held() for where, each in builder.shared.holders.items()},
            behind=builder.layout.behind,
        )

    def _observation(self) -> NDArray[np.int32]:
        observation = np.full(self._rows.used, -1, dtype=np.int32)
        first, n = self._first_observed, len(self._plan.observed)
        observation[first : first + n] = np.arange(n)
        return observation

    def _transitions(self) -> tuple[Transition, ...]:
        transitions = [
            Transition(at, where, state.value)
            for where, breaker in self._builder.shared.breakers
            for at, state in breaker.history
        ]
        return tuple(sorted(transitions, key=lambda transition: transition.at))

    def _connection_counts(self) -> ConnectionCounts | None:
        connections = self._connections
        if connections is None:
            return None
        ends = self._builder.layout.ends
        failed, lost = (
            {ends[i]: n for i, n in sorted(counts.items())}
            for counts in (connections.failed, connections.lost)
        )
        gave_up = connections.states[GONE]
        return ConnectionCounts(connections.opened, connections.closed, failed, lost, gave_up)

    def _classes_of_rows(self) -> NDArray[np.uint8]:
        used = self._rows.used if self._plan.classes else 0
        return np.frombuffer(self._rows.classes, dtype=np.uint8)[:used]

    def _numbers_of_rows(self) -> NDArray[np.int64]:
        if not isinstance(self._plan.arrivals, Closed | ConnectionsPlan):
            return np.empty(0, np.int64)
        observed = OBSERVED + np.arange(len(self._plan.observed))
        return np.concatenate((observed, np.array(self._rows.numbers, np.int64)))

    def levels(self) -> dict[str, int]:
        """Return how full everything is, by dotted path, and how many requests are under way."""
        filled = {
            f"{where}.{name}": value
            for where, levels in self._builder.shared.levels.items()
            for name, value in levels().items()
        }
        return filled | {IN_FLIGHT: len(self._live)}

    def snapshot(self) -> Snapshot:
        """Return how the replication stands now."""
        arrivals, latencies = self._rows.values[:, 0], self._rows.values[:, 1]
        outcomes = np.frombuffer(self._rows.outcomes, dtype=np.uint8)
        ended = outcomes != Outcome.UNFINISHED
        arrived = int(ended.sum()) + len(self._live)
        ended &= arrivals >= self._plan.warmup
        return Snapshot(
            at=self.kernel.now,
            arrived=arrived,
            arrival=arrivals[ended],
            latency=latencies[ended],
            outcome=outcomes[ended],
            breakers={
                where: breaker.state.value for where, breaker in self._builder.shared.breakers
            },
            levels=self.levels(),
        )


class _TracedReplication(_Replication):
    """A replication that remembers spans and levels."""

    request = TracedRequest

    def __init__(self, plan: Plan, seed: int, replication: int) -> None:
        super().__init__(plan, seed, replication)
        self._spans: list[tuple[int, int, list[Span]]] = []  # by row and branch
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
        for branch, spans in enumerate((request.spans, *request.aside)):
            self._spans.append((row, branch, spans))

    def trace(self) -> Trace:
        """Return the records with the trace."""
        records = self.records()
        spans = sorted(self._spans)
        rows = [(row, branch, *span) for row, branch, of_branch in spans for span in of_branch]
        flat = np.array(rows).reshape(-1, 5)
        return Trace(
            records=records,
            request=flat[:, 0].astype(np.int64),
            branch=flat[:, 1].astype(np.int64),
            part=flat[:, 2].astype(np.int64),
            start=flat[:, 3],
            end=flat[:, 4],
            levels={
                name: Level(*(np.array(column) for column in zip(*steps, strict=True)))
                for name, steps in self._steps.items()
            },
        )
