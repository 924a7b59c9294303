"""No permit of a breaker is ever lost, however its calls end: a law over drawn sequences."""

from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Data, plan_of
from policy_strategies import library_breakers, own_breakers

from cascadesim.engine.simpy.breaker import breaker_of
from cascadesim.engine.simpy.circuit_breaker import CircuitBreaker, State
from cascadesim.policies.breaker import BreakerPlan

GAPS = (0.0, 0.125, 1.0, 9.0)  # seconds


def breaker(settings: Data) -> CircuitBreaker:
    data = {
        "name": "permits",
        "horizon": "1s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1s"}, "policies": [{"breaker": settings}]}},
    }
    (policy,) = plan_of(data).stages[0].policies
    assert isinstance(policy, BreakerPlan)
    return breaker_of(policy)


def left(it: CircuitBreaker, codes: bytes) -> float:
    """Begin, end and cancel calls by the bits of bytes, and then cancel all that are left.

    A call that is cancelled counts nowhere. Returns the time at the end.
    """
    now, calls = 0.0, list[Any]()
    for code in codes:
        now += GAPS[code & 3]
        what, which = code >> 2 & 3, code >> 4
        if what == 0 or not calls:
            ticket = it.admit(now)
            calls += [] if ticket is None else [ticket]
        elif what == 1:
            it.take_back(calls.pop(which % len(calls)))
        else:
            it.settle(calls.pop(which % len(calls)), ok=what == 2, now=now)
    for ticket in calls:
        it.take_back(ticket)
    return now


@settings(max_examples=500)
@given(st.one_of(own_breakers(), library_breakers()), st.binary(min_size=10, max_size=60))
def test_once_nothing_is_under_way_a_breaker_lets_a_call_through_again(
    settings: Data, codes: bytes
) -> None:
    it = breaker(settings)
    now = max(left(it, codes), it.reopens_at) + 1.0
    assert it.admit(now) is not None


@pytest.mark.parametrize("name", ["own", "gobreaker", "resilience4j", "polly", "opossum"])
def test_a_trial_that_counts_nowhere_gives_its_permit_back(name: str) -> None:
    window = {"calls": 2, "failure_rate": "50%"} if name == "resilience4j" else {"minimum": 2}
    given: dict[str, Data] = {
        "own": {"failure_threshold": 2, "recovery_timeout": "60s", "half_open_limit": "in_total"},
        "gobreaker": {"failure_threshold": 2},
        "resilience4j": {"window": window, "half_open_permits": 1},
        "polly": {"window": window},
        "opossum": {"window": window},
    }
    it = breaker(given[name] if name == "own" else given[name] | {"preset": name})
    for _ in range(2):
        it.settle(it.admit(0.0), ok=False, now=0.0)
    assert it.admit(0.0) is None
    trial = it.admit(61.0)
    assert it.state is State.HALF_OPEN
    assert it.admit(61.0) is None
    it.take_back(trial)
    assert it.admit(62.0) is not None
    assert it.admit(62.0) is None
    assert it.reopens_at < inf
