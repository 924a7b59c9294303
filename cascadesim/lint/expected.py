"""What a scenario says about a setting, and what kind of value it is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cascadesim.lint.values import Kind, Value
from cascadesim.scenario.paths import UnknownPath, locate
from cascadesim.values.distributions import Work
from cascadesim.values.errors import ScenarioError, show, suggest
from cascadesim.values.units import DURATION_PATTERN, RATE_PATTERN, SHARE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.scenario.load import Scenario
    from cascadesim.values.errors import Mark

_KINDS = {DURATION_PATTERN: Kind.TIME, SHARE_PATTERN: Kind.SHARE, RATE_PATTERN: Kind.RATE}


def expected(scenario: Scenario, path: str, mark: Mark) -> tuple[Value, Kind]:
    """Return the value of a setting, by default where it is not written, and its kind.

    Raises ScenarioError at `mark` where the path names no single setting.
    """
    try:
        location = locate(scenario.document.data, path)
    except UnknownPath as error:
        raise ScenarioError(str(error), mark, path) from None
    here: Any = scenario.model
    kind = Kind.PLAIN
    for key in location:
        if isinstance(here, BaseModel):
            names = {field.alias or name: name for name, field in type(here).model_fields.items()}
            if key not in names:
                message = f"no setting {show(key)}; {suggest(str(key), list(names))}"
                raise ScenarioError(message, mark, path)
            kind = _kind(type(here), str(key))
            here = getattr(here, names[str(key)])
        elif (isinstance(here, dict) and key in here) or (
            isinstance(here, list) and isinstance(key, int)
        ):
            here = here[key]  # type: ignore[index]
        else:
            raise ScenarioError(f"the scenario has none, up to {show(key)}", mark, path)
    if kind is Kind.TIME and isinstance(here, Work) and here.kind == "constant":
        here = here.constant  # a time that may be a distribution, and is written as a duration
    if isinstance(here, BaseModel | dict | list):
        within = _settings(here)
        hint = f"; name one inside, such as {path}.{within[0]}" if within else ""
        raise ScenarioError(f"is a group of settings{hint}", mark, path)
    return here, kind


def _settings(group: Any) -> list[str]:
    if isinstance(group, BaseModel):
        return [field.alias or name for name, field in type(group).model_fields.items()]
    return [str(key) for key in (group if isinstance(group, dict) else range(len(group)))]


@cache
def _kind(model: type[BaseModel], key: str) -> Kind:
    """Return the kind of a field by the pattern of what may be written there."""
    schema = model.model_json_schema()
    schema = schema.get("$defs", {}).get(model.__name__, schema)  # where it holds its own kind
    patterns = _patterns(schema["properties"][key])
    return next((_KINDS[pattern] for pattern in patterns if pattern in _KINDS), Kind.PLAIN)


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        for value in schema.values():
            yield from _patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _patterns(value)
