"""Settings of circuit breakers: windows, presets, and what contradicts what."""

import json
from math import inf
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from kit import Data, plan_of

from cascadesim.analysis.contradictions import contradictions
from cascadesim.policies.breaker import BreakerPlan
from cascadesim.policies.breaker_presets import PRESETS
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.json_schema import json_schema
from cascadesim.scenario.load import Scenario, loads
from cascadesim.values.errors import ScenarioError

VALIDATOR = Draft202012Validator(json_schema())


def scenario(**breaker: Any) -> Data:
    return {
        "name": "small",
        "horizon": "1min",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1s"}, "policies": [{"breaker": breaker}]}},
    }


def plan(**breaker: Any) -> BreakerPlan:
    (policy,) = plan_of(scenario(**breaker)).stages[0].policies
    assert isinstance(policy, BreakerPlan)
    return policy


def loaded(**breaker: Any) -> Scenario:
    return loads(json.dumps(scenario(**breaker)))


def window(**settings: Any) -> Data:
    return {"recovery_timeout": "9s", "window": settings}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (window(), "window: a window needs calls (how many) or time (how long)"),
        (window(calls=9, time="9s", failure_rate="1%"),
         "window.time: keep exactly one of: calls, time"),
        (window(calls=9),
         "window: a window opens the breaker by failure_rate, or by slow_call and slow_rate"),
        (window(time="9s", failure_rate="9%"),
         "window: a window of time needs a minimum of calls, or the first failure is all of them"),
        (window(calls=9, minimum=10, failure_rate="9%"),
         "window.minimum: a window of 9 calls never holds 10"),
        (window(calls=9, slow_call="9s"),
         "window.slow_call: slow_call has no effect without slow_rate"),
        (window(calls=9, failure_rate="9%", slow_rate="9%"),
         "window.slow_rate: slow_rate has no effect without slow_call"),
        (window(calls=9, failure_rate="0%"),
         "window.failure_rate: must be more than 0%, which any call reaches"),
        (window(calls=9, slow_call="1s", slow_rate=0),
         "window.slow_rate: must be more than 0%, which any call reaches"),
        (window(calls=9, failure_rat="9%"),
         'window.failure_rat: unknown key "failure_rat"; did you mean "failure_rate"?'),
        ({"failure_threshold": 3} | window(calls=9, failure_rate="9%"),
         "window: keep exactly one of: failure_threshold (failures in a row), window (rates)"),
        ({}, 'recovery_timeout: "recovery_timeout" is missing'),
        ({"recovery_timeout": "9s", "half_open_permits": 0},
         'half_open_permits: expected a whole number from 1 up, or "all", got 0'),
        ({"recovery_timeout": "9s", "half_open_permits": True},
         'half_open_permits: expected a whole number from 1 up, or "all", got true'),
        ({"recovery_timeout": "9s", "half_open_permits": "some"},
         'half_open_permits: expected a whole number from 1 up, or "all", got "some"'),
        ({"recovery_timeout": "9s", "interval": "9s"},
         "interval: is a setting of preset: envoy"),
        ({"preset": "polly", "interval": "9s"},
         "interval: polly has no such setting; beside this preset are known: window, "
         "recovery_timeout, recovery_growth, max_recovery_timeout, cancelled, when_open, "
         "max_recoveries, outcomes"),
        ({"preset": "polly", "max_recovery_timeout": "9s"},
         "max_recovery_timeout: has no effect without a recovery_growth above 1"),
        ({"recovery_timeout": "9s", "recovery_growth": 2, "max_recovery_timeout": "8s"},
         "max_recovery_timeout: must not be less than recovery_timeout, which it limits"),
        ({"recovery_timeout": "9s", "recovery_growth": 0.5},
         "recovery_growth: must be at least 1, got 0.5"),
        ({"recovery_timeout": "9s", "max_ejection": "9%"},
         "max_ejection: is a setting of preset: envoy"),
        ({"recovery_timeout": "9s", "panic_threshold": "9%"},
         "panic_threshold: is a setting of preset: envoy"),
        ({"clear_every": "9s"} | window(calls=9, failure_rate="9%"),
         "clear_every: a window forgets by itself"),
        ({"recovery_timeout": "9s", "half_open_limit": "in_total", "half_open_permits": "all"},
         "half_open_limit: has no effect with half_open_permits: all"),
        ({"preset": "gobreaker", "half_open_permits": "all"},
         "half_open_permits: gobreaker takes a number"),
        ({"preset": "resilience4j", "half_open_permits": "all"},
         "half_open_permits: resilience4j takes a number"),
        ({"recovery_timeout": "9s", "half_open_limit": "in_total", "successes_to_close": 2},
         "half_open_limit: fewer trials in all than successes_to_close: it never closes"),
        ({"recovery_timeout": "9s", "cancelled": "no"},
         'cancelled: expected "failure" or "success" or "ignored", got "no"'),
        ({"preset": "opossum", "window": {"strict": False}},
         "window.strict: opossum has no such setting; its window has: time, minimum, failure_rate"),
        (window(calls=9, failure_rate="9%", strict="yes"),
         'window.strict: expected true or false, got "yes"'),
        ({"preset": "purgatry"},
         'preset: expected "pybreaker" or "purgatory" or "resilience4j" or "polly" or "envoy" or '
         '"gobreaker" or "opossum", got "purgatry"; did you mean "purgatory"?'),
        ({"preset": ["polly"]},
         'preset: expected "pybreaker" or "purgatory" or "resilience4j" or "polly" or "envoy" or '
         '"gobreaker" or "opossum", got a list'),
        ({"preset": "purgatory", "half_open_permits": 3},
         "half_open_permits: purgatory has no such setting; beside this preset are known: "
         "failure_threshold, recovery_timeout, cancelled, when_open, max_recoveries, outcomes"),
        ({"preset": "purgatory", "when_opn": "wait"},
         'when_opn: unknown key "when_opn"; did you mean "when_open"?'),
        ({"preset": "resilience4j", "failure_threshold": 3},
         "failure_threshold: resilience4j has no such setting; beside this preset are known: "
         "window, recovery_timeout, recovery_growth, max_recovery_timeout, half_open_permits, "
         "cancelled, when_open, max_recoveries, outcomes"),
        ({"preset": "polly", "window": {"calls": 9}},
         "window.calls: polly has no such setting; its window has: time, minimum, failure_rate"),
        ({"preset": "resilience4j", "window": 9}, "window: expected a mapping, got 9"),
        ({"preset": "resilience4j", "window": {"time": "1500ms"}},
         "window.time: resilience4j counts whole seconds"),
        ({"preset": "envoy", "max_recovery_timeout": "9s"},
         "max_recovery_timeout: must not be less than recovery_timeout, which it limits"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(settings: Data, line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(**settings)
    assert f"a.breaker.{line}" == f"{caught.value.path}: {caught.value.problem}"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_all_that_a_breaker_needs(name: str) -> None:
    data = scenario(preset=name)
    assert plan(preset=name).preset == name
    assert list(VALIDATOR.iter_errors(data)) == []
    assert not VALIDATOR.is_valid(scenario())
    assert not VALIDATOR.is_valid(scenario(preset="none"))


def test_resilience4j_has_its_defaults() -> None:
    ours = plan(preset="resilience4j")
    assert (ours.recovery_timeout, ours.half_open_permits) == (60, 10)
    assert ours.window is not None
    assert (ours.window.calls, ours.window.minimum, ours.window.failure_rate) == (100, 100, 0.5)
    assert (ours.window.slow_call, ours.window.slow_rate) == (60, 1)


def test_polly_has_its_defaults() -> None:
    ours = plan(preset="polly")
    assert (ours.recovery_timeout, ours.half_open_permits) == (5, 1)
    assert ours.window is not None
    assert (ours.window.time, ours.window.minimum, ours.window.failure_rate) == (30, 100, 0.1)


def test_envoy_has_its_defaults() -> None:
    ours = plan(preset="envoy")
    assert (ours.failure_threshold, ours.recovery_timeout, ours.interval) == (5, 30, 10)
    assert ours.longest_recovery == 300
    assert plan(preset="envoy", recovery_timeout="400s").longest_recovery == 400
    assert not ours.can_open
    assert ours.trips_after is None


def test_gobreaker_has_its_defaults() -> None:
    ours = plan(preset="gobreaker")
    assert (ours.failure_threshold, ours.recovery_timeout, ours.clear_every) == (6, 60, inf)
    assert (ours.half_open_permits, ours.in_total, ours.successes_to_close) == (1, True, 1)
    assert plan(preset="gobreaker", half_open_permits=3).successes_to_close == 3


def test_opossum_has_its_defaults() -> None:
    ours = plan(preset="opossum")
    assert (ours.recovery_timeout, ours.half_open_permits) == (30, 1)
    assert ours.window is not None
    window = ours.window
    assert (window.time, window.minimum, window.failure_rate, window.strict) == (10, 1, 0.5, True)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"calls": 10}, (10, 10)),  # the minimum is never more than the window
        ({"calls": 200}, (200, 100)),
        ({"calls": 10, "minimum": 5}, (10, 5)),
        ({"calls": 5, "minimum": 10}, (5, 5)),
        ({"time": "10s"}, (0, 100)),
        ({"minimum": 20}, (100, 20)),
        ({"calls": None}, (100, 100)),
        (None, (100, 100)),
    ],
)
def test_settings_beside_a_preset_win(given: Data | None, held: tuple[int, int]) -> None:
    ours = plan(preset="resilience4j", window=given, recovery_timeout="3s").window
    assert ours is not None
    assert (ours.calls, ours.minimum) == held
    assert ours.failure_rate == 0.5


def test_a_window_is_changed_by_dotted_paths() -> None:
    before = loaded(preset="resilience4j")
    settings = {"a.breaker.window.minimum": 7, "a.breaker.window.failure_rate": "70%"}
    (policy,) = compile_plan(before.override(settings).model).stages[0].policies
    assert isinstance(policy, BreakerPlan)
    assert policy.window is not None
    assert (policy.window.minimum, policy.window.failure_rate) == (7, 0.7)


@pytest.mark.parametrize(
    ("settings", "change", "end"),
    [
        ({"recovery_timeout": "9s", "failure_threshold": 3},
         {"a.breaker.window": {"calls": 9, "failure_rate": "9%"}},
         "write --set 'a.breaker={recovery_timeout: 9s, window: {calls: 9, failure_rate: 9%}}'"),
        (window(calls=9, failure_rate="9%"), {"a.breaker.failure_threshold": 3},
         "write --set 'a.breaker={recovery_timeout: 9s, failure_threshold: 3}'"),
        (window(calls=9, minimum=3, failure_rate="9%"), {"a.breaker.window.time": "9s"},
         "write --set 'a.breaker.window={minimum: 3, failure_rate: 9%, time: 9s}'"),
        (window(time="9s", minimum=3, failure_rate="9%"), {"a.breaker.window.calls": 9},
         "write --set 'a.breaker.window={minimum: 3, failure_rate: 9%, calls: 9}'"),
        ({"recovery_timeout": "9s", "half_open_permits": 3}, {"a.breaker.preset": "polly"},
         "write --set 'a.breaker={recovery_timeout: 9s, preset: polly}'"),
    ],
)  # fmt: skip
def test_one_rule_is_replaced_by_another_as_the_error_says(
    settings: Data, change: Data, end: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(**settings).override(change, "--set")
    assert str(caught.value).endswith(f"to replace it, {end}")


@pytest.mark.parametrize(
    ("policies", "warned"),
    [
        (["deadline", "breaker"], True),
        (["breaker", "deadline"], False),
        (["deadline", "breaker", "deadline"], False),
        (["abandon", "breaker"], False),
        (["deadline", "counting"], False),
        (["deadline", "polly"], True),
    ],
)
def test_a_deadline_outside_that_hides_calls_that_hang_is_warned_of(
    policies: list[str], warned: bool
) -> None:
    known: dict[str, Data] = {
        "deadline": {"deadline": {"timeout": "2s"}},
        "abandon": {"deadline": {"timeout": "2s", "on_timeout": "abandon"}},
        "breaker": {"breaker": {"recovery_timeout": "9s"}},
        "counting": {"breaker": {"recovery_timeout": "9s", "cancelled": "failure"}},
        "polly": {"breaker": {"preset": "polly"}},
    }
    data = scenario()
    chain = [known[name] for name in policies]
    if policies.count("deadline") == 2:
        chain[-1] = {"deadline": {"name": "inner", "timeout": "1s"}}
    data["stages"]["a"]["policies"] = chain
    found = [c for c in contradictions(plan_of(data), None) if c.code == "C02"]
    assert bool(found) is warned
    for contradiction in found:
        assert contradiction.settings == ("a.breaker.cancelled", "a.deadline.timeout")
        assert "2.00 s" in contradiction.problem
