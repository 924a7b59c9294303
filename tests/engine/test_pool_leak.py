"""The fault that makes a pool leak connections, by latencies computed by hand."""

import json
from typing import Any

import pytest
from kit import (
    OK,
    TIMED_OUT,
    Data,
    ended_by,
    ends,
    fault,
    plan_of,
    pool,
    reasons,
    run,
    scenario,
    simulated,
    stage,
    waits_for,
    work,
)
from scipy import stats

from cascadesim.analysis.bounds import worst_case
from cascadesim.analysis.contradictions import contradictions
from cascadesim.engine import trace
from cascadesim.scenario.load import loads
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome


def leaky(share: str, start: str, lasts: str, **rest: Any) -> Data:
    """Return a stage with two connections, whose sessions take 100 ms, and a leak of its pool."""
    two = pool(connect_time="0s", size=2, max_overflow=0, timeout="1s")
    leak = fault(start, lasts, pool_leak={"share": share})
    return scenario(stage("100ms", pool=two, **rest), 6, faults=[leak])


def out(data: Data) -> int:
    """Return how many connections are checked out in the end."""
    return int(trace(plan_of(data), 1).levels["a.pool.checked_out"].value[-1])


def test_a_leak_holds_connections_for_good() -> None:
    # Those of the requests at 2 s and at 3 s are lost, and so the pool is empty from then on.
    records = run(leaky("100%", "1500ms", "2s"))
    assert ends(records) == [(0.1, OK)] * 3 + [(1.0, TIMED_OUT)] * 3
    assert reasons(records) == [None] * 3 + ["a.pool.timeout"] * 3
    assert waits_for(records, "pool_wait") == [0, 0, 0, 1, 1, 1]
    assert run(leaky("0%", "1500ms", "2s")).outcome.max() == Outcome.OK


def test_a_session_leaks_where_it_ends_in_the_fault() -> None:
    kept = [(0.1, OK)] * 6
    # Sessions end at 1.1 s, 2.1 s, …: none in the first, one in the second, which lasts on.
    assert ends(run(leaky("100%", "1950ms", "100ms"))) == kept
    for duration in ("100ms", "101ms"):
        assert out(leaky("100%", "2050ms", duration)) == 1
    assert ends(run(leaky("100%", "2050ms", "50ms"))) == kept
    assert out(leaky("100%", "2050ms", "40ms")) == 0


def test_the_reaper_frees_what_has_leaked() -> None:
    # The sessions of 2 s and 3 s end at 4.5 s and 5.5 s.
    found = ends(run(leaky("100%", "1500ms", "2s", session={"lifetime": "2500ms"})))
    assert found == [(0.1, OK)] * 3 + [(0.6, OK)] + [(0.1, OK)] * 2


def test_a_leak_of_the_pool_adds_to_that_of_sessions() -> None:
    unlimited = pool(connect_time="0s", size=0)
    leak = fault("0s", "1h", pool_leak={"share": "40%"})

    def leaked(faults: list[Data], session: Data | None = None) -> int:
        own = {"leak": "50%"} if session is None else session
        stages = stage("1ms", pool=unlimited, session=own)
        return out(scenario(stages, 1000, drain="100s", faults=faults))

    low, high = stats.binom.interval(0.999, 1000, 0.5 + 0.5 * 0.4)
    assert low <= leaked([leak]) <= high
    alone = stats.binom.interval(0.999, 1000, 0.4)
    assert alone[0] <= leaked([leak], session={}) <= alone[1]
    # With a fault in addition, what has leaked without it does so too.
    assert leaked([]) < leaked([leak])


def test_a_pool_of_a_stage_without_work_of_its_own_can_leak() -> None:
    one = pool(connect_time="0s", size=1, max_overflow=0, timeout="500ms")
    stages = {"a": {"stages": {"b": work("100ms")}, "pool": one}}
    records = simulated(stages, 2, faults=[fault("0s", "2s", pool_leak={"share": 1})])
    assert ends(records) == [(0.1, OK), (0.5, TIMED_OUT)]
    assert ended_by(records, 1) == "a.pool.timeout"


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (None, '"a" has no pool that could leak; give it one'),
        (
            "static",
            '"a" has a static pool, of which all share the one connection, so none is leaked',
        ),
    ],
)
def test_a_leak_needs_a_pool(kind: str | None, problem: str) -> None:
    data = leaky("20%", "0s", "1s")
    del data["stages"]["a"]["pool"]
    if kind is not None:
        data["stages"]["a"]["pool"] = pool(kind=kind)
    with pytest.raises(ScenarioError) as caught:
        loads(json.dumps(data))
    assert str(caught.value).endswith(f"faults.0.on: {problem}")


def test_a_leak_without_a_reaper_contradicts_the_pools_timeout() -> None:
    plan = plan_of(leaky("20%", "1s", "1s"))
    (found,) = contradictions(plan, None)
    assert found.settings == ("a.session.lifetime", "a.pool.timeout")
    assert "nothing ever frees one" in found.problem
    reaped = plan_of(leaky("20%", "1s", "1s", session={"lifetime": "500ms"}))
    assert contradictions(reaped, None) == []
    assert worst_case(plan)["a"].total == pytest.approx(1.1)
