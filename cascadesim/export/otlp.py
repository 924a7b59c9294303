"""OpenTelemetry spans in OTLP/JSON, in the file format of the OTLP File Exporter.

A line is one TracesData. Every request is a trace of its own: a root span, in it a span a stay in
a stage, in it a span a part of the latency; one more trace has the run with its faults and
breakers. A stage is a service. The instant t = 0 is the scenario's clock time on 2000-01-01 (UTC),
midnight where it has none.

Followed: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/ and
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids in hex, 64-bit integers as
text, enumerations as numbers).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.export.steps import Step, about, breakers, faults, is_error, requests
from cascadesim.files import write_files
from cascadesim.values.units import parse_clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.studies.run import Result

MIDNIGHT = 946_684_800  # 2000-01-01 00:00:00 UTC in Unix seconds
_SPANS = 500  # a line; the OpenTelemetry Collector cuts one of more than 1 MiB
_INTERNAL, _SERVER = 1, 2  # SpanKind
_OK, _ERROR = 1, 2  # StatusCode; an unfinished request has none

Span = dict[str, Any]
Line = dict[str, list[Span]]  # by service


def otlp_json(result: Result, path: str | Path) -> None:
    """Write the requests of a run as OpenTelemetry spans, whole or not at all.

    The same run has the same ids. Raises ScenarioError where the file cannot be written.
    """
    path = Path(path)
    write_files(path.parent, {path.name: lambda file: _write(result, file)})


def _write(result: Result, file: Path) -> None:
    encode = json.JSONEncoder(separators=(",", ":")).encode
    with file.open("w", encoding="ascii", newline="\n") as out:
        for line in _lines(_spans(result)):
            resources = [
                {
                    "resource": {"attributes": _attributes(_resource(result, service))},
                    "scopeSpans": [
                        {"scope": {"name": "cascadesim", "version": __version__}, "spans": spans}
                    ],
                }
                for service, spans in line.items()
            ]
            out.write(encode({"resourceSpans": resources}) + "\n")


def _lines(spans: Iterable[tuple[str, Span]]) -> Iterator[Line]:
    line: Line = {}
    for i, (service, span) in enumerate(spans, 1):
        line.setdefault(service, []).append(span)
        if i % _SPANS == 0:
            yield line
            line = {}
    if line:
        yield line


def _resource(result: Result, service: str) -> dict[str, Any]:
    known = {
        "service.name": service,
        "service.namespace": result.scenario.name,
        "cascadesim.seed": result.seed,
    }
    if result.scenario.variant is not None:
        known["cascadesim.variant"] = result.scenario.variant
    return known


def _spans(result: Result) -> Iterator[tuple[str, Span]]:
    """Yield every span with its service."""
    plan = result.plan
    clock = result.scenario.model.clock
    ids = _Ids(f"{plan!r}/{result.seed}")
    times = _Times(MIDNIGHT + (parse_clock(clock) or 0.0 if clock else 0.0))
    yield from _run(result, plan, ids.of("run"), times)
    for row, steps in requests(result.trace, plan):
        yield from _request(result, row, steps, ids.of(f"{row}"), times)


def _run(result: Result, plan: Plan, ids: _TraceIds, times: _Times) -> Iterator[tuple[str, Span]]:
    root = ids.span("run", times.between(0.0, plan.end))
    yield result.scenario.name, root
    for stage, fault, end in faults(plan, result.seed):
        span = ids.span(f"fault {fault.kind}", times.between(fault.start, end), around=0)
        known = {"cascadesim.stage": stage, "cascadesim.fault": fault.kind}
        yield stage, span | {"attributes": _attributes(known)}
    for stage, breaker in breakers(plan):
        span = ids.span(breaker, times.between(0.0, plan.end), around=0)
        known = {"cascadesim.stage": stage, "cascadesim.breaker": breaker}
        events = [
            {
                "timeUnixNano": times.at(change.at),
                "name": f"breaker {change.state}",
                "attributes": _attributes({"cascadesim.breaker.state": change.state}),
            }
            for change in result.trace.records.transitions
            if change.breaker == breaker
        ]
        yield stage, span | {"attributes": _attributes(known), "events": events}


def _request(
    result: Result, row: int, steps: list[Step], ids: _TraceIds, times: _Times
) -> Iterator[tuple[str, Span]]:
    records = result.trace.records
    arrival = float(records.arrival[row])
    root = ids.span("request", times.between(arrival, steps[-1].end if steps else arrival))
    yield result.scenario.name, root | {"kind": _SERVER, **_outcome(records, row)}
    for step in steps:
        span = ids.span(step.name, times.between(step.start, step.end), step.around + 1)
        known = {"cascadesim.stage": step.stage}
        if step.part is not None:
            known |= {
                "cascadesim.cause": step.part.cause,
                "cascadesim.setting": step.part.setting,
            }
        yield step.stage, span | {"attributes": _attributes(known)}


def _outcome(records: Records, row: int) -> Span:
    """Return the attributes and the status of a root span."""
    of_request = about(records, row)
    known = {f"cascadesim.{name}": value for name, value in of_request.items()}
    outcome = of_request["outcome"]
    if is_error(outcome):
        ended_by = of_request.get("ended_by")
        message = f"{outcome} by {ended_by}" if ended_by else outcome
        known["error.type"] = outcome
        return {"attributes": _attributes(known), "status": {"code": _ERROR, "message": message}}
    status = {} if outcome == "unfinished" else {"code": _OK}
    return {"attributes": _attributes(known), "status": status}


def _attributes(known: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in known.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value}


@dataclass(frozen=True, slots=True)
class _Times:
    """Instants as OTLP has them: nanoseconds since 1970, as text."""

    zero: float  # Unix seconds of t = 0

    def at(self, seconds: float) -> str:
        # Apart, as a float of Unix seconds is too coarse for nanoseconds.
        return str(round(self.zero * 1000) * 1_000_000 + round(seconds * 1e9))

    def between(self, start: float, end: float) -> dict[str, str]:
        return {"startTimeUnixNano": self.at(start), "endTimeUnixNano": self.at(end)}


@dataclass(frozen=True, slots=True)
class _Ids:
    """Ids of a run: the same for the same plan and seed, others for any other."""

    run: str

    def of(self, trace: str) -> _TraceIds:
        digest = hashlib.blake2b(f"{self.run}/{trace}".encode(), digest_size=24).digest()
        first = int.from_bytes(digest[16:]) & 0x7FFF_FFFF_FFFF_0000 | 1  # never 0, never too long
        return _TraceIds(digest[:16].hex(), first)


class _TraceIds:
    """Numbers the spans of one trace."""

    def __init__(self, trace: str, first: int) -> None:
        self._trace = trace
        self._first = first
        self._made = 0

    def span(self, name: str, times: dict[str, str], around: int | None = None) -> Span:
        """Return the next span; `around` is the number of its parent, from 0."""
        span: Span = {"traceId": self._trace, "spanId": self._hex(self._made)}
        if around is not None:
            span["parentSpanId"] = self._hex(around)
        self._made += 1
        return span | {"name": name, "kind": _INTERNAL, **times}

    def _hex(self, number: int) -> str:
        return f"{self._first + number:016x}"
