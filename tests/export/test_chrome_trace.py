"""Exported traces against the rules of Chrome's Trace Event Format."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from strategies import Data, scenarios

import cascadesim
from cascadesim.export import chrome_trace
from cascadesim.values.outcome import Outcome

Event = dict[str, Any]

INCIDENT = ROOT / "scenarios" / "incident-60s"
SHORT = {"horizon": "6min", "drain": "1min"}
REQUIRED = {
    "b": {"cat", "id", "args"},
    "e": {"cat", "id"},
    "X": {"dur"},
    "i": {"s"},
    "C": {"args"},
    "M": {"args"},
}
METADATA = {"process_name": "name", "thread_name": "name", "process_sort_index": "sort_index"}


def read(path: Path) -> list[Event]:
    """Return the events in order of time, those of one instant as they stand in the file."""
    events: list[Event] = json.loads(path.read_text("ascii"))["traceEvents"]
    return sorted(events, key=lambda event: float(event["ts"]))


def check_form(events: list[Event]) -> None:
    """Hold every event against the keys of its phase."""
    for event in events:
        assert {"name", "ph", "ts", "pid", "tid"} | REQUIRED[event["ph"]] <= set(event)
        assert event["ts"] >= 0
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "C":
            assert all(isinstance(value, int) for value in event["args"].values())
        if event["ph"] == "M":
            assert METADATA[event["name"]] in event["args"]
        if event["ph"] == "i":
            assert event["s"] in {"g", "p", "t"}


def paired(events: list[Event]) -> dict[tuple[str, str], list[tuple[int, Event, float]]]:
    """Return begun events with depth and microseconds, by category and id.

    An end belongs to the last begin of its category and id that has none.
    """
    open_: dict[tuple[str, str], list[Event]] = defaultdict(list)
    done: dict[tuple[str, str], list[tuple[int, Event, float]]] = defaultdict(list)
    for event in events:
        if event["ph"] not in "be":
            continue
        key = (event["cat"], event["id"])
        if event["ph"] == "b":
            open_[key].append(event)
            continue
        begun = open_[key].pop()
        assert (begun["name"], begun["pid"]) == (event["name"], event["pid"])
        done[key].append((len(open_[key]), begun, event["ts"] - begun["ts"]))
    assert not any(open_.values())
    return done


def check_slices(events: list[Event]) -> None:
    """Slices of one thread do not overlap."""
    free: dict[tuple[int, int], float] = defaultdict(float)
    for event in events:
        if event["ph"] == "X":
            thread = (event["pid"], event["tid"])
            assert event["dur"] >= 0
            assert event["ts"] >= free[thread] - 1e-3
            free[thread] = event["ts"] + event["dur"]


def check_sums(result: cascadesim.Result, events: list[Event]) -> None:
    records = result.records
    columns = {part.column: i for i, part in enumerate(records.parts)}
    tracks = {key: track for key, track in paired(events).items() if key[0] == "request"}
    requests = {key: track for key, track in tracks.items() if "." not in key[1]}
    assert len(requests) == len(records.arrival)
    for key, each in requests.items():
        ((_, whole, lasted),) = (one for one in each if one[0] == 0)
        row = whole["args"]["request"]
        assert whole["name"] == f"request {Outcome(records.outcome[row]).word}"
        assert whole["ts"] == pytest.approx(records.arrival[row] * 1e6, abs=1e-3)
        assert lasted == pytest.approx(records.latency[row] * 1e6, abs=3e-3)
        sums = np.zeros(len(records.parts))
        for _, event, microseconds in each:
            if "cause" in event["args"]:
                sums[columns[f"{event['name']}_s"]] += microseconds / 1e6
        most = 2e-9 * (len(each) + 1)
        np.testing.assert_allclose(sums, records.seconds[row], rtol=0, atol=most)
        beside = Counter[str]()
        for other, track in tracks.items():
            if other[1].startswith(f"{key[1]}."):
                for _, event, microseconds in track:
                    if "cause" in event["args"]:
                        beside[f"{event['name']}_s"] += microseconds / 1e6
        of_parts = [beside.pop(part.column, 0.0) for part in records.beside_parts]
        np.testing.assert_allclose(of_parts, records.beside[row], rtol=0, atol=1e-7)
        assert not beside


def run(data: Data) -> cascadesim.Result:
    return cascadesim.run(cascadesim.loads(json.dumps(data)))


@settings(max_examples=25)
@given(scenarios())
def test_events_of_any_scenario_are_well_formed_and_add_up(
    tmp_path_factory: pytest.TempPathFactory, data: Data
) -> None:
    result = run(data)
    path = tmp_path_factory.mktemp("chrome") / "trace.json"
    chrome_trace(result, path)
    events = read(path)
    check_form(events)
    check_slices(events)
    check_sums(result, events)


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> tuple[cascadesim.Result, Path]:
    path = tmp_path_factory.mktemp("chrome") / "trace.json"
    result = cascadesim.run(cascadesim.load(INCIDENT).at("before").override(SHORT))
    chrome_trace(result, path)
    return result, path


@pytest.mark.slow
def test_events_of_an_incident_add_up(incident: tuple[cascadesim.Result, Path]) -> None:
    result, path = incident
    events = read(path)
    check_form(events)
    check_slices(events)
    check_sums(result, events)
    about = json.loads(path.read_text("ascii"))["otherData"]
    assert (about["scenario"], about["variant"], about["seed"]) == ("incident-60s", "before", 1)
    assert about["clock"] == "23:25:00"


def test_a_stage_inside_a_stage_is_a_level_deeper(
    incident: tuple[cascadesim.Result, Path],
) -> None:
    for key, each in paired(read(incident[1])).items():
        if key[0] == "request":
            depths = {event["name"]: depth for depth, event, _ in each}
            assert depths["client"] + 1 == depths["auth"] == depths["auth.service_work"] - 1


def test_counters_follow_the_levels(incident: tuple[cascadesim.Result, Path]) -> None:
    result, path = incident
    counters: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for event in read(path):
        if event["ph"] == "C":
            (value,) = event["args"].values()
            counters[event["name"]].append((event["ts"], value))
    assert set(counters) == set(result.trace.levels)
    for name, level in result.trace.levels.items():
        at, value = zip(*counters[name], strict=True)
        assert at == pytest.approx([*(level.at * 1e6), 420e6], abs=1e-3)
        assert value == (*level.value, level.value[-1])


def test_breakers_and_faults_stand_out(incident: tuple[cascadesim.Result, Path]) -> None:
    result, path = incident
    events = read(path)
    instants = [(e["ts"], e["name"]) for e in events if e["ph"] == "i"]
    changes = [
        (round(change.at * 1e9) / 1e3, f"{change.breaker} {change.state}")
        for change in result.records.transitions
    ]
    assert sorted(instants) == sorted(changes)
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    recoveries = [
        e["dur"]
        for e in events
        if e["ph"] == "X" and names[e["tid"]] == "agent.breaker" and e["name"] == "open"
    ]
    assert recoveries
    assert min(recoveries) == pytest.approx(60e6, abs=1e-3)  # its recovery timeout
    faults = [each for (category, _), each in paired(events).items() if category == "fault"]
    (((_, fault, lasted),),) = faults
    assert (fault["name"], fault["ts"], lasted) == ("hang of agent", 268e6, 46e6)


def test_a_breaker_that_stays_open_is_open_to_the_end(tmp_path: Path) -> None:
    stage = {
        "work": {"constant": "10ms"},
        "failure_rate": "100%",
        "policies": [{"breaker": {"failure_threshold": 1, "recovery_timeout": "1h"}}],
    }
    arrivals = {"arrivals": {"constant": {"rate": "1/s"}}}
    chrome_trace(
        run({"name": "x", "horizon": "9s", "workload": arrivals, "stages": {"a": stage}}),
        tmp_path / "trace",
    )
    (opened,) = (event for event in read(tmp_path / "trace") if event["ph"] == "X")
    assert (opened["ts"], opened["dur"]) == pytest.approx((1.01e6, 7.99e6))


def test_a_run_without_requests_is_valid(tmp_path: Path) -> None:
    arrivals = {"arrivals": {"constant": {"rate": "1/h"}}}
    stages = {"a": {"work": {"constant": "10ms"}}}
    chrome_trace(
        run({"name": "x", "horizon": "9s", "workload": arrivals, "stages": stages}),
        tmp_path / "trace",
    )
    events = read(tmp_path / "trace")
    check_form(events)
    assert [event["args"] for event in events if event["ph"] == "C"] == [{"in_flight": 0}] * 2
