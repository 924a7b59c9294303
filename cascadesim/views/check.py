"""The page of a check: what settings do, before anything goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.values.units import duration_text
from cascadesim.views import facts
from cascadesim.views.page import Cell, Note, Page, blocks, left, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.contradictions import RetryCost
    from cascadesim.studies.check import Check
    from cascadesim.studies.openings import Opening

_INDENT = "  "
_DEAD = {"refuses": "refuses calls", "silent": "is silent"}
_MOST_WAITS = 8  # of one retry that are listed


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
            _never(check),
            table(
                "Retries and hedges of a call that never succeeds",
                ("retry or hedge", left("waits"), "calls per request", "sustained"),
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
        return *of, Cell("never" if opening.never else "not known"), Cell("-")
    after = Cell(duration_text(opening.after), opening.after)
    return *of, after, Cell(str(opening.reached), opening.reached)


def _never(check: Check) -> Iterator[Note]:
    """Yield why breakers stay closed for good, one note a reason."""
    reasons: dict[tuple[str, str], list[Cell]] = {}
    for opening in check.openings:
        if opening.never:
            reasons.setdefault((opening.dead, opening.never), []).append(setting(opening.breaker))
    for (dead, reason), breakers in reasons.items():
        words = [word for breaker in breakers for word in (", ", breaker)][1:]
        yield Note((*words, f" never opens on a dependency that {_DEAD[dead]}: {reason}."))


def _retry(cost: RetryCost) -> tuple[Cell, ...]:
    load, sustained = Cell(f"x{cost.load}", cost.load), Cell(f"x{cost.sustained:g}", cost.sustained)
    return setting(cost.path), Cell(_waits(cost.waits)), load, sustained


def _waits(waits: tuple[tuple[float, float], ...]) -> str:
    """Return waits one after another in one unit, those that stay the same only once."""
    if not waits:
        return "none"
    factor, unit = (1, "s") if max(waits[-1]) >= 1 else (1000, "ms")
    texts = [_range(shortest * factor, longest * factor) for shortest, longest in waits]
    changing = next(i for i in range(len(texts)) if len(set(texts[i:])) == 1)
    if len(texts) > changing + 2:
        texts = [*texts[:changing], f"{'then' if changing else 'always'} {texts[-1]}"]
    if len(texts) > _MOST_WAITS:
        left_out = len(texts) - _MOST_WAITS + 1
        texts = [*texts[: _MOST_WAITS - 2], f"{left_out} more", texts[-1]]
    return f"{', '.join(texts)} {unit}"


def _range(shortest: float, longest: float) -> str:
    least, most = (f"{round(wait, 3):.10g}" for wait in (shortest, longest))
    return most if least == most else f"{least} to {most}"


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
