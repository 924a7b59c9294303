"""Dotted paths, which name a setting: `agent.breaker.recovery_timeout`.

A stage has its name in them, however deeply it is nested; a policy its name or else its kind; a
fault or an observation its index.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cascadesim.scenario.schema.policies import PolicyChoice
from cascadesim.scenario.schema.scenario import ScenarioModel
from cascadesim.scenario.schema.stages import Stage
from cascadesim.values.errors import show, suggest
from cascadesim.values.strict import NAME_PATTERN, held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.scenario.source import Location


# Keys that a dotted path leaves out: the names inside are enough.
LEFT_OUT = ("stages", "policies")


class UnknownPath(Exception):  # noqa: N818 - the caller makes an error with a place of it
    """A dotted path names nothing; the text says what may have been meant."""


def locate(data: Any, path: str) -> Location:
    """Return the location of a dotted path in a scenario's data, whether or not it is written.

    Raises UnknownPath for a path that names nothing.
    """
    head, *rest = path.split(".")
    if not all([head, *rest]):
        raise UnknownPath(f"{show(path)} is not a dotted path such as agent.deadline.timeout")
    stages = dict(_all_stages(data))
    if head in stages:
        return _inside(data, stages[head], head, rest)
    others = ("stages", "variants", "sweep")
    top = [key for key in ScenarioModel.known_keys() if key not in others]
    if head in top:
        return _walk(data, (head,), rest)
    if head == "stages" and rest:
        right = show(".".join(rest))
        raise UnknownPath(f"a dotted path begins with the stage's name; write {right}")
    raise UnknownPath(f"no stage or setting {show(head)}; {suggest(head, [*stages, *top])}")


def dotted(data: Any, location: Location) -> str:
    """Return the dotted path of a location; its keys joined where it is no setting."""
    words: list[str] = []
    keys = list(location)
    while keys:
        if keys[0] == "stages" and len(keys) > 1:
            data = _get(_get(data, "stages"), keys[1])
            words = [str(keys[1]) or '""']  # a stage's name is enough, wherever it is nested
            keys = keys[2:]
        elif keys[0] == "policies" and len(keys) > 2 and words:
            data = _get(_get(_get(data, "policies"), keys[1]), keys[2])
            words.append(_policy_name(data, keys[2]))
            keys = keys[3:]
        else:
            data = _get(data, keys[0])
            words.append(str(keys[0]))
            keys = keys[1:]
    return ".".join(words)


def _get(data: Any, key: str | int) -> Any:
    try:
        return data[key]
    except (KeyError, IndexError, TypeError):
        return None


def at(data: Any, location: Location) -> Any:
    """Return what a scenario's data, or its model, holds at a location; None for nothing."""
    for key in location:
        data = (held(data) or {}).get(key)
    return data


_HANDSHAKE: Location = ("workload", "connections", "handshake")  # which has stages, too


def _all_stages(data: Any) -> Iterator[tuple[str, Location]]:
    yield from _stages(data)
    yield from _stages(at(data, _HANDSHAKE), _HANDSHAKE)


def _stages(data: Any, above: Location = ()) -> Iterator[tuple[str, Location]]:
    stages = _get(data, "stages")
    for name, stage in (stages if isinstance(stages, dict) else {}).items():
        yield str(name), (*above, "stages", name)
        yield from _stages(stage, (*above, "stages", name))


def _policies(stage: Any) -> dict[str, Location]:
    """Return the locations of a stage's policies by their names in dotted paths."""
    policies = _get(stage, "policies")
    return {
        _policy_name(settings, kind): ("policies", i, kind)
        for i, policy in enumerate(policies if isinstance(policies, list) else [])
        for kind, settings in (policy if isinstance(policy, dict) else {}).items()
    }


def _policy_name(settings: Any, kind: str | int) -> str:
    name = _get(settings, "name") if isinstance(settings, dict) else None
    usable = isinstance(name, str) and re.fullmatch(NAME_PATTERN, name)
    return str(name if usable and name not in Stage.known_keys() else kind)


def _inside(data: Any, stage: Location, name: str, rest: list[str]) -> Location:
    settings = at(data, stage)
    policies = _policies(settings)
    if not rest or rest[0] in Stage.known_keys():
        return _walk(data, stage, rest)
    if rest[0] in policies:
        return _walk(data, (*stage, *policies[rest[0]]), rest[1:])
    if rest[0] in PolicyChoice.known_keys():
        hint = f"its policies: {', '.join(policies) or 'none'}"
    else:
        hint = suggest(rest[0], [*policies, *Stage.known_keys()])
    raise UnknownPath(f"the stage {show(name)} has no {show(rest[0])}; {hint}")


def _walk(data: Any, location: Location, rest: list[str]) -> Location:
    """Return the location that the rest of a dotted path leads to."""
    for key in rest:
        here = at(data, location)
        name = show(dotted(data, location))
        if isinstance(here, list | tuple):
            if re.fullmatch(r"[0-9]{1,9}", key) is None or int(key) >= len(here):
                last = len(here) - 1
                known = {-1: "it is empty", 0: "it has only 0"}.get(last, f"it has 0 to {last}")
                raise UnknownPath(f"{name} has no entry {show(key)}; {known}")
            location = (*location, int(key))
        elif here is None or isinstance(here, dict):
            location = (*location, key)
        else:
            raise UnknownPath(f"{name} is a single value, with no {show(key)} inside")
    return location
