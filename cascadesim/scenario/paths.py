"""Dotted paths: the one way to name a setting, such as `agent.breaker.recovery_timeout`.

A stage goes by its name wherever it is nested, a policy by its name or else its kind, a fault or
an observation by its index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascadesim.scenario.schema import PolicyChoice, ScenarioModel, Stage, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.scenario.source import Location


class UnknownPath(Exception):  # noqa: N818 - the caller makes an error with a place of it
    """A dotted path that names nothing; the text says what it may have meant."""


def locate(data: Any, path: str) -> Location:
    """Return where in a scenario's data the setting of a dotted path stands, or would stand."""
    head, *rest = path.split(".")
    if not all([head, *rest]):
        raise UnknownPath(f'"{path}" is not a dotted path such as agent.deadline.timeout')
    stages = dict(_stages(data))
    if head in stages:
        location = stages[head]
        return _inside(data, location, head, rest)
    top = [key for key in ScenarioModel.known_keys() if key not in ("stages", "variants")]
    if head in top:
        return (head, *(int(key) if key.isdigit() else key for key in rest))
    raise UnknownPath(f'no stage or setting "{head}"; {suggest(head, [*stages, *top])}')


def dotted(data: Any, location: Location) -> str:
    """Return the dotted path of a location; the location itself where it is no setting."""
    words: list[str] = []
    keys = list(location)
    while keys:
        if keys[0] == "stages" and len(keys) > 1:
            data = _get(_get(data, "stages"), keys[1])
            words = [str(keys[1])]  # a stage's name is enough, wherever it is nested
            keys = keys[2:]
        elif keys[0] == "policies" and len(keys) > 2 and words:
            data = _get(_get(_get(data, "policies"), keys[1]), keys[2])
            words.append(str(_get(data, "name") or keys[2]))
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


def _stages(data: Any, above: Location = ()) -> Iterator[tuple[str, Location]]:
    stages = _get(data, "stages")
    for name, stage in (stages if isinstance(stages, dict) else {}).items():
        yield name, (*above, "stages", name)
        yield from _stages(stage, (*above, "stages", name))


def _policies(stage: Any) -> dict[str, Location]:
    """Return where the policies of a stage stand, by what they go by."""
    found: dict[str, Location] = {}
    policies = _get(stage, "policies")
    for i, policy in enumerate(policies if isinstance(policies, list) else []):
        for kind, settings in (policy if isinstance(policy, dict) else {}).items():
            found[str(_get(settings, "name") or kind)] = ("policies", i, kind)
    return found


def _inside(data: Any, stage: Location, name: str, rest: list[str]) -> Location:
    for key in stage:
        data = data[key]
    if not rest:
        return stage
    policies = _policies(data)
    if rest[0] in policies:
        return (*stage, *policies[rest[0]], *rest[1:])
    keys = Stage.known_keys()
    if rest[0] not in keys:
        if rest[0] in PolicyChoice.known_keys():
            hint = f"its policies: {', '.join(policies) or 'none'}"
        else:
            hint = suggest(rest[0], [*policies, *keys])
        raise UnknownPath(f'the stage "{name}" has no "{rest[0]}"; {hint}')
    return (*stage, *rest)
