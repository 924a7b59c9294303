"""The mapping file: where the settings of a scenario live in the files of a service."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
_EXAMPLE = '"app/agent.py:Breaker(recovery_timeout)"'
_COMPARISON = re.compile(r"(\S.*?)\s+(<=|>=|==|!=|<|>)\s+(\S.*)")


@dataclass(frozen=True)
class Place:
    """A pattern in a file, and how to read what stands there.

    `values` says by the text in the file what it stands for. `default` is what counts, as it would
    stand in the file, where an argument is left out, if `has_default`.
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
        """Return where the name of a setting stands."""
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
        raise ScenarioError(message, document.mark(()))
    _check_keys(document, (), _KEYS)
    if not (data.get("settings") or data.get("checks")):
        raise ScenarioError("expected settings, checks or both", document.mark(()))
    scenario, variant, root = (_text(document, (key,)) for key in ("scenario", "variant", "root"))
    if variant is not None and scenario is None:
        raise ScenarioError("variant needs a scenario", document.mark(("variant",), key=True))
    folder = path.parent
    return Mapping(
        document,
        None if scenario is None else folder / scenario,
        variant,
        folder if root is None else folder / root,
        {
            name: tuple(_places(document, ("settings", name)))
            for name in _part(document, "settings", dict)
        },
        tuple(_comparisons(document)),
    )


def parse_place(text: str, mark: Mark, path: str) -> Place:
    """Return the place that a text such as "app/agent.py:Breaker(recovery_timeout)" names."""
    file, colon, pattern = (part.strip() for part in text.partition(":"))
    if not (file and colon and pattern):
        raise ScenarioError(
            f"expected FILE:PATTERN such as {_EXAMPLE}, got {show(text)}", mark, path
        )
    return Place(file, pattern, mark)


def _part(document: Document, key: str, kind: type[Any]) -> Any:
    value = document.data.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        name = "a list" if kind is list else "a mapping"
        raise ScenarioError(f"expected {name}, got {show(value)}", document.mark((key,)), key)
    return value


def _text(document: Document, at: Location) -> str | None:
    value = document.data.get(at[0])
    if value is None or (isinstance(value, str) and value):
        return value
    raise ScenarioError(f"expected text, got {show(value)}", document.mark(at), str(at[0]))


def _check_keys(document: Document, at: Location, known: tuple[str, ...]) -> None:
    for key in document.part(at).data:
        if key not in known:
            message = f"unknown key {show(key)}; {suggest(key, list(known))}"
            raise ScenarioError(message, document.mark((*at, key), key=True), _name(at))


def _name(at: Location) -> str:
    """Return what errors call a location: the setting, without the word settings."""
    return str(at[1]) if len(at) > 1 else ""


def _places(document: Document, at: Location) -> Iterator[Place]:
    value = document.part(at).data
    if isinstance(value, list) and value:
        for i in range(len(value)):
            yield _place(document, (*at, i))
    else:
        yield _place(document, at)


def _place(document: Document, at: Location) -> Place:
    value, mark, name = document.part(at).data, document.mark(at), _name(at)
    if isinstance(value, str):
        return parse_place(value, mark, name)
    if not isinstance(value, dict):
        message = f"expected FILE:PATTERN such as {_EXAMPLE}, got {show(value)}"
        raise ScenarioError(message, mark, name)
    _check_keys(document, at, _PLACE_KEYS)
    text = value.get("at")
    if not isinstance(text, str):
        raise ScenarioError(f"expected at: FILE:PATTERN such as {_EXAMPLE}", mark, name)
    place = parse_place(text, document.mark((*at, "at")), name)
    unit, values, default = value.get("unit"), value.get("values") or {}, value.get("default")
    if unit is not None and unit not in UNITS:
        message = f"unknown unit {show(unit)}; {suggest(str(unit), list(UNITS))}"
        raise ScenarioError(message, document.mark((*at, "unit")), name)
    if not isinstance(values, dict) or any(isinstance(v, dict | list) for v in values.values()):
        message = 'expected a mapping such as {NullPool: "null"}'
        raise ScenarioError(message, document.mark((*at, "values")), name)
    if isinstance(default, dict | list):
        message = f"expected a single value, got {show(default)}"
        raise ScenarioError(message, document.mark((*at, "default")), name)
    return Place(place.file, place.pattern, place.mark, unit, values, default, "default" in value)


def _comparisons(document: Document) -> Iterator[Comparison]:
    for i, text in enumerate(_part(document, "checks", list)):
        mark = document.mark(("checks", i))
        match = _COMPARISON.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            example = '"database.pool.timeout < agent.deadline.timeout"'
            message = f"expected a comparison such as {example}, got {show(text)}"
            raise ScenarioError(message, mark, f"checks.{i}")
        left, relation, right = match.groups()
        yield Comparison(f"{left} {relation} {right}", left, relation, right, mark)
