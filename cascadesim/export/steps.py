"""What exported traces have in common: spans of requests, breakers, faults, and their file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.files import write_files
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.values.outcome import ERRORS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cascadesim.faults.plan import FaultPlan
    from cascadesim.plan.layout import Part
    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan
    from cascadesim.records import Records, Trace


encode = json.JSONEncoder(separators=(",", ":")).encode


def write_texts(path: str | Path, texts: Iterable[str]) -> None:
    """Write texts to a file, whole or not at all.

    Raises ScenarioError where the file cannot be written.
    """

    def write(file: Path) -> None:
        with file.open("w", encoding="ascii", newline="\n") as out:
            out.writelines(texts)

    path = Path(path)
    write_files(path.parent, {path.name: write})


@dataclass(slots=True)
class Step:
    """A span of a request's time in a stage: a whole stay, or one part of it.

    `part` is None for a stay. `around` is the index, in the same list, of the stay around the step;
    -1 where there is only the request. Times are in seconds. `branch` is 0 on the critical path,
    and the number of the branch beside it for what the request had not to wait for.
    """

    stage: str
    part: Part | None
    start: float
    end: float
    around: int
    branch: int = 0

    @property
    def name(self) -> str:
        """Return the stage, or the name of the part's column: "agent.breaker.breaker_wait"."""
        return self.stage if self.part is None else self.part.column.removesuffix("_s")


def requests(trace: Trace, plan: Plan) -> Iterator[tuple[int, list[Step]]]:
    """Yield the row of every request with its steps, each step after the one around it.

    Calls of a stage without a pause between them are one stay.
    """
    parts = trace.records.parts
    stages = dict(_paths(plan.stages, ())) | {CONNECTIONS: (CONNECTIONS,)}
    paths = [stages[part.where.partition(".")[0]] for part in parts]  # no stage has a dot
    bounds = np.searchsorted(trace.request, np.arange(len(trace.records.arrival) + 1)).tolist()
    for row in range(len(trace.records.arrival)):
        spans = slice(bounds[row], bounds[row + 1])
        steps: list[Step] = []
        stays: list[int] = []  # under way, outermost first
        last = 0
        ends = dict(zip(trace.branch[spans].tolist(), trace.end[spans].tolist(), strict=True))
        for branch, index, start, end in zip(
            trace.branch[spans].tolist(),
            trace.part[spans].tolist(),
            trace.start[spans].tolist(),
            trace.end[spans].tolist(),
            strict=True,
        ):
            path = paths[index]
            if branch != last:
                last, stays = branch, _around(steps, path, start, ends[branch])
            _enter(steps, stays, path, start, branch)
            for stay in stays:
                if steps[stay].branch == branch:
                    steps[stay].end = end
            steps.append(Step(path[-1], parts[index], start, end, stays[-1], branch))
        yield row, steps


def ended(steps: list[Step], arrival: float) -> float:
    """Return when the request of these steps ends: with its critical path, in seconds."""
    return max((step.end for step in steps if not step.branch), default=arrival)


def _paths(
    stages: tuple[StagePlan, ...], outer: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of every stage with the names around it, outermost first, and its own."""
    for stage in stages:
        path = (*outer, stage.name)
        yield stage.name, path
        yield from _paths(stage.stages, path)


def _around(steps: list[Step], path: tuple[str, ...], start: float, end: float) -> list[int]:
    """Return the stays around a branch that begins on this path, outermost first."""
    stays: list[int] = []
    for number, step in enumerate(steps):
        around = stays[-1] if stays else -1
        inside = step.part is None and step.around == around and step.start <= start
        if inside and len(stays) < len(path) and step.stage == path[len(stays)] and end <= step.end:
            stays.append(number)
    return stays


def _enter(
    steps: list[Step], stays: list[int], path: tuple[str, ...], now: float, branch: int
) -> None:
    """End the stays that are not on the path, and begin those that are missing."""
    shared = 0
    while shared < min(len(stays), len(path)) and steps[stays[shared]].stage == path[shared]:
        shared += 1
    del stays[shared:]
    for stage in path[shared:]:
        steps.append(Step(stage, None, now, now, stays[-1] if stays else -1, branch))
        stays.append(len(steps) - 1)


def about(records: Records, row: int) -> dict[str, Any]:
    """Return what the records have of a request as a whole."""
    outcome, ended_by = Outcome(records.outcome[row]), int(records.ended_by[row])
    known: dict[str, Any] = {
        "request": row,
        "outcome": outcome.word,
        "retries": int(records.retries[row]),
        "measured": bool(records.arrival[row] >= records.warmup),
    }
    if ended_by >= 0:
        known["ended_by"] = records.ends[ended_by]
    if records.classes:
        known["class"] = records.class_of(row)
    if records.observation[row] >= 0:
        known["observation"] = int(records.observation[row])
    return known


def is_error(outcome: str) -> bool:
    """Return whether an outcome, given as its word, is an error."""
    return outcome in [error.word for error in ERRORS]


def breakers(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the stage and the dotted path of every circuit breaker."""
    for stage in plan.walk():
        for policy in stage.policies:
            if policy.states_over_time:
                yield stage.name, f"{stage.name}.{policy.name}"


def faults(plan: Plan, seed: int) -> Iterator[tuple[str, FaultPlan, float]]:
    """Yield the stage of every fault that begins within the run, the fault, and its end."""
    for fault, stages in plan.faults_in(seed):
        for stage in stages:
            yield stage, fault, min(fault.end, plan.end)
