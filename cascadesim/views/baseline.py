"""The page of a test whose percentiles are worse than in its baseline; and notes on baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.composition import apportioned
from cascadesim.analysis.contrast import FEWEST
from cascadesim.analysis.figure_rules import FEW_REPLICATIONS, OUT_OF_DATE
from cascadesim.values import words
from cascadesim.views import facts
from cascadesim.views.page import Cell, Note, Page, blocks, left, name, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.studies.baseline import Drift
    from cascadesim.studies.runs import LazyRuns
    from cascadesim.views.page import Block

_UNFINISHED = "unfinished"
_ANEW = "`pytest --cascade-update` writes"


def page(drift: Drift, path: str) -> Page:
    """Return percentiles beside those of the baseline in a file, and the causes that grew."""
    columns = (left("percentile"), "baseline", "now", "allowed", left(""))
    rows = (_percentile(drift, percentile) for percentile in drift.changes)
    parts = blocks(_notes(drift, path), table("", columns, rows), _causes(drift))
    return Page(_title(drift), parts, "bad")


def _title(drift: Drift) -> str:
    certain = [name for name in drift.failing if drift.verdict(name) != _UNFINISHED]
    named = certain or drift.failing
    verb = ("is" if len(named) == 1 else "are") if certain else "may be"
    verdict = f"{verb} {'other' if drift.same else 'worse'} than in the baseline"
    return facts.in_short(named, "percentile", verdict)


def _notes(drift: Drift, path: str) -> Iterator[Note]:
    yield Note(name(drift.now.title))
    yield Note(f"{drift.now.how_many}, {_pairing(drift)}")
    yield Note(name(path))
    if drift.same:
        yield Note(
            "Settings and seed are the same, so that another version has brought it: of cascadesim "
            f"({drift.baseline.cascadesim} then), or of what it rests on."
        )
    if any(drift.verdict(name) == _UNFINISHED for name in drift.failing):
        yield Note(
            "Requests are unfinished at the end, so that nobody knows how slow they become; a "
            "longer `drain` lets them end."
        )
    yield Note(f"If it is meant, {_ANEW} the baseline anew.")


def _pairing(drift: Drift) -> str:
    if drift.paired:
        few = f" {drift.paired} of" if drift.paired < drift.baseline.replications else ""
        return f"in pairs with{few} the baseline's"
    return f"not in pairs, as the baseline's have seed {drift.baseline.seed}"


def _percentile(drift: Drift, percentile: str) -> tuple[Cell, ...]:
    change = drift.changes[percentile]
    before, now = change.before.estimate, change.after.estimate
    return (
        Cell(percentile),
        facts.latency(before, drift.baseline.percentiles[percentile].at_least),
        facts.latency(now, drift.now.at_least(percentile)),
        facts.latency(before if drift.same else change.allowed),
        Cell(drift.verdict(percentile), kind="bad"),
    )


def _causes(drift: Drift) -> Iterator[Block | None]:
    """Yield the change of each failing percentile by cause, and the settings of the largest."""
    names = drift.failing
    changes = [_in_milliseconds(drift, percentile) for percentile in names]
    causes = sorted(
        {cause for change in changes for cause, by in change.items() if by},
        key=lambda cause: -max(change.get(cause, 0) for change in changes),
    )
    if not causes:
        return
    rows = (
        (
            Cell(words.in_words(cause)),
            *(Cell(words.number(change.get(cause, 0) / 1000, "+")) for change in changes),
        )
        for cause in causes
    )
    yield table("change by cause, in seconds", ("cause", *names), rows)
    # The tail says the most of a timeout, and the very last request the least of the others.
    most = "p99" if "p99" in names else names[0]
    grown = drift.by_cause(most)
    cause = max(grown, key=lambda cause: grown[cause])
    now = drift.now.composition(most).of_cause(cause).by_setting
    yield facts.largest(f"{words.in_words(cause)} in {most} now:", now)


def _in_milliseconds(drift: Drift, percentile: str) -> dict[str, int]:
    """Return the change of a percentile by cause, rounded so that it adds up to what is shown."""
    change = drift.changes[percentile]
    before, after = (round(1000 * round(one.estimate, 3)) for one in (change.before, change.after))
    return apportioned(drift.by_cause(percentile), after - before)


def outdated(drift: Drift, path: str) -> str:
    """Return the lines on a baseline whose settings are other ones, and that still passes.

    Where nothing is better, they say how much worse the p99 has to be for that to be seen, or the
    next below it that is known.
    """
    known = [p for p in ("p99", "p95", "p90", "p50") if p not in drift.unknown]
    since = []
    if drift.better:
        since = [f"{words.listed(drift.better)} better since"]
    elif known:
        least = words.number(max(drift.changes[known[0]].visible, 0.001))
        since = [f"nothing is seen to be worse; at {known[0]}, that takes {least} s more"]
    if drift.unknown:
        since.append(f"{words.listed(drift.unknown)} not known, as requests are unfinished")
    since.append(f"{_ANEW} it anew")
    head = f"out of date: {path} [{OUT_OF_DATE.code}]"
    return "\n".join([head, *(f"  {line}" for line in since)])


def written(runs: LazyRuns, path: str, *, by_interval: bool) -> str:
    """Return the lines on a baseline that was written, also where its intervals will not do."""
    if not by_interval or runs.count >= FEWEST:
        return f"written: {path}"
    few = words.counted(runs.count, "replication")
    text = f"{few} cannot tell a later change from noise, {FEWEST} or more can"
    return f"written: {path}\n  {text} [{FEW_REPLICATIONS.code}]"
