"""The value of a setting in a scenario, and its kind."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from cascadesim.lint.values import Kind, Value
from cascadesim.scenario.paths import UnknownPath, locate
from cascadesim.values.distributions import Work
from cascadesim.values.errors import ScenarioError, show, suggest
from cascadesim.values.strict import Strict, held
from cascadesim.values.units import DURATION_PATTERN, RATE_PATTERN, SHARE_PATTERN

if TYPE_CHECKING:
    from cascadesim.scenario.load import Scenario
    from cascadesim.values.errors import Mark

_KINDS = {DURATION_PATTERN: Kind.TIME, SHARE_PATTERN: Kind.SHARE, RATE_PATTERN: Kind.RATE}


def expected(scenario: Scenario, path: str, mark: Mark) -> tuple[Value, Kind]:
    """Return the value of a setting, its default where it is not written, and its kind.

    Raises ScenarioError at `mark` for a path that names no single setting.
    """
    try:
        location = locate(scenario.document.data, path)
    except UnknownPath as error:
        raise ScenarioError(str(error), mark, path) from None
    here: Any = scenario.model
    kind = Kind.PLAIN
    for key in location:
        parts = held(here)
        if isinstance(here, Strict):
            if key not in (known := here.known_keys()):
                message = f"no setting {show(key)}; {suggest(str(key), known)}"
                raise ScenarioError(message, mark, path)
            kind = _kind(type(here), str(key))
        if parts is None or key not in parts:
            raise ScenarioError(f"the scenario has none, up to {show(key)}", mark, path)
        here = parts[key]
    if kind is Kind.TIME and isinstance(here, Work) and here.kind == "constant":
        here = here.constant  # a time that may be a distribution, and is written as a duration
    parts = held(here)
    if parts is not None:
        hint = f"; name one inside, such as {path}.{next(iter(parts))}" if parts else ""
        raise ScenarioError(f"is a group of settings{hint}", mark, path)
    return here, kind


@cache
def _kind(model: type[Strict], key: str) -> Kind:
    """Return the kind of a field by the pattern of the texts that may be written there."""
    schema = model.model_json_schema()
    schema = schema.get("$defs", {}).get(model.__name__, schema)  # where it holds its own kind
    field = json.dumps(schema["properties"][key])
    kinds = (kind for pattern, kind in _KINDS.items() if json.dumps(pattern) in field)
    return next(kinds, Kind.PLAIN)
