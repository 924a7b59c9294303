"""Breakers: their states, call by call, and calls through them, by instants computed by hand."""

from math import inf

import pytest
from kit import (
    ALWAYS,
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    UNFINISHED,
    Data,
    breaker,
    changes,
    deadline,
    ends,
    fault,
    outage,
    run,
    scenario,
    simulated,
    slow,
    spent,
    stage,
    waits_for,
)

from cascadesim.engine.simpy.breaker import breaker_of
from cascadesim.engine.simpy.circuit_breaker import CircuitBreaker, State, WindowBreaker
from cascadesim.policies.breaker import BreakerPlan
from cascadesim.policies.breaker_window import WindowPlan

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


def test_trials_in_total_are_not_given_again_while_it_is_half_open() -> None:
    plan = BreakerPlan("breaker", 1, 10.0, half_open_permits=2, in_total=True, successes_to_close=2)
    breaker = CircuitBreaker(plan)
    breaker.settle(breaker.admit(0.0), ok=False, now=0.0)
    first, second = breaker.admit(10.0), breaker.admit(10.0)
    breaker.settle(first, ok=True, now=11.0)
    assert breaker.admit(11.0) is None
    breaker.settle(second, ok=True, now=12.0)
    assert breaker.state is C


def test_failures_are_forgotten_every_so_often_while_it_is_closed() -> None:
    plan = BreakerPlan("breaker", failure_threshold=2, recovery_timeout=10.0, clear_every=5.0)
    assert send(CircuitBreaker(plan), (4, 4, False), (5, 5, False)).state is O
    assert send(CircuitBreaker(plan), (4, 4, False), (6, 6, False)).state is C
    breaker = send(CircuitBreaker(plan), (4, 4, False), (6, 6, False), (11, 11, False))
    assert breaker.state is O
    # Closed again at 21 s, until 26 s.
    assert send(breaker, (21, 21, True), (25, 25, False), (27, 27, False)).state is C


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


@pytest.mark.parametrize(("strict", "state"), [(False, O), (True, C)])
def test_a_strict_rate_must_be_exceeded(strict: bool, state: State) -> None:
    half = window_breaker(failure_rate=0.5, strict=strict)
    assert send(half, (0, 0, True), (0, 0, False)).state is state
    slow = window_breaker(slow_call=2.0, slow_rate=0.5, strict=strict)
    assert send(slow, (0, 0, True), (0, 3, True)).state is state
    assert send(window_breaker(failure_rate=0.5, strict=strict), *[(0, 0, False)] * 2).state is O


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


@pytest.mark.parametrize("threshold", [1, 2, 4])
def test_the_breaker_opens_at_its_threshold(threshold: int) -> None:
    records = simulated(stage("0s", breaker(failure_threshold=threshold), **ALWAYS), 6)
    words = [word for _, word in ends(records)]
    assert words == [FAILED] * threshold + [REJECTED] * (6 - threshold)
    assert changes(records) == [(float(threshold), "open")]


@pytest.mark.parametrize("recovery", [2, 3, 5])
def test_an_open_breaker_rejects_until_its_recovery(recovery: int) -> None:
    policy = breaker(recovery_timeout=f"{recovery}s")
    records = simulated(stage("0s", policy), 8, faults=[outage("0s", "1500ms")])
    words = [word for _, word in ends(records)]
    assert words == [FAILED] + [REJECTED] * (recovery - 1) + [OK] * (8 - recovery)
    assert changes(records)[1:] == [(1.0 + recovery, "half-open"), (1.0 + recovery, "closed")]


def test_callers_may_wait_for_the_recovery_instead() -> None:
    records = simulated(
        stage("100ms", breaker(when_open="wait")), 3, faults=[outage("0s", "1500ms")]
    )
    # The second request is the trial at 11 s; the third waits for its success.
    assert ends(records) == [(0.0, FAILED), (9.1, OK), (8.2, OK)]
    assert spent(records, 2) == {"a.breaker.breaker_wait": 8.1, "a.service_work": 0.1}


@pytest.mark.parametrize(
    ("permits", "latencies"), [(1, [9.5, 9.0, 8.5]), (2, [9.5, 8.5, 8.0]), (3, [9.5, 8.5, 7.5])]
)
def test_half_open_lets_that_many_trials_through_at_once(
    permits: int, latencies: list[float]
) -> None:
    policy = breaker(when_open="wait", half_open_permits=permits, successes_to_close=9)
    records = simulated(stage("500ms", policy), 4, faults=[outage("0s", "1500ms")])
    # One trial at a time works at 11 s, 11.5 s and 12 s; two: 11, 11, 11.5; three: 11, 11, 11.
    assert [latency for latency, _ in ends(records)[1:]] == latencies


@pytest.mark.parametrize(("successes", "closed"), [(1, 4.5), (2, 5.5), (3, 6.5)])
def test_that_many_trial_successes_close_it(successes: int, closed: float) -> None:
    policy = breaker(recovery_timeout="3s", successes_to_close=successes)
    records = simulated(stage("500ms", policy), 7, faults=[outage("0s", "1500ms")])
    assert changes(records)[-1] == (closed, "closed")


@pytest.mark.parametrize(
    ("recoveries", "third"), [(0, (0.0, REJECTED)), (1, (9.0, REJECTED)), (2, (20.0, FAILED))]
)
def test_waiting_callers_give_up_after_that_many_recoveries(
    recoveries: int, third: tuple[float, str]
) -> None:
    # Request 1 opens it at 1 s. As work takes 1 s later on, request 2 is the trial that fails at
    # 12 s, and request 3 the one that begins at 22 s and fails at 23 s.
    policy = breaker(when_open="wait", max_recoveries=recoveries)
    slow = [fault("5s", "99s", latency={"add": "1s"})]
    assert ends(simulated(stage("0s", policy, **ALWAYS), 3, faults=slow))[2] == third


def test_only_some_outcomes_count_as_failures() -> None:
    for outcomes, opened in ((["failed"], True), (["timed_out", "rejected"], False)):
        records = simulated(stage("1s", breaker(outcomes=outcomes), **ALWAYS))
        assert bool(records.transitions) is opened


def test_a_success_starts_the_count_anew() -> None:
    faults = [fault(start, "100ms", outage={}) for start in ("1s", "3s", "5s")]
    records = simulated(stage("0s", breaker(failure_threshold=2)), 6, faults=faults)
    assert not records.transitions


@pytest.mark.parametrize(
    ("cancelled", "opened"), [("failure", [(2.0, "open")]), ("success", []), ("ignored", [])]
)
def test_a_call_that_its_caller_gave_up_counts_as_told(
    cancelled: str, opened: list[tuple[float, str]]
) -> None:
    records = simulated(stage("9s", deadline("1s"), breaker(cancelled=cancelled)), 2)
    assert changes(records) == opened


def test_a_cancelled_call_counts_nowhere_by_default() -> None:
    assert breaker_of(BreakerPlan("it", 1, 9.0)).plan.cancelled == "ignored"
    assert changes(simulated(stage("9s", deadline("1s"), breaker()), 2)) == []


@pytest.mark.parametrize(("cancelled", "opened"), [("success", []), ("ignored", [(3.0, "open")])])
def test_a_cancelled_call_ends_a_row_of_failures_if_it_is_a_success(
    cancelled: str, opened: list[tuple[float, str]]
) -> None:
    # The first and the third call fail at once; the second is cancelled before the third.
    faults = [outage("0s", "1500ms"), fault("1500ms", "1s", hang={}), outage("2500ms", "9s")]
    policy = breaker(failure_threshold=2, cancelled=cancelled)
    records = simulated(stage("0s", deadline("500ms"), policy), 3, faults=faults)
    assert changes(records) == opened


@pytest.mark.parametrize(
    ("cancelled", "after"),
    [
        ("ignored", [(3.0, "half-open"), (4.0, "closed")]),  # the permit goes to the next call
        ("success", [(3.0, "half-open"), (3.5, "closed")]),
        ("failure", [(3.0, "half-open"), (3.5, "open"), (6.0, "half-open"), (6.0, "closed")]),
    ],
)
def test_a_trial_that_is_cancelled_leaves_its_permit(
    cancelled: str, after: list[tuple[float, str]]
) -> None:
    # Open from 1 s to 3 s; the trial of 3 s is silent, and its caller leaves after 0.5 s.
    faults = [outage("0s", "1500ms"), fault("2500ms", "1s", hang={})]
    policy = breaker(recovery_timeout="2s", cancelled=cancelled)
    records = simulated(stage("0s", deadline("500ms"), policy), 7, faults=faults)
    assert changes(records) == [(1.0, "open"), *after]


def test_a_cancelled_trial_lets_a_waiting_caller_in() -> None:
    # Open from 1 s to 3.5 s; the trial is the call of 3 s, which leaves at 4.2 s, and then that of
    # 4 s goes in.
    faults = [outage("0s", "1500ms"), fault("3400ms", "300ms", hang={})]
    policies = deadline("1200ms"), breaker(recovery_timeout="2500ms", when_open="wait")
    records = simulated(stage("100ms", *policies), 4, faults=faults)
    assert changes(records) == [(1.0, "open"), (3.5, "half-open"), (4.3, "closed")]


def test_a_waiting_caller_may_give_up() -> None:
    policies = deadline("2s"), breaker(when_open="wait")
    records = simulated(stage("0s", *policies), 2, faults=[outage("0s", "1500ms")])
    assert ends(records) == [(0.0, FAILED), (2.0, TIMED_OUT)]
    assert spent(records, 1) == {"a.breaker.breaker_wait": 2.0}


@pytest.mark.parametrize("recovery", [7.654321, 8.1, 9.3, 10.7, 12.345])
@pytest.mark.parametrize("rate", [0.7, 1.1, 1.9])
def test_rounding_does_not_make_callers_wait_for_ever(recovery: float, rate: float) -> None:
    policy = breaker(when_open="wait", recovery_timeout=f"{recovery}s")
    for seed in range(10):
        data = scenario(
            stage("7ms", policy),
            5,
            faults=[outage("0s", "3s")],
            workload={"arrivals": {"poisson": {"rate": f"{rate}/s"}}},
        )
        assert UNFINISHED not in [word for _, word in ends(run(data, seed))]


def test_a_cancelled_call_counts_as_a_failure_whatever_the_outcomes() -> None:
    def opened(outcomes: list[str]) -> bool:
        policy = breaker(failure_threshold=2, outcomes=outcomes, cancelled="failure")
        return bool(changes(simulated(stage("1s", deadline("500ms"), policy), n=3)))

    assert opened(["timed_out"])
    assert opened(["failed", "rejected"])


def test_a_call_that_knows_its_deadline_times_out_for_the_breaker_inside() -> None:
    def opened(outcomes: list[str]) -> bool:
        known = {"deadline": {"timeout": "500ms", "on_timeout": "abandon", "propagate": True}}
        silent = fault("0s", "1h", hang={})
        stages = stage("1s", known, breaker(failure_threshold=2, outcomes=outcomes))
        return bool(changes(simulated(stages, n=3, faults=[silent])))

    assert opened(["timed_out"])
    assert not opened(["failed", "rejected"])


def judging(window: Data) -> Data:
    return {"breaker": {"window": window, "recovery_timeout": "60s"}}


def test_a_count_window_opens_at_its_failure_rate() -> None:
    # Of the calls at 1 … 4 s only the third fails; of those at 3 … 6 s all but the fourth.
    window = {"calls": 4, "failure_rate": "75%"}
    faults = [outage("2500ms", "1s"), outage("4500ms", "10s")]
    records = simulated(stage("0s", judging(window)), 7, faults=faults)
    assert changes(records) == [(6, "open")]


def test_a_time_window_opens_at_its_failure_rate_and_minimum() -> None:
    window = {"time": "3s", "minimum": 3, "failure_rate": "100%"}
    records = simulated(stage("0s", judging(window)), 9, faults=[outage("3500ms", "10s")])
    assert changes(records) == [(6, "open")]  # at 5 s the success of 3 s is still in it


def test_slow_calls_open_a_breaker_though_none_fails() -> None:
    window = {"calls": 4, "minimum": 2, "slow_call": "2s", "slow_rate": "60%"}
    records = simulated(stage("0s", judging(window)), 9, faults=[slow("2500ms", "10s", "3s")])
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
    trials = {"half_open_permits": permits, "successes_to_close": 9}
    policy = breaker(recovery_timeout="4s", when_open="wait", **trials)
    records = simulated(stage("1s", policy), 6, faults=[outage("0s", "2s", "1s")])
    assert changes(records) == [(2, "open"), (6, "half-open")]
    assert waits_for(records, "breaker_wait") == waits
