from math import inf

import pytest

from cascadesim.engine.simpy.breaker import BreakerPlan, CircuitBreaker, State, WindowBreaker
from cascadesim.engine.simpy.window import WindowPlan

C, O, H = State.CLOSED, State.OPEN, State.HALF_OPEN  # noqa: E741


def breaker_in(state: State) -> tuple[CircuitBreaker, int]:
    """Return a breaker (threshold 2, recovery 60) in `state` and the ticket of a call."""
    breaker = CircuitBreaker(BreakerPlan("breaker", failure_threshold=2, recovery_timeout=60.0))
    ticket = breaker.admit(0.0)
    if state is not C:
        for _ in range(2):
            breaker.settle(ticket, ok=False, now=0.0)
    if state is H:
        ticket = breaker.admit(60.0)
    assert ticket is not None
    assert breaker.state is state
    return breaker, ticket


@pytest.mark.parametrize(
    ("start", "outcomes", "end"),
    [
        (C, [True], C),
        (C, [False], C),
        (C, [False, True, False], C),
        (C, [False, False], O),
        (O, [True], O),  # late outcomes say nothing
        (O, [False], O),
        (H, [True], C),
        (H, [False], O),
    ],
)
def test_transitions_on_outcomes(start: State, outcomes: list[bool], end: State) -> None:
    breaker, ticket = breaker_in(start)
    for ok in outcomes:
        breaker.settle(ticket, ok=ok, now=61.0)
    assert breaker.state is end


def test_open_admits_no_call_until_recovery_and_then_one_trial() -> None:
    breaker, _ = breaker_in(O)
    assert breaker.admit(59.999) is None
    assert breaker.admit(60.0) is not None
    assert breaker.state is H
    assert breaker.admit(60.0) is None


def test_failed_trial_opens_for_another_full_recovery() -> None:
    breaker, trial = breaker_in(H)
    breaker.settle(trial, ok=False, now=61.0)
    assert breaker.reopens_at == 121.0
    assert breaker.admit(120.9) is None


def test_permits_and_successes_to_close() -> None:
    plan = BreakerPlan("breaker", 1, 10.0, half_open_permits=2, successes_to_close=3)
    breaker = CircuitBreaker(plan)
    breaker.settle(breaker.admit(0.0) or 0, ok=False, now=0.0)
    trials = [breaker.admit(10.0) for _ in range(3)]
    assert trials[2] is None
    for _ in range(2):
        breaker.settle(trials[0] or 0, ok=True, now=11.0)
    assert breaker.state is H
    breaker.settle(breaker.admit(11.0) or 0, ok=True, now=12.0)
    assert breaker.state is C


def test_a_trial_that_was_never_made_leaves_its_permit_to_another() -> None:
    breaker, trial = breaker_in(H)
    assert breaker.admit(60.0) is None
    breaker.take_back(trial)
    assert breaker.admit(60.0) is not None


def test_taking_back_an_old_ticket_changes_nothing() -> None:
    breaker, trial = breaker_in(H)
    breaker.settle(trial, ok=False, now=61.0)
    assert breaker.admit(121.0) is not None
    breaker.take_back(trial)
    assert breaker.admit(121.0) is None


def window_breaker(**window: float) -> WindowBreaker:
    """Return a breaker (recovery 60) that judges its last 4 calls once there are 2."""
    plan = WindowPlan(calls=4, time=inf, minimum=2, **window)
    return WindowBreaker(BreakerPlan("breaker", 2, 60.0, window=plan))


def send(breaker: CircuitBreaker, *calls: tuple[float, float, bool]) -> CircuitBreaker:
    """Send calls: when they begin and end, and whether they succeed."""
    for begin, end, ok in calls:
        breaker.settle(breaker.admit(begin), ok=ok, now=end)
    return breaker


def test_failures_beyond_the_rate_open_it_though_successes_lie_between() -> None:
    breaker = window_breaker(failure_rate=0.5)
    assert send(breaker, (0, 0, True), (1, 1, True), (2, 2, False)).state is C
    assert send(breaker, (3, 3, True), (4, 4, False)).state is O  # 2 of the last 4


def test_slow_calls_open_it_though_none_fails() -> None:
    breaker = window_breaker(slow_call=2.0, slow_rate=1.0)
    assert send(breaker, (0, 2, True), (0, 2, True)).state is C  # 2 s are not slower than 2 s
    breaker = window_breaker(slow_call=2.0, slow_rate=1.0)
    assert send(breaker, (0, 2.1, True), (0, 2.1, True)).state is O


def test_rounding_makes_no_call_slow() -> None:
    breaker = window_breaker(slow_call=0.1, slow_rate=1.0)
    begins = [n / 7 for n in range(100)]
    assert any(begin + 0.1 - begin > 0.1 for begin in begins)
    assert send(breaker, *((begin, begin + 0.1, True) for begin in begins)).state is C


@pytest.mark.parametrize(("took", "ok", "state"), [(1, True, C), (3, True, O), (1, False, O)])
def test_a_trial_must_be_neither_failed_nor_slow(took: float, ok: bool, state: State) -> None:
    breaker = window_breaker(failure_rate=0.5, slow_call=2.0, slow_rate=0.5)
    send(breaker, (0, 0, False), (0, 0, False))
    assert send(breaker, (60, 60 + took, ok)).state is state


def test_a_window_forgets_what_was_before_a_transition() -> None:
    breaker = window_breaker(failure_rate=0.5)
    late = breaker.admit(0)
    send(breaker, (0, 0, False), (0, 0, False), (60, 60, True), (61, 61, False))
    assert breaker.state is C
    breaker.settle(late, ok=False, now=62)  # nor does a late outcome count
    assert breaker.state is C
    assert send(breaker, (63, 63, False)).state is O
