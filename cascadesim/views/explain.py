"""The page of an explanation: where a request's time went, changes best first, and the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.analysis.timeline import WORK, rounded_steps
from cascadesim.plan.cause_rules import CAUSE_RULES
from cascadesim.plan.causes import CAUSES
from cascadesim.scenario.vary import quantity
from cascadesim.studies.candidates import written
from cascadesim.studies.counterfactual import setting_text
from cascadesim.studies.explain import SHOWN
from cascadesim.studies.which import limit_of
from cascadesim.values import words
from cascadesim.values.outcome import Outcome
from cascadesim.views import facts
from cascadesim.views.page import Cell, Note, Page, blocks, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascadesim.analysis.timeline import Step
    from cascadesim.studies.counterfactual import Counterfactual, World
    from cascadesim.studies.explain import Explanation
    from cascadesim.views.page import Table

_MAJOR = 0.05  # the share of a latency from which on it is said what governs a step
_COLUMNS = (
    *("setting", "latency", "change", "p99 of all", "error rate of all"),
    "degraded rate of all",
)


def page(explanation: Explanation) -> Page:
    """Return where the time of a request went, what ended it, and what would have helped it."""
    helping = _best_of_each(explanation)
    return Page(
        _title(explanation),
        blocks(
            Note(_took(explanation)),
            _steps(explanation),
            _longest(explanation),
            _changes(explanation, helping),
            _left_out(explanation, len(helping)),
            map(Note, explanation.sentences),
        ),
    )


def brief(explanation: Explanation) -> Page:
    """Return what would have helped a request most, and other changes that help it."""
    table_ = _changes(explanation, explanation.helping[:SHOWN])
    said = (Note(_took(explanation)), Note(explanation.sentences[0]))
    return Page(_title(explanation), blocks(said, table_))


def _title(explanation: Explanation) -> str:
    scenario = explanation.scenario
    at = f", variant {scenario.variant}" if scenario.variant else ""
    return f"{scenario.name}{at}, seed {explanation.seed}"


def _took(explanation: Explanation) -> str:
    """Return which request it is, how long it took, and how it ended."""
    today, seen = explanation.today, explanation.observed
    took = words.lower_bound(words.number(today.latency), today.at_least)
    at = explanation.clock(explanation.arrival)
    observed = "" if seen is None else f" (observed: {words.number(seen)} s)"
    which = explanation.named.capitalize()
    return f"{which} arrived at {at} and took {took} s{observed}; {_ending(today)}."


def _ending(today: World) -> str:
    if today.at_least:
        return "it was still under way when the run ended"
    by = f", by {today.ended_by}" if today.ended_by else ""
    if today.outcome is Outcome.OK:
        return f"it was answered{by}"
    return f"it ended {words.in_words(today.outcome.word)}{by}"


def _steps(explanation: Explanation) -> Table | None:
    units = rounded_steps(explanation.steps, explanation.today.latency)
    rows = [
        (_step(step, explanation), explanation.clock(step.at), _milliseconds(unit))
        for step, unit in zip(explanation.steps, units, strict=True)
    ]
    total = (Cell("in all"), Cell(""), _milliseconds(sum(units))) if len(rows) > 1 else ()
    return table("Where its time went, in seconds", ("", "from", "seconds"), rows, total)


def _longest(explanation: Explanation) -> Note | None:
    """Return where to read on about the longest wait; nothing where it is a small share."""
    waits = [
        step
        for step in explanation.steps
        if len(step.parts) == 1 and CAUSES[step.parts[0].cause].is_wait
    ]
    longest = max(waits, key=lambda step: step.seconds, default=None)
    if longest is None or longest.seconds < _MAJOR * explanation.today.latency:
        return None
    cause = longest.parts[0].cause
    text = f"`cascadesim rule {CAUSE_RULES[cause].code}` says what to do about "
    return Note(f"{text}{CAUSES[cause].words}.")


def _milliseconds(units: int) -> Cell:
    return Cell(f"{units / 1000:.3f}", units)


def _step(step: Step, explanation: Explanation) -> Cell:
    """Return what happened, and which setting governs it where it took long."""
    (part, *others) = step.parts
    if others or step.seconds < _MAJOR * explanation.today.latency:
        return Cell(step.words, kind="name")
    settings = (*part.cut_by, part.setting)
    governing = {path: written(explanation.scenario, path) for path in settings}
    cut = [path for path in part.cut_by if _is_all_of(step, governing[path])]
    if part.cause in WORK and not cut:
        return Cell(step.words, kind="name")
    path = (*cut, part.setting)[0]
    return Cell(step.words, kind="name", below=(f"{path}: {setting_text(governing[path])}",))


def _is_all_of(step: Step, timeout: Any) -> bool:
    """Return whether a step took the whole of a timeout, which ended it."""
    try:
        seconds, unit, _ = quantity(timeout)
    except PydanticCustomError:
        return False
    return unit == "s" and math.isclose(step.seconds, seconds, rel_tol=1e-6)


def _best_of_each(explanation: Explanation) -> Sequence[Counterfactual]:
    """Return the best value of each setting that helps the request."""
    by_path: dict[str, Counterfactual] = {}
    for change in explanation.helping:
        by_path.setdefault(change.path, change)
    return list(by_path.values())[:SHOWN]


def _changes(explanation: Explanation, changes: Sequence[Counterfactual]) -> Table | None:
    if not changes:
        return None
    rows = [(Cell("as it is"), *_figures(explanation.today, None, explanation))]
    rows += [
        (
            Cell(each.path, kind="setting", below=(each.change,)),
            *_figures(each.world, each, explanation),
        )
        for each in changes
    ]
    return table("Single changes that would have helped it, best first", _COLUMNS, rows)


def _figures(
    world: World, change: Counterfactual | None, explanation: Explanation
) -> tuple[Cell, ...]:
    today = explanation.today
    took = words.lower_bound(words.number(world.latency), world.at_least)
    return (
        Cell(took, world.latency, below=(words.in_words(world.outcome.word),)),
        Cell("") if change is None else facts.amount("p99", change.difference, "+"),
        _worse(words.seconds_text(world.p99), world.p99_worse(today)),
        _worse(world.errors_text, world.errors_worse(today)),
        _worse(world.degraded_text, world.degraded_worse(today)),
    )


def _worse(text: str, is_worse: bool) -> Cell:
    return Cell(text, kind="bad", below=("worse",)) if is_worse else Cell(text)


def _left_out(explanation: Explanation, shown: int) -> Iterator[Note]:
    helping = explanation.helping
    changes = [change for change in explanation.changes if change.chosen]
    worse = sum(explanation.today.better_than(change.world) for change in changes)
    same = len(changes) - len(helping) - worse
    counts = [
        _count(len(helping) - shown, "more help{s} it"),
        _count(same, "leave{s} it as it is"),
        _count(worse, "make{s} it worse"),
    ]
    limit = limit_of(explanation.scenario, explanation.request_class)
    if shown and limit is not None:
        best = f"Best is an answer under {limit:g} s, then a degraded one, then a later answer"
        yield Note(f"{best}; an error that comes sooner is no help.")
    said = ", ".join(count for count in counts if count)
    if said:
        tried = words.counted(len(changes), "change")
        yield Note(f"Of {tried}, {said}; --format csv has them all.")


def _count(count: int, verb: str) -> str:
    return f"{count} {verb.format(s='s' if count == 1 else '')}" if count else ""
