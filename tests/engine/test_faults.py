"""What each kind of fault does to calls: in its plan, and by latencies computed by hand."""

import pytest
from kit import FAILED, OK, TIMED_OUT, deadline, ends, fault, plan_of, scenario, simulated, stage
from scipy import stats

from cascadesim.engine import simulate
from cascadesim.engine.simpy.timeline import Timeline
from cascadesim.faults.error_rate import ErrorRatePlan
from cascadesim.faults.hang import HangPlan
from cascadesim.faults.latency import LatencyPlan
from cascadesim.faults.outage import OutagePlan
from cascadesim.faults.restart import RestartPlan
from cascadesim.values.outcome import Outcome


def test_outage_fails_calls_that_start_in_it_and_calls_that_run_into_it() -> None:
    timeline = Timeline((OutagePlan(10.0, 20.0, fail_after=0.05),))
    assert timeline.cut(9.5, 1.0) == (0.5, Outcome.FAILED)
    assert timeline.cut(10.0, 1.0) == (0.05, Outcome.FAILED)
    assert timeline.cut(20.0, 1.0) is None
    assert timeline.cut(8.0, 1.0) is None


def test_a_hang_silences() -> None:
    timeline = Timeline((HangPlan(10.0, 20.0),))
    assert timeline.cut(9.0, 2.0) == (1.0, Outcome.UNFINISHED)
    assert timeline.cut(15.0, 2.0) == (0.0, Outcome.UNFINISHED)


def test_restart_fails_running_calls_and_makes_new_ones_wait() -> None:
    timeline = Timeline((RestartPlan(10.0, 40.0),))
    assert timeline.cut(9.0, 2.0) == (1.0, Outcome.FAILED)
    assert timeline.ready_at(9.0) == 9.0
    assert timeline.ready_at(12.0) == 40.0
    assert timeline.ready_at(40.0) == 40.0


def test_latency_and_errors() -> None:
    faults = (
        LatencyPlan(0.0, 5.0, multiply=3.0, add=1.0),
        ErrorRatePlan(0.0, 5.0, share=0.5),
    )
    timeline = Timeline(faults)
    assert timeline.work(1.0, 2.0) == 7.0
    assert timeline.work(5.0, 2.0) == 2.0
    assert timeline.error_rate(1.0, 0.5) == 0.75
    assert timeline.error_rate(5.0, 0.5) == 0.5


def test_calls_fail_in_an_outage_and_so_do_those_it_finds_under_way() -> None:
    records = simulated(stage("1500ms"), 4, faults=[fault("2250ms", "1s", outage={})])
    assert ends(records) == [(1.25, FAILED), (0.25, FAILED), (0.0, FAILED), (1.5, OK)]


def test_a_call_takes_a_while_to_fail_in_an_outage() -> None:
    faults = [fault("0s", "2s", outage={"fail_after": "300ms"})]
    assert ends(simulated(stage("1500ms"), 2, faults=faults)) == [(0.3, FAILED), (1.5, OK)]


def test_a_fault_begins_at_its_instant_and_is_over_at_its_end() -> None:
    faults = [fault("1s", "1s", outage={})]
    assert ends(simulated(stage("0s"), 2, faults=faults)) == [(0.0, FAILED), (0.0, OK)]


def test_an_error_rate_adds_failures_at_its_share() -> None:
    faults = [fault("0s", "500s", error_rate={"share": "40%"})]
    records = simulated(stage("1ms", failure_rate="50%"), 1000, faults=faults)
    failed = records.outcome == Outcome.FAILED
    assert stats.binomtest(int(failed[:499].sum()), 499, 1 - 0.5 * 0.6).pvalue > 0.01
    assert stats.binomtest(int(failed[499:].sum()), 501, 0.5).pvalue > 0.01


def test_latency_is_multiplied_and_added_to() -> None:
    for settings, first in (
        ({"multiply": 3}, 3.0),
        ({"add": "250ms"}, 1.25),
        ({"multiply": 3, "add": "250ms"}, 3.25),
    ):
        faults = [fault("0s", "1500ms", latency=settings)]
        assert ends(simulated(stage("1s"), 2, faults=faults)) == [(first, OK), (1.0, OK)]


def test_a_hang_answers_neither_new_calls_nor_those_under_way() -> None:
    faults = [fault("2250ms", "1s", hang={})]
    records = simulated(stage("1500ms", deadline("5s")), 4, faults=faults)
    assert ends(records) == [(5.0, TIMED_OUT)] * 3 + [(1.5, OK)]


def test_a_restart_fails_calls_under_way_and_makes_others_wait() -> None:
    faults = [fault("1500ms", "2s", restart={})]
    records = simulated(stage("1s", startup={"timeout": "9s"}), 3, faults=faults)
    assert ends(records) == [(0.5, FAILED), (2.5, OK), (1.5, OK)]


@pytest.mark.parametrize(
    ("length", "seed"), [(24_255, 115), (24_995, 135), (25_291, 143), (28_214, 222), (29_028, 244)]
)
def test_rounding_lets_no_call_in_before_the_start_up_is_over(length: int, seed: int) -> None:
    # In these the sum of an arrival and the wait from there is less than the end of the restart.
    faults = [fault("0s", f"{length}ms", restart={})]
    arrivals = {"arrivals": {"poisson": {"rate": "1/s"}}}
    waiting = stage("7ms", startup={"timeout": "99s"})
    plan = plan_of(scenario(waiting, 3, faults=faults, workload=arrivals))
    records = simulate(plan, seed)
    arrival, end = float(records.arrival[0]), plan.stages[0].faults[0].end
    assert arrival + (end - arrival) < end
    assert {word for _, word in ends(records)} == {OK}


def test_a_slow_failure_takes_as_long_as_it_says_even_beyond_the_work() -> None:
    faults = [fault("0s", "2s", outage={"fail_after": "5s"})]
    assert ends(simulated(stage("1s"), faults=faults)) == [(5.0, FAILED)]
