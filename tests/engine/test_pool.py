"""Connection pools in simulated time, by latencies computed by hand.

One call a second at t = 1, 2, 3 … unless a test gives the instants; connecting takes 0.1 s.
"""

from typing import Any

import numpy as np
import pytest
from kit import Data, plan_of, run
from scipy import stats

from cascadesim.analysis.bounds import worst_case
from cascadesim.plan.outcome import Outcome
from cascadesim.records import Records

OK, _, _, TIMED_OUT, FAILED, *_ = (outcome.word for outcome in Outcome)


def scenario(work: str, n: int, pool: Data, **rest: Any) -> Data:
    stage = {"work": {"constant": work}, "pool": {"connect_time": "100ms"} | pool}
    return {
        "name": "pools",
        "horizon": f"{n}500ms",
        "drain": "1000s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": stage | rest.pop("stage", {})},
    } | rest


def simulated(work: str, n: int, *, stage: Data | None = None, **pool: Any) -> Records:
    return run(scenario(work, n, pool, stage=stage or {}))


def at(instants: list[str], work: str, **pool: Any) -> Records:
    """Run calls at these instants alone."""
    seen = [{"at": instant, "latency": "1s", "stamp": "arrival"} for instant in instants]
    quiet = {"arrivals": {"constant": {"rate": "1/h"}}}
    return run(scenario(work, 20, pool, workload=quiet, observations=seen))


def restarted(work: str, n: int, start: str, length: str, **rest: Any) -> Records:
    restart = {"on": "a", "from": start, "for": length, "restart": {}}
    stage = rest.pop("stage", {})
    return run(scenario(work, n, rest, stage=stage, faults=[restart]))


def ends(records: Records) -> list[tuple[float, str]]:
    words = [Outcome(code).word for code in records.outcome]
    return list(zip(np.round(records.latency, 6).tolist(), words, strict=True))


def latencies(records: Records) -> list[float]:
    assert set(records.outcome) == {Outcome.OK}
    return [latency for latency, _ in ends(records)]


def spent(records: Records, row: int) -> dict[str, float]:
    pairs = zip(records.parts, np.round(records.seconds[row], 6).tolist(), strict=True)
    return {f"{part.where}.{part.cause}": seconds for part, seconds in pairs if seconds}


def ended_by(records: Records, row: int) -> str:
    return records.ends[records.ended_by[row]]


@pytest.mark.parametrize(("use_lifo", "fourth"), [(False, 1.5), (True, 1.6)])
def test_the_connection_that_is_reused_is_the_first_or_the_last(
    use_lifo: bool, fourth: float
) -> None:
    # The third call takes the older one or the younger; the other is 9.95 s or 10.05 s old then.
    instants = ["1s", "1100ms", "10s", "11050ms"]
    records = at(instants, "1500ms", size=2, recycle="10s", use_lifo=use_lifo)
    assert latencies(records) == [1.6, 1.6, 1.5, fourth]


@pytest.mark.parametrize(
    ("settings", "later"),
    [({"size": 1, "max_overflow": -1}, [1.5, 1.6, 1.6]), ({"size": 0}, [1.5, 1.5, 1.5])],
)
def test_a_pool_without_limit_lends_to_all_and_keeps_its_size(
    settings: Data, later: list[float]
) -> None:
    instants = ["1s", "1100ms", "1200ms", "6s", "6100ms", "6200ms"]
    assert latencies(at(instants, "1500ms", **settings)) == [1.6, 1.6, 1.6, *later]


def test_all_share_a_static_connection_at_once() -> None:
    records = simulated("1500ms", 3, kind="static")
    assert latencies(records) == [1.6, 1.5, 1.5]
    assert spent(records, 1) == {"a.service_work": 1.5}


def test_who_comes_while_the_static_connection_is_made_makes_another() -> None:
    records = simulated("1500ms", 4, kind="static", connect_time="3s")
    assert latencies(records) == [4.5, 4.5, 4.5, 1.5]


def test_a_ping_takes_its_time_unless_the_connection_is_new() -> None:
    for kind in ("queue", "static"):
        records = simulated("500ms", 2, kind=kind, pre_ping=True, ping_time="50ms")
        assert latencies(records) == [0.6, 0.55]
        assert spent(records, 1) == {"a.pool.pre_ping.connect": 0.05, "a.service_work": 0.5}


def test_connecting_takes_as_long_as_is_drawn() -> None:
    drawn = {"uniform": {"low": "100ms", "high": "300ms"}}
    seconds = simulated("0s", 500, kind="null", connect_time=drawn).latency
    assert stats.kstest(seconds, stats.uniform(0.1, 0.2).cdf).pvalue > 0.01


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
    restart = {"on": "a", "from": "4s", "for": "200ms", "restart": {}}
    instants = ["1s", "1100ms", "6s", "6100ms"]
    observed = [{"at": instant, "latency": "1s", "stamp": "arrival"} for instant in instants]
    quiet = {"arrivals": {"constant": {"rate": "1/h"}}}
    rest = {"workload": quiet, "observations": observed, "faults": [restart]}
    assert ends(run(scenario("1500ms", 20, settings, **rest)))[2:] == seen


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
    seen = [{"at": at, "latency": "1s", "stamp": "arrival"} for at in ("1s", "15s")]
    rest = {"workload": {"arrivals": {"constant": {"rate": "1/h"}}}, "observations": seen}
    for start in range(5101, 5201):
        restart = {"on": "a", "from": f"{start}ms", "for": "1ms", "restart": {}}
        records = run(scenario("10s", 20, {}, faults=[restart], **rest))
        assert ends(records)[1] == (10.1, OK)


def test_a_connection_that_closed_under_a_nested_stage_is_not_lent_again() -> None:
    inside = {"stages": {"b": {"work": {"constant": "1s"}}}}
    # The first call is in b when the connection closes, so it is well; the third gets its place.
    records = restarted("100ms", 3, "1500ms", "100ms", stage=inside)
    assert latencies(records) == [1.2, 1.2, 1.2]
    # The second call makes the shared connection anew where the first was gone already.
    shared = restarted("100ms", 3, "1500ms", "100ms", stage=inside, kind="static")
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


def test_a_reaped_connection_leaves_its_place_in_the_row() -> None:
    # The first session is stuck and reaped at 4.1 s, before the other connection is back at 4.3 s,
    # so its empty place is next at 5 s.
    stuck = {"on": "a", "from": "500ms", "for": "1s", "latency": {"add": "1h"}}
    session = {"session": {"lifetime": "3s"}}
    records = run(scenario("300ms", 6, {"size": 2}, stage=session, faults=[stuck]))
    assert ends(records)[0] == (3.1, FAILED)
    assert [latency for latency, _ in ends(records)[1:]] == [0.4, 0.3, 0.3, 0.4, 0.3]


@pytest.mark.parametrize(
    ("pool", "terms"),
    [
        ({"size": 0}, {"connect_time": 0.1}),
        ({"max_overflow": -1}, {"connect_time": 0.1}),
        ({"kind": "static", "pre_ping": True}, {"connect_time": 0.1, "ping_time": 0.001}),
        (
            {"pre_ping": True, "connect_time": {"uniform": {"low": "1s", "high": "2s"}}},
            {"connect_time": 2.0, "ping_time": 0.001, "timeout": 30.0},
        ),
    ],
)
def test_the_bound_counts_what_a_connection_can_take(pool: Data, terms: dict[str, float]) -> None:
    bound = worst_case(plan_of(scenario("1s", 1, pool)))["a"].terms
    assert bound == {"a.work": 1.0} | {f"a.pool.{key}": value for key, value in terms.items()}


def test_a_query_that_is_cancelled_costs_its_connection() -> None:
    # The first is cancelled in its query; the second connects anew, for the place is there.
    work = "3s"
    deadline = {"policies": [{"deadline": {"timeout": "1s"}}]}
    one = {"size": 1, "max_overflow": 0}
    records = run(scenario(work, 2, one, stage=deadline))
    assert ends(records) == [(1.0, TIMED_OUT)] * 2
    assert connects(records) == [0.1, 0.1]
    abandoned = {"deadline": {"timeout": "1s", "on_timeout": "abandon"}}
    records = run(scenario("1500ms", 2, one, stage={"policies": [abandoned]}))
    assert ends(records) == [(1.0, TIMED_OUT)] * 2
    assert connects(records) == [0.1, 0.0]


def test_a_session_that_is_cancelled_between_queries_keeps_its_connection() -> None:
    inside = {"slow": {"work": {"constant": "3s"}}}
    stage = {"policies": [{"deadline": {"timeout": "800ms"}}], "stages": inside}
    records = run(scenario("100ms", 2, {}, stage=stage))
    assert ends(records) == [(0.8, TIMED_OUT)] * 2
    assert connects(records) == [0.1, 0.0]
    # So does one whose query is that of another pool, inside.
    inside["slow"]["pool"] = {"connect_time": "200ms"}
    records = run(scenario("100ms", 2, {}, stage=stage))
    assert connects(records) == [0.1, 0.0]
    assert records.frame()["slow.pool.connect_s"].round(6).tolist() == [0.2, 0.2]


def connects(records: Records) -> list[float]:
    return records.frame()["a.pool.connect_s"].round(6).tolist()  # type: ignore[no-any-return]


def test_a_restart_closes_what_has_leaked() -> None:
    """A null pool at a server of two connections, of which two have leaked by 2 s."""
    leak = {"session": {"leak": "100%"}}
    null = {"kind": "null", "max_connections": 2}
    records = run(scenario("100ms", 3, null, stage=leak))
    assert ends(records) == [(0.2, OK), (0.2, OK), (0.0, FAILED)]
    restart = [{"on": "a", "from": "2500ms", "for": "100ms", "restart": {}}]
    records = run(scenario("100ms", 5, null, stage=leak, faults=restart))
    assert ends(records) == [(0.2, OK)] * 4 + [(0.0, FAILED)]
    # The reaper, which comes 2 s later, frees no more than has leaked since.
    reaped = {"session": {"leak": "100%", "lifetime": "2s"}}
    records = run(scenario("100ms", 6, null, stage=reaped, faults=restart))
    assert ends(records) == [(0.2, OK)] * 4 + [(0.0, FAILED), (0.2, OK)]


def test_a_restart_closes_what_is_in_use_elsewhere() -> None:
    # The first holds its connection while the stage inside works, from 1.2 s to 6.2 s.
    stage = {"stages": {"slow": {"work": {"constant": "5s"}}}}
    null = {"kind": "null", "max_connections": 1}
    restart = [{"on": "a", "from": "1500ms", "for": "100ms", "restart": {}}]
    records = run(scenario("100ms", 3, null, stage=stage, faults=restart))
    assert ends(records) == [(5.2, OK), (5.2, OK), (0.0, FAILED)]
