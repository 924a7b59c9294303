"""What tests share: small scenarios, their runs, and what the records of a run say.

`strategies` has the scenarios that hypothesis draws.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from cascadesim.engine import simulate, trace
from cascadesim.plan.layout import Part
from cascadesim.plan.plan import Plan
from cascadesim.randomness import Stream
from cascadesim.records import Records
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import loads
from cascadesim.values.outcome import Outcome

Data = dict[str, Any]
Address = tuple[str, int, int]

OK, DEGRADED, REJECTED, SHED, TIMED_OUT, FAILED, DISCONNECTED, UNFINISHED = (
    o.word for o in Outcome
)
ALWAYS: Data = {"failure_rate": "100%"}


def examples(number: int) -> Callable[[Callable[..., None]], Any]:
    """Mark a law, and let it be held against so many drawn examples, at EXAMPLES=1.

    By the environment's EXAMPLES `make test` holds it against half as many, and `make test-slow`
    against several times as many.
    """
    times = float(os.environ.get("EXAMPLES", "0.5"))
    drawn = settings(max_examples=max(1, round(number * times)))
    return lambda test: pytest.mark.laws(drawn(test))


# Parts of a scenario, as the data of a YAML file -----------------------------------------------


def work(seconds: str = "1s", *policies: Data, **rest: Any) -> Data:
    """Return a stage without its name, of constant work."""
    return {"work": {"constant": seconds}, "policies": list(policies)} | rest


def stage(seconds: str = "1s", *policies: Data, **rest: Any) -> Data:
    """Return stages of which there is one, "a"."""
    return {"a": work(seconds, *policies) | rest}


def deadline(timeout: str, on_timeout: str = "cancel", **rest: Any) -> Data:
    return {"deadline": {"timeout": timeout, "on_timeout": on_timeout} | rest}


def retry(**settings: Any) -> Data:
    return {"retry": settings}


def breaker(**settings: Any) -> Data:
    return {"breaker": {"failure_threshold": 1, "recovery_timeout": "10s"} | settings}


def pool(**settings: Any) -> Data:
    return {"connect_time": "100ms"} | settings


def fault(start: str, duration: str, on: str = "a", **kind: Any) -> Data:
    return {"on": on, "from": start, "for": duration} | kind


def outage(start: str, duration: str, fail_after: str = "0s") -> Data:
    return fault(start, duration, outage={"fail_after": fail_after})


def slow(start: str, duration: str, add: str) -> Data:
    return fault(start, duration, latency={"add": add})


def observed(*instants: str, latency: str = "1s", **rest: Any) -> Data:
    """Return a scenario's settings by which nothing arrives but observed requests, at instants."""
    seen = [{"at": at, "latency": latency, "stamp": "arrival"} | rest for at in instants]
    return {"workload": {"arrivals": {"constant": {"rate": "1/h"}}}, "observations": seen}


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


# Runs --------------------------------------------------------------------------------------


def plan_of(data: Data) -> Plan:
    """Load and compile a scenario (JSON is YAML)."""
    return compile_plan(loads(json.dumps(data)).model)


def run(data: Data, seed: int = 1, replication: int = 0) -> Records:
    return simulate(plan_of(data), seed, replication)


def simulated(stages: Data, n: int = 1, **rest: Any) -> Records:
    return run(scenario(stages, n, **rest))


# What records say ----------------------------------------------------------------------------


def ends(records: Records) -> list[tuple[float, str]]:
    """Return (latency, outcome) of every request, latencies rounded to a microsecond."""
    words = [Outcome(code).word for code in records.outcome]
    return list(zip(np.round(records.latency, 6).tolist(), words, strict=True))


def latencies(records: Records) -> list[float]:
    """Return the latency of every request, all of which must be answered well."""
    assert set(records.outcome) == {Outcome.OK}
    return [latency for latency, _ in ends(records)]


def spent(records: Records, row: int = 0) -> dict[str, float]:
    """Return the seconds by part of one request, without the parts that took none."""
    return _by_part(records.parts, records.seconds[row])


def beside(records: Records, row: int = 0) -> dict[str, float]:
    """Return the seconds by part that one request spent off its critical path, likewise."""
    return _by_part(records.beside_parts, records.beside[row])


def _by_part(parts: tuple[Part, ...], seconds: NDArray[np.float64]) -> dict[str, float]:
    pairs = zip(parts, np.round(seconds, 6).tolist(), strict=True)
    return {f"{part.where}.{part.cause}": spent for part, spent in pairs if spent}


def waits_for(records: Records, cause: str) -> list[float]:
    """Return how long each request waits for the one cause of that name, in seconds."""
    (column,) = [i for i, part in enumerate(records.parts) if part.cause == cause]
    waits: list[float] = np.round(records.seconds[:, column], 6).tolist()
    return waits


def reasons(records: Records) -> list[str | None]:
    """Return the setting or stage that ended each request, if any did."""
    return [records.ends[end] if end >= 0 else None for end in records.ended_by]


def ended_by(records: Records, row: int = 0) -> str | None:
    return reasons(records)[row]


def changes(records: Records) -> list[tuple[float, str]]:
    return [(round(change.at, 6), change.state) for change in records.transitions]


def steps(path: str, stages: Data, n: int = 1, **rest: Any) -> dict[float, int]:
    """Return a level of the run by the instants at which it changes."""
    level = trace(plan_of(scenario(stages, n, **rest)), 1).levels[path]
    return dict(zip(level.at.round(9).tolist(), level.value.tolist(), strict=True))


def content(records: Records) -> bytes:
    columns = ("arrival", "latency", "outcome", "retries", "ended_by", "observation", "seconds")
    arrays = [getattr(records, name).tobytes() for name in (*columns, "request_class")]
    rest = repr((records.parts, records.transitions, sorted(records.calls.items())))
    return b"".join([*arrays, rest.encode()])


def digest(many: list[Data]) -> str:
    return hashlib.sha256(b"".join(content(run(data)) for data in many)).hexdigest()


class Draws(NamedTuple):
    """Every draw of a run by its address, how often each was made, and what came out."""

    values: dict[Address, float]
    times: Counter[Address]
    records: Records


def draws_of(data: Data) -> Draws:
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
        records = run(data)
    return Draws(values, times, records)


# Other settings ------------------------------------------------------------------------------


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
