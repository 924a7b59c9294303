"""Bulkheads, by latencies computed by hand."""

import json
from typing import Any

import pytest
from kit import (
    ALWAYS,
    DEGRADED,
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    Data,
    ends,
    reasons,
    run,
    scenario,
    simulated,
    spent,
    stage,
)

from cascadesim.scenario.load import loads
from cascadesim.studies.candidates import allowed
from cascadesim.studies.check import check
from cascadesim.values.errors import ScenarioError


def bulkhead(**settings: Any) -> Data:
    return {"bulkhead": settings}


def test_a_full_bulkhead_rejects_at_once() -> None:
    stages = stage("2500ms", bulkhead(concurrency=2))
    # The third comes at 3 s and finds two inside; the first leaves at 3.5 s.
    assert ends(simulated(stages, 4)) == [(2.5, OK), (2.5, OK), (0.0, REJECTED), (2.5, OK)]
    assert reasons(simulated(stages, 4)) == [None, None, "a.bulkhead.concurrency", None]


def test_a_bulkhead_lets_25_through_where_nothing_is_said() -> None:
    outcomes = [outcome for _, outcome in ends(simulated(stage("100s", bulkhead()), 26))]
    assert outcomes == [OK] * 25 + [REJECTED]


def test_callers_wait_for_a_place_up_to_the_timeout() -> None:
    # 2 waits from 2 s to 3.5 s; 3 from 3 s until it is rejected at 5 s; 4 from 4 s to 6 s, where
    # it gets the place of the second: what ends comes before deadlines.
    stages = stage("2500ms", bulkhead(concurrency=1, timeout="2s"))
    records = simulated(stages, 4)
    assert ends(records) == [(2.5, OK), (4.0, OK), (2.0, REJECTED), (4.5, OK)]
    assert spent(records, 1) == {"a.bulkhead.queue_wait": 1.5, "a.service_work": 2.5}
    assert spent(records, 2) == {"a.bulkhead.queue_wait": 2.0}
    assert reasons(simulated(stages, 4)) == [None, None, "a.bulkhead.timeout", None]


def test_a_full_queue_of_a_bulkhead_rejects_at_once() -> None:
    stages = stage("3500ms", bulkhead(concurrency=1, queue_limit=1, timeout="9s"))
    assert ends(simulated(stages, 3)) == [(3.5, OK), (6.0, OK), (0.0, REJECTED)]
    assert reasons(simulated(stages, 3)) == [None, None, "a.bulkhead.queue_limit"]


def test_a_call_that_fails_or_is_cancelled_frees_its_place() -> None:
    inside = bulkhead(concurrency=1), {"deadline": {"timeout": "500ms"}}
    assert ends(simulated(stage("9s", *inside), 2)) == [(0.5, TIMED_OUT)] * 2
    outside = {"deadline": {"timeout": "500ms"}}, bulkhead(concurrency=1)
    assert ends(simulated(stage("9s", *outside), 2)) == [(0.5, TIMED_OUT)] * 2
    assert ends(simulated(stage("1s", bulkhead(concurrency=1), **ALWAYS), 2)) == [(1.0, FAILED)] * 2


def test_who_is_cancelled_in_the_queue_takes_no_place() -> None:
    policies = {"deadline": {"timeout": "3s"}}, bulkhead(concurrency=1, timeout="9s")
    # 2 gives up at 5 s while it is served, since 4 s; 3 has waited since 3 s and is let in then.
    assert ends(simulated(stage("3s", *policies), 3)) == [
        (3.0, OK),
        (3.0, TIMED_OUT),
        (3.0, TIMED_OUT),
    ]


def test_what_an_inner_deadline_abandons_is_no_longer_inside() -> None:
    given_up = {"deadline": {"timeout": "500ms", "on_timeout": "abandon"}}
    stages = stage("9s", bulkhead(concurrency=1), given_up)
    assert ends(simulated(stages, 3)) == [(0.5, TIMED_OUT)] * 3
    # The other way round the zombie keeps its place.
    stages = stage("9s", given_up, bulkhead(concurrency=1))
    assert ends(simulated(stages, 2)) == [(0.5, TIMED_OUT), (0.0, REJECTED)]


def test_a_retry_inside_keeps_its_place_through_the_backoff_and_one_outside_does_not() -> None:
    retry = {"retry": {"attempts": 2, "base": "2s"}}
    failing = {"work": {"constant": "250ms"}, "failure_rate": "100%"}
    inside = {"a": failing | {"policies": [bulkhead(concurrency=1), retry]}}
    assert ends(simulated(inside, 2)) == [(2.5, FAILED), (0.0, REJECTED)]
    outside = {"a": failing | {"policies": [retry, bulkhead(concurrency=1)]}}
    assert ends(simulated(outside, 2)) == [(2.5, FAILED)] * 2


def test_a_fallback_answers_for_a_full_bulkhead_and_a_disabled_one_is_not_there() -> None:
    fallback = {"fallback": {"outcomes": ["rejected"]}}
    stages = stage("3s", fallback, bulkhead(concurrency=1))
    assert ends(simulated(stages, 2)) == [(3.0, OK), (0.0, DEGRADED)]
    stages = stage("3s", bulkhead(concurrency=1, enabled=False))
    assert ends(simulated(stages, 2)) == [(3.0, OK)] * 2


def test_a_queue_limit_where_nobody_waits_is_refused() -> None:
    with pytest.raises(ScenarioError, match="queue_limit needs a timeout, else nobody waits"):
        run(scenario(stage("1s", bulkhead(queue_limit=3))))


def test_the_settings_of_a_bulkhead_can_be_changed_one_at_a_time() -> None:
    made = loads(json.dumps(scenario(stage("1s", bulkhead(concurrency=4, timeout="1s")))))
    changes = [("a.bulkhead.concurrency", 8), ("a.bulkhead.timeout", "0s")]
    eight, at_once = (each.plan.stages[0].policies[0] for each in allowed(made, changes))
    assert (eight.concurrency, at_once.timeout) == (8, 0.0)


@pytest.mark.parametrize(
    "full",
    [
        {"policies": [bulkhead(concurrency=3)]},
        {"concurrency": 2, "queue_limit": 1},
        {"pool": {"connect_time": "0s", "size": 3, "max_overflow": 0, "timeout": "500ms"}},
    ],
)
def test_a_breaker_sees_calls_refused_where_silent_ones_take_all_there_is(full: Data) -> None:
    # The first three, at 1 s to 3 s, get no answer; the fourth finds no place.
    breaker = {"breaker": {"failure_threshold": 2, "recovery_timeout": "9s"}}
    policies = [breaker, *full.pop("policies", [])]
    stages = {"a": {"work": {"constant": "1ms"}, "policies": policies} | full}
    _, silent = check(loads(json.dumps(scenario(stages, 9)))).openings
    assert silent.after == pytest.approx(4.5 if "pool" in full else 4.0)
    assert silent.never == ""
