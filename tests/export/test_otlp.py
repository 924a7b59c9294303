"""Exported spans, read back as OpenTelemetry's own protobuf messages."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from google.protobuf import json_format
from hypothesis import given, settings
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData
from strategies import Data, scenarios

import cascadesim
from cascadesim.export import chrome_trace, otlp_json
from cascadesim.values.outcome import Outcome

INCIDENT = ROOT / "scenarios" / "incident-60s"
SHORT = {"horizon": "6min", "drain": "1min"}
NANOSECOND = 1e-9
ZERO = 946_684_800 * 10**9  # midnight of 2000-01-01 (UTC)

Spans = dict[bytes, list[tuple[str, Span]]]  # by trace, with their services


def read(path: Path) -> Spans:
    """Return spans as a receiver does: a line is one TracesData, ids are in hex and not base64."""
    found: Spans = defaultdict(list)
    for line in path.read_text("ascii").splitlines():
        data = json.loads(line)
        for resource in data["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    as_base64(span)
        for group in json_format.ParseDict(data, TracesData()).resource_spans:
            known = attributes(group.resource)
            for scope_spans in group.scope_spans:
                for parsed in scope_spans.spans:
                    found[parsed.trace_id].append((known["service.name"], parsed))
    return found


def as_base64(span: dict[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in span:
            assert span[key] == span[key].lower()
            span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()


def attributes(holder: Any) -> dict[str, Any]:
    found = {each.key: each.value for each in holder.attributes}
    assert len(found) == len(holder.attributes)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in found.items()}


def critical(span: Span) -> bool:
    """Return whether a request had to wait for it."""
    return bool(attributes(span).get("cascadesim.critical", True))


def seconds(span: Span) -> float:
    return float(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


def in_time(span: Span) -> tuple[int, bytes]:
    return span.start_time_unix_nano, span.span_id


def root(spans: list[tuple[str, Span]]) -> Span:
    (found,) = (span for _, span in spans if not span.parent_span_id)
    return found


def requests(spans: Spans) -> dict[int, list[tuple[str, Span]]]:
    roots = {trace: attributes(root(each)) for trace, each in spans.items()}
    return {
        known["cascadesim.request"]: spans[trace]
        for trace, known in roots.items()
        if "cascadesim.request" in known
    }


def run(data: Data) -> cascadesim.Result:
    return cascadesim.run(cascadesim.loads(json.dumps(data)))


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> tuple[cascadesim.Result, Spans]:
    path = tmp_path_factory.mktemp("otlp") / "spans.jsonl"
    result = cascadesim.run(cascadesim.load(INCIDENT).at("before").override(SHORT))
    otlp_json(result, path)
    return result, read(path)


def check_ids(spans: Spans) -> None:
    for trace, each in spans.items():
        ids = [span.span_id for _, span in each]
        assert len(set(ids)) == len(ids)
        assert (len(trace), {len(one) for one in ids}) == (16, {8})
        assert any(trace)
        assert all(any(one) for one in ids)
        assert {span.parent_span_id for _, span in each} <= {b"", *ids}


def check_nesting(spans: Spans) -> None:
    """Every span lies within its parent, and those inside a stay fill it one after the other."""
    for all_spans in spans.values():
        known = {span.span_id: span for _, span in all_spans}
        each = [(service, span) for service, span in all_spans if critical(span)]
        for _, span in all_spans:
            if not critical(span):
                parent = known[span.parent_span_id]
                assert parent.start_time_unix_nano <= span.start_time_unix_nano
                assert span.end_time_unix_nano <= parent.end_time_unix_nano
        inside: dict[bytes, list[Span]] = defaultdict(list)
        for span in sorted((span for _, span in each), key=in_time):
            inside[span.parent_span_id].append(span)
        around = root(each)
        if around.name == "run":
            continue
        for _, span in each:
            within = inside[span.span_id]
            starts = [child.start_time_unix_nano for child in within]
            ends = [child.end_time_unix_nano for child in within]
            if within:
                assert [*starts, span.end_time_unix_nano] == [span.start_time_unix_nano, *ends]
                stays = [child.name for child in within if "." not in child.name]
                if len(stays) == len(within):  # one stage after another, and none twice in a row
                    assert all(one != after for one, after in pairwise(stays))
            else:
                assert span is around or "cascadesim.cause" in attributes(span)


def check_sums(result: cascadesim.Result, spans: Spans) -> None:
    """Every request has its spans, and they add up to what the records say."""
    records = result.records
    columns = {part.column: i for i, part in enumerate(records.parts)}
    of_requests = requests(spans)
    assert sorted(of_requests) == list(range(len(records.arrival)))
    for row, each in of_requests.items():
        sums = np.zeros(len(records.parts))
        beside = Counter[str]()
        for service, span in each:
            known = attributes(span)
            if "cascadesim.cause" in known:
                part = records.parts[columns[f"{span.name}_s"]]
                assert (known["cascadesim.cause"], known["cascadesim.setting"]) == (
                    part.cause,
                    part.setting,
                )
                assert service == known["cascadesim.stage"] == part.where.partition(".")[0]
                if critical(span):
                    sums[columns[part.column]] += seconds(span)
                else:
                    beside[part.column] += seconds(span)
        most = NANOSECOND * (len(each) + 1)
        np.testing.assert_allclose(sums, records.seconds[row], rtol=0, atol=most)
        of_parts = [beside.pop(part.column, 0.0) for part in records.beside_parts]
        np.testing.assert_allclose(of_parts, records.beside[row], rtol=0, atol=most)
        assert not beside
        assert seconds(root(each)) == pytest.approx(records.latency[row], abs=2 * NANOSECOND)


@settings(max_examples=25)
@given(scenarios())
@pytest.mark.slow
def test_spans_of_any_scenario_parse_nest_and_add_up(
    tmp_path_factory: pytest.TempPathFactory, data: Data
) -> None:
    result = run(data)
    path = tmp_path_factory.mktemp("otlp") / "spans.jsonl"
    otlp_json(result, path)
    spans = read(path)
    check_ids(spans)
    check_nesting(spans)
    check_sums(result, spans)


@pytest.mark.slow
def test_spans_of_an_incident_add_up(incident: tuple[cascadesim.Result, Spans]) -> None:
    result, spans = incident
    check_ids(spans)
    check_nesting(spans)
    check_sums(result, spans)


def test_the_observed_request_shows_what_it_waited_for(
    incident: tuple[cascadesim.Result, Spans],
) -> None:
    result, spans = incident
    row = int(np.flatnonzero(result.records.observation == 0)[0])
    each = requests(spans)[row]
    start = datetime.fromtimestamp(root(each).start_time_unix_nano // 10**9, UTC)
    assert start.isoformat() == "2000-01-01T23:29:59+00:00"  # 60.27 s before 23:31:00
    assert attributes(root(each))["cascadesim.observation"] == 0
    assert root(each).kind == Span.SPAN_KIND_SERVER
    longest = max((span for _, span in each if span.name.count(".")), key=seconds)
    assert longest.name == "agent.reliability_manager.breaker_wait"
    names = {span.span_id: span.name for _, span in each}
    assert names[longest.parent_span_id] == "agent"
    (auth,) = (span for _, span in each if span.name == "auth")
    assert names[auth.parent_span_id] == "client"


def test_outcomes_are_statuses(incident: tuple[cascadesim.Result, Spans]) -> None:
    result, spans = incident
    codes = {
        Outcome.OK: Status.STATUS_CODE_OK,
        Outcome.DEGRADED: Status.STATUS_CODE_OK,
        Outcome.UNFINISHED: Status.STATUS_CODE_UNSET,
    }
    records = result.records
    for row, each in requests(spans).items():
        span, outcome = root(each), Outcome(records.outcome[row])
        known = attributes(span)
        assert known["cascadesim.outcome"] == outcome.word
        assert span.status.code == codes.get(outcome, Status.STATUS_CODE_ERROR)
        assert (known.get("error.type") == outcome.word) == (outcome not in codes)
        if outcome not in codes:
            ended_by = records.ends[records.ended_by[row]]
            assert span.status.message == f"{outcome.word} by {ended_by}"
            assert known["cascadesim.ended_by"] == ended_by
    assert {Outcome.OK, Outcome.TIMED_OUT} <= set(records.outcome)


def test_breakers_and_faults_are_spans_of_the_run(
    incident: tuple[cascadesim.Result, Spans],
) -> None:
    result, spans = incident
    (whole,) = (each for each in spans.values() if root(each).name == "run")
    start = 23 * 3600 + 25 * 60
    assert root(whole).start_time_unix_nano == ZERO + start * 10**9
    assert seconds(root(whole)) == 7 * 60
    events = sorted(
        (event.time_unix_nano, span.name, event.name) for _, span in whole for event in span.events
    )
    changes = [
        (ZERO + start * 10**9 + round(change.at * 1e9), change.breaker, f"breaker {change.state}")
        for change in result.records.transitions
    ]
    assert events == sorted(changes)
    assert events
    (fault,) = ((service, span) for service, span in whole if span.name == "fault hang")
    assert fault[0] == "agent"
    assert seconds(fault[1]) == 46
    assert fault[1].start_time_unix_nano == ZERO + (23 * 3600 + 29 * 60 + 28) * 10**9


PLAIN: Data = {
    "name": "plain",
    "horizon": "2s",
    "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
    "stages": {"a": {"work": {"constant": "100ms"}}},
}


def test_a_run_without_clock_begins_at_midnight(tmp_path: Path) -> None:
    otlp_json(run(PLAIN), tmp_path / "spans")
    (one,) = requests(read(tmp_path / "spans")).values()
    assert root(one).start_time_unix_nano == ZERO + 10**9
    assert [span.name for _, span in one] == ["request", "a", "a.service_work"]


def test_a_run_without_requests_is_a_trace_of_the_run(tmp_path: Path) -> None:
    otlp_json(run(PLAIN | {"horizon": "500ms"}), tmp_path / "spans")
    (spans,) = read(tmp_path / "spans").values()
    assert [span.name for _, span in spans] == ["run"]


def test_requests_that_never_end_have_spans_to_the_end(tmp_path: Path) -> None:
    stages = {"a": {"work": {"constant": "1h"}}}
    result = run(PLAIN | {"stages": stages, "horizon": "5s"})
    otlp_json(result, tmp_path / "spans")
    spans = read(tmp_path / "spans")
    check_sums(result, spans)
    for each in requests(spans).values():
        assert root(each).end_time_unix_nano == ZERO + 5 * 10**9
        assert root(each).status.code == Status.STATUS_CODE_UNSET


def test_long_and_strange_names_keep_lines_short_enough_for_the_collector(tmp_path: Path) -> None:
    name = "<script>$é" + "x" * 190
    stages = {name: {"work": {"constant": "100ms"}, "concurrency": 1}}
    arrivals = {"arrivals": {"constant": {"rate": "20/s"}}}
    result = run(PLAIN | {"stages": stages, "workload": arrivals, "horizon": "60s"})
    otlp_json(result, tmp_path / "spans")
    lines = (tmp_path / "spans").read_bytes().split(b"\n")
    assert max(map(len, lines)) < 2**20
    assert len(lines) > 5
    assert {service for each in read(tmp_path / "spans").values() for service, _ in each} == {
        "plain",
        name,
    }


def test_ids_are_those_of_plan_and_seed(tmp_path: Path) -> None:
    def ids(scenario: cascadesim.Scenario, seed: int) -> set[bytes]:
        otlp_json(cascadesim.run(scenario, seed), tmp_path / "spans")
        return set(read(tmp_path / "spans"))

    plain = cascadesim.loads(json.dumps(PLAIN))
    first = ids(plain, 1)
    assert ids(plain, 1) == first
    assert not ids(plain, 2) & first
    assert not ids(plain.override({"a.work.constant": "101ms"}), 1) & first


IN_ANOTHER_PROCESS = """
import sys, cascadesim
from cascadesim.export import chrome_trace, otlp_json
result = cascadesim.run(cascadesim.load(sys.argv[1]).at("after").override({"horizon": "6min"}))
otlp_json(result, sys.argv[2] + "/otlp")
chrome_trace(result, sys.argv[2] + "/chrome")
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    scenario = cascadesim.load(INCIDENT).at("after").override({"horizon": "6min"})
    otlp_json(cascadesim.run(scenario), tmp_path / "here-otlp")
    chrome_trace(cascadesim.run(scenario), tmp_path / "here-chrome")
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(INCIDENT), str(tmp_path)]
    subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "7"}, check=True)
    for kind in ("otlp", "chrome"):
        assert (tmp_path / kind).read_bytes() == (tmp_path / f"here-{kind}").read_bytes()
