import gc
from collections.abc import Callable

import pytest
from kit import (
    OK,
    TIMED_OUT,
    UNFINISHED,
    deadline,
    ends,
    fault,
    plan_of,
    scenario,
    simulated,
    spent,
    stage,
)

from cascadesim.engine import simulate
from cascadesim.engine.simpy.deadline import AbandoningDeadline, Deadline
from cascadesim.engine.simpy.kernel import Alarm, Call, Cancelled, Kernel, Task
from cascadesim.engine.simpy.request import Layer, Request
from cascadesim.engine.simpy.timers import Expired, Timer, Timers
from cascadesim.records import Records
from cascadesim.values.outcome import Outcome

Wrap = Callable[[Layer, Kernel, float], Layer]
BOTH = pytest.mark.parametrize("wrap", [Deadline, AbandoningDeadline])


class Sleep:
    """A call of some seconds, or of none at all; it notes when it ends and how."""

    def __init__(self, kernel: Kernel, seconds: float | None) -> None:
        self.kernel = kernel
        self.seconds = seconds
        self.ended: list[tuple[float, str]] = []

    def call(self, request: Request) -> Call:
        request.enter(1, self.kernel.now)
        how = "cancelled"
        try:
            if self.seconds is not None:
                yield self.seconds
            how = "done"
        finally:
            self.ended.append((self.kernel.now, how))
        return Outcome.OK


def send(kernel: Kernel, layer: Layer) -> tuple[Request, list[tuple[float, Outcome]]]:
    request = Request(0, kernel.now, 2)
    ends: list[tuple[float, Outcome]] = []
    request.task = Task(kernel, lambda outcome: ends.append((kernel.now, outcome)))
    request.task.start(layer.call(request))
    return request, ends


@BOTH
@pytest.mark.parametrize(
    ("seconds", "end"),
    [
        (None, (0.0, Outcome.OK)),
        (2.0, (2.0, Outcome.OK)),
        (3.0, (3.0, Outcome.OK)),  # at the deadline is in time
        (3.001, (3.0, Outcome.TIMED_OUT)),
    ],
)
def test_a_caller_waits_until_the_deadline(
    wrap: Wrap, seconds: float | None, end: tuple[float, Outcome]
) -> None:
    kernel = Kernel()
    _, ends = send(kernel, wrap(Sleep(kernel, seconds), kernel, 3.0, 0))
    kernel.env.run(until=10)
    assert ends == [end]


@pytest.mark.parametrize(
    ("wrap", "ended"), [(Deadline, (3.0, "cancelled")), (AbandoningDeadline, (5.0, "done"))]
)
def test_cancel_stops_the_work_and_abandon_lets_it_run(
    wrap: Wrap, ended: tuple[float, str]
) -> None:
    kernel = Kernel()
    sleep = Sleep(kernel, 5.0)
    send(kernel, wrap(sleep, kernel, 3.0, 0))
    kernel.env.run(until=10)
    assert sleep.ended == [ended]


@BOTH
def test_a_cancellation_from_outside_passes_through(wrap: Wrap) -> None:
    kernel = Kernel()
    _, ends = send(kernel, Deadline(wrap(Sleep(kernel, 9.0), kernel, 5.0, 0), kernel, 2.0, 0))
    kernel.env.run(until=10)
    assert ends == [(2.0, Outcome.TIMED_OUT)]


@BOTH
def test_the_ledger_of_nested_deadlines_is_kept(wrap: Wrap) -> None:
    kernel = Kernel()
    inner = AbandoningDeadline(Sleep(kernel, 9.0), kernel, 5.0, 0)
    request, _ = send(kernel, wrap(inner, kernel, 2.0, 0))
    kernel.env.run(until=10)
    request.enter(0, 2.0)
    assert request.parts == [0.0, 2.0]


def test_what_a_zombie_does_is_not_charged_to_its_request() -> None:
    kernel = Kernel()
    request, _ = send(kernel, AbandoningDeadline(Sleep(kernel, 9.0), kernel, 2.0, 0))
    kernel.env.run(until=2.5)
    request.enter(0, 2.0)
    kernel.env.run(until=20)
    assert request.parts == [0.0, 2.0]


def test_one_alarm_serves_timers_of_one_length() -> None:
    kernel = Kernel()
    timers = Timers(kernel, 3.0)
    expired: list[float] = []

    def call() -> Call:
        try:
            yield None
        except Expired:
            expired.append(kernel.now)
        return Outcome.OK

    def start() -> Timer:
        task = Task(kernel, lambda _: None)
        task.start(call())
        return timers.start(task)

    first = start()
    for delay in (0.5, 1.0, 1.0):
        kernel.env.run(until=kernel.now + delay)
        start()
    first.done = True
    assert sum(isinstance(entry[3], Alarm) for entry in kernel.env._queue) == 1
    kernel.env.run(until=20)
    assert expired == [3.5, 4.5, 5.5]


def test_a_timer_cancels_nobody_elses_call() -> None:
    timer = Timer(Task(Kernel(), lambda _: None), 1.0)
    assert isinstance(Expired(timer), Cancelled)
    assert Expired(timer).timer is timer


@pytest.mark.parametrize("mode", ["cancel", "abandon"])
def test_an_answer_at_the_deadline_is_in_time(mode: str) -> None:
    assert ends(simulated(stage("1s", deadline("1s", mode)))) == [(1.0, OK)]
    assert ends(simulated(stage("1001ms", deadline("1s", mode)))) == [(1.0, TIMED_OUT)]


def test_a_room_freed_at_the_deadline_passes_by_those_whose_time_is_up_too() -> None:
    # The observed request queues behind the first one, and both their deadlines are at 3 s.
    seen = {"at": "1s", "latency": "1s", "stamp": "arrival"}
    records = simulated(stage("9s", deadline("2s"), concurrency=1), 2, observations=[seen])
    assert ends(records) == [(2.0, TIMED_OUT)] * 3
    assert spent(records, 1) == {"a.queue_wait": 1.0, "a.service_work": 1.0}
    assert spent(records, 2) == {"a.queue_wait": 2.0}


def test_cancel_frees_the_room_that_the_call_held_and_abandon_does_not() -> None:
    def two(mode: str) -> Records:
        return simulated(stage("3s", deadline("1500ms", mode), concurrency=1), 2)

    assert ends(two("cancel")) == ends(two("abandon")) == [(1.5, TIMED_OUT)] * 2
    assert spent(two("cancel"), 1) == {"a.queue_wait": 0.5, "a.service_work": 1.0}
    assert spent(two("abandon"), 1) == {"a.queue_wait": 1.5}


def test_cancel_frees_the_connection_and_abandon_does_not() -> None:
    pool = {"connect_time": "0s", "size": 1, "max_overflow": 0}

    def two(mode: str) -> Records:
        return simulated(stage("3s", deadline("1500ms", mode), pool=pool), 2)

    assert spent(two("cancel"), 1) == {"a.pool.pool_wait": 0.5, "a.service_work": 1.0}
    assert spent(two("abandon"), 1) == {"a.pool.pool_wait": 1.5}


def test_abandoned_work_without_an_answer_keeps_its_room_for_ever() -> None:
    # Nobody else owns such a call; Python's garbage collector must not free what it holds.
    def collect(share: float) -> None:
        if share == 0.5:
            gc.collect()

    abandoned = stage("1ms", deadline("1s", "abandon"), concurrency=1)
    silence = [fault("0s", "1500ms", hang={})]
    plan = plan_of(scenario(abandoned, 5, drain="3s", faults=silence))
    records = simulate(plan, 1, progress=collect)
    assert ends(records) == [(1.0, TIMED_OUT)] * 5


@pytest.mark.parametrize("inner", ["cancel", "abandon"])
@pytest.mark.parametrize("outer", ["cancel", "abandon"])
def test_the_shorter_of_two_deadlines_counts(outer: str, inner: str) -> None:
    def both(first: str, second: str) -> Records:
        one, two = deadline(first, outer, name="one"), deadline(second, inner, name="two")
        return simulated(stage("9s", one, two))

    for records in (both("2s", "3s"), both("3s", "2s")):
        assert ends(records) == [(2.0, TIMED_OUT)]
        assert spent(records) == {"a.service_work": 2.0}


def test_an_outer_deadline_cuts_the_attempts_inside() -> None:
    retry = {"retry": {"attempts": 9, "backoff": "constant", "base": "500ms"}}
    policies = deadline("3s", name="all"), retry, deadline("1s", name="each")
    records = simulated(stage("9s", *policies))
    assert ends(records) == [(3.0, TIMED_OUT)]
    assert spent(records) == {"a.service_work": 2.0, "a.retry.retry_backoff": 1.0}
    assert records.calls == {"a": 3}  # what ends goes first, so a third attempt begins at 4 s
    assert simulated(stage("9s", deadline("2900ms", name="all"), *policies[1:])).calls["a"] == 2


def test_the_time_of_unfinished_requests_is_theirs_in_abandoning_deadlines_too() -> None:
    stages = {"first": {"work": {"constant": "1s"}}} | stage("99s", deadline("50s", "abandon"))
    records = simulated(stages, drain="9s")
    assert ends(records) == [(9.5, UNFINISHED)]
    assert spent(records) == {"first.service_work": 1.0, "a.service_work": 8.5}
