"""The tables of a report: figures as texts, each with the number that it is sorted by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plan.causes import CAUSES
from cascadesim.report.timeline import clock, spent
from cascadesim.shown import lower_bound, number, percent, percent_plus_minus, plus_minus
from cascadesim.studies.replications import SAME
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.analysis.judged import Judged
    from cascadesim.report.data import Report
    from cascadesim.report.settings import SettingEffect
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.compare import Comparison

COMPOSED = ("p50", "p95", "p99", "max")  # the percentiles that are taken apart
_SLOWEST = 5  # requests of each variant
_MINOR = 0.01  # the share below which what governs a percentile is not named


@dataclass(frozen=True, slots=True)
class Cell:
    """A text; `sort` is the number to sort by, the text itself if None.

    `kind` is how it looks: "good", "bad", "strong", "faint", "code" (a dotted path), "value" (as it
    is written in YAML), or like any other.
    """

    text: str
    sort: float | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, of figures or of words."""

    label: str
    figures: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the first cell of a row is its heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()  # stays below the others


def words(name: str) -> str:
    """Return a name such as "timed_out" in words."""
    return name.replace("_", " ")


def observed(report: Report) -> Table:
    """Return the observed requests beside the simulated ones."""
    rows = []
    replay = report.replay
    for i in range(len(replay.scenario.model.observations)):
        seen = replay.observation(i)
        for label, own in seen["variants"].items():
            rows.append(
                (
                    Cell(label),
                    Cell(seen["at"], float(i)),
                    Cell(f"{seen['observed_s']:.6f}", seen["observed_s"]),
                    latency_cell(own["simulated_s"], own["at_least"], 6),
                    # Adding 0.0 makes a rounded -0.0 plain.
                    Cell(f"{round(own['change'], 3) + 0.0:+.1%}", own["change"]),
                    Cell(words(own["outcome"])),
                    Cell(_most(own["attribution_s"])),
                )
            )
    columns = (
        *(Column("variant", False), Column("reply at"), Column("observed, s")),
        *(Column("simulated, s"), Column("difference"), Column("outcome", False)),
        Column("where most of the time went", False),
    )
    return Table("Observed and simulated latency", columns, tuple(rows))


def _most(causes: dict[str, float]) -> str:
    cause = max(causes, key=lambda each: causes[each])
    return f"{causes[cause]:.3f} s {words(cause)}" if causes[cause] else "-"


def latency_cell(seconds: float, at_least: bool, digits: int = 3) -> Cell:
    """Return a latency, "-" for NaN, after ">" where it is a lower bound."""
    text = "-" if math.isnan(seconds) else f"{seconds:.{digits}f}"
    return Cell(lower_bound(text, at_least), _known(seconds))


def _known(value: float) -> float:
    """Return a number to sort by; what is not known comes last."""
    return math.inf if math.isnan(value) else value


def percentiles(report: Report) -> Table:
    """Return the percentiles of each variant."""
    comparison = report.comparison
    rows = tuple(
        (Cell(label), *(_percentile(comparison, label, name) for name in PERCENTILES))
        for label in comparison.results
    )
    columns = (Column("variant", False), *(Column(f"{name}, s") for name in PERCENTILES))
    return Table(f"Latency percentiles{_means(comparison)}", columns, rows)


def _means(comparison: Comparison) -> str:
    if comparison.count == 1:
        return ""
    return f": means of {comparison.count} replications ± half their 95 % interval"


def outcomes(report: Report) -> Table:
    """Return how requests ended in each variant, and goodput."""
    comparison = report.comparison
    rates = [f"{outcome.word}_rate" for outcome in Outcome]
    measures = {label: comparison.measures(label) for label in comparison.results}
    used = [rate for rate in rates if any(each[rate].estimate > 0 for each in measures.values())]
    rows = tuple(
        (
            Cell(label),
            *(Cell(percent_plus_minus(own[r]), _known(own[r].estimate)) for r in used),
            Cell(plus_minus(own["goodput"]), _known(own["goodput"].estimate)),
        )
        for label, own in measures.items()
    )
    columns = (
        Column("variant", False),
        *(Column(words(rate.removesuffix("_rate"))) for rate in used),
        Column("ok replies per second"),
    )
    return Table("How requests ended", columns, rows)


def _percentile(comparison: Comparison, label: str, name: str) -> Cell:
    value = comparison.percentile(label, name)
    text = lower_bound(plus_minus(value), comparison.at_least(label, name))
    return Cell(text, _known(value.estimate))


def differences(report: Report) -> Table:
    """Return the differences of the percentiles from the first variant."""
    comparison = report.comparison
    rows = tuple(
        (Cell(label), *(_difference(own[name]) for name in PERCENTILES))
        for label, own in comparison.differences.items()
    )
    columns = (Column("variant", False), *(Column(f"{name}, s") for name in PERCENTILES))
    return Table(f"Difference from {comparison.first}", columns, rows)


def _difference(difference: Contrast) -> Cell:
    change = difference.interval.estimate
    if math.isnan(change):
        return Cell("?", math.inf, "faint")  # the difference of two lower bounds says nothing
    half = difference.interval.half_width
    if not difference.bound and abs(change) < SAME and (math.isnan(half) or half < SAME):
        return Cell("no change", 0.0, "faint")
    text = f"{difference.bound} {plus_minus(difference.interval, '+')}".lstrip()
    if math.isnan(difference.p_value):
        open_ = difference.bound and not math.isnan(half)  # a bound that may be on either side
        return Cell(f"{text} not known", change, "faint") if open_ else Cell(text, change)
    if not difference.seen:
        return Cell(f"{text} not seen", change, "faint")
    return Cell(text, change)


def objectives(report: Report) -> Table:
    """Return what the objectives of each variant came to."""
    comparison = report.comparison
    rows = tuple(
        (
            Cell(label),
            Cell(each.objective.text),
            _value(each),
            Cell("met", 0.0, "good") if each.met else Cell("missed", 1.0, "bad"),
            Cell(f"{each.met_in} of {comparison.count}", each.met_in),
            *_blame(each),
        )
        for label in comparison.results
        for each in comparison.objectives(label)
    )
    columns = (
        *(Column("variant", False), Column("objective", False), Column("value")),
        *(Column("met?", False), Column("met in"), Column("to blame", False)),
        Column("its share"),
    )
    return Table("Objectives, over all replications", columns, rows)


def _value(judged: Judged) -> Cell:
    text = _measure(judged.objective, judged.value.estimate)
    return Cell(lower_bound(text, judged.at_least), _known(judged.value.estimate))


def _measure(objective: Objective, value: float) -> str:
    if objective.metric.endswith("_rate"):
        return percent(value)
    unit = "s" if objective.is_latency else "/s"
    return "-" if math.isnan(value) else f"{number(value)} {unit}"


def _blame(judged: Judged) -> tuple[Cell, Cell]:
    if judged.met or judged.blame is None:
        return Cell("-", kind="faint"), Cell("-", 0.0, "faint")
    share = judged.blame.share
    return Cell(judged.blame.setting, kind="code"), Cell(f"{share:.0%}", share)


def used_causes(report: Report) -> list[str]:
    """Return the causes that have any part in a percentile."""
    made = [each.by_cause for own in report.compositions.values() for each in own.values()]
    return [cause for cause in CAUSES if any(each[cause] > 0 for each in made)]


def causes(report: Report) -> Table:
    """Return what percentiles are made of, by cause."""
    used = used_causes(report)
    rows = tuple(
        (
            Cell(label),
            Cell(name, float(PERCENTILES.index(name))),
            Cell(number(made.total), made.total),
            *(_part(made.by_cause[cause], made.total) for cause in used),
        )
        for name in COMPOSED
        for label, made in ((label, own[name]) for label, own in report.compositions.items())
        if made.seconds
    )
    columns = (
        *(Column("variant", False), Column("percentile", False), Column("latency, s")),
        *(Column(f"{words(cause)}, s") for cause in used),
    )
    return Table("What percentiles are made of", columns, rows)


def _part(seconds: float, total: float) -> Cell:
    faint = seconds < 0.005 * total
    return Cell(number(seconds), seconds, "faint" if faint else "")


def changes(report: Report) -> list[tuple[str, str]]:
    """Return by what each variant changed the headline of the first, in words."""
    comparison = report.comparison
    others = [label for label in comparison.results if label != comparison.first]
    found = ((label, comparison.decomposition(label)) for label in others)
    return [(label, made.sentence) for label, made in found if made is not None]


def governing(report: Report) -> Table:
    """Return the settings that govern the p99."""
    rows = []
    for label, own in report.compositions.items():
        made = own["p99"]
        for setting, seconds in sorted(made.by_setting.items(), key=lambda each: -each[1]):
            if made.total and seconds >= _MINOR * made.total:
                share = seconds / made.total
                rows.append(
                    (
                        Cell(setting, kind="code"),
                        Cell(label),
                        Cell(number(seconds), seconds),
                        Cell(f"{share:.0%}", share),
                    )
                )
    columns = (
        *(Column("setting", False), Column("variant", False)),
        *(Column("its part of the p99, s"), Column("share")),
    )
    return Table("Settings that govern the p99", columns, tuple(rows))


def slowest(report: Report) -> Table:
    """Return the slowest measured requests of each variant."""
    when = clock(report.scenario.model.clock)
    rows = []
    for label, result in report.comparison.results.items():
        records = result.records
        order = [i for i in (-records.latency).argsort(kind="stable") if records.measured[i]]
        for row in order[:_SLOWEST]:
            latency = float(records.latency[row])
            outcome = Outcome(int(records.outcome[row]))
            parts = ", ".join(f"{s:.3f} s {what}" for what, s in spent(records, row)[:3])
            rows.append(
                (
                    Cell(label),
                    Cell(when(float(records.arrival[row])), float(records.arrival[row])),
                    latency_cell(latency, outcome is Outcome.UNFINISHED),
                    Cell(words(outcome.word)),
                    Cell(parts),
                )
            )
    columns = (
        *(Column("variant", False), Column("arrived"), Column("latency, s")),
        *(Column("outcome", False), Column("where its time went", False)),
    )
    return Table("The slowest requests of each variant", columns, tuple(rows))


def breakers(report: Report) -> Table:
    """Return how often and how long breakers were open, those that ever were in some variant."""
    ever = {each.breaker for each in report.opened if each.times}
    rows = tuple(
        (
            Cell(each.breaker, kind="code"),
            Cell(each.variant),
            Cell(str(each.times), each.times),
            Cell(number(each.seconds), each.seconds),
            Cell(each.first or "-"),
        )
        for each in report.opened
        if each.breaker in ever
    )
    columns = (
        *(Column("breaker", False), Column("variant", False), Column("times open")),
        *(Column("open in all, s"), Column("first opens")),
    )
    return Table("Breakers that opened", columns, rows)


def settings(report: Report) -> Table:
    """Return what each variant changes, and what that is worth."""
    first = report.comparison.first
    labels = list(report.comparison.results)
    # Those that matter first, of each variant.
    effects = sorted(report.effects, key=lambda e: (labels.index(e.variant), not e.matters))
    rows = tuple(
        (
            Cell(each.path, kind="code"),
            Cell(each.variant),
            Cell(each.first, kind="value"),
            Cell(each.own, kind="value"),
            Cell("yes", 0.0, "strong") if each.matters else Cell("no", 1.0, "faint"),
            _back(each),
            _share(each.first_blamed),
            _share(each.blamed),
        )
        for each in effects
    )
    columns = (
        *(Column("setting", False), Column("variant", False), Column(first, False)),
        *(Column("variant's value", False), Column("matters?", False)),
        *(
            Column("change of the p99 if it alone is changed back, s"),
            Column(f"share of the p99, {first}"),
        ),
        Column("share of the p99, variant"),
    )
    return Table(f"Settings that differ from {first}", columns, rows)


def _back(effect: SettingEffect) -> Cell:
    if effect.back is None:
        return Cell("not possible alone", math.inf, "faint")
    return _difference(effect.back)


def _share(share: float) -> Cell:
    return Cell(f"{share:.0%}", share, "" if share >= _MINOR else "faint")


def worst_cases(report: Report) -> Table:
    """Return the worst-case latency that the settings of each variant allow."""
    labels = list(report.bounds)
    paths = dict.fromkeys(path for bound in report.bounds.values() for path in bound.terms)
    rows = [
        (
            Cell(path, kind="code"),
            *(bound_cell(report.bounds[each].terms.get(path, 0.0)) for each in labels),
        )
        for path in paths
        if any(report.bounds[each].terms.get(path) for each in labels)
    ]
    total = (Cell("all together"), *(bound_cell(report.bounds[each].total) for each in labels))
    columns = (Column("setting", False), *(Column(f"{label}, s") for label in labels))
    return Table("The longest that a request can take", columns, tuple(rows), total)


def bound_cell(seconds: float) -> Cell:
    """Return a worst case, which may be unbounded."""
    if math.isinf(seconds):
        return Cell("unbounded", math.inf)
    return Cell(number(seconds), seconds) if seconds else Cell("-", 0.0, "faint")


def warnings(report: Report) -> list[tuple[str, list[str]]]:
    """Return settings that contradict each other, with the variants that have them."""
    found: dict[str, list[str]] = {}
    for label, each in report.contradictions.items():
        for one in each:
            found.setdefault(f"{', '.join(one.settings)}: {one.problem}", []).append(label)
    return list(found.items())


def marked(report: Report) -> Table:
    """Return the values that the scenario marks as given or assumed."""
    rows = tuple(
        (
            Cell(each.path, kind="code"),
            Cell(each.value or "below it", kind="value" if each.value else "faint"),
            Cell(each.mark),
            Cell(each.note),
        )
        for each in report.marked
    )
    columns = (
        *(Column("setting", False), Column("value", False)),
        *(Column("given or assumed", False), Column("note", False)),
    )
    return Table("Values that the scenario marks", columns, rows)


def facts(report: Report) -> Iterator[str]:
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
    yield f"{n} replication{'s' * (n > 1)} from seed {result.seed}"


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 120 and seconds % 60 == 0 else f"{seconds:g} s"
