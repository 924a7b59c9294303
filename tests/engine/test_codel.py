"""CoDel, by latencies computed by hand and beside its two sources."""

import heapq
import json
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import OK, REJECTED, SHED, TIMED_OUT, Data, ends, run, scenario, simulated, spent, stage

from cascadesim.scenario.load import loads
from cascadesim.studies.candidates import allowed
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome

FOLLY: Data = {"target": "600ms", "interval": "4s"}


def one_at_a_time(where: str, **codel: Any) -> Data:
    """Return a stage that takes 2.5 s for each call, with such a queue in front of it."""
    if where == "concurrency":
        return stage("2500ms", concurrency=1, codel=codel)
    bulkhead = {"concurrency": 1, "timeout": "99s", "codel": codel}
    return stage("2500ms", {"bulkhead": bulkhead})


BOTH = pytest.mark.parametrize("where", ["concurrency", "bulkhead"])
END = {"concurrency": SHED, "bulkhead": REJECTED}  # of a call that CoDel drops


@BOTH
def test_overdue_calls_are_shed_while_even_the_quickest_waits_too_long(where: str) -> None:
    # Places come at 3.5 s, 6 s, 8.5 s, 11 s. The interval that begins at 3.5 s ends at 7.5 s with
    # a least wait of 1.5 s, which is known at 8.5 s. At 11 s all are shed that came before 9.8 s.
    records = simulated(one_at_a_time(where, **FOLLY), 10)
    shed = [(11.0 - came, END[where]) for came in (5.0, 6.0, 7.0, 8.0, 9.0)]
    served = [(2.5, OK), (4.0, OK), (5.5, OK), (7.0, OK)]
    assert ends(records) == [*served, *shed, (3.5, OK)]
    assert {records.ends[i] for i in records.ended_by if i >= 0} == {
        "a.codel.target" if where == "concurrency" else "a.bulkhead.codel.target"
    }
    waits = "a.queue_wait" if where == "concurrency" else "a.bulkhead.queue_wait"
    assert spent(records, 4) == {waits: 6.0}


@BOTH
def test_one_call_after_the_other_is_shed_while_those_at_the_head_are_slow(where: str) -> None:
    # Calls at the head are slow from 6 s on, as at 3.5 s only one is left behind. At 11 s that has
    # lasted 4 s: 5 is shed and 6 served. The next is due at 15 s: at 16 s, 8, after 7 at 13.5 s;
    # the one after that at 15 s + 4/sqrt(2) = 17.83 s: at 18.5 s, 10.
    records = simulated(one_at_a_time(where, law="rfc8289", **FOLLY), 30)
    shed = np.flatnonzero(records.outcome == Outcome[END[where].upper()]) + 1
    assert shed[:3].tolist() == [5, 8, 10]
    assert ends(records)[4] == (6.0, END[where])
    assert ends(records)[7] == (8.0, END[where])


class Fifo:
    """A queue as in the appendix of a paper: what comes out of it is served, None if nothing."""

    def __init__(self, target: float, interval: float) -> None:
        self.target, self.interval = target, interval
        self.packets: deque[tuple[int, float]] = deque()
        self.dropped: list[int] = []

    def enque(self, number: int, now: float) -> None:
        self.packets.append((number, now))


class Rfc8289(Fifo):
    """The pseudo-code of RFC 8289, section 5, in its own names."""

    first_above_time = drop_next = 0.0
    count = lastcount = 0
    dropping = False

    def dodeque(self, now: float) -> tuple[tuple[int, float] | None, bool]:
        if not self.packets:
            self.first_above_time = 0
            return None, False
        p = self.packets.popleft()
        sojourn_time = now - p[1]
        ok_to_drop = False
        if sojourn_time < self.target or len(self.packets) <= 1:  # bytes() <= MTU
            self.first_above_time = 0
        elif self.first_above_time == 0:
            self.first_above_time = now + self.interval
        elif now >= self.first_above_time:
            ok_to_drop = True
        return p, ok_to_drop

    def control_law(self, t: float, count: int) -> float:
        return t + self.interval / math.sqrt(count)

    def drop(self, p: tuple[int, float] | None) -> None:
        assert p is not None
        self.dropped.append(p[0])

    def deque(self, now: float) -> int | None:
        p, ok_to_drop = self.dodeque(now)
        if self.dropping:
            if not ok_to_drop:
                self.dropping = False
            while now >= self.drop_next and self.dropping:
                self.drop(p)
                self.count += 1
                p, ok_to_drop = self.dodeque(now)
                if not ok_to_drop:
                    self.dropping = False
                else:
                    self.drop_next = self.control_law(self.drop_next, self.count)
        elif ok_to_drop:
            self.drop(p)
            p, ok_to_drop = self.dodeque(now)
            self.dropping = True
            delta = self.count - self.lastcount
            self.count = 1
            if delta > 1 and now - self.drop_next < 16 * self.interval:
                self.count = delta
            self.drop_next = self.control_law(now, self.count)
            self.lastcount = self.count
        return None if p is None else p[0]


class Folly(Fifo):
    """What folly::Codel::overloaded decides, as a state of two intervals, told otherwise."""

    begun: float | None = None  # when the interval began whose waits are noted; the first at t = 0
    waits: tuple[float, ...] = ()
    overloaded = False

    def shed(self, now: float, delay: float) -> bool:
        if self.begun is None:
            self.begun, self.waits = -self.interval, (delay,)
            return False
        if now > self.begun + self.interval:
            self.overloaded = min(self.waits) > self.target
            self.begun, self.waits = now, (delay,)
            return False
        self.waits += (delay,)
        return self.overloaded and delay > 2 * self.target

    def deque(self, now: float) -> int | None:
        while self.packets:
            number, came = self.packets.popleft()
            if not self.shed(now, now - came):
                return number
            self.dropped.append(number)
        return None


def dropped(queue: Any, arrivals: list[float], work: float, servers: int, end: float) -> list[int]:
    """Return who is dropped where so many serve from a queue, each call for as long."""
    free, done = servers, list[float]()
    come = deque(enumerate(arrivals))
    while come or done:
        if done and (not come or done[0] <= come[0][1]):
            now = heapq.heappop(done)
            if now >= end:
                break
            free += 1
        else:
            number, now = come.popleft()
            queue.enque(number, now)
        if free:
            served = queue.deque(now)
            if served is not None:
                free -= 1
                heapq.heappush(done, now + work)
    return sorted(queue.dropped)


@st.composite
def overloads(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[int, int, int, int, int]:
    """Draw rate, servers, and work, target and interval in milliseconds."""
    servers, work = draw(st.integers(1, 3)), draw(st.integers(50, 500))
    rate = draw(st.integers(1, 3 * math.ceil(servers * 1000 / work)))
    target = draw(st.integers(1, 600))
    return rate, servers, work, target, draw(st.integers(target + 1, target + 2000))


@settings(max_examples=40)
@given(overloads(), st.sampled_from([("folly", Folly), ("rfc8289", Rfc8289)]))
def test_calls_are_shed_that_the_source_sheds(
    drawn: tuple[int, int, int, int, int], law: tuple[str, Any]
) -> None:
    rate, servers, work, target, interval = drawn
    codel = {"target": f"{target}ms", "interval": f"{interval}ms", "law": law[0]}
    stages = stage(f"{work}ms", concurrency=servers, codel=codel)
    workload = {"arrivals": {"poisson": {"rate": f"{rate}/s"}}}
    records = run(scenario(stages, workload=workload) | {"horizon": "20s", "drain": "0s"})
    shed = np.flatnonzero(records.outcome == Outcome.SHED)
    queue = law[1](target / 1000, interval / 1000)
    arrivals = records.arrival.tolist()
    assert shed.tolist() == dropped(queue, arrivals, work / 1000, servers, 20.0)


def test_rfc8289_takes_its_time_to_meet_an_excess_and_folly_an_interval() -> None:
    """As the documentation says: 200 calls a second too many take 2 * 200 * 0.1**2 s = 4 s."""

    def simulated(law: str) -> tuple[Any, Any]:
        stages = stage("10ms", concurrency=2, codel={"law": law})
        workload = {"arrivals": {"constant": {"rate": "400/s"}}}
        records = run(scenario(stages, workload=workload) | {"horizon": "10s", "drain": "10s"})
        shed = records.outcome == Outcome.SHED
        return (records.arrival + records.latency)[shed], records.latency[~shed] - 0.01

    shed, waits = simulated("rfc8289")
    rates, _ = np.histogram(shed, np.arange(0, 10, 0.5))
    assert rates[int(4 / 0.5)] * 2 == pytest.approx(200, rel=0.15)  # when it is as many again
    assert rates[: int(3 / 0.5)].max() * 2 < 170
    assert waits.max() > 0.9
    assert simulated("folly")[1].max() < 0.3


def test_a_call_that_has_left_the_queue_is_not_shed() -> None:
    # 2, 3 and 4 give up, at 4 s, 5 s and 6 s, before the place at 11 s comes.
    deadline = {"deadline": {"timeout": "2s"}}
    stages = stage("10s", deadline, concurrency=1, codel=FOLLY)
    assert ends(simulated(stages, 4)) == [(2.0, TIMED_OUT)] * 2 + [(2.0, TIMED_OUT)] * 2


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        (stage(codel={}), "a.codel: codel needs concurrency, else nothing queues"),
        (
            stage(concurrency=1, queue="lifo", codel={}),
            "a.codel: codel needs queue: fifo, as it looks at the wait of the call at the head",
        ),
        (
            stage("1s", {"bulkhead": {"codel": {}}}),
            "a.bulkhead.codel: codel needs a timeout, else nobody waits",
        ),
        (
            stage(concurrency=1, codel={"target": "1s"}),
            "a.codel.interval: must be more than the target",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(stages: Data, line: str) -> None:
    stages["a"].setdefault("work", {"constant": "1s"})
    with pytest.raises(ScenarioError) as caught:
        run(scenario(stages))
    assert line in str(caught.value)


def test_its_settings_can_be_changed_one_at_a_time() -> None:
    made = loads(json.dumps(scenario(one_at_a_time("concurrency", **FOLLY))))
    changes = [("a.codel.law", "rfc8289"), ("a.codel.target", "1s"), ("a.codel", None)]
    other, later, none = (each.plan.stages[0].codel for each in allowed(made, changes))
    assert other is not None
    assert later is not None
    assert (other.law, later.target, none) == ("rfc8289", 1.0, None)
