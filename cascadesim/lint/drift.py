"""Drift: places in the files of a service that differ from a scenario, and missed comparisons."""

from __future__ import annotations

import itertools
import operator
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.drift_rules import DEFAULT_DRIFTED, DRIFTED, MISSED_CHECK
from cascadesim.lint.data import find_environment, find_json, find_toml, find_yaml
from cascadesim.lint.expected import expected
from cascadesim.lint.finds import Find, NotFound, NotReadable
from cascadesim.lint.mapping import Comparison, Mapping, Place, parse_place, read_mapping
from cascadesim.lint.python import find_python
from cascadesim.lint.values import (
    Kind,
    Value,
    as_setting,
    convert,
    kind_of,
    parse_literal,
    same,
    shown,
)
from cascadesim.scenario.source import read_text
from cascadesim.values.errors import Mark, ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.scenario.load import Scenario

MAX_BYTES = 1024 * 1024  # of a file of the service; none with settings is that long
_FORMATS: dict[str, Callable[[str, str, str], list[Find]]] = {
    ".py": find_python,
    ".yaml": find_yaml,
    ".yml": find_yaml,
    ".json": find_json,
    ".toml": find_toml,
    ".env": find_environment,
}
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_Finds = tuple[tuple[Place, Find], ...]


@dataclass(frozen=True)
class Reading:
    """The value of one place as a scenario has it: times in seconds.

    `left_out` says that the value is the default of an argument that the place leaves out.
    """

    file: str  # as the mapping names it
    find: Find
    value: Value
    kind: Kind
    left_out: bool = False

    @property
    def where(self) -> str:
        """Return file and line."""
        return f"{self.file}:{self.find.mark.line}"

    @property
    def code(self) -> str:
        """Return the code of the rule on such a reading, where it differs from the scenario."""
        return (DEFAULT_DRIFTED if self.left_out else DRIFTED).code

    @property
    def text(self) -> str:
        """Return the place and its value in words."""
        amount = shown(self.value, self.kind)
        if self.left_out:
            return f"{self.where} leaves {self.find.name} at its default, {amount}"
        text = f"{self.where} says {self.find.name} = {self.find.text}"
        return text if _plain(self.find.text or "") == _plain(amount) else f"{text} ({amount})"

    def to_dict(self) -> dict[str, Any]:
        """Return the reading as plain data."""
        return {
            "file": self.file,
            "line": self.find.mark.line,
            "name": self.find.name,
            "text": self.find.text,
            "value": self.value,
            "default": self.left_out,
        }


@dataclass(frozen=True)
class Setting:
    """A setting of the mapping: its value in the scenario, if there is one, and in the files.

    Without a scenario, the other places are compared with the first.
    """

    path: str
    expected: Value
    kind: Kind | None  # as the scenario has it; None without one
    readings: tuple[Reading, ...]

    def drifts(self, reading: Reading) -> bool:
        """Return whether one of the readings differs from the scenario's value."""
        expected = self.readings[0].value if self.kind is None else self.expected
        return not same(reading.value, expected)

    @property
    def drift(self) -> list[str]:
        """Return a line for every place that differs from the scenario."""
        other = f"the scenario {shown(self.expected, self.kind or Kind.PLAIN)}"
        if self.kind is None:
            other = self.readings[0].text
        return [f"{reading.text}, {other}" for reading in filter(self.drifts, self.readings)]


@dataclass(frozen=True)
class Checked:
    """A comparison, with the readings of both sides that miss it, none if it holds."""

    text: str
    missed_by: tuple[Reading, ...] = ()

    @property
    def holds(self) -> bool:
        """Return whether the comparison holds, for all places."""
        return not self.missed_by

    @property
    def drift(self) -> list[str]:
        """Return a line if it does not hold."""
        said = "; ".join(reading.text for reading in self.missed_by)
        return [] if self.holds else [f"{self.text} does not hold: {said}"]


@dataclass(frozen=True)
class Lint:
    """The settings of a mapping as the files of a service have them."""

    scenario: Scenario | None
    root: Path
    settings: tuple[Setting, ...]
    checks: tuple[Checked, ...]

    @property
    def drift(self) -> list[str]:
        """Return a line for every place that differs from the scenario, and missed check."""
        parts: list[Setting | Checked] = [*self.settings, *self.checks]
        return [line for part in parts for line in part.drift]

    @property
    def found(self) -> dict[str, Any]:
        """Return the settings that are written in the files, for `Scenario.override`.

        Raises ScenarioError where places of a setting have different values.
        """
        settings = {}
        for setting in self.settings:
            written = [reading for reading in setting.readings if not reading.left_out]
            for other in written[1:]:
                if not same(written[0].value, other.value):
                    problem = f"places disagree: {written[0].text}; {other.text}"
                    raise ScenarioError(problem, other.find.mark, setting.path)
            if written:
                settings[setting.path] = as_setting(written[0].value, written[0].kind)
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain data; times in seconds, shares from 0 to 1."""
        return {
            "scenario": self.scenario.name if self.scenario else None,
            "variant": self.scenario.variant if self.scenario else None,
            "root": str(self.root),
            "settings": [
                {
                    "setting": setting.path,
                    "scenario": setting.expected,
                    "places": [
                        reading.to_dict()
                        | {"drift": drifts, "code": reading.code if drifts else None}
                        for reading in setting.readings
                        for drifts in [setting.drifts(reading)]
                    ],
                }
                for setting in self.settings
            ],
            "checks": [
                {
                    "check": check.text,
                    "holds": check.holds,
                    "code": None if check.holds else MISSED_CHECK.code,
                    "missed_by": [reading.to_dict() for reading in check.missed_by],
                }
                for check in self.checks
            ],
            "drift": self.drift,
        }


def _plain(text: str) -> str:
    """Return text without quotes and spaces, and without the unit of seconds."""
    return re.sub(r"(?<=[0-9])s$", "", re.sub(r"[\s'\"]", "", text))


def lint_config(
    path: str | Path, *, variant: str | None = None, root: str | Path | None = None
) -> Lint:
    """Compare the files of a service with the scenario of a mapping file.

    `variant` and `root` replace the mapping's own. Raises ScenarioError for what cannot be read,
    and for a pattern that matches nothing.
    """
    mapping = read_mapping(Path(path))
    if root is not None:
        mapping = replace(mapping, root=Path(root))
    if not mapping.root.is_dir():
        at = mapping.document.mark(("root",)) if root is None else "--root"
        raise ScenarioError(f"no such folder: {mapping.root}", at)
    return _Reader(mapping, _scenario(mapping, variant)).lint()


def _scenario(mapping: Mapping, variant: str | None) -> Scenario | None:
    from cascadesim.scenario.load import load  # after what needs no scenario

    if mapping.scenario is None:
        if variant is not None:
            raise ScenarioError("the mapping names no scenario to take it from", "--variant")
        return None
    if not mapping.scenario.exists():
        mark = mapping.document.mark(("scenario",))
        raise ScenarioError(f"no such file: {mapping.scenario}", mark, "scenario")
    scenario = load(mapping.scenario)
    name = variant or mapping.variant
    if name is None:
        return scenario
    if name not in scenario.variants:
        at = "--variant" if variant else mapping.document.mark(("variant",))
        message = f"no variant {show(name)}; {suggest(name, list(scenario.variants))}"
        raise ScenarioError(message, at)
    return scenario.at(name)


@dataclass(frozen=True)
class _Side:
    """One side of a comparison: a place, or a value that the comparison writes."""

    kind: Kind | None  # None where only the other side tells
    finds: _Finds = ()
    literal: Value = None


class _Reader:
    """Reads the settings and checks of one mapping, and each file once."""

    def __init__(self, mapping: Mapping, scenario: Scenario | None) -> None:
        self._mapping = mapping
        self._scenario = scenario
        self._texts: dict[Path, str] = {}
        self._sides: dict[str, _Side] = {}  # by setting

    def lint(self) -> Lint:
        settings = [self._setting(*setting) for setting in self._mapping.settings.items()]
        checks = [self._checked(comparison) for comparison in self._mapping.comparisons]
        return Lint(self._scenario, self._mapping.root, tuple(settings), tuple(checks))

    def _setting(self, path: str, places: tuple[Place, ...]) -> Setting:
        value: Value = None
        kind: Kind | None = None
        if self._scenario is not None:
            value, kind = expected(self._scenario, path, self._mapping.mark(path))
        finds = self._find(places, path)
        self._sides[path] = _Side(kind or _looks(finds), finds)
        return Setting(path, value, kind, tuple(_reading(*at, kind, path) for at in finds))

    def _find(self, places: tuple[Place, ...], path: str) -> _Finds:
        """Return the values at places. Raises ScenarioError for a place that has none."""
        return tuple((place, find) for place in places for find in self._finds(place, path))

    def _finds(self, place: Place, path: str) -> list[Find]:
        file = Path(os.path.normpath(self._mapping.root / place.file))
        suffix = ".env" if file.name.startswith(".env") else file.suffix
        if suffix not in _FORMATS:
            known = f"known are {', '.join(_FORMATS)}"
            raise ScenarioError(f"cannot read {show(place.file)}; {known}", place.mark, path)
        if file not in self._texts:
            self._texts[file] = _text(file, place, path)
        try:
            return _FORMATS[suffix](str(file), self._texts[file], place.pattern)
        except NotReadable as error:
            at = Mark(str(file), error.line, error.column or 1)
            raise ScenarioError(str(error), at, path) from None
        except NotFound as error:
            raise ScenarioError(f"{place.file}: {error}", place.mark, path) from None

    def _checked(self, comparison: Comparison) -> Checked:
        left, right = (self._side(text, comparison) for text in (comparison.left, comparison.right))
        kind = left.kind or right.kind or Kind.PLAIN
        if right.kind not in (None, kind):
            hint = "; a time has a unit, such as 5s" if Kind.TIME in (kind, right.kind) else ""
            problem = f"compares {kind.value} with {right.kind.value}{hint}"
            raise ScenarioError(problem, comparison.mark, comparison.text)
        if not (left.finds or right.finds):
            problem = "compares no setting of the mapping, and no place"
            raise ScenarioError(problem, comparison.mark, comparison.text)
        sides = (_values(side, kind, comparison.text) for side in (left, right))
        for (a, of_left), (b, of_right) in itertools.product(*sides):
            if not _holds(a, comparison, b):
                return Checked(comparison.text, of_left + of_right)
        return Checked(comparison.text)

    def _side(self, text: str, comparison: Comparison) -> _Side:
        if text in self._sides:
            return self._sides[text]
        if ":" in text:
            place = parse_place(text, comparison.mark, comparison.text)
            finds = self._find((place,), comparison.text)
            return _Side(_looks(finds), finds)
        if text == "none":
            return _Side(None)
        try:
            literal, kind = parse_literal(text)
        except NotReadable as error:
            raise ScenarioError(str(error), comparison.mark, comparison.text) from None
        if "." in text and isinstance(literal, str):
            message = f"no setting {show(text)} in the mapping; {suggest(text, list(self._sides))}"
            raise ScenarioError(message, comparison.mark, comparison.text)
        return _Side(kind, literal=literal)


def _looks(finds: _Finds) -> Kind | None:
    """Return the kind of values by their looks; None where they could be of any."""
    kinds = (kind_of(find.value, find.name, place.unit) for place, find in finds)
    return next((kind for kind in kinds if kind is not Kind.PLAIN), None)


def _text(file: Path, place: Place, path: str) -> str:
    if file.exists() and not file.is_file():
        raise ScenarioError("is not a file", str(file), path)
    try:
        return read_text(file, MAX_BYTES, "hold settings")
    except FileNotFoundError:
        raise ScenarioError(f"no such file: {file}", place.mark, path) from None
    except ScenarioError as error:
        raise ScenarioError(error.problem, error.mark, path) from None


def _reading(place: Place, find: Find, kind: Kind | None, path: str) -> Reading:
    left_out = find.text is None and place.has_default
    value = place.default if left_out else find.value
    try:
        if find.reason and not left_out:
            if find.text not in place.values:
                raise NotReadable(find.reason)
            value = find.text
        kind = kind or kind_of(value, find.name, place.unit)
        converted = convert(value, kind, find.name, place.unit, place.values)
    except NotReadable as error:
        said = find.name if find.text is None else f"{find.name} = {find.text}"
        raise ScenarioError(f"{said}: {error}", find.mark, path) from None
    return Reading(place.file, find, converted, kind, left_out)


def _values(side: _Side, kind: Kind, path: str) -> list[tuple[Value, tuple[Reading, ...]]]:
    """Return the values of a side, each with its reading where it stands in a file."""
    readings = [_reading(place, find, kind, path) for place, find in side.finds]
    return [(reading.value, (reading,)) for reading in readings] or [(side.literal, ())]


def _holds(left: Value, comparison: Comparison, right: Value) -> bool:
    if same(left, right):
        return comparison.relation in ("==", "<=", ">=")
    if comparison.relation in ("==", "!="):
        return comparison.relation == "!="
    # None is no limit, which is beyond any other.
    a, b = (float("inf") if value is None else value for value in (left, right))
    if isinstance(a, str | bool) or isinstance(b, str | bool):
        problem = f"{shown(left, Kind.PLAIN)} and {shown(right, Kind.PLAIN)} have no order; use =="
        raise ScenarioError(problem, comparison.mark, comparison.text)
    return bool(_ORDERS[comparison.relation](a, b))
