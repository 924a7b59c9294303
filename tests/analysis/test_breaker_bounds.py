"""How long callers can wait for breakers whose recoveries grow, or begin anew."""

import math
from typing import Any

import pytest
from kit import plan_of

from cascadesim.analysis.bounds import worst_case
from cascadesim.analysis.contradictions import contradictions
from cascadesim.engine import simulate
from cascadesim.plan.plan import Plan

# An only host of Envoy that is ejected, and missed.
ALONE = {"preset": "envoy", "max_ejection": "100%", "panic_threshold": "0%"}


def plan(horizon: str = "60s", faults: Any = (), **breaker: Any) -> Plan:
    settings = {"when_open": "wait"} | breaker
    return plan_of(
        {
            "name": "bound",
            "horizon": horizon,
            "drain": "2000s",
            "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
            "stages": {
                "a": {"work": {"constant": "2s"}, "policies": [{"breaker": settings}]},
            },
            "faults": list(faults),
        }
    )


def test_a_host_of_envoy_is_away_for_the_longest_ejection_up_to_the_next_sweep() -> None:
    envoy = plan(**ALONE, max_recovery_timeout="70s", interval="20s")
    assert worst_case(envoy)["a"].terms == {
        "a.work": 2 + 2 + 2,
        "a.breaker.max_recovery_timeout": 70,
        "a.breaker.interval": 20,
    }
    outage = {"on": "a", "from": "0s", "for": "1h", "outage": {}}
    always = plan(horizon="20min", faults=[outage], **ALONE, max_recovery_timeout="70s")
    # Ejected at 4 s (until 40 s) and at 40 s (until 100 s), and later for 70 s each time; all
    # callers that wait fail at once, as they are back, and the host is ejected at that instant.
    longest = simulate(always, seed=1).latency.max()
    assert 69 <= longest <= worst_case(always)["a"].total


def test_recoveries_that_begin_anew_stay_within_the_bound() -> None:
    # The calls of 1 and 2 s fail at 3 and 4 s; at 3 s the wait begins for the third.
    outage = {"on": "a", "from": "0s", "for": "2500ms", "outage": {"fail_after": "2s"}}
    begun = plan(faults=[outage], preset="pybreaker", failure_threshold=1, recovery_timeout="10s")
    longest = simulate(begun, seed=1).latency.max()
    assert 10 + 2 < longest == 11 + 2 <= worst_case(begun)["a"].total


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"recovery_timeout": "60s"}, "a recovery takes 60.00 s"),
        (ALONE, "a recovery takes 310.00 s"),
    ],
)
def test_a_recovery_beyond_the_objective_is_a_contradiction(
    settings: dict[str, Any], problem: str
) -> None:
    (found,) = contradictions(plan(**settings), limit=5.0)
    assert problem in found.problem


def test_recoveries_that_grow_wait_for_the_longest() -> None:
    grows = {"failure_threshold": 1, "recovery_timeout": "5s", "recovery_growth": 3}
    assert worst_case(plan(**grows))["a"].total == math.inf
    outage = {"on": "a", "from": "0s", "for": "1h", "outage": {}}
    capped = plan(
        horizon="5min", faults=[outage], **grows, max_recovery_timeout="40s", max_recoveries=1
    )
    assert worst_case(capped)["a"].terms == {
        "a.work": 2 + 2 + 2,
        "a.breaker.max_recovery_timeout": 40,
    }
    longest = simulate(capped, seed=1).latency.max()
    assert 30 <= longest <= worst_case(capped)["a"].total
    assert worst_case(plan(**grows, max_recoveries=0))["a"].terms == {"a.work": 2 + 2}


def test_an_only_host_that_is_never_ejected_keeps_nobody_waiting() -> None:
    assert worst_case(plan(preset="envoy"))["a"].terms == {"a.work": 2}
