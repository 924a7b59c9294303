"""Chrome's Trace Event Format, as a JSON object that ui.perfetto.dev and chrome://tracing open.

Requests are nestable asynchronous events: those of one outcome lie in one group of tracks. Levels
are counters. What ran off a request's critical path has tracks of its own, beside the request's.
Each breaker has a track, with a slice for each state and an instant for each transition. Faults are
asynchronous events. Timestamps are microseconds from t = 0 of the scenario.

Followed: "Trace Event Format" (Chromium project), https://perfetto.dev/docs/getting-started/other-formats
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.export.steps import (
    Step,
    about,
    breakers,
    encode,
    ended,
    faults,
    requests,
    write_texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records, Trace
    from cascadesim.studies.run import Result

_REQUESTS, _WORLD, _LEVELS = 1, 2, 3  # process ids, by which viewers group tracks
_PROCESSES = {_REQUESTS: "requests", _WORLD: "breakers and faults", _LEVELS: "levels"}

Event = dict[str, Any]


def chrome_trace(result: Result, path: str | Path) -> None:
    """Write a run as a trace for ui.perfetto.dev, whole or not at all.

    Raises ScenarioError where the file cannot be written.
    """
    write_texts(path, _texts(result))


def _texts(result: Result) -> Iterator[str]:
    scenario = result.scenario
    about_run = {
        "scenario": scenario.name,
        "variant": scenario.variant,
        "seed": result.seed,
        "clock": scenario.model.clock,
        "cascadesim": __version__,
    }
    yield f'{{"displayTimeUnit":"ms","otherData":{encode(about_run)},"traceEvents":['
    separator = "\n"
    for event in _events(result.trace, result.plan, result.seed):
        yield separator + encode(event)
        separator = ",\n"
    yield "\n]}\n"


def _events(trace: Trace, plan: Plan, seed: int) -> Iterator[Event]:
    for pid, name in _PROCESSES.items():
        yield _event("M", "process_name", pid, 0.0, args={"name": name})
        yield _event("M", "process_sort_index", pid, 0.0, args={"sort_index": pid})
    yield from _faults(plan, seed)
    yield from _breakers(trace.records, plan)
    yield from _levels(trace, plan)
    for row, steps in requests(trace, plan):
        yield from _request(trace.records, row, steps)


def _event(phase: str, name: str, pid: int, at: float, tid: int = 0, **more: Any) -> Event:
    return {"ph": phase, "name": name, "pid": pid, "tid": tid, "ts": _microseconds(at)} | more


def _microseconds(seconds: float) -> float:
    """Return a time rounded to whole nanoseconds, so that equal times stay equal in the file."""
    return round(seconds * 1e9) / 1000


def _faults(plan: Plan, seed: int) -> Iterator[Event]:
    for number, (stage, fault, end) in enumerate(faults(plan, seed)):
        name = f"{fault.kind} of {stage}"
        of_fault: Event = {"cat": "fault", "id": hex(number)}
        args = {"stage": stage, "kind": fault.kind}
        yield _event("b", name, _WORLD, fault.start, **of_fault, args=args)
        yield _event("e", name, _WORLD, end, **of_fault)


def _breakers(records: Records, plan: Plan) -> Iterator[Event]:
    for tid, (stage, breaker) in enumerate(breakers(plan), 1):
        yield _event("M", "thread_name", _WORLD, 0.0, tid, args={"name": breaker})
        changes = [change for change in records.transitions if change.breaker == breaker]
        ends = [*(change.at for change in changes), plan.end][1:]
        for change, end in zip(changes, ends, strict=True):
            args = {"stage": stage, "breaker": breaker, "state": change.state}
            name = f"{breaker} {change.state}"
            yield _event("i", name, _WORLD, change.at, tid, cat="breaker", s="p", args=args)
            if change.state != "closed":
                begun = _event("X", change.state, _WORLD, change.at, tid, cat="breaker", args=args)
                yield begun | {"dur": round(_microseconds(end) - begun["ts"], 3)}


def _levels(trace: Trace, plan: Plan) -> Iterator[Event]:
    for path, level in trace.levels.items():
        name = path.rpartition(".")[2]
        value = 0
        for at, value in zip(level.at.tolist(), level.value.tolist(), strict=True):
            yield _event("C", path, _LEVELS, at, args={name: value})
        yield _event("C", path, _LEVELS, plan.end, args={name: value})  # drawn up to there


def _request(records: Records, row: int, steps: list[Step]) -> Iterator[Event]:
    known = about(records, row)
    of_request: Event = {"cat": "request", "id": hex(row)}
    arrival = float(records.arrival[row])
    name = f"request {known['outcome']}"
    yield _event("b", name, _REQUESTS, arrival, **of_request, args=known)
    for branch in range(1 + max((step.branch for step in steps), default=0)):
        of_branch = of_request if not branch else of_request | {"id": f"{hex(row)}.{branch}"}
        yield from _steps(steps, branch, of_branch)
    yield _event("e", name, _REQUESTS, ended(steps, arrival), **of_request)


def _steps(steps: list[Step], branch: int, of_request: Event) -> Iterator[Event]:
    """Yield the steps of one branch, which has a track of its own beside the critical path."""
    stays: list[int] = []  # not yet ended, outermost first

    def leave(around: int) -> Iterator[Event]:
        while stays and stays[-1] != around:
            stay = steps[stays.pop()]
            yield _event("e", stay.name, _REQUESTS, stay.end, **of_request)

    for number, step in enumerate(steps):
        if step.branch != branch:
            continue
        around = step.around if step.around >= 0 and steps[step.around].branch == branch else -1
        yield from leave(around)
        args = {"stage": step.stage}
        if step.part is not None:
            args |= {"cause": step.part.cause, "setting": step.part.setting}
        yield _event("b", step.name, _REQUESTS, step.start, **of_request, args=args)
        stays.append(number)
        if step.part is not None:
            yield from leave(around)
    yield from leave(-1)
