import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.model.pool import Pool, PoolPlan, ServerFull


def test_queue_keeps_size_idle_and_closes_overflow() -> None:
    pool = Pool(PoolPlan("queue", 0.04, size=2, max_overflow=1))
    assert [pool.checkout(0.0) for _ in range(3)] == [None, None, None]
    assert not pool.available()
    for made in (0.0, 0.1, 0.2):
        pool.checkin(made)
    assert pool.open == 2
    assert pool.checkout(1.0) == 0.0  # first in, first out


def test_recycle_replaces_an_old_connection() -> None:
    pool = Pool(PoolPlan("queue", 0.04, recycle=300.0))
    pool.checkout(0.0)
    pool.checkin(0.0)
    assert pool.checkout(300.0) == 0.0
    pool.checkin(0.0)
    assert pool.checkout(300.1) is None


def test_null_connects_each_time_until_the_server_is_full() -> None:
    pool = Pool(PoolPlan("null", 0.04, max_connections=2))
    assert pool.checkout(0.0) is None
    pool.checkin(0.0)
    assert pool.open == 0
    pool.checkout(0.0)
    pool.checkout(0.0)
    with pytest.raises(ServerFull):
        pool.checkout(0.0)


@given(st.integers(1, 4), st.integers(0, 4), st.lists(st.booleans(), max_size=60))
def test_occupancy_stays_within_size_and_overflow(
    size: int, overflow: int, steps: list[bool]
) -> None:
    pool = Pool(PoolPlan("queue", 0.0, size=size, max_overflow=overflow))
    for take in steps:
        if take and pool.available():
            pool.checkout(0.0)
        elif not take and pool.checked_out:
            pool.checkin(0.0)
        assert 0 <= pool.checked_out <= pool.open <= size + overflow
