import json
from typing import Any

import pytest

from cascadesim.scenario.load import loads
from cascadesim.studies.check import Check, check


def checked(policies: list[dict[str, Any]], rate: str = "2/s", **stage: Any) -> Check:
    data = {
        "name": "checked",
        "horizon": "60s",
        "workload": {"arrivals": {"poisson": {"rate": rate}}},
        "stages": {"a": {"work": {"constant": "100ms"}, "policies": policies} | stage},
    }
    return check(loads(json.dumps(data)))


def opening(found: Check, breaker: str, dead: str) -> tuple[Any, ...]:
    (one,) = [o for o in found.openings if (o.breaker, o.dead) == (breaker, dead)]
    return one.failing_calls, one.after, one.reached


BREAKER = {"breaker": {"failure_threshold": 3, "recovery_timeout": "60s"}}


def test_a_dependency_that_refuses_opens_the_breaker_with_the_last_needed_call() -> None:
    # Calls come every 0.5 s and fail at once: the third opens it 1 s after the first.
    assert opening(checked([BREAKER]), "a.breaker", "refuses") == (3, pytest.approx(1.0), 3)


def test_a_silent_dependency_swallows_calls_until_deadlines_pass() -> None:
    # The third call fails 10 s after it was sent at 1 s; by 11 s, 22 or 23 calls are out.
    found = checked([BREAKER, {"deadline": {"timeout": "10s"}}])
    failing, after, reached = opening(found, "a.breaker", "silent")
    assert (failing, after) == (3, pytest.approx(11.0))
    assert reached in (22, 23)


def test_a_silent_dependency_without_a_deadline_never_opens_it() -> None:
    assert opening(checked([BREAKER]), "a.breaker", "silent") == (3, None, None)


def test_fast_arrivals_do_not_hide_an_opening() -> None:
    found = checked([BREAKER, {"deadline": {"timeout": "30s"}}], rate="1000/s")
    assert opening(found, "a.breaker", "silent")[1] == pytest.approx(30.002)


def test_what_was_not_seen_is_not_called_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascadesim.studies.openings._MOST_REQUESTS", 2000)
    many = {"breaker": BREAKER["breaker"] | {"failure_threshold": 2000}}
    (refuses, silent) = checked([many], concurrency=1).openings  # which only a run can tell
    assert (refuses.after, refuses.never) == (None, "")
    assert (silent.after, silent.never) == (None, "no call to it ever ends")
    monkeypatch.setattr("cascadesim.studies.openings._MOST_EVENTS", 2000)
    assert checked([many]).openings[0] == refuses


def test_retries_inside_a_breaker_multiply_the_calls_that_reach_the_dependency() -> None:
    retry = {"retry": {"attempts": 4, "base": "0s"}}
    assert opening(checked([BREAKER, retry]), "a.breaker", "refuses")[2] == 12
    assert opening(checked([retry, BREAKER]), "a.breaker", "refuses")[2] == 3


def test_an_outer_breaker_sees_only_what_the_inner_one_lets_through() -> None:
    outer = {"breaker": {"name": "outer", "failure_threshold": 5, "recovery_timeout": "60s"}}
    reject = opening(checked([outer, BREAKER]), "a.outer", "refuses")
    assert reject == (5, pytest.approx(2.0), 3)  # two of the five were rejected by the inner one
    waiting = {"breaker": BREAKER["breaker"] | {"when_open": "wait"}}
    assert opening(checked([outer, waiting]), "a.outer", "refuses")[1] > 60


def test_the_stages_inside_are_dead_with_their_stage() -> None:
    inside = {"b": {"work": {"constant": "1s"}}}
    found = checked([BREAKER], work=None, stages=inside)
    assert opening(found, "a.breaker", "refuses")[2] == 3


def test_plain_data_says_null_for_what_never_ends() -> None:
    found = checked([BREAKER], work={"exponential": {"mean": "1s"}}).to_dict()
    json.dumps(found, allow_nan=False)
    assert found["worst_case_s"] is None
    assert found["worst_case_by_stage"]["a"]["settings_s"] == {"a.work": None}
    assert found["breakers"][1]["opens_after_s"] is None


def found_in(stages: dict[str, Any], breaker: str, dead: str) -> tuple[Any, ...]:
    data = {
        "name": "checked",
        "horizon": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
        "stages": stages,
    }
    return opening(check(loads(json.dumps(data))), breaker, dead)


def test_work_before_the_dependency_delays_the_opening() -> None:
    stages = {
        "a": {"work": {"constant": "1500ms"}},
        "b": {"work": {"constant": "100ms"}, "policies": [BREAKER]},
    }
    # The third call fails 0.5 s after the first, which takes 1.5 s to get there.
    assert found_in(stages, "b.breaker", "refuses") == (3, pytest.approx(2.0), 3)


def test_recoveries_of_an_outer_breaker_delay_the_opening() -> None:
    outer = {"name": "outer", "failure_threshold": 2, "recovery_timeout": "60s"}
    stages = {"a": {"work": {"constant": "100ms"}, "policies": [{"breaker": outer}, BREAKER]}}
    # Two failures, then a minute in which the outer one rejects, and its trial is the third.
    _, after, reached = found_in(stages, "a.breaker", "refuses")
    assert (after, reached) == (pytest.approx(60.25, abs=0.26), 3)


def test_an_abandoning_deadline_does_not_end_the_call() -> None:
    deadline = {"deadline": {"timeout": "5s", "on_timeout": "abandon"}}
    stage = {"work": {"constant": "100ms"}, "policies": [deadline, BREAKER]}
    assert found_in({"a": stage}, "a.breaker", "silent") == (3, None, None)
    watched = stage | {"tracker": {"timeout": "60s"}}
    assert found_in({"a": watched}, "a.breaker", "silent")[1] == pytest.approx(60.5)
