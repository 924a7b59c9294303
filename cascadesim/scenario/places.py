"""Places of the parts of a scenario: a dotted path for every mapping of the JSON Schema.

Words in capitals stand for a name or a number: `STAGE.breaker`, `faults.N.outage`. A mapping with
several places has a word instead, and so have its parts: `WORK.lognormal`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cascadesim.scenario.paths import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = ""  # the name of the scenario itself among the definitions
Schema = dict[str, Any]


class Part(NamedTuple):
    """One mapping: its name among the definitions, and its place in the scenario.

    `key` is its key there, `level` its depth in the chapter. `others` are further places; `place`
    is a word for all of them where `shared`.
    """

    name: str
    place: str
    key: str
    level: int = 0
    shared: bool = False
    others: tuple[str, ...] = ()


class _Step(NamedTuple):
    """A property `key` of the definition `start` that refers to the definition `end`."""

    start: str
    key: str
    end: str
    many: str = ""  # the word for the names or numbers of several


def parts(schema: Schema) -> list[Part]:
    """Return the mappings of a JSON Schema in reading order, the scenario itself first."""
    return _Places(schema).in_order()


def definition(schema: Schema, name: str) -> Schema:
    """Return a definition by its name."""
    return cast("Schema", schema if name == ROOT else schema["$defs"][name])


def reference(schema: Schema) -> str | None:
    """Return the name of the definition that a schema refers to, None where there is none."""
    ref: str | None = schema.get("$ref")
    return None if ref is None else ref.rpartition("/")[2]


def forms(schema: Schema) -> list[Schema]:
    """Return the forms that a value may have, without null; a kind of text is one form."""
    if "anyOf" in schema and "x-value" not in schema:
        return [form for part in schema["anyOf"] for form in forms(part)]
    return [] if schema.get("type") == "null" else [schema]


def inside(form: Schema) -> tuple[str, Schema] | None:
    """Return "list" or "mapping" and the schema of its values; None for a single value."""
    if form.get("type") == "array":
        return "list", form.get("items", {})
    others = form.get("additionalProperties")
    for values in (*form.get("patternProperties", {}).values(), others):
        if isinstance(values, dict):
            return "mapping", values
    return None


def _word(name: str) -> str:
    """Return the word for the names of a kind: REQUEST_CLASS for those of RequestClass."""
    return re.sub(r"(?<=.)(?=[A-Z])", "_", name).upper()


class _Places:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        names: list[str] = [ROOT, *schema["$defs"]]
        self._steps = {name: list(self._steps_of(name)) for name in names}
        self._into: dict[str, list[_Step]] = {name: [] for name in names}
        for steps in self._steps.values():
            for step in steps:
                self._into[step.end].append(step)
        self._avoiding = {name: self._reached(name) for name in names}
        self._places = {ROOT: ""}
        self._parts = [Part(ROOT, "", "")]
        self._waiting: list[str] = []  # mappings with several places that have no chapter yet

    def _steps_of(self, name: str) -> Iterator[_Step]:
        for key, setting in definition(self._schema, name).get("properties", {}).items():
            for form in forms(setting):
                kind, schema = inside(form) or ("", form)
                if (end := reference(schema)) is not None:
                    many = {"list": "N", "mapping": _word(end)}.get(kind, "")
                    yield _Step(name, key, end, many)

    def in_order(self) -> list[Part]:
        """Return the mappings that have properties, each after the one that it is part of."""
        for step in self._steps[ROOT]:
            self._add(step, 0)
            while self._waiting:  # after the mapping in which it is first met
                self._add_shared(self._waiting.pop(0))
        return [
            part._replace(others=self._others(part))
            for part in self._parts
            if definition(self._schema, part.name).get("properties")
        ]

    def _add(self, step: _Step, level: int) -> None:
        name = step.end
        if name in self._places:
            return
        owner = self._owner(name)
        if owner == step.start:
            self._places[name] = self._place(step)
            self._parts.append(Part(name, self._places[name], step.key, level))
            for inner in self._steps[name]:
                self._add(inner, level + 1)
        elif name not in self._waiting and owner not in (into.start for into in self._into[name]):
            self._waiting.append(name)

    def _add_shared(self, name: str) -> None:
        word = self._places[name] = _word(name)
        self._parts.append(Part(name, word, word.lower(), shared=True))
        for step in self._steps[name]:
            self._add(step, 1)

    def _others(self, part: Part) -> tuple[str, ...]:
        places = dict.fromkeys(self._place(step) for step in self._into[part.name])
        return tuple(p for p in places if p != part.place and not p.startswith(f"{part.place}."))

    def _place(self, step: _Step) -> str:
        words: list[str] = [self._places[step.start], step.key, step.many]
        if step.key in LEFT_OUT:
            words = [step.many] if step.many != "N" else words[:1]
        return ".".join(filter(None, words))

    def _owner(self, name: str) -> str:
        """Return the nearest of the definitions that every way from the scenario to this passes."""
        passed = [one for one in self._steps if one != name and name not in self._avoiding[one]]
        # The nearest is the one that the ways to it pass most of the others.
        return max(passed, key=lambda one: sum(one not in self._avoiding[way] for way in passed))

    def _reached(self, without: str) -> set[str]:
        """Return the definitions that ways from the scenario reach without passing one."""
        if without == ROOT:
            return set()
        reached, ahead = {ROOT}, [ROOT]
        while ahead:
            for step in self._steps[ahead.pop()]:
                if step.end != without and step.end not in reached:
                    reached.add(step.end)
                    ahead.append(step.end)
        return reached
