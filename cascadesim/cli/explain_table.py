"""What people read of an explanation: a timeline, changes best first, and the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.analysis.timeline import WORK, rounded_steps
from cascadesim.cli.tables import new_console, print_table, say, words
from cascadesim.scenario.vary import quantity
from cascadesim.shown import lower_bound, number, seconds_text
from cascadesim.studies.candidates import written
from cascadesim.studies.counterfactual import setting_text
from cascadesim.studies.explain import SHOWN, limit_of
from cascadesim.values.errors import one_line
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from cascadesim.analysis.timeline import Step
    from cascadesim.studies.counterfactual import Counterfactual, World
    from cascadesim.studies.explain import Explanation

_MAJOR = 0.05  # the share of a latency from which on it is said what governs a step
_WIDTH = 36  # characters of a change on one line


def print_explanation(explanation: Explanation) -> None:
    """Print where the time of a request went, what ended it, and what would have helped it."""
    console = new_console()
    scenario, today = explanation.scenario, explanation.today
    variant = f", variant {scenario.variant}" if scenario.variant else ""
    console.print()
    say(console, one_line(f"{scenario.name}{variant}, seed {explanation.seed}"))
    took = lower_bound(number(today.latency), today.at_least)
    which = explanation.named.capitalize()
    at = explanation.clock(explanation.arrival)
    seen = explanation.observed
    observed = "" if seen is None else f" (observed: {number(seen)} s)"
    say(console, f"{which} arrived at {at} and took {took} s{observed}; {_ending(today)}.\n")
    _print_steps(console, explanation)
    _print_changes(console, explanation)
    for sentence in explanation.sentences:
        say(console, one_line(sentence))


def _ending(today: World) -> str:
    if today.at_least:
        return "it was still under way when the run ended"
    by = f", by {today.ended_by}" if today.ended_by else ""
    if today.outcome is Outcome.OK:
        return f"it was answered{by}"
    return f"it ended {words(today.outcome.word)}{by}"


def _print_steps(console: Console, explanation: Explanation) -> None:
    units = rounded_steps(explanation.steps, explanation.today.latency)
    rows = [
        (_step(step, explanation), explanation.clock(step.at), f"{unit / 1000:.3f}")
        for step, unit in zip(explanation.steps, units, strict=True)
    ]
    if len(rows) > 1:
        rows.append(("in all", "", f"{sum(units) / 1000:.3f}"))
    print_table(console, "Where its time went, in seconds", ("", "from", "seconds"), rows)


def _step(step: Step, explanation: Explanation) -> str:
    """Return what happened, and which setting governs it where it took long."""
    (part, *others) = step.parts
    if others or step.seconds < _MAJOR * explanation.today.latency:
        return step.words
    value = written(explanation.scenario, part.setting)
    if part.cause in WORK and not _is_all_of(step, value):
        return step.words
    return f"{step.words}\n  {part.setting}: {setting_text(value)}"


def _is_all_of(step: Step, timeout: Any) -> bool:
    """Return whether a step took the whole of a timeout, which ended it."""
    try:
        seconds, unit, _ = quantity(timeout)
    except PydanticCustomError:
        return False
    return unit == "s" and math.isclose(step.seconds, seconds, rel_tol=1e-6)


def _print_changes(console: Console, explanation: Explanation) -> None:
    by_path: dict[str, Counterfactual] = {}
    for change in explanation.helping:
        by_path.setdefault(change.path, change)  # the best value of each setting
    shown = list(by_path.values())[:SHOWN]
    if shown:
        columns = ("setting", "latency", "change", "p99", "errors")
        rows = [("(as it is)", *_figures(explanation.today, None, explanation))]
        rows += [(_change(each), *_figures(each.world, each, explanation)) for each in shown]
        title = "Single changes that would have helped it, best first; p99 and errors of all"
        print_table(console, title, columns, rows)
    for line in _left_out(explanation, len(shown)):
        say(console, line)
    console.print()


def _change(change: Counterfactual) -> str:
    text = change.change
    if len(text) > _WIDTH:
        text = text.replace(" → ", " →\n  ")
    return f"{change.path}\n  {text}"


def _figures(
    world: World, change: Counterfactual | None, explanation: Explanation
) -> tuple[str, ...]:
    today = explanation.today
    more_degraded = _worse(world.degraded_worse(today), "more\ndegraded")
    return (
        f"{lower_bound(number(world.latency), world.at_least)}\n{words(world.outcome.word)}",
        "" if change is None else number(change.difference, "+"),
        f"{seconds_text(world.p99)}{_worse(world.p99_worse(today))}",
        f"{world.errors_text}{_worse(world.errors_worse(today))}{more_degraded}",
    )


def _worse(is_worse: bool, text: str = "worse") -> str:
    return f"\n{text}" if is_worse else ""


def _left_out(explanation: Explanation, shown: int) -> Iterator[str]:
    helping, changes = explanation.helping, explanation.changes
    worse = sum(explanation.today.better_than(change.world) for change in changes)
    same = len(changes) - len(helping) - worse
    counts = [
        _count(len(helping) - shown, "more help{s} it"),
        _count(same, "leave{s} it as it is"),
        _count(worse, "make{s} it worse"),
    ]
    limit = limit_of(explanation.scenario, explanation.request_class)
    if shown and limit is not None:
        yield (
            f"(Best is an answer under {limit:g} s, then a degraded one, then an error; later than "
            "that, what ends soonest.)"
        )
    said = ", ".join(count for count in counts if count)
    if said:
        tried = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
        yield f"(Of {tried}, {said}; --format csv has them all.)"


def _count(count: int, verb: str) -> str:
    return f"{count} {verb.format(s='s' if count == 1 else '')}" if count else ""
