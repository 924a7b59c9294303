import pytest

from cascadesim.model.breaker import BreakerPlan, CircuitBreaker, State

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
