"""Every option of the schema does what it says, by latencies computed by hand.

Arrivals are constant: one a second at t = 1, 2, 3 … unless a test says otherwise; work is constant.
"""

import pytest
from kit import (
    ALWAYS,
    FAILED,
    OK,
    SHED,
    TIMED_OUT,
    UNFINISHED,
    ends,
    fault,
    simulated,
    spent,
    stage,
)
from scipy import stats

from cascadesim.values.outcome import Outcome


def test_the_work_of_an_agent_is_agent_execution() -> None:
    assert spent(simulated(stage("2s"))) == {"a.service_work": 2.0}
    assert spent(simulated(stage("2s", kind="agent"))) == {"a.agent_execution": 2.0}


def test_stages_are_passed_in_order_and_inner_ones_after_the_outer_work() -> None:
    inner = {"b": {"work": {"constant": "2s"}}, "c": {"work": {"constant": "4s"}}}
    records = simulated(stage("1s", stages=inner) | {"d": {"work": {"constant": "8s"}}})
    assert ends(records) == [(15.0, OK)]
    names = ("a", "b", "c", "d")
    assert spent(records) == {f"{name}.service_work": 2.0**i for i, name in enumerate(names)}


def test_an_inner_stage_is_called_when_the_outer_work_is_done() -> None:
    stages = stage("1s", stages={"b": {"work": {"constant": "2s"}}})
    for start, end in (("1900ms", (1.0, FAILED)), ("1s", (3.0, OK))):
        faults = [fault(start, "200ms", on="b", outage={})]
        assert ends(simulated(stages, faults=faults)) == [end]


def test_an_error_skips_the_stages_after_it() -> None:
    records = simulated(stage("1s", **ALWAYS) | {"b": {"work": {"constant": "2s"}}})
    assert ends(records) == [(1.0, FAILED)]
    assert records.calls == {"a": 1, "b": 0}


def test_a_call_fails_after_its_work_at_the_failure_rate() -> None:
    assert ends(simulated(stage("1s", **ALWAYS))) == [(1.0, FAILED)]
    failed = simulated(stage("1s", failure_rate="30%"), 1000).outcome == Outcome.FAILED
    assert stats.binomtest(int(failed.sum()), 1000, 0.3).pvalue > 0.01


def test_concurrency_makes_calls_queue() -> None:
    records = simulated(stage("1500ms", concurrency=1), 3)
    assert ends(records) == [(1.5, OK), (2.0, OK), (2.5, OK)]
    assert spent(records, 2) == {"a.queue_wait": 1.0, "a.service_work": 1.5}
    assert ends(simulated(stage("1500ms", concurrency=2), 3)) == [(1.5, OK)] * 3


def test_an_outer_stage_is_busy_while_the_stages_inside_work() -> None:
    inner = {"b": {"work": {"constant": "1500ms"}}}
    records = simulated(stage("0s", concurrency=1, stages=inner), 2)
    assert ends(records) == [(1.5, OK), (2.0, OK)]


@pytest.mark.parametrize(("limit", "last"), [(0, (0.0, SHED)), (1, (0.0, SHED)), (2, (28.0, OK))])
def test_a_full_queue_rejects(limit: int, last: tuple[float, str]) -> None:
    assert ends(simulated(stage("10s", concurrency=1, queue_limit=limit), 3))[-1] == last


def test_callers_wait_for_a_start_up_as_long_as_they_have_patience() -> None:
    faults = [fault("0s", "5s", restart={})]
    patient = simulated(stage("1s", startup={"timeout": "4s"}), faults=faults)
    assert ends(patient) == [(5.0, OK)]
    assert spent(patient) == {"a.startup_wait": 4.0, "a.service_work": 1.0}
    hasty = simulated(stage("1s", startup={"timeout": "3s"}), faults=faults)
    assert ends(hasty) == [(3.0, TIMED_OUT)]
    assert ends(simulated(stage("1s"), faults=faults)) == [(0.0, FAILED)]


def test_the_tracker_notices_silence_and_nothing_else() -> None:
    tracked = stage("2s", tracker={"timeout": "3s"})
    silence = [fault("0s", "2s", hang={})]
    assert ends(simulated(tracked, faults=silence)) == [(3.0, FAILED)]
    assert ends(simulated(stage("2s"), faults=silence, drain="10s")) == [(10.5, UNFINISHED)]
    slow = [fault("0s", "2s", latency={"add": "10s"})]
    assert ends(simulated(tracked, faults=slow)) == [(12.0, OK)]


def test_the_trackers_record_runs_from_the_start_of_the_call() -> None:
    tracked = stage("10s", tracker={"timeout": "3s"})
    for start, noticed in (("2s", 3.0), ("6s", 5.0)):
        silence = [fault(start, "1s", hang={})]
        assert ends(simulated(tracked, faults=silence)) == [(noticed, FAILED)]
