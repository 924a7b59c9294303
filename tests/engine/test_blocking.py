"""Stages that block: who waits for the next stage keeps its place in this one. By hand.

A limit of one call for 1 s, and behind it one of 3 s, unless a test says otherwise.
"""

from typing import Any

import pytest
from kit import (
    FAILED,
    OK,
    SHED,
    TIMED_OUT,
    Data,
    ends,
    plan_of,
    run,
    scenario,
    simulated,
    spent,
)

from cascadesim.analysis.bounds import worst_case
from cascadesim.engine import trace
from cascadesim.values.errors import ScenarioError


def row(*policies: Data, first: Data | None = None, **second: Any) -> Data:
    before = {"work": {"constant": "1s"}, "concurrency": 1}
    last = {"work": {"constant": "3s"}, "concurrency": 1, "queue_limit": 0, "when_full": "block"}
    return {"a": before | (first or {}), "b": last | {"policies": list(policies)} | second}


def test_a_call_keeps_its_place_until_the_next_stage_lets_it_in() -> None:
    # The first is in b from 2 s to 5 s. The second, done in a at 3 s, stays there until 5 s, and so
    # the third begins in a at 5 s, is done at 6 s, and stays until 8 s.
    records = simulated(row(), 3)
    assert ends(records) == [(4.0, OK), (6.0, OK), (8.0, OK)]
    assert spent(records, 1) == {"a.service_work": 1, "b.queue_wait": 2, "b.service_work": 3}
    waits = {"a.queue_wait": 2, "b.queue_wait": 2}
    assert spent(records, 2) == {"a.service_work": 1, "b.service_work": 3} | waits
    # Rejected, the second leaves a at 3 s and the third at 4 s.
    rejecting = simulated(row(when_full="reject"), 3)
    assert ends(rejecting) == [(4.0, OK), (1.0, SHED), (1.0, SHED)]


def test_a_queue_takes_calls_in_before_they_are_served() -> None:
    # The second waits in the queue of b from 3 s on, and a is free for the third, which keeps its
    # place from 4 s to 5 s, when b begins with the second. So the fourth begins in a at 5 s.
    records = simulated(row(queue_limit=1), 4)
    assert ends(records) == [(4.0, OK), (6.0, OK), (8.0, OK), (10.0, OK)]
    assert spent(records, 3)["a.queue_wait"] == 1
    # Newest first, the fourth is let in at 8 s like the third before it, as one waits at most.
    assert ends(simulated(row(queue_limit=1, queue="lifo"), 4)) == ends(records)
    # Of two that wait in b the newest is first: the third at 5 s, before the second at 8 s.
    newest = simulated(row(queue_limit=2, queue="lifo"), 3)
    assert ends(newest) == [(4.0, OK), (9.0, OK), (5.0, OK)]


def test_who_leaves_meanwhile_leaves_its_place() -> None:
    """A deadline of 4.5 s around both, two in a at once, and work that is given.

    The second is in a from 2 s to 6 s, finds the third in b, and gives up at 6.5 s. The fifth takes
    its place then, and without that would only come to b after its own deadline.
    """
    works = [(1.0, 3.4), (4.0, 1.0), (0.5, 2.0), (1.0, 1.0), (0.5, 1.0)]
    observed = [
        {"at": f"{i}s", "latency": "1s", "stamp": "arrival", "work": {"a": f"{a}s", "b": f"{b}s"}}
        for i, (a, b) in enumerate(works, 1)
    ]
    outer = {
        "stages": row(first={"concurrency": 2}),
        "policies": [{"deadline": {"timeout": "4500ms"}}],
    }
    rare = {"workload": {"arrivals": {"constant": {"rate": "1/h"}}}, "observations": observed}
    records = run(scenario({"outer": outer}, 9, **rare))
    assert ends(records) == [(4.4, OK), (4.5, TIMED_OUT), (4.4, OK), (4.4, OK), (4.4, OK)]
    assert spent(records, 4) == {
        "a.queue_wait": 1.5,
        "a.service_work": 0.5,
        "b.queue_wait": 1.4,
        "b.service_work": 1,
    }


@pytest.mark.parametrize(("on_timeout", "third"), [("cancel", 2.0), ("abandon", 4.0)])
def test_abandoned_work_keeps_its_place_too(on_timeout: str, third: float) -> None:
    # Abandoned at 3 s, the first is in b until 5 s; the second, abandoned at 4 s, stays in a until
    # then. Cancelled, both are out at once, and the third is 1 s in a and 1 s in b.
    deadline = {"deadline": {"timeout": "1s", "on_timeout": on_timeout}}
    records = simulated(row(deadline), 3)
    assert ends(records) == [(2.0, TIMED_OUT), (2.0, TIMED_OUT), (third, TIMED_OUT)]


def test_a_call_that_fails_keeps_no_place() -> None:
    records = simulated(row(first={"failure_rate": "100%"}), 3)
    assert ends(records) == [(1.0, FAILED)] * 3


def test_a_place_is_kept_while_a_breaker_of_the_next_stage_is_open() -> None:
    # b fails at 5 s, when the second is let into it and the third into a. That is done there at
    # 6 s, and waits for the recovery until 15 s; so long the fourth waits for a.
    breaker = {"failure_threshold": 1, "recovery_timeout": "10s", "when_open": "wait"}
    records = simulated(row({"breaker": breaker}, failure_rate="100%"), 4)
    assert spent(records, 2)["b.breaker.breaker_wait"] == 15 - 6
    assert spent(records, 3)["a.queue_wait"] == 15 - 4


def test_levels_tell_who_waits_where() -> None:
    levels = trace(plan_of(scenario(row(queue_limit=1), 4)), 1).levels
    assert levels["b.concurrency.blocked"].value.max() == 1
    assert levels["b.concurrency.waiting"].value.max() == 1
    assert list(levels["b.concurrency.blocked"].at[:3]) == [0, 4, 5]


def test_the_worst_case_has_the_places_that_are_kept() -> None:
    # In b one waits for one call; a place in a is held for 1 s and then as long as b takes.
    bounds = worst_case(plan_of(scenario(row(first={"queue_limit": 1}))))
    assert dict(bounds["b"].terms) == {"b.work": 3, "b.concurrency": 3}
    assert dict(bounds["a"].terms) == {"a.work": 1, "a.concurrency": 1 + 6}
    anew = worst_case(plan_of(scenario(row({"retry": {}}))))
    assert anew["b"].total == float("inf")


@pytest.mark.parametrize(
    ("stages", "error"),
    [
        (row(queue_limit=None), "b.when_full: when_full needs a queue_limit, else nothing is full"),
        (row(first={"concurrency": None}), 'keeps its place in "a", which needs concurrency for'),
        ({"b": row()["b"]}, "no stage comes before this one in which a call could keep its place"),
        ({"p": {"stages": row(), "parallel": True}}, "no stage comes before one in parallel"),
    ],
)
def test_a_place_must_be_there_to_be_kept(stages: Data, error: str) -> None:
    with pytest.raises(ScenarioError, match=error):
        run(scenario(stages))


def test_codel_and_blocking_keep_out_of_each_others_way() -> None:
    for stages, error in (
        (row(codel={}), "codel sheds calls, and when_full: block keeps them; leave one out"),
        (row(first={"codel": {}}), 'keeps its place in "a", which cannot have codel for that'),
    ):
        with pytest.raises(ScenarioError, match=error):
            run(scenario(stages))


def classes(*path: str) -> Data:
    both = {"arrivals": {"constant": {"rate": "1/s"}}}
    other = {"weight": 0, "path": list(path)}
    return {"workload": both | {"classes": {"usual": {"weight": 1}, "other": other}}}


def test_classes_come_to_a_stage_that_blocks_from_the_same_one() -> None:
    stages = row() | {"c": {"work": {"constant": "1s"}, "concurrency": 1}}
    for path in (("b",), ("a", "c", "b"), ("c", "b", "a")):
        with pytest.raises(ScenarioError, match='keep their place in "a"; put it right after that'):
            run(scenario(stages, **classes(*path)))
    late = [(4.0, OK), (6.0, OK), (8.0, OK)]
    assert ends(run(scenario(row(), 3, **classes("a", "b")))) == late
    # One that does not go on to b keeps no place for it.
    both = {"usual": {"weight": 1, "path": ["a"]}, "other": {"weight": 0}}
    workload = {"arrivals": {"constant": {"rate": "1/s"}}, "classes": both}
    assert ends(run(scenario(row(), 3, workload=workload))) == [(1.0, OK)] * 3


def test_whether_a_stage_blocks_goes_by_its_dotted_path() -> None:
    data = scenario(row(), variants={"before": {}, "after": {"b.when_full": "reject"}})
    assert plan_of(data).stages[1].blocks
