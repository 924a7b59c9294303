"""The engine: a plan and a seed become records.

Stages are built into layers once, outermost first; a request is one call through them.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import count, takewhile
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.model.arrivals import Closed
from cascadesim.model.breaker import BreakerPlan, CircuitBreaker
from cascadesim.model.breaker_presets import breaker_of, layer_of
from cascadesim.model.bulkhead import Bulkhead, BulkheadPlan
from cascadesim.model.deadline import AbandoningDeadline, Deadline, DeadlinePlan
from cascadesim.model.fallback import Fallback, FallbackPlan
from cascadesim.model.faults import Timeline
from cascadesim.model.kernel import ARRIVES, Alarm, Kernel, Task
from cascadesim.model.outcome import Outcome
from cascadesim.model.parallel import Parallel
from cascadesim.model.pool import (
    Connector,
    DoubtingConnector,
    FaultyLeaks,
    Leaks,
    Pool,
    PoolPlan,
    SessionLayer,
    StaticPool,
)
from cascadesim.model.request import Layer, Request, TracedRequest
from cascadesim.model.retry import Retry
from cascadesim.model.stage import Limit, Sequence, StagePlan, Startup, Work
from cascadesim.randomness import UNIFORM, Distribution, Stream
from cascadesim.records import Part, Records, Transition
from cascadesim.trace import IN_FLIGHT, Level, Snapshot, Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as Listed

    from cascadesim.model.faults import FaultPlan, Spans
    from cascadesim.model.stage import PolicyPlan
    from cascadesim.plan import Plan

    Finish = Callable[[int, Request, Outcome], None]  # of a row's request

Timeouts = tuple[tuple[str, float], ...]  # dotted paths and seconds

# Observed requests are numbered from here, so that they take no draw of the background traffic.
OBSERVED = 1 << 40
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


def _timeouts(stage: StagePlan) -> Timeouts:
    """Return the stage's own timeouts of work: of its deadlines and its tracker."""
    deadlines = tuple(
        (f"{stage.name}.{policy.name}.timeout", policy.timeout)
        for policy in stage.policies
        if isinstance(policy, DeadlinePlan)
    )
    if stage.tracker == math.inf:
        return deadlines
    return (*deadlines, (f"{stage.name}.tracker.timeout", stage.tracker))


class _Builder:
    """Turns stage plans into layers, and numbers the parts that time can go to."""

    def __init__(self, kernel: Kernel, end: float, seed: int, replication: int) -> None:
        self.kernel = kernel
        self.parts: list[Part] = []
        self.breakers: list[tuple[str, CircuitBreaker]] = []
        self.works: list[tuple[str, Work]] = []
        self.levels: dict[str, Callable[[], dict[str, int]]] = {}  # by what they are levels of
        self.ends: dict[str, int] = {}
        self._end_of_run = end
        self._seed = seed
        self._replication = replication
        self._stages = 0
        self._spans: dict[FaultPlan, Spans] = {}  # stages may share one

    def sequence(self, stages: Listed[StagePlan], outer: Timeouts = ()) -> Layer:
        """Build stages that a call passes in order; `outer` are the timeouts around them."""
        layers = tuple(self._stage(stage, outer) for stage in stages)
        return layers[0] if len(layers) == 1 else Sequence(layers)

    def _stage(self, plan: StagePlan, outer: Timeouts) -> Layer:
        layer = self._inside(plan, (*outer, *_timeouts(plan)))
        if plan.pool is not None:
            layer = self._session(plan, layer)
        if plan.concurrency < math.inf:
            part = self._part(plan.name, "queue_wait", f"{plan.name}.concurrency")
            limit = Limit(layer, self.kernel, plan, part, self._end(f"{plan.name}.queue_limit"))
            self.levels[f"{plan.name}.concurrency"] = limit.levels
            layer = limit
        if plan.startup > 0 and plan.faults:
            setting = f"{plan.name}.startup.timeout"
            part, end = self._part(plan.name, "startup_wait", setting), self._end(setting)
            timeline = self._timeline(plan.faults)
            layer = Startup(layer, self.kernel, timeline, plan.startup, part, end)
        for policy in reversed(plan.policies):
            layer = self._policy(plan.name, policy, layer)
        return layer

    def _inside(self, plan: StagePlan, timeouts: Timeouts) -> Layer:
        index = self._stages
        self._stages += 1
        layers: list[Layer] = []
        if plan.work is not None:
            # The tightest timeout around it is what bounds the work.
            tightest = min(timeouts, key=lambda timeout: timeout[1], default=None)
            setting = tightest[0] if tightest else f"{plan.name}.work"
            part = self._part(plan.name, plan.work_cause, setting)
            ends = self._end(plan.name), self._end(f"{plan.name}.tracker.timeout")
            draws = self._stream(f"{plan.name}.work", plan.work)
            failures = self._stream(f"{plan.name}.failure", UNIFORM)
            timeline = self._timeline(plan.faults) if plan.faults else None
            work = Work(self.kernel, plan, index, part, ends, draws, failures, timeline)
            self.works.append((plan.name, work))
            layers.append(work)
        if plan.parallel:
            inside = tuple(self._stage(stage, timeouts) for stage in plan.stages)
            layers.append(Parallel(inside, self.kernel))
        elif plan.stages:
            layers.append(self.sequence(plan.stages, timeouts))
        return layers[0] if len(layers) == 1 else Sequence(tuple(layers))

    def _session(self, plan: StagePlan, inner: Layer) -> Layer:
        assert plan.pool is not None
        where = f"{plan.name}.pool"
        timeout = f"{where}.timeout"
        part = self._part(where, "pool_wait", timeout)
        full, lifetime = f"{where}.max_connections", f"{plan.name}.session.lifetime"
        ends = self._end(timeout), self._end(full), self._end(lifetime)
        pool = StaticPool(plan.pool) if plan.pool.kind == "static" else Pool(plan.pool)
        connector = self._connector(plan, plan.pool, pool)
        session, leaks = plan.session, self._leaks(plan)
        layer = SessionLayer(inner, self.kernel, pool, connector, session, part, ends, leaks)
        self.levels[where] = layer.levels
        return layer

    def _leaks(self, plan: StagePlan) -> Leaks | None:
        faults = tuple(fault for fault in plan.faults if fault.kind == "pool_leak")
        share = plan.session.leak
        if not share and not faults:
            return None
        draws = self._stream(f"{plan.name}.leak", UNIFORM)
        return FaultyLeaks(draws, share, self._timeline(faults)) if faults else Leaks(draws, share)

    def _connector(self, stage: StagePlan, plan: PoolPlan, pool: Pool) -> Connector:
        where = f"{stage.name}.pool"
        part = self._part(where, "connect", f"{where}.connect_time")
        draws = self._stream(f"{stage.name}.connect", plan.connect_time)
        restarts = tuple(fault for fault in stage.faults if fault.kind == "restart")
        if not restarts and not plan.pre_ping:
            return Connector(self.kernel, pool, part, draws)
        pinging = part
        if plan.pre_ping:
            pinging = self._part(f"{where}.pre_ping", "connect", f"{where}.ping_time")
        ends = self._end(stage.name), self._end(f"{where}.pre_ping")
        parts = part, pinging
        timeline = self._timeline(restarts)
        return DoubtingConnector(self.kernel, pool, parts, ends, draws, timeline)

    def first_fault(self, plan: Plan) -> float:
        """Return when the first fault begins, the horizon where there is none."""
        faults = (fault for stage in plan.walk() for fault in stage.faults)
        starts = (start for fault in faults for start, _ in self._spans_of(fault)[:1])
        return min(starts, default=plan.horizon)

    def _timeline(self, faults: tuple[FaultPlan, ...]) -> Timeline:
        return Timeline(faults, self._spans_of)

    def _spans_of(self, fault: FaultPlan) -> Spans:
        if fault not in self._spans:
            spans = fault.spans(self._seed, self._replication, self._end_of_run)
            self._spans[fault] = spans
        return self._spans[fault]

    def _policy(self, stage: str, plan: PolicyPlan, inner: Layer) -> Layer:
        where = f"{stage}.{plan.name}"
        if isinstance(plan, DeadlinePlan):
            deadline = AbandoningDeadline if plan.abandon else Deadline
            return deadline(inner, self.kernel, plan.timeout, self._end(f"{where}.timeout"))
        if isinstance(plan, BulkheadPlan):
            part = self._part(where, "queue_wait", f"{where}.concurrency")
            keys = ("concurrency", "queue_limit", "timeout")
            full, queue, timeout = (self._end(f"{where}.{key}") for key in keys)
            bulkhead = Bulkhead(inner, self.kernel, plan, part, (full, queue, timeout))
            self.levels[where] = bulkhead.levels
            return bulkhead
        if isinstance(plan, BreakerPlan):
            breaker = breaker_of(plan)
            self.breakers.append((where, breaker))
            setting = f"{where}.recovery_timeout"
            part = self._part(where, "breaker_wait", setting) if plan.waits else 0
            end = self._end(setting if plan.waits else f"{where}.when_open")
            layer = layer_of(plan)(inner, self.kernel, breaker, part, end)
            self.levels[where] = layer.levels
            return layer
        if isinstance(plan, FallbackPlan):
            part = self._part(where, "fallback", f"{where}.work")
            draws = self._stream(f"{where}.work", plan.work)
            return Fallback(inner, self.kernel, plan, part, draws)
        part = self._part(where, "retry_backoff", f"{where}.base")
        jitter = self._stream(f"{where}.jitter", UNIFORM)
        return Retry(inner, self.kernel, plan, part, jitter)

    def _part(self, where: str, cause: str, setting: str) -> int:
        self.parts.append(Part(where, cause, setting))
        return len(self.parts) - 1

    def _end(self, path: str) -> int:
        return self.ends.setdefault(path, len(self.ends))

    def _stream(self, name: str, distribution: Distribution) -> Stream:
        return Stream(self._seed, self._replication, name, distribution)


class _Run:
    """One run: sends the requests, and keeps a row of each."""

    request: type[Request] = Request

    def __init__(self, plan: Plan, seed: int, replication: int) -> None:
        self.kernel = Kernel()
        self._plan = plan
        builder = _Builder(self.kernel, plan.end, seed, replication)
        self._root = builder.sequence(plan.stages)
        self._builder = builder
        arrivals = plan.arrivals
        if isinstance(arrivals, Closed):
            self._arrivals = np.empty(0)  # none is known before
        else:
            self._arrivals = arrivals.times(seed, replication, plan.horizon)
        n = len(self._arrivals) + len(plan.observed)
        # Columns: arrival, latency, retries, ended_by, then the parts. An arrival that rounding
        # moves to the horizon is not sent, so rows begin as unfinished requests.
        self._rows = np.zeros((n, 4 + len(builder.parts)))
        observed_at = [observed.arrival for observed in plan.observed]
        self._rows[:, 0] = np.concatenate((self._arrivals, observed_at))
        self._rows[:, 1] = plan.end - self._rows[:, 0]
        self._rows[:, 3] = -1
        self._outcomes = bytearray([Outcome.UNFINISHED]) * n
        self._used = n  # rows, of which clients add more
        self._live: dict[int, Request] = {}
        self._sent = 0
        self._send_next()
        for i, observed in enumerate(plan.observed):
            row = len(self._arrivals) + i
            Alarm(self.kernel.env, observed.arrival, ARRIVES, self._observed(row, i))
        if isinstance(arrivals, Closed):
            self._thinking = Stream(seed, replication, "workload.closed.think", arrivals.think)
            for client in range(arrivals.clients):
                self._think(client, 0, arrivals.clients)

    def _observed(self, row: int, index: int) -> Callable[[object], None]:
        work = dict(self._plan.observed[index].work)
        return lambda _: self._send(row, OBSERVED + index, work, self._finish)

    def _send_next(self) -> None:
        if self._sent < len(self._arrivals):
            delay = float(self._arrivals[self._sent]) - self.kernel.now
            Alarm(self.kernel.env, max(0.0, delay), ARRIVES, self._arrive)

    def _arrive(self, _: object) -> None:
        number = self._sent
        self._sent += 1
        self._send(number, number, None, self._finish)
        self._send_next()

    def _think(self, client: int, turn: int, clients: int) -> None:
        """Let a client think, and send its next request if the horizon is not reached by then.

        A request's number is that of the client and of its turn, so that its draws do not depend on
        how long others take.
        """
        number = turn * clients + client

        def finish(row: int, request: Request, outcome: Outcome) -> None:
            self._finish(row, request, outcome)
            self._think(client, turn + 1, clients)

        seconds = self._thinking.at(number)
        if self.kernel.now + seconds < self._plan.horizon:
            send = partial(self._send_more, number, finish)
            Alarm(self.kernel.env, seconds, ARRIVES, send)

    def _send_more(self, number: int, finish: Finish, _: object) -> None:
        row = self._used
        if row == len(self._rows):
            more = max(_ROWS, row)
            self._rows = np.concatenate((self._rows, np.zeros((more, self._rows.shape[1]))))
            self._outcomes += bytearray([Outcome.UNFINISHED]) * more
        self._used += 1
        self._send(row, number, None, finish)

    def _send(self, row: int, number: int, work: dict[int, float] | None, finish: Finish) -> None:
        kernel = self.kernel
        request = self.request(number, kernel.env.now, len(self._builder.parts), work)
        self._live[row] = request
        request.task = Task(kernel, lambda outcome: finish(row, request, outcome))
        request.task.start(self._root.call(request))
        kernel.run_ready()

    def _finish(self, row: int, request: Request, outcome: Outcome) -> None:
        del self._live[row]
        self._outcomes[row] = outcome
        if not outcome:
            request.ended_by = -1  # an earlier attempt's error, mended by a retry
        self._write(row, request)

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
        first, n = len(self._arrivals), len(self._plan.observed)
        observation[first : first + n] = np.arange(n)
        transitions = [
            Transition(at, where, state.value)
            for where, breaker in self._builder.breakers
            for at, state in breaker.history
        ]
        return Records(
            parts=tuple(self._builder.parts),
            arrival=rows[:, 0],
            latency=rows[:, 1],
            outcome=np.frombuffer(self._outcomes, dtype=np.uint8)[: self._used],
            retries=rows[:, 2].astype(np.int32),
            observation=observation,
            ends=tuple(self._builder.ends),
            ended_by=rows[:, 3].astype(np.int32),
            seconds=rows[:, 4:],
            transitions=tuple(sorted(transitions, key=lambda t: t.at)),
            calls={name: work.calls for name, work in self._builder.works},
            horizon=self._plan.horizon,
            warmup=self._plan.warmup,
            first_fault=self._builder.first_fault(self._plan),
        )

    def levels(self) -> dict[str, int]:
        """Return how full everything is, by dotted path, and how many requests are under way."""
        found = {
            f"{where}.{name}": value
            for where, levels in self._builder.levels.items()
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
            breakers={where: breaker.state.value for where, breaker in self._builder.breakers},
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
