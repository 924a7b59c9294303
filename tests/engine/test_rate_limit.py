"""Rate limits, by latencies computed by hand, beside another form of the law, and by formula."""

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import (
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    Data,
    ended_by,
    ends,
    examples,
    plan_of,
    run,
    scenario,
    simulated,
    spent,
    stage,
)
from strategies import scenarios, with_stages

from cascadesim.engine import simulate
from cascadesim.engine.simpy.kernel import Call
from cascadesim.engine.simpy.rate_limit import TokenBucket
from cascadesim.engine.simpy.request import Request
from cascadesim.engine.simpy.stage import Work
from cascadesim.scenario.load import loads
from cascadesim.studies.candidates import allowed
from cascadesim.studies.check import check
from cascadesim.values.errors import ScenarioError


def rate_limit(rate: str, **settings: Any) -> Data:
    return {"rate_limit": {"rate": rate} | settings}


def often(rate: str) -> Data:
    """Return a workload of so many a second, evenly."""
    return {"workload": {"arrivals": {"constant": {"rate": rate}}}}


def test_a_full_bucket_lets_a_burst_through_and_then_as_many_as_it_gains() -> None:
    # One token comes every 2 s. Full at 1 s with two; 3 takes the one that came by then.
    stages = stage("0s", rate_limit("0.5/s", burst=2))
    outcomes = [outcome for _, outcome in ends(simulated(stages, 8))]
    assert outcomes == [OK, OK, OK, REJECTED, OK, REJECTED, OK, REJECTED]
    assert ended_by(simulated(stages, 4), 3) == "a.rate_limit.rate"


def test_a_quiet_time_fills_it_up_to_the_burst_and_no_further() -> None:
    stages = stage("0s", rate_limit("1/s", burst=3))
    replay = scenario(stages, **often("4/s")) | {"horizon": "100s"}
    outcomes = simulate(plan_of(replay), 1).outcome
    assert (outcomes == 0).sum() == pytest.approx(3 + 100, abs=1)


def test_exactly_the_rate_is_let_through_however_it_rounds() -> None:
    stages = stage("0s", rate_limit("10/s"))
    data = scenario(stages, **often("10/s")) | {"horizon": "100s"}
    assert set(run(data).outcome.tolist()) == {0}


def test_callers_wait_for_their_turn_up_to_the_timeout() -> None:
    # One token in 3 s: they are due at 1 s, 4 s, 7 s …; 3 would wait until 7 s, 4 s and too long,
    # 4 waits 3 s for the same one, and 5 would wait 5 s.
    stages = stage("0s", rate_limit("20/min", timeout="3s"))
    records = simulated(stages, 5)
    assert ends(records) == [(0.0, OK), (2.0, OK), (0.0, REJECTED), (3.0, OK), (0.0, REJECTED)]
    assert spent(records, 1) == {"a.rate_limit.rate_limit_wait": 2.0}
    assert ended_by(simulated(stages, 5), 2) == "a.rate_limit.timeout"


def test_a_full_queue_rejects_at_once() -> None:
    stages = stage("0s", rate_limit("20/min", timeout="99s", queue_limit=1))
    # 2 waits from 2 s to 4 s; 3 finds it waiting; 4 comes when 2 has gone, and is due at 7 s.
    records = simulated(stages, 4)
    assert ends(records) == [(0.0, OK), (2.0, OK), (0.0, REJECTED), (3.0, OK)]
    assert ended_by(simulated(stages, 4), 2) == "a.rate_limit.queue_limit"


def test_the_last_in_line_who_is_cancelled_gives_its_token_back() -> None:
    # 2 is due at 6 s and gives up at 4.5 s; what it gives back is due to 5 as it was to 2.
    deadline = {"deadline": {"timeout": "2500ms"}}
    stages = stage("0s", deadline, rate_limit("0.2/s", timeout="99s", queue_limit=1))
    assert ends(simulated(stages, 5)) == [
        (0.0, OK),
        (2.5, TIMED_OUT),
        (0.0, REJECTED),
        (0.0, REJECTED),
        (1.0, OK),
    ]


def test_others_who_are_cancelled_leave_theirs_to_those_behind_who_keep_their_time() -> None:
    # Tokens are due at 1 s, 4 s, 7 s, 10 s …: 3 is due at 7 s and gives up at 5.5 s, when 4 and 5
    # wait behind it, which are still due at 10 s and 13 s. So they give up as well, and so on.
    deadline = {"deadline": {"timeout": "2500ms"}}
    stages = stage("0s", deadline, rate_limit("20/min", timeout="99s"))
    assert ends(simulated(stages, 9)) == [(0.0, OK), (2.0, OK), *[(2.5, TIMED_OUT)] * 7]


def test_a_call_that_is_told_of_a_deadline_does_not_wait_past_it() -> None:
    tells = {"deadline": {"timeout": "1500ms", "on_timeout": "abandon", "propagate": True}}
    stages = stage("0s", tells, rate_limit("20/min", timeout="99s"))
    # As tokens are due at 4 s and 7 s, 2 is refused at once, and 3 has a wait of 1 s.
    assert ends(simulated(stages, 4)) == [(0.0, OK), (0.0, REJECTED), (1.0, OK), (0.0, REJECTED)]
    assert ended_by(simulated(stages, 2), 1) == "a.deadline.timeout"


def test_each_attempt_takes_a_token() -> None:
    retry = {"retry": {"attempts": 3, "base": "0s", "outcomes": ["failed", "rejected"]}}
    failing = {"failure_rate": "100%"}
    inside = {"a": {"work": {"constant": "0s"}, "policies": [retry, rate_limit("0.1/s", burst=2)]}}
    inside["a"] |= failing
    records = simulated(inside)
    assert (ends(records), records.calls) == ([(0.0, REJECTED)], {"a": 2})
    outside = {"a": inside["a"] | {"policies": [rate_limit("0.1/s", burst=2), retry]}}
    assert ends(simulated(outside)) == [(0.0, FAILED)]


@st.composite
def calls(draw: Any) -> tuple[list[int], int, int, int]:
    """Draw the milliseconds at which calls come, and rate, burst and timeout (ms) of a limit."""
    gaps = draw(st.lists(st.integers(0, 400), min_size=1, max_size=60))
    at = np.cumsum(gaps).tolist()
    return at, draw(st.integers(1, 30)), draw(st.integers(1, 5)), draw(st.integers(0, 900))


@given(calls())
def test_it_is_the_generic_cell_rate_algorithm(drawn: tuple[list[int], int, int, int]) -> None:
    """ITU-T I.371, annex A, virtual scheduling, in exact numbers: each call has a theoretical
    arrival time, before which it may come by `burst - 1` emission intervals; here it waits."""
    at, rate, burst, timeout = drawn
    bucket = TokenBucket(rate, burst)
    due = Fraction(0)
    for ms in at:
        now = Fraction(ms, 1000)
        wait = max(Fraction(0), due - Fraction(burst - 1, rate) - now)
        found = bucket.wait(float(now))
        assert found == pytest.approx(float(wait), abs=2e-9)
        if wait <= Fraction(timeout, 1000):
            due = max(now, due) + Fraction(1, rate)
            bucket.take(float(now), found)


@examples(15)
@given(scenarios(), st.integers(1, 20), st.integers(1, 5), st.integers(0, 2000))
def test_no_window_sees_more_than_the_burst_and_the_rate(
    data: Data, rate: int, burst: int, timeout: int
) -> None:
    """In T seconds no more than burst + rate * T calls begin inside."""
    begun: list[float] = []
    call = Work.call

    def watched(self: Work, request: Request) -> Call:
        if self._plan.name == "inside":
            begun.append(self._kernel.now)
        return call(self, request)

    limit = rate_limit(f"{rate}/s", burst=burst, timeout=f"{timeout}ms", name="limit")
    inner = {"work": {"constant": "0s"}, "policies": [limit]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "call", watched)
        run(with_stages(data, data["stages"] | {"inside": inner}))
    times = np.array(begun)
    for i in range(len(times)):
        counts = np.arange(1, len(times) - i + 1)
        assert (counts <= burst + rate * (times[i:] - times[i]) + 1e-6).all()


def test_waits_are_those_of_a_queue_with_constant_service() -> None:
    """M/D/1: with one token at a time and no timeout, the mean wait is load / (2 rate (1 - load)).

    Pollaczek 1930, Khinchine 1932.
    """
    stages = stage("0s", rate_limit("10/s", timeout="999s"))
    workload = {"arrivals": {"poisson": {"rate": "7/s"}}}
    data = scenario(stages, workload=workload) | {"horizon": "500s"}
    plan = plan_of(data)
    means = [float(simulate(plan, seed).latency.mean()) for seed in range(8)]
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert np.mean(means) == pytest.approx(0.7 / (2 * 10 * 0.3), abs=3 * error)


def test_a_queue_limit_where_nobody_waits_is_refused() -> None:
    with pytest.raises(ScenarioError, match="queue_limit needs a timeout, else nobody waits"):
        run(scenario(stage("1s", rate_limit("1/s", queue_limit=3))))


def test_its_settings_can_be_changed_one_at_a_time() -> None:
    made = loads(json.dumps(scenario(stage("1s", rate_limit("1/s")))))
    changes = [("a.rate_limit.rate", "2/s"), ("a.rate_limit.burst", 9)]
    faster, more = (each.plan.stages[0].policies[0] for each in allowed(made, changes))
    assert (faster.rate, more.burst) == (2.0, 9)


def test_a_breaker_sees_calls_refused_while_others_are_silent() -> None:
    # Of one a second each third is let through; 2 and 3 are refused.
    breaker = {"breaker": {"failure_threshold": 2, "recovery_timeout": "9s"}}
    stages = stage("1ms", breaker, rate_limit("20/min"))
    _, silent = check(loads(json.dumps(scenario(stages, 9)))).openings
    assert (silent.after, silent.never) == (pytest.approx(2.0), "")
