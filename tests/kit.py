"""What tests share: small scenarios, their runs, and what the records of a run say.

`strategies` has the scenarios that hypothesis draws.
"""

import hashlib
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from cascadesim.engine import simulate
from cascadesim.plan.outcome import Outcome
from cascadesim.plan.plan import Plan
from cascadesim.randomness import Stream
from cascadesim.records import Records
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import loads

Data = dict[str, Any]
Address = tuple[str, int, int]

OK, DEGRADED, REJECTED, TIMED_OUT, FAILED, DISCONNECTED, UNFINISHED = (o.word for o in Outcome)


def plan_of(data: Data) -> Plan:
    """Load and compile a scenario (JSON is YAML)."""
    return compile_plan(loads(json.dumps(data)).model)


def run(data: Data, seed: int = 1, replication: int = 0) -> Records:
    return simulate(plan_of(data), seed, replication)


def scenario(stages: Data, n: int = 1, drain: str = "1000s", **rest: Any) -> Data:
    """Return a scenario in which `n` requests arrive, at 1 s, 2 s, … and all are followed."""
    base = {
        "name": "small",
        "horizon": f"{n}500ms",
        "drain": drain,
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": stages,
    }
    return base | rest


def stage(work: str = "1s", *policies: Data, **rest: Any) -> Data:
    return {"a": {"work": {"constant": work}, "policies": list(policies)} | rest}


ALWAYS: Data = {"failure_rate": "100%"}


def fault(start: str, duration: str, on: str = "a", **kind: Any) -> Data:
    return {"on": on, "from": start, "for": duration} | kind


def simulated(stages: Data, n: int = 1, **rest: Any) -> Records:
    return run(scenario(stages, n, **rest))


def ends(records: Records) -> list[tuple[float, str]]:
    """Return (latency, outcome) of every request, latencies rounded to a microsecond."""
    words = [Outcome(code).word for code in records.outcome]
    return list(zip(np.round(records.latency, 6).tolist(), words, strict=True))


def spent(records: Records, row: int = 0) -> dict[str, float]:
    """Return the seconds by part of one request, without the parts that took none."""
    pairs = zip(records.parts, np.round(records.seconds[row], 6).tolist(), strict=True)
    return {f"{part.where}.{part.cause}": seconds for part, seconds in pairs if seconds}


def changes(records: Records) -> list[tuple[float, str]]:
    return [(round(change.at, 6), change.state) for change in records.transitions]


def content(records: Records) -> bytes:
    columns = ("arrival", "latency", "outcome", "retries", "ended_by", "observation", "seconds")
    arrays = [getattr(records, name).tobytes() for name in (*columns, "request_class")]
    rest = repr((records.parts, records.transitions, sorted(records.calls.items())))
    return b"".join([*arrays, rest.encode()])


def digest(many: list[Data]) -> str:
    return hashlib.sha256(b"".join(content(run(data)) for data in many)).hexdigest()


def draws_of(data: Data) -> tuple[dict[Address, float], Counter[Address]]:
    """Return every draw of a run by its address, and how often it was made."""
    at = Stream.at
    values: dict[Address, float] = {}
    times: Counter[Address] = Counter()

    def watched(stream: Stream, request: int, attempt: int = 0) -> float:
        address = (stream._address, request, attempt)
        values[address] = at(stream, request, attempt)
        times[address] += 1
        return values[address]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stream, "at", watched)
        run(data)
    return values, times


def with_timeouts(value: Any, factor: int) -> Any:
    """Return the scenario with every timeout and lifetime multiplied."""
    if isinstance(value, list):
        return [with_timeouts(item, factor) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: with_timeouts(item, factor) for key, item in value.items()}
    for key in ("timeout", "recovery_timeout", "max_recovery_timeout", "lifetime"):
        if isinstance(changed.get(key), str):
            changed[key] = f"{int(changed[key].removesuffix('ms')) * factor}ms"
    return changed
