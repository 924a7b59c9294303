import math
from typing import Any

import numpy as np
import pytest

from cascadesim.analysis.attribution import Blame, blame_for_time, by_cause, by_part
from cascadesim.analysis.summary import summarize
from cascadesim.plan.layout import Part
from cascadesim.records import Records
from cascadesim.scenario.objectives import parse_objective
from cascadesim.values.outcome import Outcome

PARTS = (
    Part("agent", "agent_execution", "agent.work", ("agent.deadline.timeout",)),
    Part("agent.breaker", "breaker_wait", "agent.breaker.recovery_timeout"),
    Part("auth.breaker", "breaker_wait", "auth.breaker.recovery_timeout"),
)
ENDS = ("agent.deadline.timeout", "auth")
O = Outcome  # noqa: E741
ENDED = {O.FAILED: 1, O.TIMED_OUT: 0, O.DEGRADED: 0, O.REJECTED: 1}


def records(rows: list[tuple[float, Outcome, tuple[float, float, float]]], **more: Any) -> Records:
    """Return records of requests by (arrival, outcome, seconds by part), warm-up 10 of 110 s."""
    seconds = np.array([row[2] for row in rows]).reshape(-1, len(PARTS))
    return Records(
        parts=PARTS,
        arrival=np.array([row[0] for row in rows]),
        latency=seconds.sum(axis=1),
        outcome=np.array([row[1] for row in rows], dtype=np.uint8),
        retries=np.zeros(len(rows), dtype=np.int32),
        ends=ENDS,
        ended_by=np.array([ENDED.get(row[1], -1) for row in rows], dtype=np.int32),
        observation=np.full(len(rows), -1, dtype=np.int32),
        seconds=seconds,
        transitions=(),
        calls={},
        horizon=110.0,
        warmup=10.0,
    )


RUN = records(
    [
        (5.0, O.OK, (99.0, 0.0, 0.0)),  # in the warm-up, so not measured
        (10.0, O.OK, (1.0, 0.0, 0.0)),
        (20.0, O.OK, (1.0, 6.0, 2.0)),
        (30.0, O.FAILED, (2.0, 1.0, 3.0)),
        (40.0, O.REJECTED, (0.0, 0.0, 0.0)),
        (50.0, O.DEGRADED, (4.0, 0.0, 0.0)),
    ]
)


def verdict(text: str, run: Records = RUN) -> Any:
    (found,) = summarize(run, (parse_objective(text),)).verdicts
    return found


def test_measured_requests_are_counted_by_outcome() -> None:
    summary = summarize(RUN)
    assert summary.requests == 5
    assert {k: v for k, v in summary.outcomes.items() if v} == {
        "ok": 2,
        "degraded": 1,
        "rejected": 1,
        "failed": 1,
    }
    assert summary.goodput == 3 / 100  # of 100 s, whose replies are one of the warm-up's, too
    assert summary.error_rate == 2 / 5
    assert summary.percentiles["max"].seconds == 9.0
    assert summary.by_outcome["failed"]["p50"].seconds == 6.0
    assert summary.rates["answered_rate"] == 2 / 5  # with no limit, every ok reply


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ("p50 < 5s", 4.0, True),
        ("p99 < 5s", 9.0, False),
        ("p99 <= 9s", 9.0, True),
        ("max > 5s", 9.0, True),
        ("mean < 4s", 4.0, False),
        ("error_rate < 50%", 0.4, True),
        ("failed_rate < 20%", 0.2, False),
        ("ok_rate >= 40%", 0.4, True),
        ("answered_rate >= 40%", 0.4, True),
        ("goodput > 1/min", 0.03, True),
        ("goodput > 2/s", 0.03, False),
    ],
)
def test_objectives(text: str, value: float, met: bool) -> None:
    found = verdict(text)
    assert (found.value.estimate, found.met) == (pytest.approx(value), met)


def test_the_setting_that_governs_most_of_the_slow_time_is_to_blame() -> None:
    found = verdict("p99 < 5s").blame
    assert found.setting == "agent.breaker.recovery_timeout"
    assert found.share == pytest.approx(6 / 9)  # of the one request at the p99
    assert verdict("p50 < 5s").blame is None
    mean = blame_for_time(RUN, "mean")
    assert mean is not None
    # Of 20 s, a deadline ended 4 s of work, and not the other 4 s.
    assert (mean.setting, mean.share) == ("agent.breaker.recovery_timeout", pytest.approx(7 / 20))
    assert blame_for_time(records([]), "mean") is None


def test_what_ended_most_errors_is_to_blame_for_their_rate() -> None:
    assert verdict("error_rate < 1%").blame.setting == "auth"
    assert verdict("error_rate < 1%").blame.share == 1.0
    assert verdict("degraded_rate < 1%").blame.setting == "agent.deadline.timeout"
    assert verdict("goodput > 2/s").blame.setting == "auth"
    assert verdict("ok_rate > 99%").blame.setting == "auth"
    assert verdict("error_rate < 50%").blame is None


def test_unfinished_requests_may_come_to_any_error() -> None:
    hang = records([(20.0, O.UNFINISHED, (90.0, 0.0, 0.0))] * 3)
    for metric in ("error_rate", "timed_out_rate", "degraded_rate"):
        assert not verdict(f"{metric} < 1%", hang).met
    assert not verdict("ok_rate > 99%", hang).met
    assert verdict("unfinished_rate > 99%", hang).met


def test_answered_are_ok_replies_within_the_first_latency_objective() -> None:
    objectives = map(parse_objective, ("answered_rate > 50%", "p99 < 5s", "p50 < 20s"))
    summary = summarize(RUN, tuple(objectives))
    assert summary.limit == 5.0
    assert summary.rates["answered_rate"] == 1 / 5  # neither an error nor a degraded reply is one
    assert summary.rates["ok_rate"] == 2 / 5
    assert summary.verdicts[0].blame == Blame("auth", 2 / 3)  # more errors than late replies


def test_replies_that_come_late_are_blamed_on_what_took_the_time() -> None:
    late = records([(20.0, O.OK, (1.0, 6.0, 2.0))] * 3 + [(20.0, O.FAILED, (1.0, 0.0, 0.0))])
    objectives = (parse_objective("answered_rate > 50%"), parse_objective("p99 < 5s"))
    blame = summarize(late, objectives).verdicts[0].blame
    assert blame is not None
    assert blame.setting == "agent.breaker.recovery_timeout"


def test_goodput_counts_replies_when_they_come() -> None:
    late = [(100.0, O.OK, (20.0, 0.0, 0.0))]  # its reply comes after the horizon of 110 s
    at_once = [(100.0, O.OK, (10.0, 0.0, 0.0))]
    assert summarize(records(late)).goodput == 0
    assert summarize(records(at_once)).goodput == 1 / 100


def test_unfinished_requests_never_keep_an_upper_objective() -> None:
    run = records([(20.0, O.OK, (1.0, 0.0, 0.0)), (100.0, O.UNFINISHED, (0.5, 0.0, 0.0))])
    assert verdict("p50 < 5s", run).met
    assert not verdict("max < 5s", run).met
    assert verdict("max < 5s", run).at_least
    assert not verdict("mean < 5s", run).met
    assert verdict("mean > 0.5s", run).met
    objectives = (parse_objective("p99 < 5s"), parse_objective("answered_rate < 60%"))
    summary = summarize(run, objectives)
    assert summary.rates["answered_rate"] == 0.5
    assert summary.verdicts[1].at_least  # it is 0.5 s old, and may yet be answered in time


def test_no_requests_meet_no_objective_and_give_valid_json() -> None:
    summary = summarize(records([]), (parse_objective("p99 < 5s"), parse_objective("ok_rate > 1%")))
    assert not any(found.met for found in summary.verdicts)
    assert math.isnan(summary.error_rate)
    assert summary.to_dict()["percentiles_s"]["p99"] is None


def test_attribution_by_cause_and_by_part() -> None:
    seconds = np.array([1.0, 6.0, 2.0])
    causes = by_cause(PARTS, seconds)
    assert (causes["agent_execution"], causes["breaker_wait"]) == (1.0, 8.0)
    assert sum(causes.values()) == 9.0
    assert by_part(PARTS, np.array([1.0, 0.0, 2.0])) == {
        "agent.agent_execution": 1.0,
        "auth.breaker.breaker_wait": 2.0,
    }
