"""Hedges, by latencies computed by hand.

Requests come at 1 s, 2 s, …, and what an attempt meets is made by faults that end before the next.
"""

import json
from typing import Any

import numpy as np
import pytest
from kit import (
    ALWAYS,
    DEGRADED,
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    UNFINISHED,
    Data,
    beside,
    changes,
    draws_of,
    ends,
    fault,
    run,
    scenario,
    simulated,
    spent,
    stage,
    steps,
)
from scipy import stats

from cascadesim.scenario.load import loads
from cascadesim.studies.candidates import allowed
from cascadesim.values.errors import ScenarioError

SLOW = fault("0s", "1100ms", latency={"add": "9s"})  # the first attempt takes 10 s, for 1 s of work
DOWN = fault("0s", "1100ms", outage={"fail_after": "200ms"})  # or fails after 0.2 s


def hedge(after: str = "500ms", **settings: Any) -> Data:
    return {"hedge": {"after": after} | settings}


def test_the_first_answer_wins_and_the_others_are_cancelled() -> None:
    stages = stage("1s", hedge(), concurrency=9)
    records = simulated(stages, faults=[SLOW])
    assert ends(records) == [(1.5, OK)]
    assert spent(records) == {"a.hedge.hedge_wait": 0.5, "a.service_work": 1.0}
    assert beside(records) == {"a.service_work": 1.5}
    assert records.retries.tolist() == [1]
    assert records.calls == {"a": 2}
    busy = steps("a.concurrency.busy", stages, faults=[SLOW])
    assert busy == {0.0: 0, 1.0: 1, 1.5: 2, 2.5: 0}


def test_the_first_attempt_can_still_win() -> None:
    # It takes 1.7 s, and the second one, sent at 1.5 s, 1 s more than that.
    records = simulated(stage("1700ms", hedge()))
    assert ends(records) == [(1.7, OK)]
    assert spent(records) == {"a.service_work": 1.7}
    assert beside(records) == {"a.service_work": 1.2}
    assert records.retries.tolist() == [1]


def test_an_answer_at_the_instant_of_the_next_attempt_saves_it() -> None:
    assert simulated(stage("500ms", hedge())).calls == {"a": 1}
    assert simulated(stage("501ms", hedge())).calls == {"a": 2}


def test_attempts_are_sent_so_far_apart_up_to_their_number() -> None:
    busy = steps("a.concurrency.busy", stage("10s", hedge(attempts=4), concurrency=9))
    assert busy == {0.0: 0, 1.0: 1, 1.5: 2, 2.0: 3, 2.5: 4, 11.0: 0}
    at_once = steps("a.concurrency.busy", stage("10s", hedge("0s", attempts=3), concurrency=9))
    assert at_once == {0.0: 0, 1.0: 3, 11.0: 0}


def test_after_an_error_the_next_attempt_is_sent_at_once() -> None:
    records = simulated(stage("1s", hedge()), faults=[DOWN])
    assert ends(records) == [(1.2, OK)]
    assert spent(records) == {"a.service_work": 1.2}
    assert records.retries.tolist() == [1]


def test_later_attempts_are_as_far_apart_again() -> None:
    # Sent at 1 s, at 1.2 s as that fails, and at 1.7 s as the second one would take 10 s.
    slow = fault("1150ms", "100ms", latency={"add": "9s"})
    records = simulated(stage("1s", hedge(attempts=3)), faults=[DOWN, slow])
    assert ends(records) == [(1.7, OK)]
    assert spent(records) == {"a.hedge.hedge_wait": 0.5, "a.service_work": 1.2}
    assert records.retries.tolist() == [2]


def test_an_error_of_another_kind_ends_them_all() -> None:
    # The first attempt would take 10 s; the second, sent at 1.5 s, fails after its work.
    faults = [SLOW, fault("1400ms", "200ms", error_rate={"share": "100%"})]
    stages = stage("1s", hedge(outcomes=["timed_out"]), concurrency=9)
    records = simulated(stages, faults=faults)
    assert ends(records) == [(1.5, FAILED)]
    assert spent(records) == {"a.hedge.hedge_wait": 0.5, "a.service_work": 1.0}
    assert steps("a.concurrency.busy", stages, faults=faults)[2.5] == 0
    # Where it is one of those that do not, the first one is waited for.
    patient = simulated(stage("1s", hedge()), faults=faults)
    assert ends(patient) == [(10.0, OK)]
    assert spent(patient) == {"a.service_work": 10.0}
    assert patient.ended_by.tolist() == [-1]


def test_the_last_error_is_the_calls_where_all_attempts_fail() -> None:
    # Sent at 1 s, 1.3 s and 1.6 s, each takes a second to fail.
    records = simulated(stage("1s", hedge("300ms", attempts=3), **ALWAYS))
    assert ends(records) == [(1.6, FAILED)]
    assert spent(records) == {"a.hedge.hedge_wait": 0.6, "a.service_work": 1.0}
    assert records.ends[records.ended_by[0]] == "a"


def test_a_call_that_is_refused_is_sent_again_at_once_and_as_often() -> None:
    # The first request takes all three places; the second is refused three times.
    stages = stage("5s", hedge("0s", attempts=3), {"bulkhead": {"concurrency": 3}})
    records = simulated(stages, 2)
    assert ends(records) == [(5.0, OK), (0.0, REJECTED)]
    assert records.retries.tolist() == [2, 2]
    assert records.ends[records.ended_by[1]] == "a.bulkhead.concurrency"


def test_a_degraded_answer_is_an_answer() -> None:
    stages = stage("1s", hedge(), {"fallback": {}}, **ALWAYS)
    records = simulated(stages)
    assert ends(records) == [(1.0, DEGRADED)]
    assert records.ends[records.ended_by[0]] == "a"
    assert ends(simulated(stage("1s", {"fallback": {}}, hedge(), **ALWAYS))) == [(1.5, DEGRADED)]


def test_what_is_under_way_at_the_end_is_in_the_ledger_of_the_first_attempt() -> None:
    records = simulated(stage("10s", hedge()), drain="2s")
    assert ends(records) == [(2.5, UNFINISHED)]
    assert spent(records) == {"a.service_work": 2.5}
    assert records.retries.tolist() == [1]


@pytest.mark.parametrize(("on_timeout", "freed"), [("cancel", 3.0), ("abandon", 11.0)])
def test_a_deadline_around_ends_all_attempts_or_leaves_them_at_work(
    on_timeout: str, freed: float
) -> None:
    deadline = {"deadline": {"timeout": "2s", "on_timeout": on_timeout}}
    stages = stage("10s", deadline, hedge(), concurrency=9)
    assert ends(simulated(stages)) == [(2.0, TIMED_OUT)]
    assert steps("a.concurrency.busy", stages) == {0.0: 0, 1.0: 1, 1.5: 2, freed: 0}


def test_a_deadline_that_propagates_sends_no_attempt_past_it() -> None:
    tells = {"deadline": {"timeout": "1200ms", "on_timeout": "abandon", "propagate": True}}
    stages = stage("10s", tells, hedge(attempts=5), concurrency=9)
    busy = {0.0: 0, 1.0: 1, 1.5: 2, 2.0: 3, 11.0: 0}
    assert steps("a.concurrency.busy", stages) == busy


@pytest.mark.parametrize("on_timeout", ["cancel", "abandon"])
def test_a_deadline_inside_is_each_attempts_own(on_timeout: str) -> None:
    # Attempts end 0.4 s after they were sent, and each of them sends the next.
    deadline = {"deadline": {"timeout": "400ms", "on_timeout": on_timeout}}
    records = simulated(stage("10s", hedge(attempts=3), deadline))
    assert ends(records) == [(1.2, TIMED_OUT)]
    assert spent(records) == {"a.service_work": 1.2}


def test_zombies_of_attempts_that_lost_are_not_cancelled() -> None:
    abandons = {"deadline": {"timeout": "9s", "on_timeout": "abandon"}}
    stages = stage("1s", hedge(), abandons, concurrency=9)
    assert ends(simulated(stages, faults=[SLOW])) == [(1.5, OK)]
    busy = {0.0: 0, 1.0: 1, 1.5: 2, 2.5: 1, 11.0: 0}
    assert steps("a.concurrency.busy", stages, faults=[SLOW]) == busy


def test_a_breaker_inside_sees_every_attempt_and_one_outside_the_call() -> None:
    breaker = {"breaker": {"failure_threshold": 1, "recovery_timeout": "60s"}}
    counting = {"breaker": breaker["breaker"] | {"cancelled": "failure"}}
    inside = simulated(stage("1s", hedge(), counting), faults=[SLOW])
    assert changes(inside) == [(2.5, "open")]  # by the one that is cancelled
    assert changes(simulated(stage("1s", hedge(), breaker), faults=[SLOW])) == []
    assert changes(simulated(stage("1s", breaker, hedge()), faults=[SLOW])) == []
    failing = simulated(stage("1s", breaker, hedge(), **ALWAYS))
    assert changes(failing) == [(2.5, "open")]


def test_a_hedge_in_a_retry_begins_anew_with_every_attempt() -> None:
    # A call fails after 1.5 s, when both of its attempts have; then 1 s, and once more.
    retry = {"retry": {"attempts": 2, "base": "1s"}}
    records = simulated(stage("1s", retry, hedge(), **ALWAYS))
    assert ends(records) == [(4.0, FAILED)]
    assert spent(records) == {
        "a.hedge.hedge_wait": 1.0,
        "a.retry.retry_backoff": 1.0,
        "a.service_work": 2.0,
    }
    assert records.retries.tolist() == [3]


def test_a_throttle_sends_nothing_again_while_half_of_the_tokens_are_gone() -> None:
    # Of three tokens the first call takes two: 2 and 1 are left after its attempts. Answers of 2
    # and 3 give back 0.4 each; only the fourth is above 1.5 when its second attempt is due.
    throttle = {"max_tokens": 3, "token_ratio": 0.4}
    stages = stage("700ms", hedge(throttle=throttle))
    failing = fault("0s", "1900ms", error_rate={"share": "100%"})
    records = simulated(stages, 4, faults=[failing])
    assert [outcome for _, outcome in ends(records)] == [FAILED, OK, OK, OK]
    assert records.retries.tolist() == [1, 0, 0, 1]
    free = simulated(stage("700ms", hedge()), 4, faults=[failing])
    assert free.retries.tolist() == [1, 1, 1, 1]


def test_a_throttled_call_has_its_error_at_once() -> None:
    throttle = {"max_tokens": 2, "token_ratio": 1}
    records = simulated(stage("200ms", hedge(throttle=throttle), **ALWAYS), 2)
    assert ends(records) == [(0.2, FAILED)] * 2
    assert records.retries.tolist() == [0, 0]
    free = simulated(stage("200ms", hedge(), **ALWAYS))
    assert ends(free) == [(0.4, FAILED)]


def test_every_attempt_has_draws_of_its_own_and_more_of_them_move_none() -> None:
    def drawn(attempts: int) -> dict[int, float]:
        retry = {"retry": {"attempts": 2, "base": "0s"}}
        policies = (retry, hedge("1ms", attempts=attempts))
        work = {"exponential": {"mean": "10s"}}
        stages = {"a": {"work": work, "failure_rate": "100%", "policies": policies}}
        values, times, _ = draws_of(scenario(stages))
        assert set(times.values()) == {1}
        return {attempt: value for (name, _, attempt), value in values.items() if "work" in name}

    two, five = drawn(2), drawn(5)
    assert (set(two), set(five)) == ({0, 1, 5, 6}, set(range(10)))
    assert len(set(five.values())) == 10
    assert two.items() <= five.items()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"attempts": 6}, "a.hedge.attempts: must be at most 5"),
        ({"attempts": 1}, "a.hedge.attempts: must be at least 2"),
        (
            {"throttle": {"max_tokens": 10}},
            'a.hedge.throttle.token_ratio: "token_ratio" is missing',
        ),
    ],
)
def test_what_grpc_refuses_is_refused(settings: Data, line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        run(scenario(stage("1s", hedge(**settings))))
    assert str(caught.value).endswith(line) or f"{line}, got" in str(caught.value)


def test_its_settings_can_be_changed_one_at_a_time() -> None:
    made = loads(json.dumps(scenario(stage("1s", hedge()))))
    changes = [("a.hedge.after", "1s"), ("a.hedge.attempts", 4), ("a.hedge.enabled", False)]
    later, more, none = (each.plan.stages[0].policies for each in allowed(made, changes))
    assert (later[0].after, more[0].attempts, none) == (1.0, 4, ())


def test_the_tail_is_that_of_the_least_of_independent_attempts() -> None:
    # P(latency > t) = exp(-t/m), times exp(-(t - after)/m) of the second attempt once it is sent.
    mean, after = 1.0, 0.5
    stages = {"a": {"work": {"exponential": {"mean": "1s"}}, "policies": [hedge("500ms")]}}
    latency = simulated(stages, 2000).latency

    def law(t: Any) -> Any:
        return 1 - np.exp(-t / mean - np.maximum(0, t - after) / mean)

    assert stats.kstest(latency, law).pvalue > 0.01
    assert stats.kstest(latency, stats.expon.cdf).pvalue < 1e-9
