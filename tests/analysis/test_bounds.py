import math
from typing import Any

import pytest
from hypothesis import given
from kit import examples, plan_of
from strategies import scenarios

from cascadesim.analysis.bounds import longest_bound, worst_case
from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import load
from cascadesim.values.bound import Bound


def total(plan: Any) -> float:
    return longest_bound(plan).total


@examples(50)
@given(scenarios(bounded=True))
def test_no_latency_exceeds_the_worst_case(data: dict[str, Any]) -> None:
    plan = plan_of(data)
    assert simulate(plan, seed=1).latency.max(initial=0.0) <= total(plan) * (1 + 1e-9) + 1e-9


def one_stage(**stage: Any) -> Bound:
    data = {
        "name": "one",
        "horizon": "60s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "2s"}} | stage},
    }
    return worst_case(plan_of(data))["a"]


def breaker(**settings: Any) -> dict[str, Any]:
    return {"breaker": {"recovery_timeout": "60s", "when_open": "wait"} | settings}


@pytest.mark.parametrize(
    ("stage", "terms"),
    [
        ({}, {"a.work": 2}),
        ({"policies": [{"deadline": {"timeout": "1s"}}]}, {"a.deadline.timeout": 1}),
        ({"policies": [{"deadline": {"timeout": "3s"}}]}, {"a.work": 2}),
        (
            {"policies": [{"retry": {"attempts": 3, "base": "1s"}}]},
            {"a.work": 6, "a.retry.base": 1 + 2},
        ),
        ({"policies": [breaker(when_open="reject")]}, {"a.work": 2}),
        # A trial before the recovery, 60 s, a trial after it, and then the call itself.
        (
            {"policies": [breaker()]},
            {"a.work": 2 + 2 + 2, "a.breaker.recovery_timeout": 60},
        ),
        (
            {"policies": [breaker(max_recoveries=2, successes_to_close=3)]},
            {"a.work": 2 * (3 * 3 + 1), "a.breaker.recovery_timeout": 120},
        ),
        (
            {"policies": [{"fallback": {"work": {"constant": "1s"}}}]},
            {"a.work": 2, "a.fallback.work": 1},
        ),
        ({"concurrency": 2, "queue_limit": 3}, {"a.work": 2, "a.concurrency": 4}),
        ({"concurrency": 2}, {"a.work": 2, "a.concurrency": math.inf}),
        (
            {"concurrency": 2, "queue_limit": 2, "queue": "lifo"},
            {"a.work": 2, "a.queue": math.inf},
        ),
        (
            {"concurrency": 2, "queue_limit": 1, "queue": "lifo"},
            {"a.work": 2, "a.concurrency": 2},
        ),
        (
            {"policies": [{"hedge": {"after": "500ms", "attempts": 3}}]},
            {"a.work": 2, "a.hedge.after": 1},
        ),
        ({"policies": [{"hedge": {"after": "2s", "attempts": 3}}]}, {"a.work": 6}),
        ({"policies": [{"hedge": {"after": "500ms", "outcomes": []}}]}, {"a.work": 2}),
        ({"policies": [{"rate_limit": {"rate": "1/s"}}]}, {"a.work": 2}),
        (
            {"policies": [{"rate_limit": {"rate": "1/s", "timeout": "5s"}}]},
            {"a.work": 2, "a.rate_limit.timeout": 5},
        ),
        ({"policies": [{"adaptive_limit": {}}]}, {"a.work": 2}),
        ({"policies": [{"bulkhead": {}}]}, {"a.work": 2}),
        (
            {"policies": [{"bulkhead": {"timeout": "5s"}}]},
            {"a.work": 2, "a.bulkhead.timeout": 5},
        ),
        ({"startup": {"timeout": "9s"}}, {"a.work": 2, "a.startup.timeout": 9}),
        (
            {"pool": {"connect_time": "1s", "timeout": "5s"}},
            {"a.work": 2, "a.pool.connect_time": 1, "a.pool.timeout": 5},
        ),
        (
            {"pool": {"kind": "null", "connect_time": "1s"}, "session": {"lifetime": "1500ms"}},
            {"a.session.lifetime": 1.5, "a.pool.connect_time": 1},
        ),
        ({"work": {"exponential": {"mean": "1s"}}}, {"a.work": math.inf}),
    ],
)
def test_each_setting_contributes_what_it_allows(
    stage: dict[str, Any], terms: dict[str, float]
) -> None:
    assert {path: s for path, s in one_stage(**stage).terms.items() if s} == terms


def test_the_slowest_of_stages_in_parallel_decides() -> None:
    inside = {
        "b": {"work": {"constant": "3s"}},
        "c": {"work": {"constant": "2s"}, "policies": [{"retry": {"attempts": 2, "base": "1s"}}]},
    }
    together = one_stage(stages=inside, parallel=True)
    assert together.terms == {"a.work": 2, "c.work": 4, "c.retry.base": 1}
    assert one_stage(stages=inside).total == 2 + 3 + 5


def test_the_worst_case_of_a_waiting_breaker_is_reached() -> None:
    # The call that arrives in a trial which fails at its last moment, and then waits for the
    # recovery behind a trial that succeeds: 2 + 60 + 2 s and its own 2 s.
    data = {
        "name": "reached",
        "horizon": "80s",
        "drain": "200s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {
            "a": {
                "work": {"constant": "2s"},
                "policies": [breaker(failure_threshold=1), {"deadline": {"timeout": "2s"}}],
            }
        },
        "faults": [{"on": "a", "from": "0s", "for": "65s", "hang": {}}],
    }
    plan = plan_of(data)
    slowest = simulate(plan, seed=1).latency.max()
    assert total(plan) == 66
    assert 65 <= slowest <= 66


def test_a_slow_failure_counts() -> None:
    data = {
        "name": "slow failure",
        "horizon": "60s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "2s"}}},
        "faults": [{"on": "a", "from": "10s", "for": "10s", "outage": {"fail_after": "5s"}}],
    }
    assert total(plan_of(data)) == simulate(plan_of(data), seed=1).latency.max() == 5


def test_a_silence_that_nothing_ends_is_no_matter_of_a_tracker_that_is_not_set() -> None:
    data = {
        "name": "silent",
        "horizon": "60s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "2s"}}},
        "faults": [{"on": "a", "from": "10s", "for": "10s", "partition": {}}],
    }
    assert set(worst_case(plan_of(data))["a"].terms) == {"a.work"}


@pytest.mark.parametrize(
    ("closed", "more", "rounds"),
    [
        ({"clients": 7}, {}, 3),  # five that wait for two
        ({"clients": 7}, {"policies": [{"hedge": {"after": "1s"}}]}, math.inf),
        ({"clients": 2}, {}, 0),
        ({"clients": 9}, {"policies": [{"bulkhead": {"concurrency": 4}}]}, 1),
    ],
)
def test_no_more_calls_queue_than_are_let_in(
    closed: dict[str, Any], more: dict[str, Any], rounds: float
) -> None:
    data = {
        "name": "queue",
        "horizon": "60s",
        "workload": {"closed": closed | {"think": {"constant": "1s"}}},
        "stages": {"a": {"work": {"constant": "2s"}, "concurrency": 2} | more},
    }
    assert worst_case(plan_of(data))["a"].terms["a.concurrency"] == rounds * 2


def test_the_179_s_follow_from_the_settings_alone() -> None:
    plan = compile_plan(load("scenarios/incident-179s").at("before").model)
    assert worst_case(plan)["auth"].terms == pytest.approx(
        {"auth.deadline.timeout": 150, "auth.retry.base": 29}
    )
