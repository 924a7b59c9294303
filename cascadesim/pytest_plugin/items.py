"""Tests without Python: files `test_*.cascade.yaml`, and the objectives of scenario files."""

from __future__ import annotations

import re
import textwrap
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BeforeValidator, Field

from cascadesim.pytest_plugin.files import error_from_root, from_root, load_near
from cascadesim.pytest_plugin.fixture import Cascade
from cascadesim.pytest_plugin.named import listed, named
from cascadesim.scenario.objectives import ObjectiveText, parse_objective
from cascadesim.scenario.paths import dotted
from cascadesim.scenario.source import flow, read
from cascadesim.scenario.validate import validated
from cascadesim.studies.thresholds import (
    check_classes,
    check_measure,
    parse_allowed,
    parse_tolerance,
)
from cascadesim.values.errors import ScenarioError, one_line, show, suggest
from cascadesim.values.strict import Strict
from cascadesim.values.units import Count, Seed, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.source import Document, Location
    from cascadesim.studies.runs import LazyRuns

    Check = Callable[[Cascade], None]
    Run = Callable[[Cascade, Scenario], LazyRuns]


WIDTH = 80  # of a terminal
_TOGETHER = re.compile(r'`[^`]*`|"[^"]*"')  # what a reader may copy from an error
_NONE = "0%"

Settings = Annotated[dict[str, Any], Field(alias="set", default_factory=dict)]


class NoWorse(Strict):
    """What the tested variant with its settings must not be worse than.

    That is another variant or, where `than` is left out, the same one; as the file states it, or
    with a `set` of its own. The tests' `set` does not reach it.
    """

    than: Text | None = None
    settings: Settings
    on: Text = "p99"
    by: Text = _NONE
    ignore_errors: bool = Field(False, strict=True)  # of a latency, whether errors may rise


class Allowed(Strict):
    """What a baseline allows, in place of what the intervals say."""

    absolute: Text | None = None
    relative: Text | None = None


def _asked(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class Tests(Strict):
    """What a file `test_*.cascade.yaml` says; with no checks, the scenario's own objectives.

    `variant` and `set` say what is tested.
    """

    scenario: Text
    variant: Text | None = None
    settings: Settings
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
        if isinstance(excinfo.value, ScenarioError):
            return _told(self, excinfo.value)
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the check stands."""
        # `pytest -v` shows a name at the end of a node id with "::" for ".": such as p99.9.
        name = f"{self.name} " if "." in self.name else self.name
        return self.path, None if self._line is None else self._line - 1, name


class _YamlFile(pytest.File):
    """A file whose errors are one line each."""

    def collect(self) -> Iterator[CascadeItem]:
        items: dict[str, CascadeItem] = {}
        try:
            for item in self._items():
                items.setdefault(item.name, item)  # the same name is the same check, given twice
        except ScenarioError as error:
            raise self.CollectError(_told(self, error)) from None
        yield from items.values()

    def _items(self) -> Iterator[CascadeItem]:
        raise NotImplementedError

    def _item(self, name: str, check: Check, document: Document, at: Location) -> CascadeItem:
        line = document.mark(at).line
        shown = one_line(name).replace("::", ": :")  # pytest would take a node id apart there
        item: CascadeItem = CascadeItem.from_parent(self, name=shown, check=check, line=line)
        # So that `-k no_worse` finds them, and `-k chat` the objectives of that class.
        item.extra_keyword_matches.update(key for key in at if isinstance(key, str))
        return item


class TestsFile(_YamlFile):
    """A file `test_*.cascade.yaml`."""

    def _items(self) -> Iterator[CascadeItem]:
        document = read(self.path)
        tests = validated(document, Tests)
        with _at(document, ("scenario",)):
            scenario = load_near(self, tests.scenario)
        tested = _side(scenario, tests.variant, tests.settings, document, ("variant",))

        def run(cascade: Cascade, side: Scenario) -> LazyRuns:
            return cascade.run(side, replications=tests.replications, seed=tests.seed)

        yield from self._objectives(tests, document, tested, run)
        yield from self._comparisons(tests, document, scenario, tested, run)
        if tests.baseline is not None:
            yield self._baseline(tests.baseline, document, partial(run, side=tested))

    def _objectives(
        self, tests: Tests, document: Document, tested: Scenario, run: Run
    ) -> Iterator[CascadeItem]:
        texts = tests.objectives
        if not texts and not tests.no_worse and tests.baseline is None:
            texts = [text for _, text in tested.model.all_objectives]
            if not texts:
                message = "tests nothing: give objectives, no_worse or baseline"
                raise ScenarioError(message, document.mark(()))
        for i, text in enumerate(texts):
            with _at(document, ("objectives", i)):
                check_classes([parse_objective(text)], tested, "objectives")
            yield self._item(text, _objective(run, tested, text), document, ("objectives", i))

    def _comparisons(
        self, tests: Tests, document: Document, scenario: Scenario, tested: Scenario, run: Run
    ) -> Iterator[CascadeItem]:
        for i, stated in enumerate(tests.no_worse):
            at: Location = ("no_worse", i)
            with _at(document, (*at, "on")):
                check_measure(stated.on, "on")
            with _at(document, (*at, "by")):
                parse_tolerance(stated.by, stated.on)
            than = tests.variant if stated.than is None else stated.than
            other = _side(scenario, than, stated.settings, document, (*at, "than"))
            if other.model == tested.model:
                message = "both sides are the same; `variant` and `set` say what is tested, "
                message += "and `than` what it is held against"
                raise ScenarioError(message, document.mark(at), dotted(None, at))
            check = _comparison(run, other, tested, stated)
            yield self._item(_compared(stated), check, document, at)

    def _baseline(
        self, given: Allowed, document: Document, run: Callable[[Cascade], LazyRuns]
    ) -> CascadeItem:
        with _at(document, ("baseline",)):
            parse_allowed(given.absolute, given.relative)

        def check(cascade: Cascade) -> None:
            cascade.baseline(run(cascade), absolute=given.absolute, relative=given.relative)

        return self._item("baseline", check, document, ("baseline",))


class ScenarioFile(_YamlFile):
    """A scenario file; each objective of each variant is a test."""

    def _items(self) -> Iterator[CascadeItem]:
        scenario = load_near(self, self.path)
        taken = [scenario.at(name) for name in self._variants(scenario)] or [scenario]
        if not any(scenario.objectives for scenario in taken):
            message = "has no objectives to test; write some, such as `objectives: [p99 < 5s]`"
            if self.path in listed(self.config):
                message += ", or leave it out of `cascade_scenarios`"
            raise ScenarioError(message, str(self.path))
        for tested in taken:
            for at, text in tested.model.all_objectives:
                name = text if tested.variant is None else f"{tested.variant}: {text}"
                check = _objective(Cascade.run, tested, text)
                yield self._item(name, check, tested.document, at)

    def _variants(self, scenario: Scenario) -> list[str]:
        """Return the names of the variants that are to be tested."""
        option: str | None = self.config.getoption("cascade_variants")
        asked = [option] if option else self.config.getini("cascade_variants")
        names = [name for text in asked for name in text.replace(",", " ").split()]
        source = "--cascade-variants" if option else "cascade_variants"
        for name in names:
            if name not in scenario.variants and name not in (known := self._known()):
                raise ScenarioError(f"no variant {show(name)}; {suggest(name, known)}", source)
        chosen = [name for name in scenario.variants if name in names]
        if names and scenario.variants and not chosen:
            message = f"{from_root(self, self.path)} has none of the variants {', '.join(names)}; "
            raise ScenarioError(message + suggest(names[0], list(scenario.variants)), source)
        return chosen or list(scenario.variants)

    def _known(self) -> list[str]:
        """Return the variants of all scenarios that are named, as each may have others."""
        known: dict[str, None] = {}
        for path in sorted(named(self.config)):
            with suppress(ScenarioError):  # which is that file's own
                known |= dict.fromkeys(load_near(self, path).variants)
        return list(known)


def _side(
    scenario: Scenario,
    variant: str | None,
    settings: dict[str, Any],
    document: Document,
    at: Location,
) -> Scenario:
    """Return a scenario at a variant that is named at `at`, with the settings that stand there."""
    if variant is not None:
        known = list(scenario.variants)
        if variant not in known:
            message = f"no variant {show(variant)}; {suggest(variant, known)}"
            raise ScenarioError(message, document.mark(at), dotted(None, at))
        scenario = scenario.at(variant)
    with _at(document, (*at[:-1], "set")):
        return scenario.override(settings, "set")


def _compared(stated: NoWorse) -> str:
    """Return the name of a comparison, by all that is stated of it."""
    settings = ", ".join(f"{path}={flow(value)}" for path, value in stated.settings.items())
    words = ["no worse than"]
    if stated.than is not None:
        words.append(stated.than)
    if settings:
        words.append(f"with {settings}")
    elif stated.than is None:
        words.append("without set")
    words.append(f"on {stated.on}")
    if stated.by != _NONE:
        words.append(f"by {stated.by}")
    return " ".join(words)


def _objective(run: Run, tested: Scenario, text: str) -> Check:
    return lambda cascade: cascade.check(run(cascade, tested), text)


def _comparison(run: Run, other: Scenario, tested: Scenario, stated: NoWorse) -> Check:
    def check(cascade: Cascade) -> None:
        cascade.no_worse(
            run(cascade, other),
            run(cascade, tested),
            on=stated.on,
            by=stated.by,
            ignore_errors=stated.ignore_errors,
        )

    return check


def _told(node: pytest.Item | pytest.Collector, error: ScenarioError) -> str:
    """Return an error for a terminal, with no break inside of code and quotes."""
    text = str(error_from_root(node, error))
    whole = _TOGETHER.sub(lambda text: text[0].replace(" ", "\0"), text)
    lines = textwrap.fill(whole, WIDTH, break_on_hyphens=False, break_long_words=False)
    return lines.replace("\0", " ")


@contextmanager
def _at(document: Document, at: Location) -> Iterator[None]:
    """Let an error say where it stands in the file of tests, but one in another file there."""
    try:
        yield
    except ScenarioError as error:
        if error.mark.line is not None:
            raise
        place = (*at, error.path) if at[-1:] == ("set",) and error.path else at
        raise ScenarioError(error.problem, document.mark(place), dotted(None, place)) from None
