"""The page of a test in which a measure is worse than it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.composition import difference
from cascadesim.analysis.summary import objective_outcomes
from cascadesim.scenario.source import flow
from cascadesim.values import words
from cascadesim.values.errors import cut, one_line
from cascadesim.values.outcome import ERRORS, Outcome
from cascadesim.views import facts
from cascadesim.views.page import Cell, Note, Page, blocks, left, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.studies.runs import LazyRuns
    from cascadesim.views.page import Block, Table

    Labels = tuple[str, str]
    Both = tuple[LazyRuns, LazyRuns]

_ENDS = 3  # that are named
_LABEL = 24  # characters of a name in a table
_SETTINGS = ("without", "with")  # labels of sides that differ in settings given beside them


def page(before: LazyRuns, after: LazyRuns, change: Contrast, by: str, held: str = "") -> Page:
    """Return the change, what was allowed, and which causes, settings or ends grew.

    `held` is the latency that the test is of, where the error rate rose in its place.
    What unfinished requests could move is a lower bound, and the difference the least of it.
    """
    both, labels = (before, after), _labels(before, after)
    title, of, given = (
        f"{change.measure} is worse in {labels[1]} than in {labels[0]}",
        before.given.name,
        "",
    )
    if labels == _SETTINGS:
        title, of = f"{change.measure} is worse with settings than without", before.title
        overrides = after.given.overrides.items()
        given = ", ".join(f"{path}={flow(value)}" for path, value in overrides)
    is_latency = change.measure != "goodput" and not words.is_share(change.measure)
    grew = _growth(both, change.measure, labels) if is_latency else [_ends(both, change, labels)]
    return Page(
        title,
        blocks(
            Note(setting(given)) if given else None,
            Note((name(of), f", {before.how_many}, in pairs")),
            Note(f"A {held} is no better where more requests fail; ignore_errors allows it.")
            if held
            else None,
            _change(both, labels, change, by),
            grew,
        ),
        "bad",
    )


def _labels(before: LazyRuns, after: LazyRuns) -> Labels:
    same = (before.given.name, before.given.variant) == (after.given.name, after.given.variant)
    if same and after.given.overrides and not before.given.overrides:
        return _SETTINGS
    for one, other in (
        (before.given.variant, after.given.variant),
        (before.title, after.title),
    ):
        if one and other and cut(one, _LABEL) != cut(other, _LABEL):
            return cut(one_line(one), _LABEL), cut(one_line(other), _LABEL)
    return "before", "after"


def _change(both: Both, labels: Labels, change: Contrast, by: str) -> Table | None:
    measure, least = change.measure, change.kindest
    means = (facts.mean(measure, runs.measure(measure), runs.at_least(measure)) for runs in both)
    bound = (">" if change.sign > 0 else "<") if any(change.at_least) else ""
    tolerated = change.sign * change.tolerance.of(least.before.estimate)
    rows = [
        *((name(label), mean) for label, mean in zip(labels, means, strict=True)),
        (Cell("difference"), facts.difference(measure, least.difference, bound)),
        (Cell(f"allowed (by {by})"), facts.amount(measure, tolerated, "+")),
    ]
    title = f"{facts.heading(measure)}, {facts.INTERVALS}"
    return table(title, ("", "mean"), rows)


def _growth(both: Both, measure: str, labels: Labels) -> Iterator[Block | None]:
    """Yield which causes of a latency grew, and which settings."""
    made = [runs.composition(measure) for runs in both]
    old, new = (composition.by_cause for composition in made)
    rows = (
        (
            Cell(words.in_words(cause)),
            *map(facts.latency, (old[cause], new[cause])),
            facts.amount(measure, by, "+"),
        )
        for cause, by in sorted(difference(old, new).items(), key=lambda change: -change[1])
        if facts.shows(abs(by))
    )
    columns = ("cause", *labels, "change")
    yield table(f"{measure} by cause, in seconds", columns, rows)
    yield facts.largest("by setting:", difference(*(composed.by_setting for composed in made)), "+")


def _ends(both: Both, change: Contrast, labels: Labels) -> Table | None:
    """Return what ended more requests than before."""
    outcomes = set(objective_outcomes(change.measure)) - {Outcome.OK}
    old, new = (runs.ended(outcomes or {*ERRORS, Outcome.DEGRADED}) for runs in both)
    grown = sorted(difference(old, new).items(), key=lambda end: -end[1])[:_ENDS]
    rows = (
        (
            name(end),
            *(facts.amount("error_rate", shares.get(end, 0)) for shares in (old, new)),
            facts.amount("error_rate", by, "+"),
        )
        for end, by in grown
        if by
    )
    return table("", (left("requests ended by"), *labels, "change"), rows)
