"""Single changes of the settings that a request meets: what else each of them could be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from cascadesim.plan.connections import CONNECTIONS
from cascadesim.plan.stage import walk
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.paths import at, locate
from cascadesim.scenario.vary import Vary, is_fixed, quantity
from cascadesim.studies.design import varies_of
from cascadesim.values.distributions import Work
from cascadesim.values.errors import ScenarioError, show
from cascadesim.values.strict import Strict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pydantic.fields import FieldInfo

    from cascadesim.plan.plan import Plan
    from cascadesim.policies.settings import Policy
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.schema.scenario import ScenarioModel
    from cascadesim.scenario.schema.stages import Stage

# What makes the requests, or says which are measured: another value, and they are others.
_REQUESTS = ("workload", "horizon", "warmup", "drain")
_WHERE = f"workload.{CONNECTIONS}"
_SENDS = ("clients", "messages", "connect_over")  # of them
# What to change: a text such as "agent.concurrency=5,10" or several, or values by dotted path.
Changes = str | Sequence[str] | Mapping[str, Any]
# A dotted path, its field in the schema, and what it holds there.
Setting = tuple[str, "FieldInfo", Any]
# What stages hold that is walked apart, and what is a name.
_APART = ("name", "kind", "stages", "policies")
# What is no choice of who runs the service, beside faults.
_GIVEN = ("work", "connect_time", "ping_time", "failure_rate")
_NEVER = "100000h"  # the mean time to a random fault that does not come
# What says nothing of a breaker that stays closed.
_WHEN_OPEN = (
    *("recovery_timeout", "half_open_permits", "successes_to_close", "when_open"),
    *("max_recoveries", "max_recovery_timeout", "interval", "recovery_growth", "half_open_limit"),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A setting by its dotted path, what it is today and what it could be, as both are written.

    `today` is the default where nothing is written. `plan` is that of the changed scenario.
    """

    path: str
    today: Any
    value: Any
    plan: Plan

    @property
    def chosen(self) -> bool:
        """Return whether who runs the service could choose it."""
        return is_chosen(self.path)


def is_chosen(path: str) -> bool:
    """Return whether a setting can be chosen by who runs the service: no fault, and no work."""
    return path.rpartition(".")[2] not in _GIVEN and not path.startswith("faults.")


def candidates(scenario: Scenario, plan: Plan, records: Records, row: int) -> list[Candidate]:
    """Return single changes of settings that a request has met, in a run of the scenario's plan.

    What variants of the scenario say; numbers halved and doubled, none of it and no limit, where
    the schema allows that; the other words that a setting can be; policies switched on and off;
    work that takes half as long; each fault left out. What would change nothing is left out: the
    same plan, and how long a breaker that never opened would have been open.
    """
    opened = {transition.breaker for transition in records.transitions}
    closed = {
        f"{stage.name}.{policy.name}"
        for stage in plan.walk()
        for policy in stage.policies
        if policy.states_over_time
    } - opened
    seen = {plan}
    changes = []
    for possible in single_changes(scenario, met(plan, records, row)):
        where, _, key = possible.path.rpartition(".")
        if possible.plan not in seen and not (where in closed and key in _WHEN_OPEN):
            seen.add(possible.plan)
            changes.append(possible)
    return changes


def single_changes(scenario: Scenario, stages: Collection[str]) -> Iterator[Candidate]:
    """Yield single changes of settings of these stages, and of connections."""
    yield from allowed(scenario, _possible(scenario, stages))
    yield from _without_faults(scenario, stages)


def allowed(scenario: Scenario, changes: Iterable[tuple[str, Any]]) -> Iterator[Candidate]:
    """Yield changes of a scenario, each alone, but those that it refuses."""
    for path, value in changes:
        with suppress(ScenarioError):
            yield _candidate(scenario, path, value)


def fallbacks(scenario: Scenario) -> set[str]:
    """Return the dotted paths that switch fallbacks on and off."""
    return {
        f"{name}.{policy.name}.enabled"
        for name, stage in _stages(scenario.model.stages)
        for policy in stage.policies
        if policy.kind == "fallback"
    }


def given(scenario: Scenario, changes: Changes) -> list[Candidate]:
    """Return the changes that a user names, each value alone; raises ScenarioError."""
    varies = _named(changes)
    for vary in varies:
        if is_fixed(vary.path) or _makes_requests(vary.path):
            message = "makes other requests, or says what is measured; it cannot be changed here"
            raise ScenarioError(message, f"--change {vary.path}")
        if not vary.values:
            message = 'expected values such as "5s,10s" or steps such as "5..20:5"'
            raise ScenarioError(message, f"--change {vary.path}")
    return [_candidate(scenario, vary.path, value) for vary in varies for value in vary.values]


def _makes_requests(path: str) -> bool:
    """Return whether a setting makes the requests, or says which are measured."""
    if path.startswith(f"{_WHERE}."):
        return path.split(".")[2] in _SENDS
    return path.partition(".")[0] in _REQUESTS


def _named(changes: Changes) -> list[Vary]:
    texts = [changes] if isinstance(changes, str) else changes
    if not isinstance(texts, Mapping | Sequence) or not all(isinstance(t, str) for t in texts):
        message = 'expected texts such as "agent.deadline.timeout=5s,10s", or values by dotted path'
        raise ScenarioError(f"{message}, got {show(changes)}", "--change")
    if isinstance(texts, Mapping):  # where a value stands for a list of it, too
        texts = {path: value if _is_several(value) else [value] for path, value in texts.items()}
    return varies_of(texts, "--change")


def _is_several(value: Any) -> bool:
    return isinstance(value, Sequence) and (not isinstance(value, str) or ".." in value)


def _candidate(scenario: Scenario, path: str, value: Any) -> Candidate:
    changed = scenario.override({path: value}, f"--change {path}")
    return Candidate(path, written(scenario, path), value, compile_plan(changed.model))


def met(plan: Plan, records: Records, row: int) -> list[str]:
    """Return the stages that a request has met: all up to where it ended, with those inside.

    Those inside belong to it even where it did not reach them, as they move what is around them. So
    do all where a message waits for others of its connection, and those of the handshake where it
    waits for a connection.
    """
    spent = [part for part, s in zip(records.parts, records.seconds[row], strict=True) if s > 0]
    wheres = [part.where for part in spent]
    if records.ended_by[row] >= 0:
        wheres.append(records.ends[records.ended_by[row]])
    reached = {where.partition(".")[0] for where in wheres}
    path = plan.path(records.class_of(row))
    inside = [[stage.name for stage in walk((outer,))] for outer in path]
    last = max((i for i, names in enumerate(inside) if reached & {*names}), default=0)
    waits = {part.cause for part in spent if part.where == CONNECTIONS}
    if "head_of_line_wait" in waits:
        last = len(path) - 1
    stages = [name for names in inside[: last + 1] for name in names]
    connects = (
        waits & {"handshake_wait", "retry_backoff"} or f"{_WHERE}.reconnect.attempts" in wheres
    )
    if plan.connections is not None and connects:
        stages += [stage.name for stage in walk(plan.connections.handshake.stages)]
    return stages


def written(scenario: Scenario, path: str) -> Any:
    """Return what a setting is, as it is written; its default where it is not.

    None where there is nothing that it is a setting of.
    """
    *above, key = location = locate(scenario.document.data, path)
    value = at(scenario.document.data, location)
    holder = at(scenario.model, tuple(above))
    return holder.default_of(key) if value is None and isinstance(holder, Strict) else value


def _possible(scenario: Scenario, stages: Collection[str]) -> Iterator[tuple[str, Any]]:
    for variant in scenario.variants:
        for path, value in scenario.changed(variant).items():
            of_connections = path.startswith(f"{_WHERE}.") and not _makes_requests(path)
            if path.split(".")[0] in stages or of_connections:
                yield path, value
    for path, field, holds in _met_settings(scenario.model, stages):
        today = written(scenario, path)
        if isinstance(holds, Work):
            yield path, _half(today)
        for value in _others(field, today):
            yield path, value


def _without_faults(scenario: Scenario, stages: Collection[str]) -> Iterator[Candidate]:
    """Yield the scenario without each fault of stages or of connections."""
    faults = scenario.document.data.get("faults") or []
    for i, fault in enumerate(scenario.model.faults):
        if not {CONNECTIONS, *stages} & {*fault.stages}:
            continue
        # Random faults draw by their number, so the others keep theirs.
        never = {f"faults.{i}.random.mtbf": _NEVER}
        changed = never if fault.random else {"faults": [*faults[:i], *faults[i + 1 :]]}
        plan = compile_plan(scenario.override(changed).model)
        yield Candidate(f"faults.{i}", faults[i], None, plan)


def _met_settings(model: ScenarioModel, stages: Collection[str]) -> Iterator[Setting]:
    """Yield the settings of stages, and of connections where there are some, by dotted path."""
    connections = model.workload.connections
    if connections is not None:
        yield from _fields(_WHERE, connections, _SENDS)
    handshake = {} if connections is None else connections.handshake.stages
    for name, stage in (*_stages(model.stages), *_stages(handshake)):
        if name in stages:
            yield from _fields(name, stage)
            for policy in stage.policies:
                yield from _policy(f"{name}.{policy.name}", policy.chosen)


def _policy(where: str, settings: Policy) -> Iterator[Setting]:
    """Yield the settings of a policy; of one that is off, only that it is."""
    fields = _fields(where, settings)
    return (field for field in fields if settings.enabled or field[0] == f"{where}.enabled")


def _stages(stages: dict[str, Stage]) -> Iterator[tuple[str, Stage]]:
    for name, stage in stages.items():
        yield name, stage
        yield from _stages(stage.stages)


def _fields(where: str, settings: BaseModel, but: Collection[str] = ()) -> Iterator[Setting]:
    """Yield all that the schema has below a setting, by dotted path."""
    for name, field in type(settings).model_fields.items():
        key = field.alias or name
        if key in _APART or key in but:
            continue
        holds = getattr(settings, name)
        yield f"{where}.{key}", field, holds
        if isinstance(holds, BaseModel) and not isinstance(holds, Work):
            yield from _fields(f"{where}.{key}", holds)


def _others(field: FieldInfo, today: Any) -> Iterator[Any]:
    """Yield what a setting could be, not all of which the schema accepts."""
    if get_origin(field.annotation) is Literal:
        yield from (word for word in get_args(field.annotation) if word != today)
    elif isinstance(today, bool):
        yield not today
    elif today is not None:
        yield from _numbers(today)
        if field.default is None:
            yield None  # no limit, or nothing of the kind


def _half(today: Any) -> Any:
    """Return durations that are half as long, in a setting as it is written."""
    if isinstance(today, dict):
        return {key: _half(value) for key, value in today.items()}
    with suppress(PydanticCustomError):
        number, unit, _ = quantity(today)
        return Vary("", (), 0.0, math.inf, "s").written(number / 2) if unit == "s" else today
    return today


def _numbers(today: Any) -> Iterator[Any]:
    try:
        number, unit, whole = quantity(today)
    except PydanticCustomError:
        return
    scale = Vary("", (), 0.0, math.inf, unit, whole)
    yield from (scale.written(value) for value in (number / 2, number * 2, 0.0))
