"""Connection pools: what one lends and keeps, and latencies computed by hand.

One call a second at t = 1, 2, 3 … unless a test gives the instants; connecting takes 0.1 s.
"""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import (
    FAILED,
    OK,
    TIMED_OUT,
    Data,
    ends,
    latencies,
    observed,
    plan_of,
    pool,
    scenario,
    simulated,
    spent,
    stage,
)
from scipy import stats

from cascadesim.analysis.bounds import worst_case
from cascadesim.engine.simpy.pool import GONE, Pool, ServerFull, StaticPool
from cascadesim.randomness import Distribution
from cascadesim.resources.pool import PoolPlan

CONNECT = Distribution("constant", (0.04,))


def pool_plan(kind: str = "queue", **settings: Any) -> PoolPlan:
    return PoolPlan(kind, CONNECT, **settings)


def test_queue_keeps_size_idle_and_closes_overflow() -> None:
    pool = Pool(pool_plan(size=2, max_overflow=1))
    assert [pool.checkout(0.0) for _ in range(3)] == [None, None, None]
    assert not pool.available()
    for made in (0.0, 0.1, 0.2):
        pool.checkin(made)
    assert pool.open == 2
    assert pool.checkout(1.0) == 0.0  # first in, first out


def test_recycle_replaces_an_old_connection() -> None:
    pool = Pool(pool_plan(recycle=300.0))
    pool.checkout(0.0)
    pool.checkin(0.0)
    assert pool.checkout(300.0) == 0.0
    pool.checkin(0.0)
    assert pool.checkout(300.1) == GONE


def test_null_connects_each_time_until_the_server_is_full() -> None:
    pool = Pool(pool_plan("null", max_connections=2))
    assert pool.checkout(0.0) is None
    pool.checkin(0.0)
    assert pool.open == 0
    pool.checkout(0.0)
    pool.checkout(0.0)
    with pytest.raises(ServerFull):
        pool.checkout(0.0)


def test_an_empty_place_is_in_the_row_and_not_open() -> None:
    pool = Pool(pool_plan(size=2))
    for _ in range(2):
        pool.checkout(0.0)
    pool.checkin(GONE)
    pool.checkin(0.1)
    assert (pool.idle, pool.open) == (1, 1)
    assert [pool.checkout(1.0), pool.checkout(1.0)] == [GONE, 0.1]
    assert (pool.idle, pool.open) == (0, 2)


def test_what_was_made_before_a_pool_was_invalidated_is_replaced() -> None:
    pool = Pool(pool_plan())
    for _ in range(3):
        pool.checkout(0.0)
    for made in (1.0, 2.0, 5.0):
        pool.checkin(made)
    pool.invalidate(1.0, 3.0)
    pool.invalidate(2.0, 9.0)  # as old as what is known of
    assert [pool.checkout(9.0) for _ in range(3)] == [GONE, GONE, 5.0]


def test_a_shared_connection_that_is_gone_is_made_anew() -> None:
    pool = StaticPool(pool_plan("static"))
    assert pool.checkout(0.0) is None
    pool.connected(0.0)
    assert [pool.checkout(1.0), pool.checkout(2.0)] == [0.0, 0.0]
    assert (pool.checked_out, pool.idle) == (3, 0)
    for made in (0.0, 0.0, GONE):
        pool.checkin(made)
    assert pool.checkout(3.0) is None
    pool.connected(3.0)
    pool.invalidate(3.0, 4.0)
    assert pool.checkout(4.0) is None


@pytest.mark.parametrize(
    ("settings", "limit", "keeps"),
    [
        ({"size": 3, "max_overflow": 2}, 5, 3),
        ({"size": 3, "max_overflow": -1}, math.inf, 3),
        ({"size": 0}, math.inf, math.inf),
        ({"kind": "null"}, math.inf, 0),
        ({"kind": "static"}, math.inf, 1),
    ],
)
def test_settings_limit_what_is_lent_and_what_is_kept(
    settings: dict[str, Any], limit: float, keeps: float
) -> None:
    pool = pool_plan(**settings)
    assert (pool.limit, pool.keeps) == (limit, keeps)


@given(st.integers(1, 4), st.integers(0, 4), st.lists(st.booleans(), max_size=60))
def test_occupancy_stays_within_size_and_overflow(
    size: int, overflow: int, steps: list[bool]
) -> None:
    pool = Pool(pool_plan(size=size, max_overflow=overflow))
    for take in steps:
        if take and pool.available():
            pool.checkout(0.0)
        elif not take and pool.checked_out:
            pool.checkin(0.0)
        assert 0 <= pool.checked_out <= pool.open <= size + overflow


def test_a_queue_pool_connects_once_and_a_null_pool_each_time() -> None:
    for kind, second in (("queue", 0.5), ("null", 0.6)):
        records = simulated(stage("500ms", pool=pool(kind=kind)), 2)
        assert ends(records) == [(0.6, OK), (second, OK)]
        assert spent(records) == {"a.pool.connect": 0.1, "a.service_work": 0.5}


def test_connecting_takes_the_connect_time() -> None:
    assert ends(simulated(stage("1s", pool=pool(connect_time="3s")))) == [(4.0, OK)]


@pytest.mark.parametrize(
    ("size", "overflow", "waits"), [(1, 0, [0, 9.1, 18.1]), (1, 1, [0, 0, 8.1]), (3, 0, [0, 0, 0])]
)
def test_size_and_overflow_bound_what_is_lent(size: int, overflow: int, waits: list[float]) -> None:
    records = simulated(stage("10s", pool=pool(size=size, max_overflow=overflow)), 3)
    got = [spent(records, row).get("a.pool.pool_wait", 0.0) for row in range(3)]
    assert got == waits


def test_an_overflow_connection_is_closed_and_one_of_the_size_kept() -> None:
    # Two overlapping requests return two connections; two later ones want both.
    instants = ("1s", "1100ms", "6s", "6100ms")
    for size, overflow, fourth in ((1, 1, 1.6), (2, 0, 1.5)):
        settings = {"size": size, "max_overflow": overflow}
        assert at(*instants, work="1500ms", **settings) == [1.6, 1.6, 1.5, fourth]


def test_waiting_for_a_connection_ends_at_the_pools_timeout() -> None:
    for timeout, second in (("2s", (2.0, TIMED_OUT)), ("20s", (19.1, OK))):
        small = pool(size=1, max_overflow=0, timeout=timeout)
        assert ends(simulated(stage("10s", pool=small), 2))[1] == second


def test_an_old_connection_is_replaced_at_checkout() -> None:
    for recycle, connects in (("1500ms", 2), ("500ms", 4), ("99s", 1)):
        records = simulated(stage("0s", pool=pool(size=1, recycle=recycle)), 4)
        assert (records.latency > 0.05).sum() == connects


@pytest.mark.parametrize("kind", ["queue", "null"])
def test_the_database_refuses_more_than_max_connections(kind: str) -> None:
    records = simulated(stage("1500ms", pool=pool(kind=kind, max_connections=1)), 3)
    assert [word for _, word in ends(records)] == [OK, FAILED, OK]
    assert ends(records)[1] == (0.0, FAILED)


def at(*instants: str, work: str, **settings: Any) -> list[float]:
    """Return the latencies of calls at these instants alone, of which all end well."""
    return latencies(simulated(stage(work, pool=pool(**settings)), 20, **observed(*instants)))


@pytest.mark.parametrize(("use_lifo", "fourth"), [(False, 1.5), (True, 1.6)])
def test_the_connection_that_is_reused_is_the_first_or_the_last(
    use_lifo: bool, fourth: float
) -> None:
    # The third call takes the older one or the younger; the other is 9.95 s or 10.05 s old then.
    instants = ("1s", "1100ms", "10s", "11050ms")
    settings = {"size": 2, "recycle": "10s", "use_lifo": use_lifo}
    assert at(*instants, work="1500ms", **settings) == [1.6, 1.6, 1.5, fourth]


@pytest.mark.parametrize(
    ("settings", "later"),
    [({"size": 1, "max_overflow": -1}, [1.5, 1.6, 1.6]), ({"size": 0}, [1.5, 1.5, 1.5])],
)
def test_a_pool_without_limit_lends_to_all_and_keeps_its_size(
    settings: Data, later: list[float]
) -> None:
    instants = ("1s", "1100ms", "1200ms", "6s", "6100ms", "6200ms")
    assert at(*instants, work="1500ms", **settings) == [1.6, 1.6, 1.6, *later]


def test_all_share_a_static_connection_at_once() -> None:
    records = simulated(stage("1500ms", pool=pool(kind="static")), 3)
    assert latencies(records) == [1.6, 1.5, 1.5]
    assert spent(records, 1) == {"a.service_work": 1.5}


def test_who_comes_while_the_static_connection_is_made_makes_another() -> None:
    static = pool(kind="static", connect_time="3s")
    records = simulated(stage("1500ms", pool=static), 4)
    assert latencies(records) == [4.5, 4.5, 4.5, 1.5]


def test_a_ping_takes_its_time_unless_the_connection_is_new() -> None:
    for kind in ("queue", "static"):
        pinging = pool(kind=kind, pre_ping=True, ping_time="50ms")
        records = simulated(stage("500ms", pool=pinging), 2)
        assert latencies(records) == [0.6, 0.55]
        assert spent(records, 1) == {"a.pool.pre_ping.connect": 0.05, "a.service_work": 0.5}


def test_connecting_takes_as_long_as_is_drawn() -> None:
    null = pool(kind="null", connect_time={"uniform": {"low": "100ms", "high": "300ms"}})
    seconds = simulated(stage("0s", pool=null), 500).latency
    assert stats.kstest(seconds, stats.uniform(0.1, 0.2).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("settings", "terms"),
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
def test_the_bound_counts_what_a_connection_can_take(
    settings: Data, terms: dict[str, float]
) -> None:
    bound = worst_case(plan_of(scenario(stage("1s", pool=pool(**settings)))))["a"].terms
    assert bound == {"a.work": 1.0} | {f"a.pool.{key}": value for key, value in terms.items()}
