import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.engine.simpy.pool import GONE, Pool, PoolPlan, ServerFull, StaticPool
from cascadesim.randomness import Distribution

CONNECT = Distribution("constant", (0.04,))


def plan(kind: str = "queue", **settings: Any) -> PoolPlan:
    return PoolPlan(kind, CONNECT, **settings)


def test_queue_keeps_size_idle_and_closes_overflow() -> None:
    pool = Pool(plan(size=2, max_overflow=1))
    assert [pool.checkout(0.0) for _ in range(3)] == [None, None, None]
    assert not pool.available()
    for made in (0.0, 0.1, 0.2):
        pool.checkin(made)
    assert pool.open == 2
    assert pool.checkout(1.0) == 0.0  # first in, first out


def test_recycle_replaces_an_old_connection() -> None:
    pool = Pool(plan(recycle=300.0))
    pool.checkout(0.0)
    pool.checkin(0.0)
    assert pool.checkout(300.0) == 0.0
    pool.checkin(0.0)
    assert pool.checkout(300.1) == GONE


def test_null_connects_each_time_until_the_server_is_full() -> None:
    pool = Pool(plan("null", max_connections=2))
    assert pool.checkout(0.0) is None
    pool.checkin(0.0)
    assert pool.open == 0
    pool.checkout(0.0)
    pool.checkout(0.0)
    with pytest.raises(ServerFull):
        pool.checkout(0.0)


def test_an_empty_place_is_in_the_row_and_not_open() -> None:
    pool = Pool(plan(size=2))
    for _ in range(2):
        pool.checkout(0.0)
    pool.checkin(GONE)
    pool.checkin(0.1)
    assert (pool.idle, pool.open) == (1, 1)
    assert [pool.checkout(1.0), pool.checkout(1.0)] == [GONE, 0.1]
    assert (pool.idle, pool.open) == (0, 2)


def test_what_was_made_before_a_pool_was_invalidated_is_replaced() -> None:
    pool = Pool(plan())
    for _ in range(3):
        pool.checkout(0.0)
    for made in (1.0, 2.0, 5.0):
        pool.checkin(made)
    pool.invalidate(1.0, 3.0)
    pool.invalidate(2.0, 9.0)  # as old as what is known of
    assert [pool.checkout(9.0) for _ in range(3)] == [GONE, GONE, 5.0]


def test_a_shared_connection_that_is_gone_is_made_anew() -> None:
    pool = StaticPool(plan("static"))
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
    pool = plan(**settings)
    assert (pool.limit, pool.keeps) == (limit, keeps)


@given(st.integers(1, 4), st.integers(0, 4), st.lists(st.booleans(), max_size=60))
def test_occupancy_stays_within_size_and_overflow(
    size: int, overflow: int, steps: list[bool]
) -> None:
    pool = Pool(plan(size=size, max_overflow=overflow))
    for take in steps:
        if take and pool.available():
            pool.checkout(0.0)
        elif not take and pool.checked_out:
            pool.checkin(0.0)
        assert 0 <= pool.checked_out <= pool.open <= size + overflow
