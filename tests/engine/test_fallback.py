"""Fallbacks, by latencies computed by hand."""

from kit import ALWAYS, DEGRADED, FAILED, OK, deadline, ends, simulated, spent, stage


def test_a_fallback_answers_for_an_error_and_takes_its_time() -> None:
    records = simulated(stage("1s", {"fallback": {"work": {"constant": "250ms"}}}, **ALWAYS))
    assert ends(records) == [(1.25, DEGRADED)]
    assert spent(records) == {"a.service_work": 1.0, "a.fallback.fallback": 0.25}
    assert ends(simulated(stage("1s", {"fallback": {}}, **ALWAYS))) == [(1.0, DEGRADED)]
    assert ends(simulated(stage("1s", {"fallback": {}}))) == [(1.0, OK)]


def test_a_fallback_answers_for_its_outcomes_only() -> None:
    policy = {"fallback": {"outcomes": ["timed_out", "rejected"]}}
    assert ends(simulated(stage("1s", policy, **ALWAYS))) == [(1.0, FAILED)]
    late = simulated(stage("1s", policy, deadline("500ms")))
    assert ends(late) == [(0.5, DEGRADED)]


def test_a_degraded_answer_lets_the_request_go_on() -> None:
    stages = stage("1s", {"fallback": {}}, **ALWAYS) | {"b": {"work": {"constant": "2s"}}}
    assert ends(simulated(stages)) == [(3.0, DEGRADED)]
