"""Faults on several stages and at random times, and what shows them.

Arrivals are constant: one a second at t = 1, 2, 3 …; work is constant.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from kit import FAILED, OK, Data, ends, plan_of, reasons, run, scenario, work

import cascadesim
from cascadesim.analysis.bounds import worst_case
from cascadesim.cli.watch import Dashboard
from cascadesim.engine import simulate, watch
from cascadesim.export.chrome import chrome_trace
from cascadesim.export.otlp import otlp_json
from cascadesim.report.data import report
from cascadesim.report.timeline import LEFT, RIGHT, WIDTH
from cascadesim.scenario.load import loads
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.records import Snapshot

TWO = {"agent": work("100ms"), "database": work("200ms")}


def faulty(stages: Data, faults: list[Data], n: int, **rest: Any) -> Data:
    """Return a scenario of `n` requests, in which random faults come until 100 s after them."""
    return scenario(stages, n, **({"drain": "100s", "faults": faults} | rest))


def test_a_fault_of_several_stages_has_the_same_times_at_each() -> None:
    # The first request is at the agent from 1 s, and at the database from 1.1 s to 1.3 s.
    both = {"on": ["agent", "database"], "from": "1200ms", "for": "1s", "outage": {}}
    records = run(faulty(TWO, [both], 3))
    assert ends(records) == [(0.2, FAILED), (0.0, FAILED), (0.3, OK)]
    assert reasons(records) == ["database", "agent", None]
    one_each = [both | {"on": name} for name in ("agent", "database")]
    assert plan_of(faulty(TWO, [both], 3)) == plan_of(faulty(TWO, one_each, 3))
    assert ends(run(faulty(TWO, [both | {"on": "agent"}], 3)))[0] == (0.3, OK)


OFTEN = {"random": {"mtbf": "20s", "mttr": "5s"}}


def test_random_outages_fail_the_calls_that_meet_them_and_no_others() -> None:
    random = {"on": ["agent", "database"], "outage": {"fail_after": "10ms"}} | OFTEN
    data = faulty(TWO, [random], 300)
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
        found = plan_of(faulty(TWO, list(faults), 300, **rest)).faults_in(seed)
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
    data = faulty({"a": stage}, [restart], 100)
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
    plan = plan_of(faulty(TWO, [OFTEN | {"on": "agent", "outage": {}}], 300))
    firsts = {simulate(plan, 1, n).first_fault for n in range(5)}
    assert firsts == {plan.faults_in(1, n)[0][0].start for n in range(5)}
    assert len(firsts) == 5
    calm = plan_of(faulty(TWO, [], 3))
    assert simulate(calm, 1).first_fault == calm.horizon


RANDOM = faulty(
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
    (line,) = report(loads(json.dumps(faulty(TWO, [often], 900))), replications=1).timelines
    labels = [band for band in line.faults if band.label]
    assert len({band.y for band in line.faults}) <= 5
    assert 5 <= len(labels) < 50
    assert len(line.faults) < 10 * WIDTH < len(plan_of(faulty(TWO, [often], 9000)).faults_in(1))


def test_a_worst_case_holds_for_a_fault_at_any_time() -> None:
    stage = {"a": {"work": {"constant": "2s"}, "tracker": {"timeout": "7s"}}}
    slow = {"on": "a", "outage": {"fail_after": "5s"}} | OFTEN
    silent = {"on": "a", "hang": {}} | OFTEN
    for faults, seconds in (([slow], 5.0), ([silent], 7.0), ([silent, slow], 7.0)):
        data = faulty(stage, faults, 100)
        assert worst_case(plan_of(data))["a"].total == seconds
        latency = np.concatenate([run(data, seed).latency for seed in range(9)])
        assert seconds - 0.5 < latency.max() <= seconds


def test_with_random_faults_a_longer_run_tells_more() -> None:
    planned = {"on": "agent", "from": "1s", "for": "1s", "outage": {}}
    random = OFTEN | {"on": "agent", "outage": {}}
    for faults, once in (([], False), ([random], False), ([random, planned], True)):
        assert loads(json.dumps(faulty(TWO, faults, 9))).model.has_planned_faults is once
