from cascadesim.plan.faults import FaultPlan, Timeline
from cascadesim.plan.outcome import Outcome


def test_outage_fails_calls_that_start_in_it_and_calls_that_run_into_it() -> None:
    timeline = Timeline((FaultPlan("outage", 10.0, 20.0, fail_after=0.05),))
    assert timeline.broken(9.5, 1.0) == (0.5, Outcome.FAILED)
    assert timeline.broken(10.0, 1.0) == (0.05, Outcome.FAILED)
    assert timeline.broken(20.0, 1.0) is None
    assert timeline.broken(8.0, 1.0) is None


def test_partition_silences() -> None:
    timeline = Timeline((FaultPlan("partition", 10.0, 20.0),))
    assert timeline.broken(9.0, 2.0) == (1.0, Outcome.UNFINISHED)
    assert timeline.broken(15.0, 2.0) == (0.0, Outcome.UNFINISHED)


def test_restart_fails_running_calls_and_makes_new_ones_wait() -> None:
    timeline = Timeline((FaultPlan("restart", 10.0, 40.0),))
    assert timeline.broken(9.0, 2.0) == (1.0, Outcome.FAILED)
    assert timeline.ready_at(9.0) == 9.0
    assert timeline.ready_at(12.0) == 40.0
    assert timeline.ready_at(40.0) == 40.0


def test_latency_and_errors() -> None:
    faults = (
        FaultPlan("latency", 0.0, 5.0, multiply=3.0, add=1.0),
        FaultPlan("error_rate", 0.0, 5.0, share=0.5),
    )
    timeline = Timeline(faults)
    assert timeline.work(1.0, 2.0) == 7.0
    assert timeline.work(5.0, 2.0) == 2.0
    assert timeline.error_rate(1.0, 0.5) == 0.75
    assert timeline.error_rate(5.0, 0.5) == 0.5
