"""Loading: a file, a variant of it and overrides become a validated scenario."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim.outputs import Shown
from cascadesim.scenario.objectives import Objective, parse_objective
from cascadesim.scenario.paths import UnknownPath, locate
from cascadesim.scenario.schema.scenario import ScenarioModel
from cascadesim.scenario.source import Document, Location, flow, parse, read
from cascadesim.scenario.validate import Setting, validated
from cascadesim.scenario.vary import varied
from cascadesim.values.errors import Mark, ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, repr=False)
class Scenario(Shown):
    """A validated scenario: what the file says, with the settings of at most one variant.

    `overrides` are the settings given beside the variant, by dotted path. `too_short` says that its
    warm-up was found, but in a run too short to tell where it ends.
    """

    model: ScenarioModel
    document: Document
    variant: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    too_short: bool = False

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
        """Return the objectives, those of all requests before those of their classes."""
        return tuple(parse_objective(text) for _, text in self.model.all_objectives)

    def at(self, variant: str) -> Scenario:
        """Return the scenario with the settings of one of its variants.

        Raises ScenarioError where there is no such variant, and on a scenario that has been taken
        at a variant already, since two at once are no variant of the file.
        """
        if self.variant is not None:
            message = f'is at variant "{self.variant}"; take "{variant}" from the scenario itself'
            raise ScenarioError(message, self.document.source)
        document = self.document
        for name in reversed(self._chain(variant)):
            for path in self.document.data["variants"][name]:
                if path != "extends":
                    where: Location = ("variants", name, path)
                    document = _override(document, path, self.document, where)
        try:
            model = _validate(document, _as_yaml)
        except ScenarioError as error:
            raise self._within(variant, error) from None
        changed = self.changed(variant)
        kept = {path: value for path, value in self.overrides.items() if path not in changed}
        return Scenario(model, document, variant, kept)

    def _within(self, variant: str, error: ScenarioError) -> ScenarioError:
        """Return the error of a variant with the path of the setting that brings it."""
        for marks in (self.document.values, self.document.keys):
            for at, mark in marks.items():
                if mark == error.mark and at[:1] == ("variants",) and len(at) > 1:
                    path = f"variants.{at[1]}.{error.path}"
                    return ScenarioError(error.problem, mark, path)
        problem = f'{error.problem} (in the variant "{variant}")'
        return ScenarioError(problem, error.mark, error.path)

    def override(self, settings: Mapping[str, Any], source: str = "override") -> Scenario:
        """Return the scenario with other settings.

        `settings` maps dotted paths to values as they are written in a scenario file, such as
        {"agent.breaker.recovery_timeout": "10s"}; `source` is what errors call them.
        """
        document = self.document
        for path, value in settings.items():
            place: dict[Location, Mark] = {(): Mark(source)}
            document = _override(document, path, Document(source, value, place, place), ())
        model = _validate(document, _as_option if source == "--set" else _as_yaml)
        return Scenario(model, document, self.variant, self.overrides | dict(settings))

    def changed(self, variant: str) -> dict[str, Any]:
        """Return the settings that a variant changes, by dotted path, as they are written."""
        settings: dict[str, Any] = {}
        for name in reversed(self._chain(variant)):
            settings |= self.document.data["variants"][name]
        settings.pop("extends", None)
        return settings

    def resolved(self) -> Scenario:
        """Return the scenario as it stands, without the variants that it was made from.

        It has no sweep either, which may vary what only some of them have.
        """
        document = without_variants(self.document)
        return Scenario(_validate(document), document)

    def _chain(self, variant: str) -> list[str]:
        """Return the variant and those that it extends, outermost last."""
        self._check_variant(variant, ("variants",))
        chain = [variant]
        while (name := self.model.variants[chain[-1]].extends) is not None:
            where = ("variants", chain[-1], "extends")
            self._check_variant(name, where)
            if name in chain:
                cycle = " -> ".join([*chain, name])
                message = f"variants extend each other in a cycle: {cycle}"
                raise ScenarioError(message, self.document.mark(where), ".".join(where))
            chain.append(name)
        return chain

    def _check_variant(self, name: str, where: tuple[str, ...]) -> None:
        if name not in self.variants:
            message = f"no variant {show(name)}; {suggest(str(name), list(self.variants))}"
            mark = self.document.mark(where, key=where == ("variants",))
            raise ScenarioError(message, mark, ".".join(where))


def load(path: str | Path) -> Scenario:
    """Return the scenario in a YAML file, or in the `scenario.yaml` of a folder.

    Every variant is validated too. Raises ScenarioError with file, line and column.
    """
    return _checked(read(Path(path)))


def loads(text: str, source: str = "<text>") -> Scenario:
    """Return the scenario in a YAML text; see `load`."""
    return _checked(parse(text, source))


def without_variants(document: Document) -> Document:
    """Return the document without variants and sweep."""
    others = ("variants", "sweep")
    data = {key: value for key, value in document.data.items() if key not in others}
    return replace(document, data=data)


def parse_settings(texts: list[str] | None) -> dict[str, Any]:
    """Return dotted paths and values from texts such as "agent.deadline.timeout=15s"."""
    settings: dict[str, Any] = {}
    for text in texts or []:
        path, equals, value = (part.strip() for part in text.partition("="))
        if not (path and equals and value):
            message = f'expected PATH=VALUE such as "agent.deadline.timeout=15s", got {show(text)}'
            raise ScenarioError(message, "--set")
        try:
            settings[path] = parse(value, "--set").data
        except ScenarioError as error:
            raise ScenarioError(error.problem, "--set", path) from None
    return settings


def _checked(document: Document) -> Scenario:
    scenario = Scenario(_validate(document), document)
    _check_sweep([scenario, *map(scenario.at, scenario.variants)])
    return scenario


def _check_sweep(scenarios: list[Scenario]) -> None:
    """Raise a ScenarioError where the sweep varies what neither scenario nor variants have.

    The ends of a range and every value of a list are tried, each alone.
    """
    scenario = scenarios[0]
    sweep, document = scenario.model.sweep, scenario.document
    for vary in varied(document, {} if sweep is None else sweep.vary):
        at: Location = ("sweep", "vary", vary.path)
        in_list = document.part(at).data == list(vary.values)
        for i, value in enumerate(vary.values if in_list else (vary.at(0), vary.at(1))):
            mark = document.mark((*at, i) if in_list else at)
            _check_setting(scenarios, vary.path, value, document.mark(at, key=True), mark)


def _check_setting(scenarios: list[Scenario], path: str, value: Any, key: Mark, mark: Mark) -> None:
    """Raise the first ScenarioError of a setting if each of the scenarios refuses it."""
    place: Document = Document(mark.source, value, {(): key}, {(): mark})
    errors = []
    for scenario in scenarios:
        try:
            _validate(_override(scenario.document, path, place, ()))
        except ScenarioError as error:
            errors.append(error)
        else:
            return
    raise ScenarioError(errors[0].problem, errors[0].mark, f"sweep.vary.{path}")


def _override(document: Document, path: str, source: Document, where: Location) -> Document:
    """Return the document with the part of `source` at `where` as the setting `path`."""
    try:
        location = locate(document.data, path)
    except UnknownPath as error:
        name = ".".join(str(key) for key in where) or path
        raise ScenarioError(str(error), source.mark(where, key=True), name) from None
    return document.replace(location, source.part(where))


def _as_option(path: str, value: Any) -> str:
    return f"--set {shlex.quote(f'{path}={flow(value)}')}"


def _as_yaml(path: str, value: Any) -> str:
    return f"{path}: {flow(value)}"


def _validate(document: Document, setting: Setting | None = None) -> ScenarioModel:
    if document.data is None:
        problem = "is empty; `cascadesim init NAME` writes one to start from"
        raise ScenarioError(problem, document.mark(()))
    folder = Path(document.source).parent
    return validated(document, ScenarioModel, "name, horizon, stages", folder, setting)
