"""Faults on several stages, at random times, on pools and after a start, computed by hand.

Arrivals are constant: one a second at t = 1, 2, 3 …; work is constant.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit import Data, plan_of, run
from scipy import stats

import cascadesim
from cascadesim.analysis.bounds import worst_case
from cascadesim.analysis.contradictions import contradictions
from cascadesim.cli.watch import Dashboard
from cascadesim.engine import simulate, trace, watch
from cascadesim.export.chrome import chrome_trace
from cascadesim.export.otlp import otlp_json
from cascadesim.plan.outcome import Outcome
from cascadesim.records import Records
from cascadesim.report.data import report
from cascadesim.report.timeline import LEFT, RIGHT, WIDTH
from cascadesim.scenario.load import loads
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from cascadesim.trace import Snapshot

OK, DEGRADED, REJECTED, TIMED_OUT, FAILED, DISCONNECTED, UNFINISHED = (o.word for o in Outcome)
TWO = {"agent": {"work": {"constant": "100ms"}}, "database": {"work": {"constant": "200ms"}}}


def scenario(stages: Data, faults: list[Data], n: int, **rest: Any) -> Data:
    """Return a scenario in which `n` requests arrive, at 1 s, 2 s, …, and all are followed."""
    base = {
        "name": "small",
        "horizon": f"{n}500ms",
        "drain": "100s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": stages,
        "faults": faults,
    }
    return base | rest


def ends(records: Records) -> list[tuple[float, str, str]]:
    """Return latency, outcome and what ended it of every request, rounded to a microsecond."""
    words = [Outcome(code).word for code in records.outcome]
    causes = ["" if i < 0 else records.ends[i] for i in records.ended_by]
    return list(zip(np.round(records.latency, 6).tolist(), words, causes, strict=True))


def test_a_correlated_fault_befalls_each_stage_at_the_same_times() -> None:
    # The first request is at the agent from 1 s, and at the database from 1.1 s to 1.3 s.
    both = {"on": ["agent", "database"], "from": "1200ms", "for": "1s", "outage": {}}
    found = ends(run(scenario(TWO, [both], 3)))
    assert found == [(0.2, FAILED, "database"), (0.0, FAILED, "agent"), (0.3, OK, "")]
    one_each = [both | {"on": name} for name in ("agent", "database")]
    assert plan_of(scenario(TWO, [both], 3)) == plan_of(scenario(TWO, one_each, 3))
    assert ends(run(scenario(TWO, [both | {"on": "agent"}], 3)))[0] == (0.3, OK, "")


OFTEN = {"random": {"mtbf": "20s", "mttr": "5s"}}


def test_random_outages_fail_what_they_meet_and_nothing_else() -> None:
    random = {"on": ["agent", "database"], "outage": {"fail_after": "10ms"}} | OFTEN
    data = scenario(TWO, [random], 300)
    plan = plan_of(data)
    for replication in (0, 1):
        spans = [(fault.start, fault.end) for fault, _ in plan.faults_in(7, replication)]
        assert all(on == ["agent", "database"] for _, on in plan.faults_in(7, replication))
        records = run(data, 7, replication)
        assert records.first_fault == spans[0][0]
        met = [any(s < at + 0.3 and at < e for s, e in spans) for at in records.arrival]
        assert 30 < sum(met) < 270
        assert (met == (records.outcome == Outcome.FAILED)).all()
        late = [row for row, at in enumerate(records.arrival) if any(s <= at < e for s, e in spans)]
        np.testing.assert_allclose(records.latency[late], 0.01)


def test_random_faults_come_at_the_same_times_whatever_they_are_and_do() -> None:
    def times(*faults: Data, seed: int = 3, **rest: Any) -> list[tuple[float, float]]:
        found = plan_of(scenario(TWO, list(faults), 300, **rest)).faults_in(seed)
        return [(f.start, f.end) for f, _ in found if f.kind != "restart"]

    outage = OFTEN | {"on": "agent", "outage": {}}
    before = times(outage)
    planned = {"on": "agent", "from": "1s", "for": "1s", "restart": {}}
    assert times(OFTEN | {"on": ["database", "agent"], "latency": {"add": "1s"}}) == before
    assert times(planned, outage) == before
    assert times(outage, drain="900s")[: len(before)] == before
    assert times(outage, seed=4) != before
    # Another fault has draws of its own; the same draws, with other means, are scaled.
    both = times(outage, outage | {"on": "database"})
    assert set(before) < set(both)
    assert len(both) > len(set(before)) + 3
    longer = times(outage | {"random": {"mtbf": "40s", "mttr": "10s"}})
    n = min(len(before), len(longer))
    np.testing.assert_allclose(longer[:n], 2 * np.array(before[:n]))


def test_a_random_restart_closes_connections_and_makes_callers_wait() -> None:
    pool = {"connect_time": "100ms", "size": 1}
    stage = {"work": {"constant": "0s"}, "pool": pool, "startup": {"timeout": "100s"}}
    restart = {"on": "a", "restart": {}, "random": {"mtbf": "20s", "mttr": "3s"}}
    data = scenario({"a": stage}, [restart], 100)
    spans = [(f.start, f.end) for f, _ in plan_of(data).faults_in(1)]
    records = run(data)
    assert spans[0][0] > 1  # so that the first request makes the connection
    stale = 0
    for row, at in enumerate(records.arrival):
        begun = [s for s, e in spans if s < at]
        waits = next((e - at for s, e in spans if s <= at < e), 0.0)
        # The first that comes after a restart finds its connection closed, and fails.
        if begun and (row == 0 or records.arrival[row - 1] <= begun[-1]):
            stale += 1
            assert Outcome(records.outcome[row]) is Outcome.FAILED
            assert records.ends[records.ended_by[row]] == "a.pool.pre_ping"
            assert abs(records.latency[row] - waits) < 1e-9
    assert stale >= 3


def test_a_warm_up_looks_only_at_what_comes_before_the_first_fault() -> None:
    plan = plan_of(scenario(TWO, [OFTEN | {"on": "agent", "outage": {}}], 300))
    firsts = {simulate(plan, 1, n).first_fault for n in range(5)}
    assert firsts == {plan.faults_in(1, n)[0][0].start for n in range(5)}
    assert len(firsts) == 5
    calm = plan_of(scenario(TWO, [], 3))
    assert simulate(calm, 1).first_fault == calm.horizon


RANDOM = scenario(
    TWO, [OFTEN | {"on": ["agent", "database"], "outage": {}}], 100, name="random", seed=5
)


def test_what_shows_a_run_shows_the_faults_that_were_drawn_for_it(tmp_path: Path) -> None:
    model = loads(json.dumps(RANDOM))
    result = cascadesim.run(model)
    plan = plan_of(RANDOM)
    drawn = [(f.start, min(f.end, plan.end)) for f, _ in plan.faults_in(5)]
    assert len(drawn) > 3
    assert drawn != [(f.start, min(f.end, plan.end)) for f, _ in plan.faults_in(1)]

    chrome_trace(result, tmp_path / "chrome.json")
    events = json.loads((tmp_path / "chrome.json").read_text())["traceEvents"]
    shown = [e for e in events if e.get("cat") == "fault"]
    for name in ("outage of agent", "outage of database"):
        begun, ended = ([e["ts"] for e in shown if (e["ph"], e["name"]) == (p, name)] for p in "be")
        np.testing.assert_allclose(np.transpose((begun, ended)) / 1e6, drawn, atol=1e-8)

    otlp_json(result, tmp_path / "otlp.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "otlp.jsonl").read_text().splitlines()]
    scopes = [
        scope for line in lines for each in line["resourceSpans"] for scope in each["scopeSpans"]
    ]
    spans = [s for scope in scopes for s in scope["spans"] if s["name"] == "fault outage"]
    lasted = [int(s["endTimeUnixNano"]) - int(s["startTimeUnixNano"]) for s in spans]
    expected = 2 * [round((end - start) * 1e9) for start, end in drawn]
    np.testing.assert_allclose(sorted(lasted), sorted(expected), atol=2)

    (line,) = report(model, replications=1).timelines
    width = WIDTH - LEFT - RIGHT
    at = [(band.x - LEFT) / width * plan.horizon for band in line.faults]
    starts = [start for start, _ in drawn if start < plan.horizon]
    np.testing.assert_allclose(at, starts, atol=0.1)
    assert {band.label for band in line.faults} == {"agent, database: calls fail"}


def test_watching_tells_of_a_fault_while_it_lasts() -> None:
    scenario_of = loads(json.dumps(RANDOM))
    plan = plan_of(RANDOM)
    seen: list[Snapshot] = []
    watch(plan, 5, seen.append, 1.0)
    dashboard = Dashboard(scenario_of, 5, plan, 40.0)
    told = [dashboard._faults(snapshot) for snapshot in seen]
    for snapshot, text in zip(seen, told, strict=True):
        down = any(f.start <= snapshot.at < f.end for f, _ in plan.faults_in(5))
        assert text == ("Fault: outage of agent and database" if down else "No fault")
    assert len(set(told)) == 2


def test_many_faults_in_a_report_have_few_labels_and_no_more_bands_than_pixels() -> None:
    often = {"on": "agent", "random": {"mtbf": "100ms", "mttr": "100ms"}, "outage": {}}
    (line,) = report(loads(json.dumps(scenario(TWO, [often], 900))), replications=1).timelines
    labels = [band for band in line.faults if band.label]
    assert len({band.y for band in line.faults}) <= 5
    assert 5 <= len(labels) < 50
    assert len(line.faults) < 10 * WIDTH < len(plan_of(scenario(TWO, [often], 9000)).faults_in(1))


def test_a_worst_case_holds_for_a_fault_at_any_time() -> None:
    stage = {"a": {"work": {"constant": "2s"}, "tracker": {"timeout": "7s"}}}
    slow = {"on": "a", "outage": {"fail_after": "5s"}} | OFTEN
    silent = {"on": "a", "partition": {}} | OFTEN
    for faults, seconds in (([slow], 5.0), ([silent], 7.0), ([silent, slow], 7.0)):
        data = scenario(stage, faults, 100)
        assert worst_case(plan_of(data))["a"].total == seconds
        latency = np.concatenate([run(data, seed).latency for seed in range(9)])
        assert seconds - 0.5 < latency.max() <= seconds


def test_with_random_faults_a_longer_run_tells_more() -> None:
    planned = {"on": "agent", "from": "1s", "for": "1s", "outage": {}}
    random = OFTEN | {"on": "agent", "outage": {}}
    for faults, once in (([], False), ([random], False), ([random, planned], True)):
        assert loads(json.dumps(scenario(TWO, faults, 9))).model.has_planned_faults is once


def leaky(share: str, start: str, lasts: str, **rest: Any) -> Data:
    """Return a stage with two connections, whose sessions take 100 ms, and a leak of its pool."""
    pool = {"connect_time": "0s", "size": 2, "max_overflow": 0, "timeout": "1s"}
    leak = {"on": "a", "from": start, "for": lasts, "pool_leak": {"share": share}}
    return scenario({"a": {"work": {"constant": "100ms"}, "pool": pool} | rest}, [leak], 6)


def test_a_leak_holds_connections_for_good() -> None:
    # Those of the requests at 2 s and at 3 s are lost, and so the pool is empty from then on.
    gone = (1.0, TIMED_OUT, "a.pool.timeout")
    records = run(leaky("100%", "1500ms", "2s"))
    assert ends(records) == [(0.1, OK, ""), (0.1, OK, ""), (0.1, OK, ""), gone, gone, gone]
    (wait,) = [i for i, part in enumerate(records.parts) if part.cause == "pool_wait"]
    np.testing.assert_allclose(records.seconds[:, wait], [0, 0, 0, 1, 1, 1])
    assert run(leaky("0%", "1500ms", "2s")).outcome.max() == Outcome.OK


def test_a_session_leaks_where_it_ends_in_the_fault() -> None:
    kept = [(0.1, OK, "")] * 6
    # Sessions end at 1.1 s, 2.1 s, …: none in the first, one in the second, which lasts on.
    assert ends(run(leaky("100%", "1950ms", "100ms"))) == kept
    for duration in ("100ms", "101ms"):
        out = trace(plan_of(leaky("100%", "2050ms", duration)), 1).levels["a.pool.checked_out"]
        assert out.value[-1] == 1
    assert ends(run(leaky("100%", "2050ms", "50ms"))) == kept
    assert (
        trace(plan_of(leaky("100%", "2050ms", "40ms")), 1).levels["a.pool.checked_out"].value[-1]
        == 0
    )


def test_the_reaper_frees_what_has_leaked() -> None:
    # The sessions of 2 s and 3 s end at 4.5 s and 5.5 s.
    found = ends(run(leaky("100%", "1500ms", "2s", session={"lifetime": "2500ms"})))
    assert found == [(0.1, OK, "")] * 3 + [(0.6, OK, "")] + [(0.1, OK, "")] * 2


def test_a_leak_of_the_pool_adds_to_that_of_sessions() -> None:
    pool = {"connect_time": "0s", "size": 0}
    stage = {"work": {"constant": "1ms"}, "pool": pool, "session": {"leak": "50%"}}
    leak = {"on": "a", "from": "0s", "for": "1h", "pool_leak": {"share": "40%"}}

    def leaked(faults: list[Data], **rest: Any) -> int:
        traced = trace(plan_of(scenario({"a": stage | rest}, faults, 1000)), 1)
        return int(traced.levels["a.pool.checked_out"].value[-1])

    low, high = stats.binom.interval(0.999, 1000, 0.5 + 0.5 * 0.4)
    assert low <= leaked([leak]) <= high
    alone = stats.binom.interval(0.999, 1000, 0.4)
    assert alone[0] <= leaked([leak], session={}) <= alone[1]
    # With a fault in addition, what has leaked without it does so too.
    assert leaked([]) < leaked([leak])


def test_a_pool_of_a_stage_without_work_of_its_own_can_leak() -> None:
    inside = {"b": {"work": {"constant": "100ms"}}}
    pool = {"connect_time": "0s", "size": 1, "max_overflow": 0, "timeout": "500ms"}
    leak = {"on": "a", "from": "0s", "for": "2s", "pool_leak": {"share": 1}}
    found = ends(run(scenario({"a": {"stages": inside, "pool": pool}}, [leak], 2)))
    assert found == [(0.1, OK, ""), (0.5, TIMED_OUT, "a.pool.timeout")]


@pytest.mark.parametrize(
    ("pool", "problem"),
    [
        (None, '"a" has no pool that could leak; give it one'),
        (
            "static",
            '"a" has a static pool, of which all share the one connection, so none is leaked',
        ),
    ],
)
def test_a_leak_needs_a_pool(pool: str | None, problem: str) -> None:
    data = leaky("20%", "0s", "1s")
    del data["stages"]["a"]["pool"]
    if pool is not None:
        data["stages"]["a"]["pool"] = {"kind": pool, "connect_time": "1ms"}
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


def test_after_a_cold_start_calls_get_faster_until_it_is_over() -> None:
    stage = {"agent": {"work": {"constant": "1s"}}}
    cold = {"on": "agent", "from": "0s", "for": "4s", "cold_start": {"multiply": 5}}
    # The factor falls by 1 a second, from 5 at t = 0.
    found = [(4.0, OK, ""), (3.0, OK, ""), (2.0, OK, ""), (1.0, OK, ""), (1.0, OK, "")]
    assert ends(run(scenario(stage, [cold], 5))) == found
    # From the very start of the fault the factor is whole, and it is what the bound has.
    plan = plan_of(scenario(stage, [cold | {"from": "1s"}], 2))
    assert simulate(plan, 1).latency.tolist() == [5.0, 4.0]
    assert worst_case(plan)["agent"].total == 5
    slow = {"on": "agent", "from": "0s", "for": "1h", "latency": {"multiply": 2, "add": "1s"}}
    assert ends(run(scenario(stage, [cold, slow], 1))) == [(9.0, OK, "")]
    assert ends(run(scenario(stage, [slow, cold], 1))) == [(12.0, OK, "")]


def test_a_restart_with_a_cold_start_after_it() -> None:
    stage = {"agent": {"work": {"constant": "1s"}, "startup": {"timeout": "10s"}}}
    restart = {"on": "agent", "from": "500ms", "for": "2s", "restart": {}}
    cold = {"on": "agent", "from": "2500ms", "for": "2s", "cold_start": {"multiply": 3}}
    # Both wait until 2.5 s and then take 3 s; at 3 s the factor is 2.5, and at 4 s it is 1.5.
    found = ends(run(scenario(stage, [restart, cold], 5)))
    assert [seconds for seconds, *_ in found] == [4.5, 3.5, 2.5, 1.5, 1.0]
    tied = restart | {"restart": {"cold_start": {"multiply": 3, "for": "2s"}}}
    assert ends(run(scenario(stage, [tied], 5))) == found
    assert worst_case(plan_of(scenario(stage, [tied], 1)))["agent"].total == 10 + 3


def test_every_random_restart_has_a_cold_start_after_it() -> None:
    """A call that begins a share x of the cold start after the end of a restart has 3 - 2 x."""
    stage = {"agent": {"work": {"constant": "1ms"}}}
    cold = {"cold_start": {"multiply": 3, "for": "10s"}}
    often = {"on": "agent", "random": {"mtbf": "15s", "mttr": "2s"}, "restart": cold}
    plan = plan_of(scenario(stage, [often], 300))
    records = simulate(plan, 1)
    restarts = [fault for fault, _ in plan.faults_in(1)]
    assert len(restarts) > 10
    for arrival, latency, outcome in zip(
        records.arrival, records.latency, records.outcome, strict=True
    ):
        if outcome == Outcome.OK:
            since = min((arrival - f.end for f in restarts if f.end <= arrival), default=10.0)
            factor = 3 - 2 * min(since / 10, 1)
            assert latency == pytest.approx(factor * 1e-3)
