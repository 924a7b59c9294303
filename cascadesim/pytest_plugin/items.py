"""Tests without Python: files `test_*.cascade.yaml`, and the objectives of scenario files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BeforeValidator, Field

from cascadesim.experiment.replicated import check_measure
from cascadesim.experiment.thresholds import parse_allowed, parse_tolerance
from cascadesim.pytest_plugin.fixture import Cascade
from cascadesim.pytest_plugin.loading import load_near
from cascadesim.scenario.errors import ScenarioError, show, suggest
from cascadesim.scenario.load import load
from cascadesim.scenario.objectives import ObjectiveText
from cascadesim.scenario.paths import dotted
from cascadesim.scenario.schema import Strict
from cascadesim.scenario.source import read
from cascadesim.scenario.units import Count, Seed, Text
from cascadesim.scenario.validate import validated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cascadesim.experiment.replicated import Replicated
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.source import Document, Location

    Check = Callable[[Cascade], None]
    Run = Callable[..., Replicated]  # of a cascade, and of another variant


class NoWorse(Strict):
    """A variant than which the tested one must not be worse."""

    than: Text
    on: Text = "p99"
    by: Text = "0%"


class Allowed(Strict):
    """What a baseline allows, in place of what the intervals say."""

    absolute: Text | None = None
    relative: Text | None = None


def _asked(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class Tests(Strict):
    """What a file `test_*.cascade.yaml` says; with no checks, the scenario's own objectives."""

    scenario: Text
    variant: Text | None = None
    settings: Annotated[dict[str, Any], Field(alias="set", default_factory=dict)]
    replications: Count | None = None
    seed: Seed | None = None
    objectives: list[ObjectiveText] = Field(default_factory=list)
    no_worse: list[NoWorse] = Field(default_factory=list)
    baseline: Annotated[Allowed | None, BeforeValidator(_asked)] = None


class CascadeItem(pytest.Item):
    """One check of one scenario."""

    def __init__(self, *, check: Check, line: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check = check
        self._line = line

    def runtest(self) -> None:
        """Run the check."""
        self._check(Cascade(self))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what is wrong, without a traceback."""
        if isinstance(excinfo.value, AssertionError | ScenarioError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the check stands."""
        return self.path, None if self._line is None else self._line - 1, self.name


class _YamlFile(pytest.File):
    """A file whose errors are one line each."""

    def collect(self) -> Iterator[CascadeItem]:
        try:
            yield from list(self._items())
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None

    def _items(self) -> Iterator[CascadeItem]:
        raise NotImplementedError

    def _item(self, name: str, check: Check, document: Document, at: Location) -> CascadeItem:
        line = document.mark(at).line
        return CascadeItem.from_parent(self, name=name, check=check, line=line)


class TestsFile(_YamlFile):
    """A file `test_*.cascade.yaml`."""

    def _items(self) -> Iterator[CascadeItem]:
        document = read(self.path)
        tests = validated(document, Tests)
        scenario = self._scenario(tests, document)

        def run(cascade: Cascade, variant: str | None = tests.variant) -> Replicated:
            return cascade.run(scenario, variant, tests.settings, tests.replications, tests.seed)

        yield from self._objectives(tests, document, scenario, run)
        yield from self._comparisons(tests, document, run)
        if tests.baseline is not None:
            yield self._baseline(tests.baseline, document, run)

    def _scenario(self, tests: Tests, document: Document) -> Scenario:
        """Return the scenario; its variants and the settings are tried, too."""
        with _at(document, ("scenario",)):
            scenario = load_near(self, tests.scenario)
        named: dict[Location, str | None] = {("variant",): tests.variant}
        named |= {("no_worse", i, "than"): each.than for i, each in enumerate(tests.no_worse)}
        for at, variant in named.items():
            chosen = scenario
            if variant is not None:
                _check_variant(variant, scenario, document, at)
                chosen = scenario.at(variant)
            with _at(document, ("set",)):
                chosen.override(tests.settings, "set")
        return scenario

    def _objectives(
        self, tests: Tests, document: Document, scenario: Scenario, run: Run
    ) -> Iterator[CascadeItem]:
        texts = tests.objectives
        if not texts and not tests.no_worse and tests.baseline is None:
            texts = scenario.model.objectives
            if not texts:
                message = "tests nothing: give objectives, no_worse or baseline"
                raise ScenarioError(message, document.mark(()))
        for i, text in enumerate(dict.fromkeys(texts)):
            yield self._item(text, _objective(run, text), document, ("objectives", i))

    def _comparisons(self, tests: Tests, document: Document, run: Run) -> Iterator[CascadeItem]:
        for i, each in enumerate(tests.no_worse):
            at: Location = ("no_worse", i)
            with _at(document, (*at, "on")):
                check_measure(each.on, "on")
            with _at(document, (*at, "by")):
                parse_tolerance(each.by, each.on)
            name = f"no worse than {each.than} on {each.on}"
            yield self._item(name, _comparison(run, each), document, at)

    def _baseline(self, given: Allowed, document: Document, run: Run) -> CascadeItem:
        with _at(document, ("baseline",)):
            parse_allowed(given.absolute, given.relative)

        def check(cascade: Cascade) -> None:
            cascade.baseline(run(cascade), absolute=given.absolute, relative=given.relative)

        return self._item("baseline", check, document, ("baseline",))


class ScenarioFile(_YamlFile):
    """A scenario file; each objective of each of its variants is a test."""

    def _items(self) -> Iterator[CascadeItem]:
        scenario = load(self.path)
        for variant in self._variants(scenario):
            for i, text in enumerate(scenario.model.objectives):
                name = text if variant is None else f"{variant}: {text}"
                check = _objective(_runner(scenario, variant), text)
                yield self._item(name, check, scenario.document, ("objectives", i))

    def _variants(self, scenario: Scenario) -> list[str] | list[None]:
        option: str | None = self.config.getoption("cascade_variants")
        asked = [option] if option else self.config.getini("cascade_variants")
        names = [name for text in asked for name in text.replace(",", " ").split()]
        if not scenario.variants:
            return [None]
        chosen = [name for name in names if name in scenario.variants]
        if names and not chosen:
            scenario.at(names[0])  # raises, with what it may have meant
        return chosen or list(scenario.variants)


def _check_variant(name: str, scenario: Scenario, document: Document, at: Location) -> None:
    known = list(scenario.variants)
    if name not in known:
        message = f"no variant {show(name)}; {suggest(name, known)}"
        raise ScenarioError(message, document.mark(at), dotted(None, at))


def _runner(scenario: Scenario, variant: str | None) -> Run:
    return lambda cascade: cascade.run(scenario, variant)


def _objective(run: Run, text: str) -> Check:
    return lambda cascade: cascade.check(run(cascade), text)


def _comparison(run: Run, each: NoWorse) -> Check:
    def check(cascade: Cascade) -> None:
        cascade.no_worse(run(cascade, each.than), run(cascade), on=each.on, by=each.by)

    return check


@contextmanager
def _at(document: Document, at: Location) -> Iterator[None]:
    """Let an error say where it stands in the file of tests, but one in another file there."""
    try:
        yield
    except ScenarioError as error:
        if error.mark.line is not None:
            raise
        place = (*at, error.path) if at == ("set",) and error.path else at
        raise ScenarioError(error.problem, document.mark(place), dotted(None, place)) from None
