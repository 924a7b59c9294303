"""Presets of breakers against libraries that do not run in Python, call by call.

The sequences are those of CircuitBreakerStateMachineTest (resilience4j), of EjectTimeBackoff in
outlier_detection_impl_test.cc (Envoy) and of TestNewCircuitBreaker (gobreaker), and what opossum
did with drawn ones.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from kit import plan_of

from cascadesim.engine.simpy.breaker import breaker_of
from cascadesim.engine.simpy.circuit_breaker import CircuitBreaker, State
from cascadesim.policies.breaker import BreakerPlan

C, O, H = State.CLOSED, State.OPEN, State.HALF_OPEN  # noqa: E741
# What opossum 9.0.0 did on a clock of its own. A line has errorThresholdPercentage,
# volumeThreshold, resetTimeout and rollingCountTimeout, and then steps: how many milliseconds pass,
# what happens (a call; or the n-th of those under way ends ok or badly), the state after it, and
# whether a call was let through. Buckets turn before what happens at the same instant.
OPOSSUM = Path(__file__).parents[1] / "data" / "opossum-9.txt"
STEP = re.compile(r"(\d+)(?:(c)|([ob])(\d))([coh])([+-]?)")
FAST, SLOW = 0.0, 5.0  # seconds that a call takes


def breaker(**settings: object) -> CircuitBreaker:
    data = {
        "name": "sequence",
        "horizon": "1s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1s"}, "policies": [{"breaker": settings}]}},
    }
    (policy,) = plan_of(data).stages[0].policies
    assert isinstance(policy, BreakerPlan)
    return breaker_of(policy)


def resilience4j() -> CircuitBreaker:
    return breaker(
        preset="resilience4j",
        window={
            **{"time": "5s", "minimum": 5, "failure_rate": "50%"},
            **{"slow_call": "4s", "slow_rate": "50%"},
        },
        recovery_timeout="5s",
        half_open_permits=4,
    )


def half_open() -> CircuitBreaker:
    """Return the breaker of resilience4j's tests in half-open, at 6 s, before any trial."""
    it = resilience4j()
    for _ in range(5):
        it.settle(it.admit(0.0), ok=False, now=0.0)
    assert it.state is O
    assert it.admit(3.0) is None
    trial = it.admit(6.0)
    assert it.state is H
    it.take_back(trial)
    return it


def states(it: CircuitBreaker, calls: list[tuple[bool, float]], end: float) -> list[State]:
    """Send calls that all end at one instant; return the state after each."""
    seen = []
    for ok, seconds in calls:
        # The clock of the tests stands still while their calls say how long they took.
        ticket = it.admit(end)
        assert ticket is not None
        it.settle((ticket[0], end - seconds), ok=ok, now=end)
        seen.append(it.state)
    return seen


@pytest.mark.parametrize(
    "calls",
    [
        [(False, FAST), (False, FAST), (False, FAST), (True, FAST), (True, FAST)],
        [(False, SLOW), (True, SLOW), (False, 0.1), (True, 0.1), (True, SLOW)],
    ],
    ids=["shouldOpenAfterFailureRateThresholdExceeded", "shouldOpenAfterSlowCallRateThreshold…"],
)
def test_resilience4j_opens_at_the_fifth_call(calls: list[tuple[bool, float]]) -> None:
    assert states(resilience4j(), calls, 10.0) == [C, C, C, C, O]


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ([(True, SLOW), (True, SLOW), (True, SLOW), (True, 1.0)], O),
        ([(False, FAST), (True, FAST), (True, FAST), (True, FAST)], C),
        ([(True, FAST), (True, FAST), (True, FAST), (False, FAST)], C),
    ],
)
def test_resilience4j_decides_at_the_fourth_trial(
    calls: list[tuple[bool, float]], state: State
) -> None:
    assert states(half_open(), calls, 6.0) == [H, H, H, state]


def test_resilience4j_lets_four_trials_through_and_one_for_each_that_is_released() -> None:
    it = half_open()
    trials = [it.admit(6.0) for _ in range(6)]
    assert [trial is not None for trial in trials] == [True] * 4 + [False] * 2
    it.take_back(trials[0])
    assert it.admit(6.0) is not None
    assert it.admit(6.0) is None


def test_envoy_ejects_for_longer_each_time_and_forgets_while_the_host_is_well() -> None:
    it = breaker(preset="envoy", recovery_timeout="10s", max_ejection="100%", panic_threshold="0%")
    # When five errors come, and when the host is back: 1, 2 and 3 times 10 s; twice after two
    # sweeps without errors, and once after many.
    for ejected, back in [(0, 10), (10, 30), (30, 60), (80, 100), (610, 620)]:
        for _ in range(5):
            assert it.state is C
            it.settle(it.admit(ejected), ok=False, now=ejected)
        assert it.admit(back - 0.001) is None
        assert it.admit(back) is not None
        assert it.history[-2:] == [(ejected, O), (back, C)]


def test_gobreaker_opens_at_the_sixth_failure_and_closes_by_one_trial() -> None:
    it = breaker(preset="gobreaker")
    for _ in range(5):
        it.settle(it.admit(0.0), ok=False, now=0.0)
    it.settle(it.admit(0.0), ok=True, now=0.0)
    for failure in range(6):
        assert it.state is C, failure
        it.settle(it.admit(0.0), ok=False, now=0.0)
    assert it.state is O
    assert it.admit(60.0) is None  # not after the timeout yet
    trial = it.admit(60.001)
    assert it.state is H
    it.settle(trial, ok=False, now=60.001)
    assert it.state is O
    trial = it.admit(120.002)
    assert it.admit(120.002) is None
    it.settle(trial, ok=True, now=120.002)
    assert it.state is C


def test_gobreaker_lets_max_requests_through_in_all_and_needs_as_many_successes() -> None:
    it = breaker(preset="gobreaker", failure_threshold=1, half_open_permits=3)
    it.settle(it.admit(0.0), ok=False, now=0.0)
    first, second = it.admit(61.0), it.admit(61.0)
    it.settle(first, ok=True, now=62.0)
    it.settle(second, ok=True, now=62.0)
    assert it.state is H
    third = it.admit(62.0)
    assert it.admit(62.0) is None  # the fourth of three, though but one is under way
    it.settle(third, ok=True, now=63.0)
    assert it.state is C


def test_gobreaker_clears_its_counts_at_every_interval() -> None:
    it = breaker(preset="gobreaker", failure_threshold=2, clear_every="30s")
    it.settle(it.admit(1.0), ok=False, now=1.0)
    late = it.admit(29.0)
    assert it.admit(30.001) is not None  # which begins a new interval
    it.settle(late, ok=False, now=31.0)  # a request sent before the counts were cleared
    it.settle(it.admit(31.0), ok=False, now=31.0)
    assert it.state is C
    it.settle(it.admit(60.0), ok=False, now=60.0)
    assert it.state is O


@pytest.mark.parametrize("line", OPOSSUM.read_text("utf-8").splitlines())
def test_opossum_is_in_the_same_state_after_every_step(line: str) -> None:
    head, steps = line.split(";")
    percent, volume, reset, rolling = map(int, head.split())
    window = {"time": f"{rolling}ms", "minimum": max(1, volume), "failure_rate": f"{percent}%"}
    it = breaker(preset="opossum", window=window, recovery_timeout=f"{reset}ms")
    now, calls = 0.0, list[Any]()
    for gap, call, end, which, state, passed in STEP.findall(steps):
        now += int(gap) / 1000
        if call:
            ticket = it.admit(now)
            assert (ticket is not None) == (passed == "+")
            calls += [] if ticket is None else [ticket]
        elif calls:
            it.settle(calls.pop(int(which) % len(calls)), ok=end == "o", now=now)
        it.sweep(now)  # type: ignore[attr-defined]
        assert it.state.value[0] == state
