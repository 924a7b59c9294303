"""A freeze of a stage's work, by schedules made by hand. A call arrives every second from 1 s."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import (
    FAILED,
    OK,
    TIMED_OUT,
    Data,
    deadline,
    ends,
    fault,
    plan_of,
    scenario,
    simulated,
    spent,
    stage,
)

from cascadesim.analysis.bounds import longest_bound
from cascadesim.faults.freeze import FreezePlan


def freeze(start: str, duration: str) -> Data:
    return fault(start, duration, freeze={})


def test_work_under_way_is_stretched_and_new_calls_begin_after_it() -> None:
    records = simulated(stage("1500ms"), 5, faults=[freeze("2250ms", "2s")])
    # The first has 250 ms left, the second 1250 ms; those of 3 s and 4 s begin at 4.25 s.
    assert ends(records) == [(3.5, OK), (3.5, OK), (2.75, OK), (1.75, OK), (1.5, OK)]
    assert spent(records) == {"a.service_work": 3.5}


def test_work_that_runs_into_the_next_freeze_stands_still_again() -> None:
    faults = [freeze("3s", "1s"), freeze("1500ms", "1s"), freeze("3500ms", "2s")]
    assert ends(simulated(stage("2s"), 1, faults=faults)) == [(5.5, OK)]  # frozen for 3.5 s


@pytest.mark.parametrize(("start", "latency"), [("2s", 1.0), ("1999ms", 2.0), ("1s", 2.0)])
def test_work_that_ends_as_it_begins_is_done(start: str, latency: float) -> None:
    assert ends(simulated(stage("1s"), 1, faults=[freeze(start, "1s")])) == [(latency, OK)]


def test_a_call_without_work_waits_for_its_end() -> None:
    assert ends(simulated(stage("0s"), 1, faults=[freeze("1s", "3s")])) == [(3.0, OK)]


def test_what_slows_work_down_does_not_slow_down_a_freeze() -> None:
    for faults in ([freeze("2s", "3s"), fault("0s", "9s", latency={"multiply": 2})],) * 2:
        plan = plan_of(scenario(stage("1s"), 1, faults=faults))
        assert ends(simulated(stage("1s"), 1, faults=faults)) == [(5.0, OK)]
        assert longest_bound(plan).total == 5.0
        faults.reverse()
    random = {"on": "a", "random": {"mtbf": "1min", "mttr": "1s"}, "freeze": {}}
    assert longest_bound(plan_of(scenario(stage("1s"), 1, faults=[random]))).total == math.inf


def test_callers_give_up_and_places_are_kept_meanwhile() -> None:
    faults = [freeze("1500ms", "4s")]
    records = simulated(stage("1s", deadline("2s", "abandon"), concurrency=1), 6, faults=faults)
    # The first works until 6 s all the same, the second from there until 7 s, and so on.
    assert ends(records) == [(2.0, TIMED_OUT)] * 6
    assert records.calls["a"] == 6


def test_an_outage_finds_it_under_way() -> None:
    faults = [freeze("1500ms", "2s"), fault("3s", "100ms", outage={})]
    assert ends(simulated(stage("1s"), 1, faults=faults)) == [(2.0, FAILED)]


times = st.floats(0, 100)


@given(times, times, st.lists(st.tuples(times, st.floats(0.1, 9)), max_size=6))
def test_it_works_exactly_while_it_is_not_frozen(
    now: float, work: float, drawn: list[tuple[float, float]]
) -> None:
    spans: list[tuple[float, float]] = []
    for gap, lasts in drawn:
        start = spans[-1][1] + gap if spans else gap
        spans.append((start, start + lasts))
    end = now + FreezePlan().stretched(work, now, spans)
    frozen = sum(max(0.0, min(end, stop) - max(now, start)) for start, stop in spans)
    assert end - now - frozen == pytest.approx(work, abs=1e-9)
