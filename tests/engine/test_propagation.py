"""Deadline propagation: inner calls know the deadline of the outer one. By hand.

Arrivals are at 1 s, 2 s, 3 s …; most tests show what goes otherwise without `propagate`.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from kit import (
    ALWAYS,
    FAILED,
    OK,
    TIMED_OUT,
    Data,
    changes,
    ended_by,
    ends,
    examples,
    fault,
    run,
    scenario,
    simulated,
    steps,
    work,
)
from strategies import scenarios, with_stages

from cascadesim.engine.simpy.kernel import Call
from cascadesim.engine.simpy.request import Request
from cascadesim.engine.simpy.stage import Work
from cascadesim.scenario.load import loads
from cascadesim.studies.candidates import allowed
from cascadesim.studies.check import check
from cascadesim.values.errors import ScenarioError


def deadline(timeout: str, propagate: bool = True, **more: Any) -> Data:
    """Return a deadline that abandons."""
    settings = {"timeout": timeout, "on_timeout": "abandon", "propagate": propagate}
    return {"deadline": settings | more}


def inside(policy: Data, **stages: Data) -> Data:
    """Return a stage `a` with a policy around stages inside it."""
    return {"a": {"policies": [policy], "stages": stages}}


BOTH = pytest.mark.parametrize("propagate", [True, False])


@BOTH
def test_a_zombie_finishes_what_it_is_at_and_begins_no_other_stage(propagate: bool) -> None:
    stages = inside(deadline("1500ms", propagate), b=work("2s"), c=work("1s"))
    records = simulated(stages)
    assert ends(records) == [(1.5, TIMED_OUT)]
    assert ended_by(records) == "a.deadline.timeout"
    assert records.calls == {"b": 1, "c": 0 if propagate else 1}


def test_what_begins_at_the_deadline_is_too_late_and_what_ends_then_is_in_time() -> None:
    stages = {"b": work("2s"), "c": work("0s")}
    assert ends(simulated(inside(deadline("2s"), **stages))) == [(2.0, TIMED_OUT)]
    assert ends(simulated(inside(deadline("2001ms"), **stages))) == [(2.0, OK)]
    assert ends(simulated(inside(deadline("2s"), b=work("2s")))) == [(2.0, OK)]


@BOTH
def test_work_goes_to_those_who_still_wait_for_it(propagate: bool) -> None:
    # b takes one at a time, the first until 4 s. Then 2, who gave up at 3.5 s, or 3; and so on.
    stages = inside(deadline("1500ms", propagate), b=work("3s", concurrency=1))
    assert simulated(stages, 4).calls == {"b": 2 if propagate else 4}


@BOTH
def test_what_a_zombie_holds_is_freed_when_it_stops(propagate: bool) -> None:
    # A place of b is held through c and d; c is under way at the deadline, at 2.5 s.
    held = {"concurrency": 1, "stages": {"c": work("1750ms"), "d": work("2s")}}
    stages = inside(deadline("1500ms", propagate), b=held)
    freed = 2.75 if propagate else 4.75
    assert steps("b.concurrency.busy", stages) == {0.0: 0, 1.0: 1, freed: 0}


POOL = {"connect_time": "0s", "size": 1, "max_overflow": 0, "timeout": "30s"}
WAITING: list[tuple[str, Data]] = [
    ("concurrency", {"concurrency": 1}),
    ("concurrency", {"concurrency": 1, "queue": "lifo"}),
    ("pool", {"pool": POOL}),
    ("bulkhead", {"policies": [{"bulkhead": {"concurrency": 1, "timeout": "30s"}}]}),
]


@BOTH
@pytest.mark.parametrize(("where", "full"), WAITING)
def test_a_zombie_waits_until_its_deadline(where: str, full: Data, propagate: bool) -> None:
    # The first is served until 11 s; the second gives up at 3.5 s.
    stages = inside(deadline("1500ms", propagate), b=work("10s") | full)
    left = 3.5 if propagate else 11.0
    assert steps(f"b.{where}.waiting", stages, 2) == {0.0: 0, 2.0: 1, left: 0}


@BOTH
def test_a_zombie_waits_for_a_recovery_until_its_deadline(propagate: bool) -> None:
    breaker = {"failure_threshold": 1, "recovery_timeout": "9s", "when_open": "wait"}
    failing = work("1s", {"breaker": breaker}, **ALWAYS)
    stages = inside(deadline("1500ms", propagate), b=failing)
    left = 3.5 if propagate else 11.0
    assert steps("b.breaker.waiting", stages, 2) == {0.0: 0, 2.0: 1, left: 0}


@pytest.mark.parametrize(
    ("more", "kind", "otherwise"),
    [
        ({"startup": {"timeout": "30s"}}, "restart", 20.0),  # when the stage is up again
        ({"tracker": {"timeout": "30s"}}, "hang", 31.0),
        ({}, "hang", None),
    ],
)
def test_a_zombie_waits_for_a_start_or_an_answer_until_its_deadline(
    more: Data, kind: str, otherwise: float | None
) -> None:
    bulkhead = {"bulkhead": {"concurrency": 1}}
    for propagate, left in ((True, 2.5), (False, otherwise)):
        stages = inside(deadline("1500ms", propagate), b=work("0s", bulkhead, **more))
        busy = steps("b.bulkhead.busy", stages, faults=[fault("0s", "20s", "b", **{kind: {}})])
        assert busy == {0.0: 0, 1.0: 1} | ({} if left is None else {left: 0})


def test_no_backoff_begins_that_would_end_past_the_deadline() -> None:
    # Attempts from 0 to 1 s and from 3 to 4 s; another one would begin at 6 s.
    retry = {"retry": {"attempts": 3, "backoff": "constant", "base": "2s"}}
    failing = work("1s", retry, **ALWAYS)
    records = simulated(inside(deadline("5s"), b=failing))
    assert ends(records) == [(4.0, FAILED)]
    assert (records.retries[0], ended_by(records)) == (1, "b")
    assert ends(simulated(inside(deadline("5s", False), b=failing))) == [(5.0, TIMED_OUT)]
    assert ends(simulated(inside(deadline("6s"), b=failing))) == [(4.0, FAILED)]
    assert ends(simulated(inside(deadline("6001ms"), b=failing))) == [(6.001, TIMED_OUT)]


@BOTH
def test_a_zombie_that_fails_is_given_no_fallback(propagate: bool) -> None:
    # So that the breaker around the fallback sees the failure, at 3 s.
    breaker = {"breaker": {"failure_threshold": 1, "recovery_timeout": "9s"}}
    failing = work("2s", breaker, {"fallback": {"work": {"constant": "1s"}}}, **ALWAYS)
    records = simulated(inside(deadline("1500ms", propagate), b=failing))
    assert ends(records) == [(1.5, TIMED_OUT)]
    assert changes(records) == ([(3.0, "open")] if propagate else [])


def test_a_breaker_counts_a_wait_that_the_deadline_ends_as_timed_out() -> None:
    breaker = {"breaker": {"failure_threshold": 1, "recovery_timeout": "9s"}}
    stages = inside(deadline("1500ms"), b=work("10s", breaker, concurrency=1))
    assert changes(simulated(stages, 2)) == [(3.5, "open")]


@pytest.mark.parametrize(("inner", "freed"), [("cancel", 2.5), ("abandon", 6.0)])
def test_a_deadline_inside_ends_with_the_one_around_it(inner: str, freed: float) -> None:
    # Work of 5 s; the inner one would end at 10 s. It cancels, or leaves a zombie at work.
    later = {"deadline": {"timeout": "9s", "on_timeout": inner}}
    bulkhead = {"bulkhead": {"concurrency": 1}}
    stages = inside(deadline("1500ms"), b=work("5s", bulkhead, later, concurrency=1))
    assert steps("b.bulkhead.busy", stages) == {0.0: 0, 1.0: 1, 2.5: 0}
    assert steps("b.concurrency.busy", stages) == {0.0: 0, 1.0: 1, freed: 0}
    assert ended_by(simulated(stages)) == "a.deadline.timeout"


@pytest.mark.parametrize(
    ("outer", "inner", "ended", "calls"),
    [
        ("9s", "1500ms", (1.5, "b.deadline.timeout"), 0),
        ("1500ms", "9s", (1.5, "a.deadline.timeout"), 0),
        ("9s", "8s", (3.0, None), 1),
    ],
)
def test_of_two_deadlines_the_earlier_one_counts(
    outer: str, inner: str, ended: tuple[float, str | None], calls: int
) -> None:
    two = {"policies": [deadline(inner)], "stages": {"c": work("2s"), "d": work("1s")}}
    records = simulated(inside(deadline(outer), b=two))
    why = ended_by(records) if records.ended_by[0] >= 0 else None
    assert (ends(records)[0][0], why) == ended
    assert records.calls["d"] == calls


def test_a_retry_outside_tells_each_attempt_of_a_deadline_of_its_own() -> None:
    # The second attempt queues from 2 s to 3 s behind the first one's zombie, at work until 11 s.
    retry = {"retry": {"attempts": 2, "base": "0s"}}
    stages = {"a": work("10s", retry, deadline("1s"), concurrency=1)}
    assert steps("a.concurrency.waiting", stages) == {0.0: 0, 2.0: 1, 3.0: 0}
    assert ends(simulated(stages)) == [(2.0, TIMED_OUT)]


def test_a_caller_that_is_cancelled_leaves_a_zombie_that_stops_at_its_deadline() -> None:
    cancels = {"deadline": {"timeout": "500ms", "name": "first"}}
    stages = {"a": work("10s", cancels, deadline("1500ms"), concurrency=1)}
    assert steps("a.concurrency.waiting", stages, 2) == {0.0: 0, 2.0: 1, 3.5: 0}
    assert ends(simulated(stages, 2)) == [(0.5, TIMED_OUT)] * 2


def test_branches_beside_one_that_stops_are_cancelled_as_by_any_error() -> None:
    # The second request waits for the left one until 3.5 s, and works on the right one until then.
    both = {"left": work("10s", concurrency=1), "right": work("20s", concurrency=2)}
    stages = {"a": {"policies": [deadline("1500ms")], "parallel": True, "stages": both}}
    records = simulated(stages, 2)
    assert ends(records) == [(1.5, TIMED_OUT)] * 2
    busy = steps("right.concurrency.busy", stages, 2)
    assert busy == {0.0: 0, 1.0: 1, 2.0: 2, 3.5: 1, 21.0: 0}


def test_a_deadline_that_cancels_has_nothing_to_tell() -> None:
    cancels = {"deadline": {"timeout": "1s", "propagate": True}}
    with pytest.raises(ScenarioError, match="propagate needs on_timeout: abandon, as cancel"):
        run(scenario({"a": work("1s", cancels)}))


def test_it_can_be_switched_on_by_its_path() -> None:
    made = loads(json.dumps(scenario({"a": work("1s", deadline("1s", False))})))
    (switched,) = allowed(made, [("a.deadline.propagate", True)])
    assert switched.plan.stages[0].policies[0].propagate


def test_a_breaker_inside_sees_silent_calls_end() -> None:
    # The third call is ended 1.5 s after it comes, 2 s after the first.
    breaker = {"breaker": {"failure_threshold": 3, "recovery_timeout": "9s"}}
    for propagate, after in ((True, 3.5), (False, None)):
        stages = {"a": work("1ms", deadline("1500ms", propagate), breaker)}
        _, silent = check(loads(json.dumps(scenario(stages, 9)))).openings
        assert (silent.after, bool(silent.never)) == (after, not propagate)


@examples(15)
@given(scenarios())
def test_no_work_begins_once_the_deadline_has_passed(data: Data) -> None:
    call = Work.call

    def watched(self: Work, request: Request) -> Call:
        assert request.context is not None
        assert self._kernel.now < request.context.expires <= request.arrival + 1.5
        return call(self, request)

    wrapped = inside(deadline("1500ms"), **data["stages"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "call", watched)
        assert run(with_stages(data, wrapped)).latency.max(initial=0) <= 1.5 + 1e-9
