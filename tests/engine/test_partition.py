"""A partition between callers and a stage, by schedules made by hand.

A call arrives every second from t = 1 s on.
"""

import numpy as np
import pytest
from kit import (
    FAILED,
    OK,
    TIMED_OUT,
    Data,
    deadline,
    ended_by,
    ends,
    fault,
    plan_of,
    scenario,
    simulated,
    spent,
    stage,
)

from cascadesim.analysis.bounds import longest_bound
from cascadesim.engine import trace


def partition(start: str, duration: str) -> Data:
    return fault(start, duration, partition={})


def test_what_was_sent_is_delivered_at_its_end() -> None:
    records = simulated(stage("1500ms"), 4, faults=[partition("2250ms", "2s")])
    # Work of the first ends at 2.5 s, of the second at 3.5 s; the others reach the stage at 4.25 s.
    assert ends(records) == [(3.25, OK), (2.25, OK), (2.75, OK), (1.75, OK)]
    assert spent(records) == {"a.service_work": 1.5, "a.network_wait": 1.75}
    assert spent(records, 2) == {"a.service_work": 1.5, "a.network_wait": 1.25}
    assert records.calls["a"] == 4


def test_an_error_is_an_answer_that_arrives_late() -> None:
    records = simulated(stage("1s", failure_rate="100%"), 1, faults=[partition("1500ms", "2s")])
    assert ends(records) == [(2.5, FAILED)]


def test_a_call_whose_answer_runs_into_the_next_one_waits_twice() -> None:
    faults = [partition("500ms", "1s"), partition("2s", "3s"), partition("4s", "2s")]
    records = simulated(stage("1s"), 1, faults=faults)  # from 1.5 s to 2.5 s at the stage
    assert ends(records) == [(5.0, OK)]


def test_what_the_stage_is_like_counts_when_a_call_reaches_it() -> None:
    faults = [partition("500ms", "1500ms"), fault("2s", "10s", latency={"multiply": 3})]
    records = simulated(stage("1s"), 1, faults=faults)
    assert spent(records) == {"a.service_work": 3.0, "a.network_wait": 1.0}
    records = simulated(stage("1s"), 1, faults=[faults[0], fault("500ms", "1500ms", outage={})])
    assert ends(records) == [(2.0, OK)]  # the outage is over


def test_a_caller_that_gives_up_meanwhile_never_reaches_the_stage() -> None:
    records = simulated(stage("1s", deadline("1s")), 2, faults=[partition("500ms", "2s")])
    assert ends(records) == [(1.0, TIMED_OUT), (1.0, TIMED_OUT)]
    assert records.calls["a"] == 1  # at 2.5 s, the second


@pytest.mark.parametrize(("propagate", "calls"), [(False, 1), (True, 0)])
def test_a_call_that_is_abandoned_reaches_it_unless_it_knows_the_deadline(
    propagate: bool, calls: int
) -> None:
    around = deadline("1s", "abandon", propagate=propagate)
    records = simulated(stage("1s", around), 1, faults=[partition("500ms", "2s")])
    assert ends(records) == [(1.0, TIMED_OUT)]
    assert records.calls["a"] == calls
    exactly = simulated(stage("1s", around), 1, faults=[partition("500ms", "1500ms")])
    assert exactly.calls["a"] == calls  # nothing begins at the deadline


def test_a_tracker_takes_a_late_answer_for_none() -> None:
    tracked = stage("1s", tracker={"timeout": "2s"})
    records = simulated(tracked, 2, faults=[partition("1500ms", "2s")])
    # The first has its answer at 3.5 s but is given up at 3 s. The second reaches at 3.5 s.
    assert ends(records) == [(2.0, FAILED), (2.5, OK)]
    assert ended_by(records) == "a.tracker.timeout"


def test_a_call_keeps_its_place_until_the_answer_is_there() -> None:
    data = scenario(stage("500ms", concurrency=1), 3, faults=[partition("1200ms", "2s")])
    level = trace(plan_of(data), 1).levels["a.concurrency.busy"]
    # The first until 3.2 s, the next from there for its work.
    assert np.round(level.at, 9).tolist() == [0, 1, 4.2]


def test_its_worst_case_is_the_work_and_all_partitions() -> None:
    faults = [partition("500ms", "1s"), partition("2s", "3s")]
    plan = plan_of(scenario(stage("1s"), 1, faults=faults))
    assert longest_bound(plan).total == pytest.approx(5.0)
    random = {"on": "a", "random": {"mtbf": "1min", "mttr": "1s"}, "partition": {}}
    assert longest_bound(plan_of(scenario(stage("1s"), 1, faults=[random]))).total == np.inf
