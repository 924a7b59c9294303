"""The mapping file: the places of a scenario's settings in the files of a service."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cascadesim.lint.values import UNITS
from cascadesim.scenario.source import read
from cascadesim.values.errors import ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cascadesim.scenario.source import Document, Location
    from cascadesim.values.errors import Mark

_KEYS = ("scenario", "variant", "root", "settings", "checks")
_PLACE_KEYS = ("at", "unit", "values", "default")
_EXPECTED = 'expected FILE:PATTERN such as "app/agent.py:Breaker(recovery_timeout)"'
_COMPARISON = re.compile(r"(\S.*?)\s+(<=|>=|==|!=|<|>)\s+(\S.*)")


@dataclass(frozen=True)
class Place:
    """A pattern in a file, and how to read the value there.

    `values` says what texts in the file stand for. `default` is the value, as the file would have
    it, of an argument that is left out; it counts if `has_default`.
    """

    file: str  # from the root
    pattern: str
    mark: Mark  # in the mapping
    unit: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    default: Any = None
    has_default: bool = False


@dataclass(frozen=True)
class Comparison:
    """A comparison of two sides, each a setting of the mapping, a place or a value."""

    text: str
    left: str
    relation: str
    right: str
    mark: Mark


@dataclass(frozen=True)
class Mapping:
    """A mapping file; `scenario` and `root` are paths from the working directory."""

    document: Document
    scenario: Path | None
    variant: str | None
    root: Path
    settings: dict[str, tuple[Place, ...]]
    comparisons: tuple[Comparison, ...]

    def mark(self, path: str) -> Mark:
        """Return the place of the name of a setting."""
        return self.document.mark(("settings", path), key=True)


def read_mapping(path: Path) -> Mapping:
    """Return the mapping in a file. Raises ScenarioError with line and column."""
    if not path.is_file():
        problem = "no such file; give the mapping of settings to places, such as settings.map.yaml"
        raise ScenarioError(problem, str(path))
    document = read(path)
    data = document.data
    if not isinstance(data, dict):
        message = f"expected a mapping with scenario, settings, …, got {show(data)}"
        raise _error(document, (), message)
    _check_keys(document, (), _KEYS)
    if not (data.get("settings") or data.get("checks")):
        raise _error(document, (), "expected settings, checks or both")
    scenario, variant, root = (_text(document, key) for key in ("scenario", "variant", "root"))
    if variant is not None and scenario is None:
        raise _error(document, ("variant",), "variant needs a scenario", key=True)
    return Mapping(
        document,
        None if scenario is None else path.parent / scenario,
        variant,
        path.parent if root is None else path.parent / root,
        {name: _places(document, name) for name in _part(document, "settings", dict)},
        tuple(_comparisons(document)),
    )


def parse_place(text: str, mark: Mark, path: str) -> Place:
    """Return the place that a text such as "app/agent.py:Breaker(recovery_timeout)" names."""
    file, colon, pattern = (part.strip() for part in text.partition(":"))
    if not (file and colon and pattern):
        raise ScenarioError(f"{_EXPECTED}, got {show(text)}", mark, path)
    return Place(file, pattern, mark)


def _error(document: Document, at: Location, problem: str, *, key: bool = False) -> ScenarioError:
    """Return the error of a location, with the setting or check that it belongs to."""
    match at:
        case ("settings", setting, *_):
            name = str(setting)
        case (str(top), *rest) if not key:
            name = ".".join([top, *map(str, rest)])
        case _:
            name = ""
    return ScenarioError(problem, document.mark(at, key=key), name)


def _part(document: Document, key: str, kind: type[Any]) -> Any:
    value = document.data.get(key)
    if value is not None and not isinstance(value, kind):
        expected = "a list" if kind is list else "a mapping"
        raise _error(document, (key,), f"expected {expected}, got {show(value)}")
    return value or kind()


def _text(document: Document, key: str) -> str | None:
    value = document.data.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise _error(document, (key,), f"expected text, got {show(value)}")


def _check_keys(document: Document, at: Location, known: tuple[str, ...]) -> None:
    for key in document.part(at).data:
        if key not in known:
            message = f"unknown key {show(key)}; {suggest(key, list(known))}"
            raise _error(document, (*at, key), message, key=True)


def _places(document: Document, setting: str) -> tuple[Place, ...]:
    at, value = ("settings", setting), document.data["settings"][setting]
    if isinstance(value, list) and value:
        return tuple(_place(document, (*at, i), one) for i, one in enumerate(value))
    return (_place(document, at, value),)


def _place(document: Document, at: Location, value: Any) -> Place:
    if isinstance(value, str):
        return parse_place(value, document.mark(at), str(at[1]))
    if not isinstance(value, dict):
        raise _error(document, at, f"{_EXPECTED}, got {show(value)}")
    _check_keys(document, at, _PLACE_KEYS)
    text = value.get("at")
    if not isinstance(text, str):
        raise _error(document, at, _EXPECTED.replace("expected ", "expected at: "))
    place = parse_place(text, document.mark((*at, "at")), str(at[1]))
    unit, values, default = value.get("unit"), value.get("values") or {}, value.get("default")
    if unit is not None and unit not in UNITS:
        message = f"unknown unit {show(unit)}; {suggest(str(unit), list(UNITS))}"
        raise _error(document, (*at, "unit"), message)
    if not isinstance(values, dict) or any(isinstance(v, dict | list) for v in values.values()):
        message = 'expected a mapping such as {NullPool: "null"}'
        raise _error(document, (*at, "values"), message)
    if isinstance(default, dict | list):
        message = f"expected a single value, got {show(default)}"
        raise _error(document, (*at, "default"), message)
    return replace(place, unit=unit, values=values, default=default, has_default="default" in value)


def _comparisons(document: Document) -> Iterator[Comparison]:
    for i, text in enumerate(_part(document, "checks", list)):
        match = _COMPARISON.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            example = '"database.pool.timeout < agent.deadline.timeout"'
            message = f"expected a comparison such as {example}, got {show(text)}"
            raise _error(document, ("checks", i), message)
        left, relation, right = match.groups()
        mark = document.mark(("checks", i))
        yield Comparison(f"{left} {relation} {right}", left, relation, right, mark)
