"""Pools fed with the same calls as SQLAlchemy's, whose connections are made up.

Calls arrive, wait, connect, hold and return in both; all instants differ, so no order is left to
chance.
"""

import math
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kit import plan_of, scenario, stage
from sqlalchemy.pool import QueuePool
from sqlalchemy_pools import CUT, GAVE_UP, OK, REASONS, Connection, Seen, Setup, Use, library

from cascadesim.engine.simpy.connector import Connector, DoubtingConnector
from cascadesim.engine.simpy.holders import Holders
from cascadesim.engine.simpy.kernel import ARRIVES, Call, Cancelled, Kernel, Task
from cascadesim.engine.simpy.pool import GONE, Pool, StaticPool
from cascadesim.engine.simpy.request import Layer, Request
from cascadesim.engine.simpy.session import SessionLayer
from cascadesim.engine.simpy.timeline import Timeline
from cascadesim.engine.simpy.timers import Expired, Timer, Timers
from cascadesim.faults.restart import RestartPlan
from cascadesim.plan.layout import Layout
from cascadesim.randomness import Distribution, Stream
from cascadesim.resources.pool import PoolPlan
from cascadesim.resources.session import SessionPlan
from cascadesim.values.outcome import Outcome

LAYOUT = Layout(plan_of(scenario(stage("1s"))))  # of one part, as the requests have
SCHEDULES = 600
UNIT = 0.1  # seconds


class Hold:
    """Holds a connection until the call is over, or the server restarts."""

    def __init__(self, kernel: Kernel, setup: Setup, pool: Pool, uses: list[Use]) -> None:
        self.kernel, self.pool, self.uses = kernel, pool, uses
        self.timeline = Timeline(setup.restarts)
        self.is_queue = setup.plan.kind == "queue"
        self.patience: dict[int, Timer] = {}
        self.in_hand: dict[int, tuple[Any, ...]] = {}

    def call(self, request: Request) -> Call:
        self.patience[request.number].done = True
        now = self.kernel.now
        counts = (self.pool.checked_out, len(self.pool._idle)) if self.is_queue else ()
        self.in_hand[request.number] = (round(now, 6), *counts)
        hold = self.uses[request.number].hold
        cut = self.timeline.cut(now, hold)
        cancel = Timers(self.kernel, min(self.uses[request.number].cancel, 1e6)).start(request.task)
        try:
            yield hold if cut is None else cut[0]
        except Cancelled as cancelled:
            cancelled.within = 0
            raise
        finally:
            cancel.done = True
        return Outcome.OK if cut is None else request.end(Outcome.FAILED, REASONS.index(CUT))


class Patience:
    """Gives up where the connection does not come in time."""

    def __init__(self, inner: Layer, hold: Hold) -> None:
        self.inner, self.hold = inner, hold

    def call(self, request: Request) -> Call:
        kernel = self.hold.kernel
        patience = self.hold.uses[request.number].patience
        timer = Timers(kernel, min(patience, 1e6)).start(request.task)
        self.hold.patience[request.number] = timer
        try:
            return (yield from self.inner.call(request))
        except Expired:  # of its patience, or of its query
            return Outcome.UNFINISHED
        finally:
            timer.done = True


def ours(setup: Setup, uses: list[Use]) -> Seen:
    """Return what our pool makes of a schedule."""
    seen = Seen()
    kernel = Kernel()
    pool_class = StaticPool if setup.plan.kind == "static" else Pool

    class Watched(pool_class):  # type: ignore[misc, valid-type]
        def checkin(self, made: float | None) -> None:
            if made is not None and made != GONE:
                seen.give_back(kernel.now, made)
            super().checkin(made)

    pool: Pool = Watched(setup.plan)
    draws = Stream(1, 0, "connect", setup.plan.connect_time)
    connector: Connector = Connector(kernel, pool, 0, draws)
    if setup.restarts or setup.plan.pre_ping:
        restarts = Timeline(setup.restarts)
        connector = DoubtingConnector(kernel, pool, (0, 0), (3, 4), draws, restarts)
    session = SessionPlan(setup.lifetime)
    hold = Hold(kernel, setup, pool, uses)
    holders = Holders(kernel, LAYOUT, "a")
    layer = SessionLayer(hold, kernel, pool, connector, session, 0, (0, 1, 2), None, 0, holders)
    entrance = Patience(layer, hold)

    def arrive(number: int) -> None:
        request = Request(number, kernel.now, 1)

        def done(outcome: Outcome) -> None:
            how = {Outcome.OK: OK, Outcome.UNFINISHED: GAVE_UP}.get(outcome)
            in_hand = hold.in_hand.get(number, ())
            seen.end(number, kernel.now, how or REASONS[request.ended_by], in_hand)

        request.task = Task(kernel, done)
        request.task.start(entrance.call(request))

    for number, use in enumerate(uses):
        kernel.alarm(use.arrival, lambda number=number: arrive(number), ARRIVES)  # type: ignore[misc]
    kernel.env.run(until=1e5)
    return seen


def apart(number: int) -> float:
    """Return a small duration, such that sums of several of them differ."""
    return math.sqrt(number + 2) % 1 * UNIT / 4


def times(most: int) -> st.SearchStrategy[float]:
    return st.integers(0, most).map(lambda n: n * UNIT)


@st.composite
def schedules(draw: Any) -> list[Use]:
    patience = st.one_of(st.just(math.inf), st.just(math.inf), times(12))
    burst = st.one_of(times(6), times(40), times(6).map(lambda at: at + 30 * UNIT))
    drawn = draw(st.lists(st.tuples(burst, times(12), patience, patience), min_size=2, max_size=16))
    return [
        Use(*(seconds + apart(4 * i + j) for j, seconds in enumerate(use)))
        for i, use in enumerate(drawn)
    ]


@st.composite
def setups(draw: Any, kind: str = "queue") -> Setup:
    connect = Distribution("constant", (draw(st.one_of(times(2), times(12))) + apart(100),))
    restarts: tuple[RestartPlan, ...] = ()
    most = math.inf
    if draw(st.booleans()):
        start, length = draw(times(30)), draw(times(10))
        restarts = (RestartPlan(start + apart(101), start + length + apart(102) + UNIT),)
    elif kind != "static":
        most = draw(st.sampled_from([math.inf, 1, 2, 3]))
    plan = PoolPlan(kind, connect, most)
    if kind == "queue":
        plan = replace(
            plan,
            size=draw(st.integers(0, 3)),
            max_overflow=draw(st.integers(-1, 2)),
            timeout=draw(times(20)) + apart(103),
            recycle=draw(st.sampled_from([math.inf, 13 * UNIT, 20 * UNIT])) + apart(104),
            use_lifo=draw(st.booleans()),
        )
    if kind != "static":  # the library replaces a static connection that a ping finds closed badly
        plan = replace(plan, pre_ping=draw(st.booleans()), ping_time=draw(times(3)) + apart(105))
    lifetime = math.inf
    if kind != "static" and draw(st.booleans()):
        lifetime = draw(times(12)) + apart(106)
    return Setup(plan, lifetime, restarts)


def agree(setup: Setup, uses: list[Use]) -> None:
    theirs, found = library(setup, uses), ours(setup, uses)
    assume(not theirs.made_twice)
    assert found.calls == theirs.calls
    assert sorted(found.returned) == sorted(theirs.returned)


def queue(connect: float, **rest: Any) -> Setup:
    restarts = rest.pop("restarts", ())
    plan = PoolPlan("queue", Distribution("constant", (connect,)), timeout=2.0)
    return Setup(replace(plan, **rest), restarts=restarts)


RESTART = (RestartPlan(2.0, 2.5),)
IDLE_TWO = [Use(0.05, 1.0), Use(0.1, 1.0), Use(3.0, 1.0), Use(3.1, 1.0), Use(5.0, 1.0)]
SMALL = queue(1.0, size=1, max_overflow=0)


@example(queue(0.01, restarts=RESTART), IDLE_TWO)  # one finds out for all
@example(queue(0.01, restarts=RESTART, pre_ping=True, ping_time=0.02), IDLE_TWO)
# A query that is cancelled leaves its place without a connection to who waits for it.
@example(SMALL, [Use(0.05, 9.0, cancel=1.0), Use(0.1, 0.3), Use(4.0, 0.4)])
# No waiter hears of the room that a connect leaves when it is given up.
@example(SMALL, [Use(0.05, 1.0, 0.5), Use(0.1, 0.3), Use(0.2, 0.4)])
@example(SMALL, [Use(0.05, 1.0, 0.5), Use(0.1, 0.3), Use(0.6, 0.4), Use(0.7, 0.2)])
# A pool is invalidated once for connections of one age: what is made meanwhile stays.
@example(
    queue(0.01, restarts=RESTART, pre_ping=True, ping_time=0.5),
    [Use(0.05, 1.0), Use(0.1, 1.0), Use(3.0, 0.1), Use(3.3, 0.1), Use(3.55, 0.1), Use(3.9, 0.1)],
)
@settings(max_examples=SCHEDULES)
@given(setups(), schedules())
@pytest.mark.slow
def test_a_queue_pool_lends_as_the_librarys(setup: Setup, uses: list[Use]) -> None:
    agree(setup, uses)


@settings(max_examples=SCHEDULES // 4)
@given(setups("null"), schedules())
def test_a_null_pool_lends_as_the_librarys(setup: Setup, uses: list[Use]) -> None:
    agree(setup, uses)


@pytest.mark.filterwarnings("ignore:Double checkin attempted")
@settings(max_examples=SCHEDULES // 4)
@given(setups("static"), schedules())
def test_a_static_pool_lends_as_the_librarys(setup: Setup, uses: list[Use]) -> None:
    agree(setup, uses)


def test_waiting_threads_are_served_in_order_too() -> None:
    """What is said of the asyncio pool holds of the one for threads, whose queue differs."""
    server = SimpleNamespace(open=0)
    pool = QueuePool(lambda: Connection(server, 0.0), pool_size=2, max_overflow=0, timeout=60)
    held = [pool.connect(), pool.connect()]
    got: list[tuple[int, Any]] = []

    def take(number: int) -> None:
        got.append((number, pool.connect().detach()))

    waiting = pool._pool.not_empty._waiters
    threads = [threading.Thread(target=take, args=(i,)) for i in range(2)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(waiting) <= number and thread.is_alive():
            threading.Event().wait(0.001)
    for number, thread in enumerate(threads):
        held[1 - number].close()
        thread.join(60)
    assert [number for number, _ in got] == [0, 1]
