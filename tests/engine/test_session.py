"""Sessions: the reaper, leaks, and what a cancelled query costs, by latencies computed by hand."""

import numpy as np
import pytest
from kit import FAILED, OK, TIMED_OUT, deadline, ends, fault, pool, simulated, spent, stage, work
from scipy import stats

from cascadesim.records import Records
from cascadesim.values.outcome import Outcome


def test_the_reaper_ends_a_stuck_session() -> None:
    stuck = stage("10s", pool=pool(size=1, max_overflow=0), session={"lifetime": "3s"})
    records = simulated(stuck, 2)
    # Its connection is gone, so the second one connects anew when it is free, at 4.1 s.
    assert ends(records) == [(3.1, FAILED), (2.1 + 3.1, FAILED)]
    assert spent(records, 1)["a.pool.connect"] == 0.1


def test_a_reaped_connection_is_not_lent_again_whatever_the_rounding() -> None:
    lifetimes = [f"{n}ms" for n in range(100, 400, 17)]
    for lifetime in lifetimes:
        stuck = stage("10s", pool=pool(size=1), session={"lifetime": lifetime})
        records = simulated(stuck, 9, workload={"arrivals": {"constant": {"rate": "0.7/s"}}})
        assert np.allclose(records.frame()["a.pool.connect_s"], 0.1)


@pytest.mark.parametrize(("lifetime", "second"), [("3s", 2.1 + 0.6), (None, None)])
def test_only_the_reaper_brings_a_leaked_connection_back(
    lifetime: str | None, second: float | None
) -> None:
    session = {"leak": "100%"} | ({"lifetime": lifetime} if lifetime else {})
    leaking = stage("500ms", pool=pool(size=1, max_overflow=0, timeout="60s"), session=session)
    end = (second, OK) if second else (60.0, TIMED_OUT)
    assert ends(simulated(leaking, 2)) == [(0.6, OK), end]


def test_leaks_happen_at_their_share() -> None:
    leaking = stage(
        "1ms",
        pool=pool(size=400, max_overflow=0, connect_time="0s", timeout="1ms"),
        session={"leak": "40%"},
    )
    outcomes = simulated(leaking, 1000).outcome
    until_empty = int((outcomes == Outcome.OK).sum())  # 400 leaks among this many sessions
    assert stats.binomtest(400, until_empty, 0.4).pvalue > 0.01


def test_a_reaped_connection_leaves_its_place_in_the_row() -> None:
    # The first session is stuck and reaped at 4.1 s, before the other connection is back at 4.3 s,
    # so its empty place is next at 5 s.
    stuck = fault("500ms", "1s", latency={"add": "1h"})
    stages = stage("300ms", pool=pool(size=2), session={"lifetime": "3s"})
    records = simulated(stages, 6, faults=[stuck])
    assert ends(records)[0] == (3.1, FAILED)
    assert [latency for latency, _ in ends(records)[1:]] == [0.4, 0.3, 0.3, 0.4, 0.3]


def test_a_query_that_is_cancelled_costs_its_connection() -> None:
    # The first is cancelled in its query; the second connects anew, for the place is there.
    one = pool(size=1, max_overflow=0)
    records = simulated(stage("3s", deadline("1s"), pool=one), 2)
    assert ends(records) == [(1.0, TIMED_OUT)] * 2
    assert connects(records) == [0.1, 0.1]
    records = simulated(stage("1500ms", deadline("1s", "abandon"), pool=one), 2)
    assert ends(records) == [(1.0, TIMED_OUT)] * 2
    assert connects(records) == [0.1, 0.0]


def test_a_session_that_is_cancelled_between_queries_keeps_its_connection() -> None:
    inside = {"slow": work("3s")}
    stages = stage("100ms", deadline("800ms"), pool=pool(), stages=inside)
    records = simulated(stages, 2)
    assert ends(records) == [(0.8, TIMED_OUT)] * 2
    assert connects(records) == [0.1, 0.0]
    # So does one whose query is that of another pool, inside.
    inside["slow"]["pool"] = {"connect_time": "200ms"}
    records = simulated(stages, 2)
    assert connects(records) == [0.1, 0.0]
    assert records.frame()["slow.pool.connect_s"].round(6).tolist() == [0.2, 0.2]


def connects(records: Records) -> list[float]:
    return records.frame()["a.pool.connect_s"].round(6).tolist()  # type: ignore[no-any-return]
