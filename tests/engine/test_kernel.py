import sys
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.engine.simpy.kernel import (
    ARRIVES,
    ENDS,
    EXPIRES,
    Call,
    Cancelled,
    Kernel,
    Task,
    Waiter,
    WaitQueue,
)
from cascadesim.engine.simpy.request import Request
from cascadesim.values.outcome import Outcome


class Bench:
    """A kernel, a queue, and a log of what the calls did."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.queue = WaitQueue(self.kernel)
        self.given_back: list[object] = []
        self.log: list[object] = []

    def start(self, name: int, call: Call) -> Task:
        task = Task(self.kernel, lambda outcome: self.log.append((name, outcome)))
        task.start(call)
        return task

    def waiter(self, name: int, notes: int = 0) -> Task:
        """Start a call that waits in the queue and logs what it is granted."""
        request = Request(name, 0.0, 1)
        request.task = Task(self.kernel, lambda _: None)

        def call() -> Call:
            try:
                granted = yield from self.queue.wait(request, self.given_back.append, notes)
            except Cancelled:
                self.log.append((name, "cancelled"))
                return Outcome.TIMED_OUT
            self.log.append((name, granted))
            return Outcome.OK

        request.task.start(call())
        return request.task


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_call_sleeps_the_seconds_it_yields_and_returns_its_outcome(bench: Bench) -> None:
    def call() -> Call:
        yield 1.5
        yield 2.0
        bench.log.append(bench.kernel.now)
        return Outcome.FAILED

    bench.start(1, call())
    bench.kernel.env.run(until=10)
    assert bench.log == [3.5, (1, Outcome.FAILED)]


def test_at_one_instant_ends_go_first_then_deadlines_then_arrivals(bench: Bench) -> None:
    def call(name: str) -> Call:
        yield 5.0
        bench.log.append(name)
        return Outcome.OK

    for priority, name in ((ARRIVES, "arrives"), (EXPIRES, "expires"), (ENDS, "ends")):
        bench.kernel.alarm(5.0, partial(bench.log.append, name), priority)
    bench.start(1, call("begun first"))
    bench.start(2, call("begun second"))
    bench.kernel.env.run(until=10)
    names = [entry for entry in bench.log if isinstance(entry, str)]
    assert names == ["ends", "begun first", "begun second", "expires", "arrives"]


def test_woken_calls_run_right_after_what_woke_them(bench: Bench) -> None:
    for name in (1, 2):
        bench.waiter(name)

    def grant() -> None:
        bench.queue.grant("first")
        bench.queue.grant("second")
        bench.log.append("granted")

    bench.kernel.alarm(1.0, grant)
    bench.kernel.alarm(1.0, lambda: bench.log.append("next event"))
    bench.kernel.env.run(until=2)
    assert bench.log == ["granted", (1, "first"), (2, "second"), "next event"]


def test_a_chain_of_thousands_of_wake_ups_does_not_recurse(bench: Bench) -> None:
    n = 10 * sys.getrecursionlimit()
    kernel, queue = bench.kernel, bench.queue

    def call(request: Request) -> Call:
        yield from queue.wait(request, bench.given_back.append)
        bench.log.append(request.number)
        if queue:
            queue.grant()  # each wakes the next
        return Outcome.OK

    for number in range(n):
        request = Request(number, 0.0, 1)
        request.task = Task(kernel, lambda _: None)
        request.task.start(call(request))
    kernel.alarm(1.0, queue.grant)
    kernel.env.run(until=2)
    assert bench.log == list(range(n))


def test_a_cancelled_sleep_does_not_ring(bench: Bench) -> None:
    def call() -> Call:
        try:
            yield 5.0
        except Cancelled:
            yield 1.0
        bench.log.append(bench.kernel.now)
        return Outcome.OK

    task = bench.start(1, call())
    bench.kernel.alarm(2.0, lambda: task.cancel(Cancelled()))
    bench.kernel.env.run(until=10)
    assert bench.log == [3.0, (1, Outcome.OK)]


def test_a_cancelled_waiter_leaves_the_queue(bench: Bench) -> None:
    first, _ = bench.waiter(1), bench.waiter(2)
    first.cancel(Cancelled())
    assert len(bench.queue) == 1
    bench.queue.grant("room")
    bench.kernel.run_ready()
    assert bench.log == [(1, "cancelled"), (2, "room")]
    assert not bench.given_back


def test_a_waiter_that_is_granted_and_cancelled_at_once_gives_back(bench: Bench) -> None:
    task = bench.waiter(1)
    bench.queue.grant("room")
    task.cancel(Cancelled())
    bench.kernel.run_ready()
    assert bench.log == [(1, "cancelled")]
    assert bench.given_back == ["room"]


def test_grant_where_keeps_the_order_of_the_others(bench: Bench) -> None:
    for name in range(6):
        bench.waiter(name, notes=name % 2)

    def odd(waiter: Waiter) -> bool:
        return waiter.notes == 1

    bench.queue.grant_where(odd, "odd")
    while bench.queue:
        bench.queue.grant("rest")
    bench.kernel.run_ready()
    odds, evens = [(name, "odd") for name in (1, 3, 5)], [(name, "rest") for name in (0, 2, 4)]
    assert bench.log == odds + evens


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_delay_until_an_instant_never_ends_early(now: float, instant: float) -> None:
    kernel = Kernel()
    reached: list[float] = []

    def go_on() -> None:
        start = kernel.now
        kernel.alarm(kernel.until(instant), lambda: reached.append(kernel.now))
        assert kernel.until(start) == 0.0

    kernel.alarm(now, go_on)
    kernel.env.run()
    assert reached[0] >= instant
    assert reached[0] == pytest.approx(max(now, instant), rel=1e-12)
