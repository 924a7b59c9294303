"""Loading: a file, a variant of it and overrides become a validated scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cascadesim.scenario.errors import Mark, ScenarioError
from cascadesim.scenario.objectives import Objective, parse_objective
from cascadesim.scenario.paths import UnknownPath, dotted, locate
from cascadesim.scenario.schema import ScenarioModel, suggest
from cascadesim.scenario.source import Document, Location, parse, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Scenario:
    """A validated scenario: what the file says, with the settings of at most one variant."""

    model: ScenarioModel
    document: Document
    variant: str | None = None

    @property
    def name(self) -> str:
        """Return the scenario's name."""
        return self.model.name

    @property
    def variants(self) -> tuple[str, ...]:
        """Return the names of the variants, in the order of the file."""
        return tuple(self.model.variants)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Return the objectives."""
        return tuple(parse_objective(text) for text in self.model.objectives)

    def at(self, variant: str) -> Scenario:
        """Return the scenario with the settings of one of its variants.

        Raises ScenarioError where there is no such variant.
        """
        if variant not in self.variants:
            message = f'no variant "{variant}"; {suggest(variant, list(self.variants))}'
            raise ScenarioError(message, Mark(self.document.source))
        document = self.document
        for name in reversed(self._chain(variant)):
            for path in self.document.data["variants"][name] or {}:
                if path != "extends":
                    where: Location = ("variants", name, path)
                    document = _override(document, path, self.document, where)
        return Scenario(_validate(document), document, variant)

    def override(self, settings: Mapping[str, Any], source: str = "override") -> Scenario:
        """Return the scenario with other settings.

        `settings` maps dotted paths to values as they are written in a scenario file, such as
        {"agent.breaker.recovery_timeout": "10s"}; `source` is what errors call them.
        """
        document = self.document
        for path, value in settings.items():
            document = _override(document, path, Document(f"{source} {path}", value), ())
        return Scenario(_validate(document), document, self.variant)

    def changed(self, variant: str) -> dict[str, Any]:
        """Return the settings that a variant changes, by dotted path, as they are written."""
        settings: dict[str, Any] = {}
        for name in reversed(self._chain(variant)):
            settings |= self.document.data["variants"][name] or {}
        settings.pop("extends", None)
        return settings

    def resolved(self) -> Scenario:
        """Return the scenario as it stands, without the variants that it was made from."""
        data = {key: value for key, value in self.document.data.items() if key != "variants"}
        document = replace(self.document, data=data)
        return Scenario(_validate(document), document)

    def _chain(self, variant: str) -> list[str]:
        """Return the variant and those that it extends, outermost last."""
        chain = [variant]
        while (name := self.model.variants[chain[-1]].extends) is not None:
            mark = self.document.mark(("variants", chain[-1], "extends"))
            path = f"variants.{chain[-1]}.extends"
            if name not in self.variants:
                message = f'no variant "{name}"; {suggest(name, list(self.variants))}'
                raise ScenarioError(message, mark, path)
            if name in chain:
                cycle = " -> ".join([*chain, name])
                raise ScenarioError(f"variants extend each other in a cycle: {cycle}", mark, path)
            chain.append(name)
        return chain


def load(path: str | Path) -> Scenario:
    """Return the scenario in a YAML file, or in the `scenario.yaml` of a folder.

    Every variant is validated too. Raises ScenarioError with file, line and column.
    """
    file = Path(path)
    if file.is_dir():
        file /= "scenario.yaml"
    if not file.exists():
        raise ScenarioError("no such file; `cascadesim list` shows what there is", str(file))
    return _checked(read(file))


def loads(text: str, source: str = "<text>") -> Scenario:
    """Return the scenario in a YAML text; see `load`."""
    return _checked(parse(text, source))


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Return dotted paths and values from texts such as "agent.deadline.timeout=15s"."""
    settings: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not value.strip():
            message = 'expected PATH=VALUE such as "agent.deadline.timeout=15s"'
            raise ScenarioError(message, f"--set {text}")
        settings[path.strip()] = parse(value, f"--set {text}").data
    return settings


def _checked(document: Document) -> Scenario:
    scenario = Scenario(_validate(document), document)
    for variant in scenario.variants:
        scenario.at(variant)
    return scenario


def _override(document: Document, path: str, source: Document, where: Location) -> Document:
    mark = source.mark(where, key=True)
    name = ".".join(str(key) for key in where)
    try:
        location = locate(document.data, path)
        value = source.part(where)
        values = {(): mark} | value.values
        return document.replace(location, Document(source.source, value.data, value.keys, values))
    except UnknownPath as error:
        raise ScenarioError(str(error), mark, name) from None
    except (IndexError, KeyError, TypeError):
        raise ScenarioError(f'"{path}" names nothing in this scenario', mark, name) from None


def _validate(document: Document) -> ScenarioModel:
    if not isinstance(document.data, dict):
        raise ScenarioError("expected a mapping with name, horizon, …", document.mark(()))
    try:
        return ScenarioModel.model_validate(document.data)
    except ValidationError as invalid:
        errors = [_error(document, error) for error in invalid.errors(include_url=False)]
    raise min(errors, key=lambda error: (error.mark.line or 0, error.mark.column or 0))


def _error(document: Document, error: ErrorDetails) -> ScenarioError:
    context = error.get("ctx", {})
    location = (*error["loc"], *context.get("at", ()))
    if location and location[-1] == "[key]":
        location = location[:-2]
    is_key = context.get("message", "").startswith("unknown key")
    mark = document.mark(location[:-1] if error["type"] == "missing" else location, key=is_key)
    return ScenarioError(_problem(error, location), mark, dotted(document.data, location))


def _problem(error: ErrorDetails, location: Location) -> str:
    got = error["input"]
    kind = error["type"]
    if kind == "missing":
        return f'"{location[-1]}" is missing'
    expected = {
        "model_type": "a mapping",
        "dict_type": "a mapping",
        "list_type": "a list",
        "string_type": "text",
        "int_type": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "bool_type": "true or false",
        "finite_number": "a finite number",
    }.get(kind)
    if expected is not None:
        return f"expected {expected}, got {got!r}"
    if kind == "literal_error":
        choices = error["ctx"]["expected"].replace("'", '"')
        known = [choice.strip('" ') for choice in choices.replace(" or ", ",").split(",")]
        hint = f"; {suggest(got, known)}" if isinstance(got, str) else ""
        return (
            f"expected {choices}, got {got!r}{hint}"
            if "did" in hint
            else (f"expected {choices}, got {got!r}")
        )
    if kind == "too_short":
        return "expected at least one entry"
    message = error["msg"]
    return message[0].lower() + message[1:]
