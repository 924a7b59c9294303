"""Tables of the figures of variants, a row each: of one run, or means over replications.

A row is a mapping of cells by measure, as `of_summary` and `of_comparison` give it. Rows are by
their heads: the variant, or the variant and a class of requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.figure_rules import NONE_MEASURED
from cascadesim.analysis.percentiles import DEFINITION, OK_PERCENTILES, PERCENTILES, too_few
from cascadesim.scenario.objectives import ANSWERED, RATES
from cascadesim.values import words
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import duration_text
from cascadesim.views import facts
from cascadesim.views.page import Cell, Column, Note, left, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cascadesim.analysis.composition import Composition
    from cascadesim.analysis.judged import Judged
    from cascadesim.analysis.summary import Summary
    from cascadesim.records import ConnectionCounts
    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.run import Result
    from cascadesim.views.page import Block, Table

    Row = Mapping[str, Cell]
    Rows = Mapping[tuple[str, ...], Row]

VARIANT = ("variant",)
CLASS = ("variant", "class")
_ENDED: dict[str, Callable[[ConnectionCounts], dict[str, int]]] = {
    "lost by": lambda counts: counts.lost,
    "handshake failed by": lambda counts: counts.failed,
}
_OUTCOMES = tuple(outcome.word for outcome in Outcome)
_OBJECTIVES = "Objectives (latencies in seconds)"
_BLAMED = "To blame: a share of the latency, or of the requests that went wrong"


def of_summary(summary: Summary) -> dict[str, Cell]:
    """Return the measures of one run; of outcomes, how many requests ended so."""
    percentiles = summary.percentiles | summary.of_ok
    cells = {name: facts.percentile(value) for name, value in percentiles.items()}
    cells["requests"] = Cell(str(summary.requests), summary.requests)
    cells |= {word: Cell(str(n), n) for word, n in summary.outcomes.items()}
    cells["goodput"] = facts.amount("goodput", summary.goodput)
    unfinished = summary.rates["unfinished_rate"] > 0
    for rate in RATES:
        moves = unfinished and rate != "unfinished_rate"
        cells[rate] = facts.amount(rate, summary.rates[rate], at_least=moves)
    return cells


def of_comparison(comparison: Comparison, label: str) -> dict[str, Cell]:
    """Return the measures of a variant, of outcomes the shares of requests that ended so.

    Of a single replication they are those of its run.
    """
    if comparison.count == 1:
        return of_summary(comparison.results[label].summary)
    cells = {
        name: facts.mean(name, value, comparison.at_least(label, name))
        for name, value in comparison.measures(label).items()
    }
    return cells | {word: cells[f"{word}_rate"] for word in _OUTCOMES}


def of_results(results: Mapping[str, Result]) -> dict[tuple[str, ...], dict[str, Cell]]:
    """Return a row for each run."""
    return {(label,): of_summary(result.summary) for label, result in results.items()}


def of_classes(results: Mapping[str, Result]) -> dict[tuple[str, ...], dict[str, Cell]]:
    """Return a row for each class of requests of each run, none where there are no classes."""
    return {
        (label, of): of_summary(summary)
        for label, result in results.items()
        for of, summary in result.summary.classes.items()
    }


def of_runs(results: Mapping[str, Result]) -> Iterator[Block | None]:
    """Yield all tables of runs of variants, of one replication."""
    rows, classes = of_results(results), of_classes(results)
    yield ended(rows, limit=limit_of(results))
    yield percentiles(rows)
    yield from definition(results)
    yield ended(classes, CLASS)
    yield percentiles(classes, CLASS)
    judged = {label: result.summary.verdicts for label, result in results.items()}
    yield from objectives(judged)
    for label, result in results.items():
        yield meets(label, judged[label], result.summary.rates)
    yield connections({label: result.records.connections for label, result in results.items()})


def percentiles(rows: Rows, heads: Sequence[str] = VARIANT, note: str = "") -> Table | None:
    """Return the latency percentiles of each row; of ok replies too, where others are among all."""
    cells: list[tuple[Cell, ...]] = []
    for head, row in rows.items():
        cells.append((*map(name, head), *(row[p] for p in PERCENTILES)))
        if (row["ok_rate"].sort or 0) < 1 and row["ok_p50"].text != "-":
            of_ok = (*head[:-1], f"{head[-1]}, ok replies")
            cells.append((*map(name, of_ok), *(row[p] for p in OK_PERCENTILES)))
    title = f"Latency percentiles in seconds{_of(heads)}{note}"
    return table(title, (*_heads(heads), *PERCENTILES), cells)


def limit_of(results: Mapping[str, Result]) -> float | None:
    """Return the limit of the first latency objective in seconds, where runs have the same."""
    limits = {result.summary.limit for result in results.values()}
    return limits.pop() if len(limits) == 1 else None


def ended(
    rows: Rows, heads: Sequence[str] = VARIANT, note: str = "", limit: float | None = None
) -> Table | None:
    """Return how many requests were answered within a limit, how all ended, and goodput."""
    used = [word for word in _OUTCOMES if word == "ok" or _any(rows, word)]
    counts = ["requests"] if all("requests" in row for row in rows.values()) else []
    measures = [ANSWERED, "error_rate", "goodput", *counts, *used]
    cells = (
        (*map(name, head), *(row.get(measure, Cell("-")) for measure in measures))
        for head, row in rows.items()
    )
    answered = words.heading(ANSWERED) if limit is None else words.answered(limit)
    columns = [*_heads(heads), Column(answered), *map(Column, map(words.heading, measures[1:]))]
    return table(f"How requests ended{_of(heads)}{note}", columns, cells)


def _heads(heads: Sequence[str]) -> list[Column]:
    return [left(head) for head in heads]


def _of(heads: Sequence[str]) -> str:
    return ", by class" if heads == CLASS else ""


def _any(rows: Rows, measure: str) -> bool:
    return any((row[measure].sort or 0) > 0 for row in rows.values())


def definition(results: Mapping[str, Result]) -> Iterator[Note]:
    """Yield what percentiles are of, and a warning where the warm-up is a guess."""
    first = next(iter(results.values()))
    warmup = duration_text(first.summary.warmup)
    yield Note(f"Percentiles are {DEFINITION}; warm-up {warmup}.")
    if any(result.scenario.too_short for result in results.values()):
        yield facts.GUESS
    if any(result.records.beside_parts for result in results.values()):
        yield Note("Of stages in parallel and of hedges, times are those of the critical path.")
    requests = first.summary.requests
    if not requests:
        yield Note("no request arrives between warm-up and horizon.", "warning", NONE_MEASURED.code)
    few = too_few(requests, PERCENTILES)
    if requests and few and not first.scenario.model.has_planned_faults:
        yield facts.too_few(few, f"of {requests} measured requests")


def objectives(
    judged: Mapping[str, Sequence[Judged]], replications: int = 1, title: str = _OBJECTIVES
) -> Iterator[Table | None]:
    """Yield the objectives of each variant, and what is to blame where they are missed."""
    all_judged = [(label, one) for label, of_variant in judged.items() for one in of_variant]
    many = replications > 1
    met = [(facts.met_in(one, replications),) if many else () for _, one in all_judged]
    yield table(
        title,
        ("variant", left("objective"), "value", left("met?"), *["met in"] * many),
        (
            (name(label), facts.objective(one), facts.judged_value(one), facts.met(one.met), *often)
            for (label, one), often in zip(all_judged, met, strict=True)
        ),
    )
    yield table(
        _BLAMED,
        ("variant", left("objective"), "share", *["blamed in"] * many, left("setting")),
        (
            (
                name(label),
                facts.objective(one),
                facts.share(one.blame.share),
                *[facts.blamed_in(one, replications)] * many,
                setting(one.blame.setting),
            )
            for label, one in all_judged
            if one.blame is not None
        ),
    )


def meets(label: str, judged: Sequence[Judged], rates: Mapping[str, float]) -> Note | None:
    """Return that a variant meets every objective, and at what cost; None where it does not."""
    if not judged or not all(one.met for one in judged):
        return None
    shares = {word: rates[f"{word}_rate"] for word in ("degraded", "rejected", "shed")}
    costs = [f"{words.percent(share)} {word}" for word, share in shares.items() if share]
    cost = f"at the cost of {words.listed(costs)} replies" if costs else "with no reply degraded"
    return Note((name(label), f" meets every objective, {cost}."))


def connections(
    counts: Mapping[str, ConnectionCounts | None], title: str = "Connections"
) -> Table | None:
    """Return how often connections were opened, closed and lost, and handshakes failed, by what.

    A column is of one run. None where no run has connections.
    """
    having = [one for one in counts.values() if one is not None]
    if not having:
        return None
    rows = [
        [Cell("opened"), *_numbers(counts, lambda counts: counts.opened)],
        [Cell("closed by the client"), *_numbers(counts, lambda counts: counts.closed)],
    ]
    for what, of in _ENDED.items():
        for path in dict.fromkeys(path for one in having for path in of(one)):
            numbers = _numbers(counts, lambda one: of(one).get(path, 0))  # noqa: B023 - at once
            rows.append([Cell(what, kind="name", below=(path,)), *numbers])
    if any(each.gave_up for each in having):
        rows.append([Cell("gave up"), *_numbers(counts, lambda own: own.gave_up)])
    return table(title, ["connections", *counts], rows)


def _numbers(
    counts: Mapping[str, ConnectionCounts | None], of: Callable[[ConnectionCounts], int]
) -> list[Cell]:
    numbers = [None if one is None else of(one) for one in counts.values()]
    return [Cell("-") if n is None else Cell(str(n), n) for n in numbers]


def causes(
    compositions: Mapping[str, Mapping[str, Composition]], names: Iterable[str] = PERCENTILES
) -> Table | None:
    """Return what percentiles are made of, by cause, of compositions by variant and percentile."""
    made = [
        (label, percentile, percentiles[percentile])
        for percentile in names
        for label, percentiles in compositions.items()
        if percentiles[percentile].seconds
    ]
    used = facts.used_causes(composed.by_cause for *_, composed in made)
    rows = (
        (
            name(label),
            Cell(percentile, float(PERCENTILES.index(percentile))),
            facts.latency(composed.total),
            *(facts.part(composed.by_cause[cause], composed.total) for cause in used),
        )
        for label, percentile, composed in made
    )
    columns = [left("variant"), left("percentile"), Column("latency")]
    columns += [Column(words.in_words(cause)) for cause in used]
    return table("What percentiles are made of, in seconds", columns, rows)
