"""The page of a comparison: variants side by side, over one replication or several."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.analysis.figure_rules import FEW_REPLICATIONS, NONE_MEASURED, PRECISION_MISSED
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.studies.replications import SAME
from cascadesim.values import words
from cascadesim.views import facts, measures
from cascadesim.views.brief import OVER_TIME, figures, in_columns
from cascadesim.views.page import Cell, Note, Page, blocks, listing, name, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.studies.compare import Comparison
    from cascadesim.views.page import Block, Listing, Table

_PAIRED = (
    "Differences are taken replication by replication, of the same seed. “Not seen” means that "
    "chance could explain the difference (paired t test at 5 %, corrected for the number of "
    "variants after Holm)."
)


def page(comparison: Comparison) -> Page:
    """Return outcomes, percentiles, their differences and causes, and objectives."""
    first = " in the first replication" if comparison.count > 1 else ""
    counts = {label: run.records.connections for label, run in comparison.results.items()}
    return Page(
        _title(comparison),
        blocks(
            _precision(comparison),
            _unmeasured(comparison),
            outcomes(comparison),
            percentiles(comparison),
            measures.definition(comparison.results),
            differences(comparison),
            changes(comparison),
            _pairs(comparison),
            classes(comparison),
            objectives(comparison),
            measures.connections(counts, f"Connections{first}"),
        ),
    )


def brief(comparison: Comparison) -> Page:
    """Return the figures of each variant in a column."""
    over_time = OVER_TIME if comparison.count == 1 else f"{OVER_TIME}, first replication"
    columns = figures_of(comparison)
    return Page(title_of(comparison), blocks(in_columns(columns, comparison.results, over_time)))


def figures_of(comparison: Comparison) -> dict[str, dict[str, Cell]]:
    """Return the figures of each variant; see `figures`."""
    count = comparison.count
    return {
        label: figures(row, comparison.objectives(label), count)
        for (label,), row in _rows(comparison).items()
    }


def title_of(comparison: Comparison) -> str:
    """Return what was compared, and in what figures are given."""
    return f"{_title(comparison)}; {words.SECONDS}"


def _title(comparison: Comparison) -> str:
    result = comparison.results[comparison.first]
    names = dict.fromkeys(run.scenario.name for run in comparison.results.values())
    of = f"{', '.join(names)}: {words.counted(comparison.count, 'replication')}"
    means = f"; {facts.INTERVALS}" if comparison.count > 1 else ""
    return f"{of} from seed {result.seed}{means}"


def percentiles(comparison: Comparison) -> Table | None:
    """Return the percentiles of each variant."""
    return measures.percentiles(_rows(comparison))


def _rows(comparison: Comparison) -> dict[tuple[str, ...], dict[str, Cell]]:
    return {(label,): measures.of_comparison(comparison, label) for label in comparison.results}


def differences(comparison: Comparison) -> Iterator[Block | None]:
    """Yield the differences of percentiles from the first variant, and what “seen” means."""
    rows = [
        (name(label), *(difference(made[p]) for p in PERCENTILES))
        for label, made in comparison.differences.items()
    ]
    title = f"Difference from {comparison.first} in seconds"
    yield table(title, ("variant", *PERCENTILES), rows)
    if rows and comparison.count > 1:
        yield Note(_PAIRED)


def difference(contrast: Contrast) -> Cell:
    """Return how a measure changed, and whether that is seen where there are replications."""
    change, half = contrast.interval.estimate, contrast.interval.half_width
    if not contrast.bound and abs(change) < SAME and (math.isnan(half) or half < SAME):
        return Cell("no change", 0.0, "faint")
    cell = facts.difference(contrast.measure, contrast.interval, contrast.bound)
    if contrast.seen or math.isnan(half):
        return cell
    return Cell(cell.text, cell.sort, "faint", below=(words.SEEN[contrast.seen],))


def changes(comparison: Comparison) -> Listing | None:
    """Return by what each variant changed the headline of the first, and what that does to errors.

    Variants that agree share a line.
    """
    agreeing: dict[str, list[str]] = {}
    for label in comparison.results:
        made = None if label == comparison.first else comparison.decomposition(label)
        if made is not None:
            sentence = f"{made.sentence}{_errors(comparison, label)}"
            agreeing.setdefault(sentence, []).append(label)
    items = ((name(", ".join(who)), f": {sentence}.") for sentence, who in agreeing.items())
    means = " (means over replications)" if comparison.count > 1 else ""
    return listing(f"What changed from {comparison.first}, by cause{means}:", items)


def _errors(comparison: Comparison, label: str) -> str:
    """Return how many requests fail where that differs from the first variant, else ""."""
    errors = comparison.errors[label]
    change = errors.known.difference.estimate
    if not (change and (errors.seen if comparison.count > 1 else True)):
        return ""
    before, after = (words.percent(rate.estimate) for rate in (errors.before, errors.after))
    return f", and {after} of the requests now fail ({before} in {comparison.first})"


def outcomes(comparison: Comparison) -> Table | None:
    """Return how many requests were answered in time, and how all ended."""
    return measures.ended(_rows(comparison), limit=measures.limit_of(comparison.results))


def classes(comparison: Comparison) -> Iterator[Table | None]:
    """Yield how the requests of each class ended in the first replication, and their latency."""
    rows = measures.of_classes(comparison.results)
    first = ", first replication" if comparison.count > 1 else ""
    yield measures.ended(rows, measures.CLASS, first)
    yield measures.percentiles(rows, measures.CLASS, first)


def objectives(comparison: Comparison) -> Iterator[Block | None]:
    """Yield the objectives of each variant, and what is to blame where they are missed."""
    judged = {label: comparison.objectives(label) for label in comparison.results}
    yield from measures.objectives(judged, comparison.count)
    for label, of_variant in judged.items():
        rates = {measure: mean.estimate for measure, mean in comparison.measures(label).items()}
        yield measures.meets(label, of_variant, rates)


def _pairs(comparison: Comparison) -> Listing | None:
    """Return how many requests got better and worse than in the first variant."""
    counts = ((label, comparison.pairs(label)) for label in comparison.results)
    items = (
        (name(label), f": {pairs[0]} requests got better and {pairs[1]} worse.")
        for label, pairs in counts
        if pairs is not None and label != comparison.first
    )
    return listing(f"Requests beside the same ones in {comparison.first}:", items)


def _precision(comparison: Comparison) -> Note | None:
    if comparison.precision is None:
        return None
    asked = f"{comparison.precision.measure}={comparison.precision.share:g}"
    if comparison.count == 1:
        text = "is not known to be reached: one replication has no interval"
        return Note(
            f"The precision {asked} {text}; allow --replications 2 or more.",
            code=FEW_REPLICATIONS.code,
        )
    reached = {label: comparison.reached(label) for label in comparison.results}
    enough = all(half <= comparison.precision.share for half in reached.values())
    shares = ", ".join(
        f"{label} {'not known' if math.isinf(half) else words.percent(half)}"
        for label, half in reached.items()
    )
    moving = [
        label
        for label in comparison.results
        if comparison.at_least(label, comparison.precision.measure)
    ]
    text = "requests unfinished at the end could move it; a longer drain tells more"
    why = f" ({', '.join(moving)}: {text})" if moving else ""
    verdict, code = ("is reached", "") if enough else ("is not reached", PRECISION_MISSED.code)
    text = f"The precision {asked} {verdict}; half the interval is: {shares}{why}."
    return Note(text, code=code)


def _unmeasured(comparison: Comparison) -> Iterator[Note]:
    """Yield where there are no means, as replications measure no request."""
    if comparison.count == 1:
        return
    without: dict[str, list[str]] = {}
    for label, replications in comparison.replications.items():
        empty = sum(not one.requests for one in replications)
        if empty:
            every = empty == comparison.count
            of = "no replication has a" if every else "some replications have no"
            without.setdefault(of, []).append(label)
    for of, labels in without.items():
        text = f"{of} request between warm-up and horizon, so there is no mean latency"
        said = f"{', '.join(labels)}: {text}; a longer horizon has more."
        yield Note(said, code=NONE_MEASURED.code)
