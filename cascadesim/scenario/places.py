"""Where the parts of a scenario stand: a dotted place for every mapping of the JSON Schema.

Words in capitals stand for a name or a number: `STAGE.breaker`, `faults.N.outage`. A mapping that
may stand in several places has a word of its own, and so have its parts: `WORK.lognormal`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from cascadesim.scenario.paths import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = ""  # what the scenario itself is called among the definitions
Schema = dict[str, Any]


class Part(NamedTuple):
    """One mapping: its name among the definitions, where it stands, and in which chapter.

    `key` is what it stands under, `level` how deep in the chapter it is. It also stands at the
    `others`; `place` is a word for all of these where `shared`.
    """

    name: str
    place: str
    key: str
    level: int = 0
    shared: bool = False
    others: tuple[str, ...] = ()


class _Step(NamedTuple):
    """How a property leads to a definition: from which, by which key, as what."""

    start: str
    key: str
    end: str
    many: str = ""  # what stands for the names or numbers of several


def parts(schema: Schema) -> list[Part]:
    """Return the mappings of a JSON Schema in order of reading, the scenario itself first."""
    return _Places(schema).in_order()


def definition(schema: Schema, name: str) -> Schema:
    """Return a definition by its name."""
    found: Schema = schema if name == ROOT else schema["$defs"][name]
    return found


def reference(schema: Schema) -> str | None:
    """Return the name of the definition that a schema refers to, None where it is to none."""
    ref: str | None = schema.get("$ref")
    return None if ref is None else ref.rpartition("/")[2]


def forms(schema: Schema) -> list[Schema]:
    """Return what a value may be, without null; one that has a name of its own is one form."""
    if "anyOf" in schema and "x-value" not in schema:
        return [form for each in schema["anyOf"] for form in forms(each)]
    return [] if schema.get("type") == "null" else [schema]


def inside(form: Schema) -> tuple[str, Schema] | None:
    """Return "list" or "mapping" and the schema of what is in it; None for a single value."""
    if form.get("type") == "array":
        return "list", form.get("items", {})
    others = form.get("additionalProperties")
    for each in (*form.get("patternProperties", {}).values(), others):
        if isinstance(each, dict):
            return "mapping", each
    return None


def _word(name: str) -> str:
    """Return what stands for the names of a kind: REQUEST_CLASS for those of RequestClass."""
    return re.sub(r"(?<=.)(?=[A-Z])", "_", name).upper()


class _Places:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        names: list[str] = [ROOT, *schema["$defs"]]
        self._steps = {name: list(self._steps_of(name)) for name in names}
        self._places = {ROOT: ""}
        self._into: dict[str, list[_Step]] = {name: [] for name in self._steps}
        for steps in self._steps.values():
            for step in steps:
                self._into[step.end].append(step)
        self._spared = {name: self._reached(name) for name in names}

    def _steps_of(self, name: str) -> Iterator[_Step]:
        for key, setting in definition(self._schema, name).get("properties", {}).items():
            for form in forms(setting):
                several = inside(form)
                end = reference(form if several is None else several[1])
                if end is None:
                    continue
                many = ""
                if several is not None:
                    many = "N" if several[0] == "list" else _word(end)
                yield _Step(name, key, end, many)

    def in_order(self) -> list[Part]:
        """Return the mappings that have properties: each after the one that it is part of."""
        found = [Part(ROOT, "", "")]
        waiting: list[str] = []
        for step in self._steps[ROOT]:
            self._add(step, 0, found, waiting)
            while waiting:  # what may stand in several places, after what it is first met in
                self._add_shared(waiting.pop(0), found, waiting)
        return [
            part._replace(others=self._others(part))
            for part in found
            if definition(self._schema, part.name).get("properties")
        ]

    def _add(self, step: _Step, level: int, found: list[Part], waiting: list[str]) -> None:
        if step.end in self._places:
            return
        owner = self._owner(step.end)
        if owner != step.start:
            direct = any(each.start == owner for each in self._into[step.end])
            if not direct and step.end not in waiting:
                waiting.append(step.end)
            return
        self._places[step.end] = self._place(step)
        found.append(Part(step.end, self._places[step.end], step.key, level))
        for each in self._steps[step.end]:
            self._add(each, level + 1, found, waiting)

    def _add_shared(self, name: str, found: list[Part], waiting: list[str]) -> None:
        self._places[name] = _word(name)
        found.append(Part(name, _word(name), _word(name).lower(), shared=True))
        for each in self._steps[name]:
            self._add(each, 1, found, waiting)

    def _others(self, part: Part) -> tuple[str, ...]:
        places = dict.fromkeys(self._place(step) for step in self._into[part.name])
        return tuple(
            place
            for place in places
            if place != part.place and not place.startswith(f"{part.place}.")
        )

    def _place(self, step: _Step) -> str:
        words: list[str] = [self._places[step.start], step.key, step.many]
        if step.key in LEFT_OUT:
            words = [step.many] if step.many != "N" else words[:1]
        return ".".join(filter(None, words))

    def _owner(self, name: str) -> str:
        """Return the definition that is nearest of those which every way to this one passes."""
        passed = [each for each in self._steps if each != name and name not in self._spared[each]]
        # Of two of them one is passed on the way to the other.
        return max(passed, key=lambda each: sum(each not in self._spared[one] for one in passed))

    def _reached(self, without: str) -> set[str]:
        """Return what is reached from the scenario without passing a definition."""
        if without == ROOT:
            return set()
        reached, ahead = {ROOT}, [ROOT]
        while ahead:
            for step in self._steps[ahead.pop()]:
                if step.end != without and step.end not in reached:
                    reached.add(step.end)
                    ahead.append(step.end)
        return reached
