"""The blocks of a report's chapters that no other page has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.report.timeline import clock, spent
from cascadesim.values import words
from cascadesim.values.outcome import Outcome
from cascadesim.views import facts, measures, replay
from cascadesim.views.compare import difference
from cascadesim.views.page import Cell, Column, left, listing, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.report.data import Report
    from cascadesim.report.settings import SettingEffect
    from cascadesim.views.page import Block, Listing, Table

COMPOSED = ("p50", "p95", "p99", "max")  # the percentiles that are taken apart
_SLOWEST = 5  # requests of each variant
_MINOR = 0.01  # the share below which what governs a percentile is not named
_BLAMED = 0.05  # the share of a p99 from which on a setting is no longer faint


def observed(report: Report) -> Iterator[Block | None]:
    """Yield the observed requests beside the simulated ones."""
    for i in range(len(report.scenario.model.observations)):
        yield from replay.observed(report.replay, i)


def used_causes(report: Report) -> list[str]:
    """Return the causes that have any part in a percentile."""
    made = (made.by_cause for of in report.compositions.values() for made in of.values())
    return facts.used_causes(made)


def causes(report: Report) -> Table | None:
    """Return what percentiles are made of, by cause."""
    return measures.causes(report.compositions, COMPOSED)


def governing(report: Report) -> Table | None:
    """Return the settings that govern the p99."""
    rows = [
        (setting(path), name(label), Cell(words.number(seconds), seconds), facts.share(share))
        for label, made in report.compositions.items()
        for path, seconds in sorted(made["p99"].by_setting.items(), key=lambda item: -item[1])
        if (share := seconds / (made["p99"].total or 1.0)) >= _MINOR
    ]
    columns = (left("setting"), left("variant"), "its part of the p99, in seconds", "share")
    return table("Settings that govern the p99", columns, rows)


def slowest(report: Report) -> Table | None:
    """Return the slowest measured requests of each variant."""
    when = clock(report.scenario.model.clock)
    rows = []
    for label, result in report.comparison.results.items():
        records = result.records
        order = [i for i in (-records.latency).argsort(kind="stable") if records.measured[i]]
        for row in order[:_SLOWEST]:
            outcome, arrival = Outcome(int(records.outcome[row])), float(records.arrival[row])
            parts = ", ".join(f"{s:.3f} s {what}" for what, s in spent(records, row)[:3])
            rows.append(
                (
                    name(label),
                    Cell(when(arrival), arrival),
                    facts.latency(float(records.latency[row]), outcome is Outcome.UNFINISHED),
                    Cell(words.in_words(outcome.word)),
                    name(parts),
                )
            )
    columns = ("variant", "arrived", "latency, in seconds")
    more = (left("outcome"), left("where its time went"))
    return table("The slowest requests of each variant", (*columns, *more), rows)


def breakers(report: Report) -> Table | None:
    """Return how often and how long breakers were open, those that ever were in some variant."""
    ever = {opened.breaker for opened in report.opened if opened.times}
    rows = (
        (
            setting(opened.breaker),
            name(opened.variant),
            Cell(str(opened.times), opened.times),
            Cell(words.number(opened.seconds), opened.seconds),
            Cell(opened.first or "-"),
        )
        for opened in report.opened
        if opened.breaker in ever
    )
    columns = ("breaker", left("variant"), "times open", "open in all, in seconds", "first opens")
    return table("Breakers that opened", columns, rows)


def settings(report: Report) -> Table | None:
    """Return what each variant changes, and what that is worth."""
    first = report.comparison.first
    labels = list(report.comparison.results)
    # Those that matter first, of each variant.
    effects = sorted(report.effects, key=lambda e: (labels.index(e.variant), not e.matters))
    rows = (
        (
            setting(effect.path),
            name(effect.variant),
            Cell(effect.first, kind="value"),
            Cell(effect.changed, kind="value"),
            Cell("yes", 0.0, "strong") if effect.matters else Cell("no", 1.0, "faint"),
            _back(effect),
            _share(effect.first_blamed),
            _share(effect.blamed),
        )
        for effect in effects
    )
    columns = (
        *(left("setting"), left("variant"), left(first), left("variant's value")),
        *(left("matters?"), "change of the p99 if it alone is changed back, in seconds"),
        *(f"share of the p99, {first}", "share of the p99, variant"),
    )
    return table(f"Settings that differ from {first}", columns, rows)


def _back(effect: SettingEffect) -> Cell:
    if effect.back is None:
        return Cell("not possible alone", facts.known(float("nan")), "faint")
    return difference(effect.back)


def _share(share: float) -> Cell:
    cell = facts.share(share)
    return cell if share >= _BLAMED else Cell(cell.text, cell.sort, "faint")


def worst_cases(report: Report) -> Table | None:
    """Return the worst-case latency that the settings of each variant allow."""
    bounds = report.bounds
    paths = dict.fromkeys(path for bound in bounds.values() for path in bound.terms)
    rows = (
        (setting(path), *(facts.bound(bound.terms.get(path, 0.0)) for bound in bounds.values()))
        for path in paths
        if any(bound.terms.get(path) for bound in bounds.values())
    )
    total = (Cell("all together"), *(facts.bound(bound.total) for bound in bounds.values()))
    columns = [left("setting"), *map(Column, bounds)]
    return table("The longest that a request can take, in seconds", columns, rows, total)


def worst_cases_of_classes(report: Report) -> Table | None:
    """Return the worst case of each class of requests, None where there are no classes."""
    classes = dict.fromkeys(of for bounds in report.paths.values() for of in bounds if of)
    rows = (
        (name(of), *(facts.bound(bounds[of].total) for bounds in report.paths.values()))
        for of in classes
    )
    columns = [left("class"), *map(Column, report.paths)]
    return table("The longest that a request of each class can take, in seconds", columns, rows)


def warnings(report: Report) -> Listing | None:
    """Return settings that contradict each other, with the variants that have them."""
    having: dict[tuple[str, ...], list[str]] = {}
    for label, contradictions in report.contradictions.items():
        for one in contradictions:
            having.setdefault((one.code, one.problem, *one.settings), []).append(label)
    several = len(report.contradictions) > 1
    items = []
    for (code, problem, *paths), labels in having.items():
        commas = [piece for path in paths for piece in (", ", setting(path))][1:]
        of = (" (", name(", ".join(labels)), ")") if several else ()
        items.append((*commas, ": ", name(problem), *of, f". [{code}]"))
    return listing("", items)


def marked(report: Report) -> Table | None:
    """Return the values that the scenario marks as given, assumed or fitted."""
    rows = (
        (
            setting(marked.path),
            Cell(marked.value, kind="value") if marked.value else Cell("below it", kind="faint"),
            Cell(marked.mark),
            name(marked.note),
        )
        for marked in report.marked
    )
    columns = (left("setting"), left("value"), left("mark"), left("note"))
    return table("Values that the scenario marks", columns, rows)


def ran(report: Report) -> Iterator[str]:
    """Yield what was simulated, and how often."""
    comparison = report.comparison
    result = comparison.results[comparison.first]
    model = result.scenario.model
    start = f" from {model.clock}" if model.clock else ""
    yield f"{_span(model.horizon)}{start}"
    warmup = result.summary.warmup
    without = f", without those of the first {_span(warmup)}" if warmup else ""
    n = comparison.count
    yield f"{result.summary.requests} requests in {'the first' if n > 1 else 'a'} run{without}"
    yield f"{words.counted(n, 'replication')} from seed {result.seed}"


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 120 and seconds % 60 == 0 else f"{seconds:g} s"
