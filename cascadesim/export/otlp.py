"""OpenTelemetry spans in OTLP/JSON, in the file format of the OTLP File Exporter.

A line is one TracesData. Every request is a trace: a root span, in it a span for each stay in a
stage, in it a span for each part of the latency. Spans off the critical path have the attribute
`cascadesim.critical`, false. One more trace has the run with its faults and breakers. A stage is a
service. The instant t = 0 is the scenario's clock time on 2000-01-01 (UTC),
midnight where it has none.

Followed: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/ and
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids in hex, 64-bit integers as
text, enumerations as numbers).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.export.steps import (
    Step,
    about,
    breakers,
    encode,
    ended,
    faults,
    is_error,
    requests,
    write_texts,
)
from cascadesim.values.units import parse_clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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
    write_texts(path, (_text(result, line) for line in _lines(_spans(result))))


def _text(result: Result, line: Line) -> str:
    scope = {"name": "cascadesim", "version": __version__}
    resources = [
        {
            "resource": {"attributes": _attributes(_resource(result, service))},
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }
        for service, spans in line.items()
    ]
    return encode({"resourceSpans": resources}) + "\n"


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
    run = f"{plan!r}/{result.seed}"
    times = _Times(MIDNIGHT + (parse_clock(clock) or 0.0 if clock else 0.0))
    yield from _run(result, plan, _Ids(f"{run}/run"), times)
    for row, steps in requests(result.trace, plan):
        yield from _request(result, row, steps, _Ids(f"{run}/{row}"), times)


def _run(result: Result, plan: Plan, ids: _Ids, times: _Times) -> Iterator[tuple[str, Span]]:
    whole = times.between(0.0, plan.end)
    yield result.scenario.name, ids.span("run", whole)
    for stage, fault, end in faults(plan, result.seed):
        span = ids.span(f"fault {fault.kind}", times.between(fault.start, end), around=0)
        yield stage, span | _own({"stage": stage, "fault": fault.kind})
    for stage, breaker in breakers(plan):
        events = [
            {"timeUnixNano": times.at(change.at), "name": f"breaker {change.state}"}
            | _own({"breaker.state": change.state})
            for change in result.trace.records.transitions
            if change.breaker == breaker
        ]
        span = ids.span(breaker, whole, around=0) | _own({"stage": stage, "breaker": breaker})
        yield stage, span | {"events": events}


def _request(
    result: Result, row: int, steps: list[Step], ids: _Ids, times: _Times
) -> Iterator[tuple[str, Span]]:
    records = result.trace.records
    arrival = float(records.arrival[row])
    root = ids.span("request", times.between(arrival, ended(steps, arrival)))
    yield result.scenario.name, root | {"kind": _SERVER, **_outcome(records, row)}
    for step in steps:
        span = ids.span(step.name, times.between(step.start, step.end), step.around + 1)
        known: dict[str, Any] = {"stage": step.stage}
        if step.part is not None:
            known |= {"cause": step.part.cause, "setting": step.part.setting}
        if step.branch:
            known["critical"] = False
        yield step.stage, span | _own(known)


def _outcome(records: Records, row: int) -> Span:
    """Return the attributes and the status of a root span."""
    known = about(records, row)
    outcome, span = known["outcome"], _own(known)
    if is_error(outcome):
        ended_by = known.get("ended_by")
        message = f"{outcome} by {ended_by}" if ended_by else outcome
        span["attributes"] += _attributes({"error.type": outcome})
        return span | {"status": {"code": _ERROR, "message": message}}
    return span | {"status": {} if outcome == "unfinished" else {"code": _OK}}


def _own(known: dict[str, Any]) -> Span:
    """Return the attributes of a span, in the namespace of this package."""
    return {"attributes": _attributes({f"cascadesim.{name}": v for name, v in known.items()})}


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
        # Added as integers: a float of Unix seconds is too coarse for nanoseconds.
        return str(round(self.zero * 1000) * 1_000_000 + round(seconds * 1e9))

    def between(self, start: float, end: float) -> dict[str, str]:
        return {"startTimeUnixNano": self.at(start), "endTimeUnixNano": self.at(end)}


class _Ids:
    """Numbers the spans of one trace: the same ids for the same text, others for any other."""

    def __init__(self, trace: str) -> None:
        digest = hashlib.blake2b(trace.encode(), digest_size=24).digest()
        self._trace = digest[:16].hex()
        # Never 0, never too long.
        self._first = int.from_bytes(digest[16:]) & 0x7FFF_FFFF_FFFF_0000 | 1
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
