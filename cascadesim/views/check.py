"""The page of a check: what settings do, before anything goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.values.units import duration_text
from cascadesim.views import facts
from cascadesim.views.page import Cell, Note, Page, blocks, left, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.contradictions import RetryCost
    from cascadesim.studies.check import Check, Opening

_INDENT = "  "


def page(check: Check) -> Page:
    """Return breakers, retries and worst cases, and settings that contradict each other."""
    return Page(
        f"{facts.at_variant(check.scenario)}: valid",
        blocks(
            table(
                "Breakers against a dead dependency, at the mean arrival rate",
                ("breaker", "dependency", "failing calls", "opens after", "calls reaching it"),
                map(_opening, check.openings),
            ),
            table(
                "Retries of a call that fails throughout",
                ("retry", left("waits"), "calls per request", "sustained"),
                map(_retry, check.retries),
            ),
            table(
                "Worst-case latency that the settings allow, in seconds",
                ("path", "worst case"),
                _worst_case(check),
            ),
            _contradictions(check),
        ),
    )


def _opening(opening: Opening) -> tuple[Cell, ...]:
    calls = Cell(str(opening.failing_calls), opening.failing_calls)
    of = (setting(opening.breaker), Cell(opening.dead), calls)
    if opening.after is None or opening.reached is None:
        return *of, Cell("never" if opening.never else "not seen"), Cell("-")
    after = Cell(duration_text(opening.after), opening.after)
    return *of, after, Cell(str(opening.reached), opening.reached)


def _retry(cost: RetryCost) -> tuple[Cell, ...]:
    waits = ", ".join(_range(*wait) for wait in cost.waits) or "none"
    load, sustained = Cell(f"x{cost.load}", cost.load), Cell(f"x{cost.sustained:g}", cost.sustained)
    return setting(cost.path), Cell(waits), load, sustained


def _range(shortest: float, longest: float) -> str:
    if shortest == longest:
        return duration_text(longest)
    return f"{duration_text(shortest)} to {duration_text(longest)}"


def _worst_case(check: Check) -> Iterator[tuple[Cell, Cell]]:
    """Yield each stage and its settings, the largest part first; and requests by class."""
    for stage, bound in check.bounds.items():
        yield name(stage), facts.bound(bound.total)
        for path, seconds in sorted(bound.terms.items(), key=lambda term: -term[1]):
            if seconds:
                yield setting(f"{_INDENT}{path}"), facts.bound(seconds)
    for request_class, bound in check.paths.items():
        which = "a request through all of them"
        if request_class is not None:
            which = f"a request of {request_class} through its path"
        yield name(which), facts.bound(bound.total)


def _contradictions(check: Check) -> Iterator[Note]:
    for one in check.contradictions:
        yield Note((setting(", ".join(one.settings)), f": {one.problem}"), "warning", one.code)
    if check.contradictions:
        yield Note("`cascadesim rule CODE` says why it is bad, and what to do instead.")
    else:
        yield Note("No settings contradict each other.")
