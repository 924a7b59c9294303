"""A trace and a watched run hold what the records of the same run say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, content, examples, plan_of
from numpy.typing import NDArray
from strategies import scenarios

from cascadesim.engine import simulate, trace, watch
from cascadesim.plan.plan import Plan
from cascadesim.policies.adaptive_limit import AdaptiveLimitPlan
from cascadesim.policies.bulkhead import BulkheadPlan
from cascadesim.policies.rate_limit import RateLimitPlan
from cascadesim.records import IN_FLIGHT, Level, Records, Snapshot, Trace
from cascadesim.values.outcome import Outcome

PLAIN: Data = {
    "name": "plain",
    "horizon": "1s",
    "workload": {"arrivals": {"constant": {"rate": "10/s"}}},
    "stages": {"a": {"work": {"constant": "30ms"}}},
}

HAIR = 1e-9  # seconds; an arrival that is nearer to the end may have been rounded past it


def sent(records: Records, chosen: NDArray[np.bool_]) -> range:
    """Return how many of the chosen requests were sent: all but those that are rounded away."""
    most = int(chosen.sum())
    return range(most - int((chosen & (records.latency < HAIR)).sum()), most + 1)


def integral(level: Level, end: float) -> float:
    """Return the integral of a level from 0 to the end of the run."""
    return float(np.diff(level.at, append=end) @ level.value)


def limits(plan: Plan) -> dict[str, float]:
    """Return the most that a level may be, by its path."""
    most = {f"{stage.name}.concurrency.busy": stage.concurrency for stage in plan.walk()}
    for stage in plan.walk():
        most[f"{stage.name}.concurrency.waiting"] = stage.queue_limit
        if stage.pool is not None:
            most[f"{stage.name}.pool.checked_out"] = min(
                stage.pool.limit, stage.pool.max_connections
            )
            most[f"{stage.name}.pool.idle"] = stage.pool.keeps
        for policy in stage.policies:
            where = f"{stage.name}.{policy.name}"
            if isinstance(policy, AdaptiveLimitPlan):
                most[f"{where}.busy"] = most[f"{where}.limit"] = policy.max
            if isinstance(policy, RateLimitPlan):
                most[f"{where}.waiting"] = policy.queue_limit
            if isinstance(policy, BulkheadPlan):
                most[f"{where}.busy"] = policy.concurrency
                most[f"{where}.waiting"] = policy.room - policy.concurrency
    return most


def waited(traced: Trace, where: str, cause: str) -> float:
    """Return the seconds that all requests together waited there."""
    columns = [(part.where, part.cause) for part in traced.records.parts]
    return float(traced.records.seconds[:, columns.index((where, cause))].sum())


def _on_the_critical_path(traced: Trace) -> Trace:
    critical = traced.branch == 0
    names = ("request", "branch", "part", "start", "end")
    return replace(traced, **{name: getattr(traced, name)[critical] for name in names})


def _check_beside(traced: Trace) -> None:
    """Spans off the critical path lie in their request, and add up to what ran beside it."""
    records, off = traced.records, traced.branch > 0
    row, start, end = (column[off] for column in (traced.request, traced.start, traced.end))
    assert (start >= records.arrival[row]).all()
    assert (end <= records.arrival[row] + records.latency[row] + HAIR).all()
    sums = np.zeros_like(records.seconds)
    np.add.at(sums, (row, traced.part[off]), end - start)
    numbers = [records.parts.index(part) for part in records.beside_parts]
    np.testing.assert_allclose(sums[:, numbers], records.beside, rtol=1e-9, atol=1e-9)
    assert np.count_nonzero(sums) == np.count_nonzero(sums[:, numbers])


def check_spans(traced: Trace) -> None:
    """Spans fill a request from its arrival to its end, and add up to its parts."""
    records = traced.records
    assert (traced.end > traced.start).all()
    _check_beside(traced)
    traced = _on_the_critical_path(traced)
    assert (np.diff(traced.request) >= 0).all()
    same = np.diff(traced.request) == 0
    assert (traced.start[1:][same] == traced.end[:-1][same]).all()
    rows, first = np.unique(traced.request, return_index=True)
    assert set(rows) <= set(np.flatnonzero(records.latency > 0))
    assert set(rows) >= set(np.flatnonzero(records.latency > HAIR))
    assert (traced.start[first] == records.arrival[rows]).all()
    last = np.append(first[1:], len(traced.request))[: len(first)] - 1
    assert (traced.end[last] - records.arrival[rows] == records.latency[rows]).all()
    seconds = np.zeros_like(records.seconds)
    # In order of time, as the records add them, so that they round alike.
    np.add.at(seconds, (traced.request, traced.part), traced.end - traced.start)
    assert (seconds == records.seconds).all()


def check_levels(plan: Plan, traced: Trace) -> None:
    """Levels stay within their limits."""
    most = limits(plan)
    for path, level in traced.levels.items():
        assert level.at[0] == 0
        assert (np.diff(level.at) > 0).all()
        assert (np.diff(level.value) != 0).all()
        assert level.at[-1] < plan.end
        assert level.value.min() >= 0
        assert level.value.max() <= most.get(path, math.inf), path


def check_requests_in_flight(plan: Plan, traced: Trace) -> None:
    """Little's law holds for requests in flight."""
    level, records = traced.levels[IN_FLIGHT], traced.records
    assert level.value[-1] in sent(records, records.outcome == Outcome.UNFINISHED)
    assert integral(level, plan.end) == pytest.approx(records.latency.sum(), rel=1e-9, abs=1e-9)


def keeps_to_one_place(data: Data) -> bool:
    """Return whether no request can be in two places at once."""
    twice = ("abandon", "'parallel': True", "hedge")
    return not any(word in repr(data) for word in twice)


def check_queues(plan: Plan, traced: Trace) -> None:
    """Little's law holds for every queue.

    But where zombies wait too, or branches beside the critical path, which have no spans.
    """
    causes = {"pool": "pool_wait", "concurrency": "queue_wait"}
    for path, level in traced.levels.items():
        where, _, name = path.rpartition(".")
        stage, _, kind = where.partition(".")
        if name != "waiting":
            continue
        if kind in causes:
            seconds = waited(traced, where if kind == "pool" else stage, causes[kind])
        elif (where, "breaker_wait") in {(p.where, p.cause) for p in traced.records.parts}:
            seconds = waited(traced, where, "breaker_wait")
        elif (where, "rate_limit_wait") in {(p.where, p.cause) for p in traced.records.parts}:
            seconds = waited(traced, where, "rate_limit_wait")
        elif (where, "queue_wait") in {(p.where, p.cause) for p in traced.records.parts}:
            seconds = waited(traced, where, "queue_wait")  # a bulkhead's
        else:
            seconds = 0.0  # a breaker that rejects keeps nobody waiting
        assert integral(level, plan.end) == pytest.approx(seconds, rel=1e-9, abs=1e-9), path


@examples(50)
@given(scenarios(), st.integers(0, 3))
def test_a_trace_keeps_the_laws_and_has_the_records_of_a_plain_run(data: Data, seed: int) -> None:
    plan = plan_of(data)
    traced = trace(plan, seed)
    assert content(traced.records) == content(simulate(plan, seed))
    check_spans(traced)
    check_levels(plan, traced)
    check_requests_in_flight(plan, traced)
    if keeps_to_one_place(data):
        check_queues(plan, traced)


def check_end(plan: Plan, traced: Trace, seen: list[Snapshot], every: float) -> None:
    """A watched run ends as its records say."""
    records = traced.records
    assert [snapshot.at for snapshot in seen[:-1]] == [i * every for i in range(1, len(seen))]
    last = seen[-1]
    assert last.at == plan.end
    ended = records.measured & (records.outcome != Outcome.UNFINISHED)
    assert last.arrived in sent(records, records.arrival < plan.end)
    assert last.arrival.tolist() == records.arrival[ended].tolist()
    assert last.latency.tolist() == records.latency[ended].tolist()
    assert last.outcome.tolist() == records.outcome[ended].tolist()
    entered = {change.breaker: change.state for change in records.transitions}
    assert last.breakers == dict.fromkeys(last.breakers, "closed") | entered
    levels = {path: level.value[-1] for path, level in traced.levels.items()}
    assert last.levels == levels


def check_snapshots(traced: Trace, seen: list[Snapshot]) -> None:
    """Snapshots are the trace at their instants."""
    records = traced.records
    for snapshot in seen:
        # Before what happens at the instant itself, which is still to come.
        ended = records.arrival + records.latency < snapshot.at
        answered = records.outcome != Outcome.UNFINISHED
        assert snapshot.arrived in sent(records, records.arrival < snapshot.at)
        assert len(snapshot.latency) == (ended & answered & records.measured).sum()
        for path, level in traced.levels.items():
            before = np.searchsorted(level.at, snapshot.at) - 1
            assert snapshot.levels[path] == level.value[max(0, before)]


@examples(40)
@given(scenarios(), st.floats(0.3, 30))
def test_a_watched_run_shows_its_trace_and_ends_as_its_records_say(
    data: Data, every: float
) -> None:
    plan = plan_of(data)
    traced = trace(plan, 1)
    seen: list[Snapshot] = []
    assert content(watch(plan, 1, seen.append, every)) == content(traced.records)
    check_end(plan, traced, seen, every)
    check_snapshots(traced, seen)


# The quotient of 20 and 20/1017 rounds up to more than 1017.
@pytest.mark.parametrize("every", [20 / 1017, 0.1, 1 / 3, 0.4, 20.0, 70.0, math.inf])
def test_a_run_is_shown_at_its_end_whatever_divides_it(every: float) -> None:
    seen: list[Snapshot] = []
    watch(plan_of(PLAIN | {"horizon": "20s"}), 1, seen.append, every)
    instants = [snapshot.at for snapshot in seen]
    assert instants == sorted(set(instants))
    assert instants[-1] == 20
    assert len(instants) == max(1, round(20 / every))


def test_a_run_without_requests_has_a_trace() -> None:
    none = trace(plan_of(PLAIN | {"workload": {"arrivals": {"constant": {"rate": "1/h"}}}}), 1)
    assert len(none.records.arrival) == len(none.request) == 0
    assert none.levels[IN_FLIGHT].value.tolist() == [0]


def test_a_trace_of_a_plain_run_is_its_timetable() -> None:
    plain = trace(plan_of(PLAIN | {"horizon": "950ms"}), 1)
    arrivals = np.arange(1, 10) / 10
    np.testing.assert_allclose(plain.start, arrivals)
    np.testing.assert_allclose(plain.end, arrivals + 0.03)
    level = plain.levels[IN_FLIGHT]
    np.testing.assert_allclose(level.at[1::2], arrivals)
    assert level.value.tolist() == [0, *[1, 0] * 9]
