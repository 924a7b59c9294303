"""Pools whose database restarts, by latencies computed by hand.

One call a second at t = 1, 2, 3 … unless a test gives the instants; connecting takes 0.1 s.
"""

from typing import Any

import pytest
from kit import (
    FAILED,
    OK,
    Data,
    ended_by,
    ends,
    fault,
    latencies,
    observed,
    pool,
    simulated,
    spent,
    stage,
    work,
)

from cascadesim.records import Records


def restarted(seconds: str, n: int, start: str, length: str, **settings: Any) -> Records:
    """Run calls of a stage with such a pool, whose database restarts then."""
    inside = settings.pop("inside", {})
    stages = stage(seconds, pool=pool(**settings), **({"stages": inside} if inside else {}))
    return simulated(stages, n, faults=[fault(start, length, restart={})])


@pytest.mark.parametrize("kind", ["queue", "static"])
def test_after_a_restart_the_first_call_fails_unless_it_is_preceded_by_a_ping(kind: str) -> None:
    records = restarted("0s", 4, "2500ms", "200ms", kind=kind)
    assert ends(records) == [(0.1, OK), (0.0, OK), (0.0, FAILED), (0.1, OK)]
    assert ended_by(records, 2) == "a.pool.pre_ping"
    pinging = restarted("0s", 4, "2500ms", "200ms", kind=kind, pre_ping=True, ping_time="50ms")
    assert latencies(pinging) == [0.1, 0.05, 0.15, 0.05]
    assert spent(pinging, 2) == {"a.pool.pre_ping.connect": 0.05, "a.pool.connect": 0.1}


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, [(0.0, FAILED), (1.6, OK)]),
        ({"pre_ping": True, "ping_time": "50ms"}, [(1.65, OK), (1.6, OK)]),
    ],
)
def test_one_call_finds_out_for_all_connections(settings: Data, seen: Any) -> None:
    # Two calls overlap and leave two connections. Both are closed when two others come.
    restart = fault("4s", "200ms", restart={})
    stages = stage("1500ms", pool=pool(**settings))
    records = simulated(stages, 20, faults=[restart], **observed("1s", "1100ms", "6s", "6100ms"))
    assert ends(records)[2:] == seen


def test_nobody_connects_to_a_database_that_restarts() -> None:
    records = restarted("0s", 4, "1500ms", "2s", kind="null")
    assert ends(records) == [(0.1, OK), (0.0, FAILED), (0.0, FAILED), (0.1, OK)]
    assert ended_by(records, 1) == "a"


def test_a_kept_connection_is_no_excuse_while_the_database_restarts() -> None:
    records = restarted("0s", 3, "1500ms", "2s")
    assert ends(records) == [(0.1, OK), (0.0, FAILED), (0.0, FAILED)]
    assert [ended_by(records, row) for row in (1, 2)] == ["a", "a"]


def test_a_restart_ends_what_is_connecting() -> None:
    records = restarted("0s", 1, "1500ms", "2s", connect_time="1s")
    assert ends(records) == [(0.5, FAILED)]
    assert spent(records, 0) == {"a.pool.connect": 0.5}
    assert ended_by(records, 0) == "a"


def test_a_call_under_way_takes_its_connection_with_it_whatever_the_rounding() -> None:
    # The time from the call's begin to the restart is rounded, and so is the sum of the two.
    for start in range(5101, 5201):
        restart = fault(f"{start}ms", "1ms", restart={})
        stages = stage("10s", pool=pool())
        records = simulated(stages, 20, faults=[restart], **observed("1s", "15s"))
        assert ends(records)[1] == (10.1, OK)


def test_a_connection_that_closed_under_a_nested_stage_is_not_lent_again() -> None:
    inside = {"b": work("1s")}
    # The first call is in b when the connection closes, so it is well; the third gets its place.
    records = restarted("100ms", 3, "1500ms", "100ms", inside=inside)
    assert latencies(records) == [1.2, 1.2, 1.2]
    # The second call makes the shared connection anew where the first was gone already.
    shared = restarted("100ms", 3, "1500ms", "100ms", inside=inside, kind="static")
    assert ends(shared)[2] == (1.2, OK)


def test_no_waiter_is_told_of_the_room_that_a_failed_connect_leaves() -> None:
    settings = {"size": 1, "max_overflow": 0, "timeout": "5s", "connect_time": "3s"}
    records = restarted("500ms", 2, "2500ms", "100ms", **settings)
    # The second sees the room when its timeout is over.
    assert ends(records) == [(1.5, FAILED), (5 + 3 + 0.5, OK)]
    assert spent(records, 1)["a.pool.pool_wait"] == 5
    # A third one, which comes after the failure, takes it at once, and the second gets it then.
    records = restarted("500ms", 3, "2500ms", "100ms", **settings)
    assert ends(records) == [(1.5, FAILED), (4.5 + 0.5, OK), (3.5, OK)]


def test_a_restart_closes_what_has_leaked() -> None:
    """A null pool at a server of two connections, of which two have leaked by 2 s."""
    null = pool(kind="null", max_connections=2)
    leaking = stage("100ms", pool=null, session={"leak": "100%"})
    records = simulated(leaking, 3)
    assert ends(records) == [(0.2, OK), (0.2, OK), (0.0, FAILED)]
    restart = [fault("2500ms", "100ms", restart={})]
    records = simulated(leaking, 5, faults=restart)
    assert ends(records) == [(0.2, OK)] * 4 + [(0.0, FAILED)]
    # The reaper, which comes 2 s later, frees no more than has leaked since.
    reaped = stage("100ms", pool=null, session={"leak": "100%", "lifetime": "2s"})
    records = simulated(reaped, 6, faults=restart)
    assert ends(records) == [(0.2, OK)] * 4 + [(0.0, FAILED), (0.2, OK)]


def test_a_restart_closes_what_is_in_use_elsewhere() -> None:
    # The first holds its connection while the stage inside works, from 1.2 s to 6.2 s.
    null = {"kind": "null", "max_connections": 1}
    records = restarted("100ms", 3, "1500ms", "100ms", inside={"slow": work("5s")}, **null)
    assert ends(records) == [(5.2, OK), (5.2, OK), (0.0, FAILED)]
