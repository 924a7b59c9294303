"""Trip rules and presets of breakers in simulated time, by instants computed by hand.

One call a second at t = 1, 2, 3 …; work is constant.
"""

from typing import Any

import numpy as np
import pytest
from kit import Data, run

from cascadesim.plan.outcome import Outcome
from cascadesim.records import Records


def simulated(*policies: Data, n: int, work: str = "0s", faults: tuple[Data, ...] = ()) -> Records:
    return run(
        {
            "name": "breakers",
            "horizon": f"{n}500ms",
            "drain": "1000s",
            "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
            "stages": {"a": {"work": {"constant": work}, "policies": list(policies)}},
            "faults": list(faults),
        }
    )


def breaker(**settings: Any) -> Data:
    return {"breaker": settings}


def outage(start: str, duration: str, fail_after: str = "0s") -> Data:
    return {"on": "a", "from": start, "for": duration, "outage": {"fail_after": fail_after}}


def failing(start: str, duration: str) -> Data:
    """Return a fault that, unlike an outage, leaves calls under way alone."""
    return {"on": "a", "from": start, "for": duration, "error_rate": {"share": "100%"}}


def slow(start: str, duration: str, add: str) -> Data:
    return {"on": "a", "from": start, "for": duration, "latency": {"add": add}}


def changes(records: Records) -> list[tuple[float, str]]:
    return [(round(change.at, 6), change.state) for change in records.transitions]


def ends(records: Records) -> list[tuple[float, str]]:
    words = [Outcome(code).word for code in records.outcome]
    return list(zip(np.round(records.latency, 6).tolist(), words, strict=True))


def waited(records: Records) -> list[float]:
    """Return how long each call waits for the breaker, in seconds."""
    (column,) = [i for i, part in enumerate(records.parts) if part.cause == "breaker_wait"]
    return np.round(records.seconds[:, column], 6).tolist()  # type: ignore[no-any-return]


def test_a_count_window_opens_at_its_failure_rate() -> None:
    # Of the calls at 1 … 4 s only the third fails; of those at 3 … 6 s all but the fourth.
    window = {"calls": 4, "failure_rate": "75%"}
    faults = outage("2500ms", "1s"), outage("4500ms", "10s")
    records = simulated(breaker(window=window, recovery_timeout="60s"), n=7, faults=faults)
    assert changes(records) == [(6, "open")]


def test_a_time_window_opens_at_its_failure_rate_and_minimum() -> None:
    window = {"time": "3s", "minimum": 3, "failure_rate": "100%"}
    faults = (outage("3500ms", "10s"),)
    records = simulated(breaker(window=window, recovery_timeout="60s"), n=9, faults=faults)
    assert changes(records) == [(6, "open")]  # at 5 s the success of 3 s is still in it


def test_slow_calls_open_a_breaker_though_none_fails() -> None:
    window = {"calls": 4, "minimum": 2, "slow_call": "2s", "slow_rate": "60%"}
    faults = (slow("2500ms", "10s", "3s"),)
    records = simulated(breaker(window=window, recovery_timeout="60s"), n=9, faults=faults)
    # Calls of 1 and 2 s are quick; those of 3, 4 and 5 s end slow at 6, 7 and 8 s, and the third
    # of them makes three of four.
    assert changes(records) == [(8, "open")]
    assert ends(records)[2:5] == [(3.0, "ok")] * 3
    assert ends(records)[-1] == (0.0, "rejected")


@pytest.mark.parametrize(
    ("permits", "waits"), [(1, [0, 4, 4, 4, 4, 4]), ("all", [0, 4, 3, 2, 1, 0])]
)
def test_waiting_callers_are_released_one_at_a_time_or_all_together(
    permits: int | str, waits: list[float]
) -> None:
    # The call of 1 s fails at 2 s, which opens it until 6 s; trials take 1 s each.
    policy = breaker(
        **{"failure_threshold": 1, "recovery_timeout": "4s", "when_open": "wait"},
        **{"half_open_permits": permits, "successes_to_close": 9},
    )
    records = simulated(policy, n=6, work="1s", faults=(outage("0s", "2s", "1s"),))
    assert changes(records) == [(2, "open"), (6, "half-open")]
    assert waited(records) == waits


def test_pybreaker_rejects_the_call_that_opens_it() -> None:
    policy = breaker(preset="pybreaker", failure_threshold=2)
    records = simulated(policy, n=3, faults=(outage("0s", "10s"),))
    assert ends(records) == [(0, "failed"), (0, "rejected"), (0, "rejected")]
    assert [records.ends[i] for i in records.ended_by] == ["a", *["a.breaker.when_open"] * 2]


def test_a_late_failure_lengthens_the_wait_for_pybreaker() -> None:
    # Calls of 1 and 2 s fail after 3 s. The first opens it at 4 s, the second anew at 5 s.
    settings = {"failure_threshold": 1, "recovery_timeout": "4s", "when_open": "wait"}
    faults = (outage("0s", "2500ms", "3s"),)
    records = simulated(breaker(preset="pybreaker", **settings), n=6, faults=faults)
    assert changes(records) == [(4, "open"), (9, "half-open"), (9, "closed")]
    assert waited(records) == [0, 0, 0, 5, 4, 3]
    records = simulated(breaker(**settings), n=6, faults=faults)
    assert changes(records) == [(4, "open"), (8, "half-open"), (8, "closed")]


def test_a_late_success_closes_a_pybreaker_that_is_open() -> None:
    # Open from 1 s to 3 s. Of two trials that of 3 s takes 2.5 s, and that of 4 s fails at once.
    policy = breaker(preset="pybreaker", failure_threshold=1, recovery_timeout="2s")
    faults = outage("0s", "1500ms"), slow("2500ms", "1s", "2500ms"), failing("3500ms", "1s")
    records = simulated(policy, n=7, faults=faults)
    assert changes(records) == [(1, "open"), (3, "half-open"), (4, "open"), (5.5, "closed")]


def test_purgatory_takes_a_late_success_for_the_trial() -> None:
    # The call of 1 s comes back at 4 s; that of 2 s fails, and that of 3 s is a trial of 9 s.
    policy = breaker(preset="purgatory", failure_threshold=1, recovery_timeout="900ms")
    faults = slow("0s", "1500ms", "3s"), failing("1500ms", "1s"), slow("2500ms", "1s", "9s")
    records = simulated(policy, n=3, faults=faults)
    assert changes(records) == [(2, "open"), (3, "half-open"), (4, "closed")]


def test_resilience4j_closes_after_its_permitted_calls() -> None:
    # Open from 2 s to 6 s; trials of 1 s each, two in all.
    policy = breaker(
        preset="resilience4j",
        **{"window": {"calls": 2}, "recovery_timeout": "4s"},
        **{"half_open_permits": 2, "when_open": "wait"},
    )
    records = simulated(policy, n=6, work="1s", faults=(outage("0s", "2500ms"),))
    assert changes(records) == [(2, "open"), (6, "half-open"), (7, "closed")]
    assert waited(records) == [0, 0, 3, 2, 2, 1]


@pytest.mark.parametrize(("order", "opened"), [((0, 1), []), ((1, 0), [(3, "open")])])
def test_polly_takes_a_call_that_its_caller_cancels_as_a_success(
    order: tuple[int, int], opened: list[tuple[float, str]]
) -> None:
    window = {"minimum": 2, "failure_rate": "50%"}
    policies = [{"deadline": {"timeout": "1s"}}, breaker(preset="polly", window=window)]
    silent = {"on": "a", "from": "0s", "for": "100s", "partition": {}}
    records = simulated(*(policies[i] for i in order), n=3, faults=(silent,))
    assert changes(records) == opened
    assert ends(records)[:2] == [(1.0, "timed_out")] * 2


@pytest.mark.parametrize("when_open", ["wait", "reject"])
def test_envoy_returns_the_host_at_a_sweep(when_open: str) -> None:
    policy = breaker(
        preset="envoy",
        **{"failure_threshold": 2, "recovery_timeout": "3s", "interval": "2s"},
        when_open=when_open,
    )
    records = simulated(policy, n=6, faults=(outage("0s", "2500ms"),))
    assert changes(records) == [(2, "open"), (6, "closed")]
    if when_open == "wait":
        assert waited(records) == [0, 0, 3, 2, 1, 0]
    else:
        words = [word for _, word in ends(records)]
        assert words == ["failed", "failed", "rejected", "rejected", "rejected", "ok"]


def test_envoy_returns_the_host_though_nobody_calls() -> None:
    policy = breaker(preset="envoy", failure_threshold=2)
    records = simulated(policy, n=2, faults=(outage("0s", "10s"),))
    assert changes(records) == [(2, "open"), (40, "closed")]
