from cascadesim.engine.simpy.timeline import Timeline
from cascadesim.faults.error_rate import ErrorRatePlan
from cascadesim.faults.latency import LatencyPlan
from cascadesim.faults.outage import OutagePlan
from cascadesim.faults.partition import PartitionPlan
from cascadesim.faults.restart import RestartPlan
from cascadesim.values.outcome import Outcome


def test_outage_fails_calls_that_start_in_it_and_calls_that_run_into_it() -> None:
    timeline = Timeline((OutagePlan(10.0, 20.0, fail_after=0.05),))
    assert timeline.cut(9.5, 1.0) == (0.5, Outcome.FAILED)
    assert timeline.cut(10.0, 1.0) == (0.05, Outcome.FAILED)
    assert timeline.cut(20.0, 1.0) is None
    assert timeline.cut(8.0, 1.0) is None


def test_partition_silences() -> None:
    timeline = Timeline((PartitionPlan(10.0, 20.0),))
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
