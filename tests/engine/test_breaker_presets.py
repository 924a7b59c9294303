"""What the documentation of libraries says of their breakers, step by step.

pybreaker and purgatory are compared with the libraries themselves, in validation.
"""

from math import inf, nextafter
from typing import Any

import pytest
from kit import (
    Data,
    changes,
    deadline,
    ends,
    fault,
    outage,
    plan_of,
    scenario,
    simulated,
    slow,
    stage,
    waits_for,
)

from cascadesim.engine.simpy.breaker import breaker_of
from cascadesim.engine.simpy.circuit_breaker import CircuitBreaker, State
from cascadesim.policies.breaker import BreakerPlan
from cascadesim.policies.breaker_window import WindowPlan
from cascadesim.records import Records

C, O, H = State.CLOSED, State.OPEN, State.HALF_OPEN  # noqa: E741


def after(breaker: CircuitBreaker, calls: str, now: float = 0.0) -> CircuitBreaker:
    """Send calls one after the other: "+" succeeds and "-" fails."""
    for sign in calls:
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.settle(ticket, ok=sign == "+", now=now)
    return breaker


def resilience4j(permits: int = 3, minimum: int = 4, **window: float) -> CircuitBreaker:
    """Return a breaker that opens at half failures of 4 calls, for 60 s."""
    plan = WindowPlan(**({"calls": 4, "time": inf, "failure_rate": 0.5} | window), minimum=minimum)  # type: ignore[arg-type]
    return breaker_of(
        BreakerPlan("it", 0, 60.0, half_open_permits=permits, window=plan, preset="resilience4j")
    )


def test_resilience4j_opens_upon_a_success_that_completes_the_minimum() -> None:
    assert after(resilience4j(), "--+").state is C
    assert after(resilience4j(), "--++").state is O
    assert after(resilience4j(), "-+++").state is C


def test_resilience4j_stays_open_for_the_whole_wait_duration() -> None:
    breaker = after(resilience4j(), "----", now=1.0)
    assert breaker.admit(61.0) is None
    assert breaker.state is O
    assert breaker.admit(nextafter(61.0, inf)) is not None
    assert breaker.state is H


@pytest.mark.parametrize(
    ("calls", "state"), [("--", H), ("--+", O), ("-++", C), ("++-", C), ("+++", C), ("---", O)]
)
def test_resilience4j_decides_in_half_open_by_the_rate_of_all_permitted_calls(
    calls: str, state: State
) -> None:
    breaker = after(resilience4j(), "----")
    assert after(breaker, calls, now=61.0).state is state


def test_resilience4j_permits_so_many_calls_in_all_and_not_at_once() -> None:
    breaker = after(resilience4j(permits=2, minimum=4), "----")
    trial, other = breaker.admit(61.0), breaker.admit(61.0)
    assert breaker.admit(61.0) is None
    breaker.settle(trial, ok=True, now=62.0)
    assert breaker.admit(62.0) is None
    breaker.take_back(other)
    assert breaker.admit(62.0) is not None


def test_resilience4j_decides_in_half_open_after_a_lower_minimum() -> None:
    breaker = after(resilience4j(permits=4, minimum=2), "--")
    assert after(breaker, "+", now=61.0).state is H
    assert after(breaker, "+", now=61.0).state is C


def test_resilience4j_counts_a_late_outcome_in_the_state_of_the_moment() -> None:
    breaker = resilience4j(permits=2)
    late = [breaker.admit(0.0) for _ in range(3)]
    after(breaker, "----")
    breaker.settle(late[0], ok=True, now=1.0)  # open: of no account
    assert after(breaker, "-", now=61.0).state is H
    breaker.settle(late[1], ok=False, now=61.0)  # half-open: the second of two
    assert breaker.state is O
    assert breaker.admit(nextafter(121.0, inf)) is not None
    breaker.settle(late[2], ok=True, now=121.5)
    assert breaker.state is H


def test_resilience4j_opens_on_slow_calls_that_succeed_or_fail() -> None:
    breaker = resilience4j(failure_rate=inf, slow_call=2.0, slow_rate=1.0)
    for ok in (True, False, True, False):
        ticket = breaker.admit(0.0)
        breaker.settle(ticket, ok=ok, now=2.5)
    assert breaker.state is O


def test_resilience4j_counts_whole_seconds_of_time() -> None:
    def opened(last: float) -> bool:
        breaker = resilience4j(minimum=2, calls=0, time=2.0, failure_rate=1.0)
        after(breaker, "-", now=0.875)
        return after(breaker, "-", now=last).state is O

    assert opened(1.875)
    assert not opened(2.0)  # though only 1.125 s have passed


def polly() -> CircuitBreaker:
    """Return a breaker that opens at half failures of 2 calls or more within 30 s, for 5 s."""
    plan = WindowPlan(0, 30.0, 2, failure_rate=0.5)
    return breaker_of(BreakerPlan("it", 0, 5.0, window=plan, preset="polly"))


def test_polly_opens_upon_failures_alone() -> None:
    assert after(polly(), "-+").state is C
    assert after(polly(), "-+-").state is O
    assert after(polly(), "++-").state is C


def test_polly_lets_one_call_through_in_half_open() -> None:
    breaker = after(polly(), "--")
    assert breaker.admit(4.999) is None
    trial = breaker.admit(5.0)
    assert breaker.admit(100.0) is None
    breaker.settle(trial, ok=False, now=100.0)
    assert breaker.admit(104.999) is None
    assert after(breaker, "+", now=105.0).state is C


@pytest.mark.parametrize(("ok", "state"), [(True, C), (False, O)])
def test_polly_takes_whatever_comes_back_first_in_half_open(ok: bool, state: State) -> None:
    breaker = polly()
    late = breaker.admit(0.0)
    after(breaker, "--")
    breaker.settle(breaker.admit(0.0) or late, ok=ok, now=1.0)  # open: of no account
    assert breaker.state is O
    assert breaker.admit(5.0) is not None
    breaker.settle(late, ok=ok, now=6.0)
    assert breaker.state is state


def test_polly_forgets_calls_by_buckets_of_a_tenth() -> None:
    def opened(last: float) -> bool:
        breaker = after(after(polly(), "++", now=0.0), "-", now=2.9)
        return after(breaker, "-", now=last).state is O

    assert opened(29.9)  # 2 failures of 4
    assert not opened(30.0)  # all are gone with the bucket that began at 0, even that of 2.9 s


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        (None, {"failure_threshold": 1}),
        ("resilience4j", {"window": {"calls": 1}, "half_open_permits": 1}),
        ("polly", {"window": {"minimum": 1}}),
    ],
)
def test_a_recovery_grows_with_each_failed_trial_until_it_closes(
    preset: str | None, settings: Data
) -> None:
    # IntervalFunction.ofExponentialBackoff(10 s, 2.0, 35 s): 10, 20, 35 and 35 s.
    settings = settings | {"recovery_timeout": "10s", "recovery_growth": 2}
    settings |= {"max_recovery_timeout": "35s"} | ({"preset": preset} if preset else {})
    (plan,) = plan_of(scenario(stage("0s", {"breaker": settings}))).stages[0].policies
    assert isinstance(plan, BreakerPlan)
    breaker, now, spans = breaker_of(plan), 0.0, []
    for ok in (False, False, False, False, True, False):
        breaker.settle(breaker.admit(now), ok=ok, now=now)
        spans.append(round(breaker.reopens_at - now, 6))
        now = max(now, breaker.reopens_at) + 0.001
    assert spans[:4] == [10, 20, 35, 35]
    assert spans[5] == 10


def envoy(**settings: float) -> CircuitBreaker:
    """Return a host of Envoy with its defaults, that 2 failures in a row eject."""
    plan = {"recovery_timeout": 30.0, "max_recovery_timeout": 300.0, "interval": 10.0} | settings
    return breaker_of(BreakerPlan("it", 2, **plan, preset="envoy"))  # type: ignore[arg-type]


def test_envoy_returns_a_host_at_the_first_sweep_after_the_ejection() -> None:
    breaker = after(envoy(), "--", now=3.0)
    assert breaker.admit(39.9) is None
    assert breaker.admit(47.0) is not None
    assert breaker.history == [(3.0, O), (40.0, C)]


def test_resilience4j_takes_a_permit_back_in_half_open_even_of_a_call_from_before() -> None:
    breaker = resilience4j(permits=1)
    late = breaker.admit(0.0)
    after(breaker, "----")
    assert breaker.admit(61.0) is not None
    assert breaker.admit(61.0) is None
    breaker.take_back(late)  # releasePermission() asks the state of the moment
    assert breaker.admit(61.0) is not None
    assert breaker.admit(61.0) is None


def test_envoy_returns_a_host_at_a_sweep_that_comes_just_then() -> None:
    assert after(envoy(), "--", now=10.0).reopens_at == 40.0


def test_envoy_ejects_longer_with_each_ejection_up_to_the_longest() -> None:
    breaker = envoy(max_recovery_timeout=70.0)
    spans = []
    now = 0.0
    for _ in range(5):
        after(breaker, "--", now)
        spans.append(breaker.reopens_at - now)
        now = breaker.reopens_at
    assert spans == [30.0, 60.0, 70.0, 70.0, 70.0]


@pytest.mark.parametrize(
    ("ejected", "back"),
    [
        (99.0, 190.0),  # 3 times 30 s, up to the next sweep
        (100.0, 160.0),  # after one quiet sweep 2 times
        (109.0, 170.0),
        (115.0, 150.0),  # after two of them once
        (200.0, 230.0),
    ],
)
def test_envoy_forgets_an_ejection_with_each_quiet_sweep(ejected: float, back: float) -> None:
    breaker = after(after(envoy(), "--", now=0.0), "--", now=30.0)
    assert breaker.reopens_at == 90.0  # after two ejections
    assert after(breaker, "--", now=ejected).reopens_at == back


def test_envoy_has_no_half_open_and_ignores_what_comes_back_meanwhile() -> None:
    breaker = envoy()
    late = [breaker.admit(0.0) for _ in range(3)]
    after(breaker, "--", now=0.0)
    breaker.settle(late[0], ok=False, now=20.0)
    assert breaker.reopens_at == 30.0
    assert [breaker.admit(30.0) is None for _ in range(3)] == [False] * 3
    breaker.settle(late[1], ok=False, now=31.0)  # but counts what comes back after it
    breaker.settle(late[2], ok=False, now=31.0)
    assert breaker.state is O


# Calls through a breaker: one a second at t = 1, 2, 3 … ---------------------------------------


def called(n: int, faults: list[Data], seconds: str = "0s", **settings: Any) -> Records:
    """Send `n` calls through such a breaker to a stage of so much work, with these faults."""
    return simulated(stage(seconds, {"breaker": settings}), n, faults=faults)


# An only host of Envoy that is ejected, and missed.
ALONE: Data = {"preset": "envoy", "max_ejection": "100%", "panic_threshold": "0%"}


def waited(records: Records) -> list[float]:
    return waits_for(records, "breaker_wait")


def failing(start: str, duration: str) -> Data:
    """Return a fault that, unlike an outage, leaves calls under way alone."""
    return fault(start, duration, error_rate={"share": "100%"})


def test_pybreaker_rejects_the_call_that_opens_it() -> None:
    records = called(3, [outage("0s", "10s")], preset="pybreaker", failure_threshold=2)
    assert ends(records) == [(0, "failed"), (0, "rejected"), (0, "rejected")]
    assert [records.ends[i] for i in records.ended_by] == ["a", *["a.breaker.when_open"] * 2]


def test_a_late_failure_lengthens_the_wait_for_pybreaker() -> None:
    # Calls of 1 and 2 s fail after 3 s. The first opens it at 4 s, the second anew at 5 s.
    settings = {"failure_threshold": 1, "recovery_timeout": "4s", "when_open": "wait"}
    faults = [outage("0s", "2500ms", "3s")]
    records = called(6, faults, preset="pybreaker", **settings)
    assert changes(records) == [(4, "open"), (9, "half-open"), (9, "closed")]
    assert waited(records) == [0, 0, 0, 5, 4, 3]
    records = called(6, faults, **settings)
    assert changes(records) == [(4, "open"), (8, "half-open"), (8, "closed")]


def test_a_late_success_closes_a_pybreaker_that_is_open() -> None:
    # Open from 1 s to 3 s. Of two trials that of 3 s takes 2.5 s, and that of 4 s fails at once.
    settings = {"preset": "pybreaker", "failure_threshold": 1, "recovery_timeout": "2s"}
    faults = [outage("0s", "1500ms"), slow("2500ms", "1s", "2500ms"), failing("3500ms", "1s")]
    records = called(7, faults, **settings)
    assert changes(records) == [(1, "open"), (3, "half-open"), (4, "open"), (5.5, "closed")]


def test_purgatory_takes_a_late_success_for_the_trial() -> None:
    # The call of 1 s comes back at 4 s; that of 2 s fails, and that of 3 s is a trial of 9 s.
    settings = {"preset": "purgatory", "failure_threshold": 1, "recovery_timeout": "900ms"}
    faults = [slow("0s", "1500ms", "3s"), failing("1500ms", "1s"), slow("2500ms", "1s", "9s")]
    records = called(3, faults, **settings)
    assert changes(records) == [(2, "open"), (3, "half-open"), (4, "closed")]


def test_resilience4j_closes_after_its_permitted_calls() -> None:
    # Open from 2 s to 6 s; trials of 1 s each, two in all.
    settings = {"preset": "resilience4j", "window": {"calls": 2}, "recovery_timeout": "4s"}
    settings |= {"half_open_permits": 2, "when_open": "wait"}
    records = called(6, [outage("0s", "2500ms")], "1s", **settings)
    assert changes(records) == [(2, "open"), (6, "half-open"), (7, "closed")]
    assert waited(records) == [0, 0, 3, 2, 2, 1]


@pytest.mark.parametrize(
    ("preset", "opened"),
    [
        ("pybreaker", [(3, "open")]),
        ("purgatory", [(3, "open")]),
        ("resilience4j", []),
        ("polly", []),
        ("envoy", []),
        ("gobreaker", [(3, "open")]),
        ("opossum", [(3, "open")]),
    ],
)
def test_a_cancelled_call_counts_as_the_library_does(
    preset: str, opened: list[tuple[float, str]]
) -> None:
    windows = {"resilience4j": {"calls": 2}, "polly": {"minimum": 2}, "opossum": {"minimum": 2}}
    settings = {"window": windows[preset]} if preset in windows else {"failure_threshold": 2}
    settings |= ALONE if preset == "envoy" else {"preset": preset}
    silent = fault("0s", "100s", hang={})
    stages = stage("0s", deadline("1s"), {"breaker": settings})
    assert changes(simulated(stages, 3, faults=[silent]))[:1] == opened
    if not opened:  # it is the option that spares it
        settings["cancelled"] = "failure"
        assert changes(simulated(stages, 3, faults=[silent]))[:1] == [(3, "open")]


@pytest.mark.parametrize(("order", "opened"), [((0, 1), []), ((1, 0), [(3, "open")])])
def test_polly_takes_a_call_that_its_caller_cancels_as_a_success(
    order: tuple[int, int], opened: list[tuple[float, str]]
) -> None:
    window = {"minimum": 2, "failure_rate": "50%"}
    policies = [deadline("1s"), {"breaker": {"preset": "polly", "window": window}}]
    silent = fault("0s", "100s", hang={})
    records = simulated(stage("0s", *(policies[i] for i in order)), 3, faults=[silent])
    assert changes(records) == opened
    assert ends(records)[:2] == [(1.0, "timed_out")] * 2


@pytest.mark.parametrize("when_open", ["wait", "reject"])
def test_envoy_returns_the_host_at_a_sweep(when_open: str) -> None:
    settings = {"failure_threshold": 2, "recovery_timeout": "3s", "interval": "2s"}
    settings |= ALONE | {"when_open": when_open}
    records = called(6, [outage("0s", "2500ms")], **settings)
    assert changes(records) == [(2, "open"), (6, "closed")]
    if when_open == "wait":
        assert waited(records) == [0, 0, 3, 2, 1, 0]
    else:
        words = [word for _, word in ends(records)]
        assert words == ["failed", "failed", "rejected", "rejected", "rejected", "ok"]


@pytest.mark.parametrize(
    ("max_ejection", "panic_threshold", "words"),
    [
        (None, None, ["failed"] * 4),  # Envoy's defaults: 10% and 50%
        ("100%", None, ["failed"] * 4),  # a panic: all calls go to the ejected host
        ("99%", "0%", ["failed"] * 4),
        ("100%", "0%", ["failed"] * 2 + ["rejected"] * 2),
    ],
)
def test_an_only_host_of_envoy_is_missed_only_if_it_may_be_ejected_and_there_is_no_panic(
    max_ejection: str | None, panic_threshold: str | None, words: list[str]
) -> None:
    settings = {"max_ejection": max_ejection, "panic_threshold": panic_threshold}
    records = called(4, [outage("0s", "9s")], preset="envoy", failure_threshold=2, **settings)
    assert [word for _, word in ends(records)] == words


def test_opossum_lets_a_trial_through_on_time() -> None:
    settings = {"preset": "opossum", "window": {"minimum": 2}, "recovery_timeout": "2s"}
    records = called(2, [outage("0s", "10s")], **settings)
    assert changes(records) == [(2, "open"), (4, "half-open")]


def test_envoy_returns_the_host_though_nobody_calls() -> None:
    records = called(2, [outage("0s", "10s")], **ALONE, failure_threshold=2)
    assert changes(records) == [(2, "open"), (40, "closed")]
