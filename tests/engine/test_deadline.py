from collections.abc import Callable

import pytest

from cascadesim.engine.simpy.deadline import AbandoningDeadline, Deadline, Expired, Timer, Timers
from cascadesim.engine.simpy.kernel import Alarm, Call, Cancelled, Kernel, Task
from cascadesim.engine.simpy.request import Layer, Request
from cascadesim.plan.outcome import Outcome

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
