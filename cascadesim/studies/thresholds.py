"""What may be asked of runs: measures, classes, tolerances and thresholds, read from texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cascadesim.analysis.contrast import FEWEST, Tolerance
from cascadesim.scenario.objectives import RATES, Objective, parse_objective
from cascadesim.studies.replications import MEASURES
from cascadesim.values.errors import ScenarioError, show, suggest
from cascadesim.values.units import parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cascadesim.scenario.load import Scenario


def check_measure(name: str, source: str) -> None:
    """Raise a ScenarioError where there is no such measure."""
    if not isinstance(name, str):
        raise ScenarioError(f'expected a measure such as "p99", got {show(name)}', source)
    if name not in MEASURES:
        message = f"unknown measure {show(name)}; {suggest(name, list(MEASURES))}"
        raise ScenarioError(message, source)


def check_classes(objectives: Iterable[Objective], scenario: Scenario, source: str) -> None:
    """Raise a ScenarioError for an objective of a class of requests that a scenario has not."""
    known = list(scenario.model.classes)
    for objective in objectives:
        if objective.request_class is not None and objective.request_class not in known:
            right = suggest(objective.request_class, known) if known else "there are no classes"
            raise ScenarioError(f"no class {show(objective.request_class)}; {right}", source)


def parse_tolerance(text: str, measure: str, option: str = "by") -> Tolerance:
    """Return the tolerance in a text such as "2%" or "50ms"; of a rate, "1%" is one point.

    Raises ScenarioError saying what would be right.
    """
    percent = isinstance(text, str) and text.strip().endswith("%")
    try:
        if measure in RATES:
            return Tolerance(amount=parse_share(text))
        if percent:
            return Tolerance(share=parse_share(text))
        parse = parse_rate if measure == "goodput" else parse_duration
        return Tolerance(amount=parse(text))
    except ValueError as error:
        example = {"goodput": '"2%" or "0.5/s"'}.get(measure, '"2%" or "50ms"')
        if measure in RATES:
            example = '"1%", a percentage point'
        message = f"{error}; expected a tolerance such as {example}"
        raise ScenarioError(message, f"{option}={show(text)}") from None


def parse_allowed(absolute: str | None, relative: str | None) -> Tolerance | None:
    """Return what two such texts allow of a latency together, None where neither is given."""
    if absolute is None and relative is None:
        return None
    for name, text, example in (("absolute", absolute, "50ms"), ("relative", relative, "2%")):
        if text is not None and not isinstance(text, str):
            message = f'expected {name}="{example}", got {show(text)}'
            raise ScenarioError(message, "baseline", name)
    amount = parse_tolerance("0s" if absolute is None else absolute, "p99", "absolute")
    share = parse_tolerance("0%" if relative is None else relative, "p99", "relative")
    if amount.share or share.amount:
        message = 'expected absolute="50ms", relative="2%"; they are the other way round'
        raise ScenarioError(message, "baseline")
    return Tolerance(share.share, amount.amount)


def parse_allowed_worse(texts: Sequence[str], replications: int) -> dict[str, Tolerance]:
    """Return how much worse measures may get, from texts such as "p99=2%".

    Raises ScenarioError saying what would be right.
    """
    option = "--fail-on-worse"
    allowed = {}
    for text in texts:
        measure, equals, tolerance = (part.strip() for part in text.partition("="))
        if not equals or measure not in MEASURES:
            known = f"measures: {', '.join(MEASURES)}"
            message = f'expected MEASURE=TOLERANCE such as "p99=2%", got {show(text)}; {known}'
            raise ScenarioError(message, option)
        allowed[measure] = parse_tolerance(tolerance, measure, f"{option} {measure}")
    if allowed and replications < FEWEST:
        message = f"needs --replications {FEWEST} or more, to tell a change from noise"
        raise ScenarioError(message, option)
    return allowed


def parse_thresholds(
    texts: Sequence[str], named: Mapping[str, str], source: str
) -> tuple[Objective, ...]:
    """Return the objectives in texts, and in names such as p99_9="<5s".

    Raises ScenarioError saying what would be right.
    """
    if not texts and not named:
        message = 'expected an objective such as "p99 < 5s" or p99="<5s"'
        raise ScenarioError(message, source)
    for name, bound in named.items():
        if not isinstance(bound, str):
            message = f'expected {name}="<5s", with its relation and unit, got {show(bound)}'
            raise ScenarioError(message, source)
    stated = [*texts, *(f"{_metric(name)} {_spaced(bound)}" for name, bound in named.items())]
    return tuple(stated_objective(text, source) for text in stated)


def stated_objective(text: str, source: str) -> Objective:
    """Return the objective that a text states, or raise a ScenarioError."""
    try:
        return parse_objective(text)
    except ValueError as error:
        raise ScenarioError(str(error), source) from None


def _metric(name: str) -> str:
    """Return the metric that a Python name means: p99_9 is the percentile p99.9."""
    digits = name[1:].replace("_", "")
    return name.replace("_", ".") if name.startswith("p") and digits.isdecimal() else name


def _spaced(bound: str) -> str:
    """Return a bound such as "<5s" as objectives are written: "< 5s"."""
    return re.sub(r"^\s*([<>]=?)\s*", r"\1 ", bound)
