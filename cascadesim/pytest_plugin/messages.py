"""What a person reads of a failure: short lines of plain text.

pytest puts up to 16 characters before the first line and 12 before the others, so that they stay
within a terminal of 80 columns.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from cascadesim.analysis.composition import difference
from cascadesim.analysis.contrast import FEWEST
from cascadesim.analysis.figure_rules import FEW_REPLICATIONS, OUT_OF_DATE
from cascadesim.analysis.summary import objective_outcomes
from cascadesim.scenario.objectives import RATES
from cascadesim.scenario.source import flow
from cascadesim.values.errors import cut, one_line
from cascadesim.values.outcome import ERRORS, Outcome
from cascadesim.values.words import lower_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.analysis.intervals import Interval
    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.baseline import Drift
    from cascadesim.studies.runs import LazyRuns

WIDTH = 68
_LEAST = 0.0005  # seconds, what rounds to nothing
_TITLE = 56  # characters
_FEW = 3  # settings that are named
_LABEL = 24  # characters of a name in a table
_SETTINGS = ("without", "with")  # labels of sides that differ in settings given beside them


def missed(result: LazyRuns, judged: Sequence[Judged]) -> str:
    """Return the text for objectives that are missed."""
    texts = [each.objective.text for each in judged]
    title = _titled(texts, "objectives", f"{'are' if len(texts) > 1 else 'is'} missed")
    parts = [f"{title}\n{_said(result.title)}\n{result.worlds}"]
    parts += [_verdict(result, each) for each in judged]
    return "\n\n".join(parts)


def _verdict(result: LazyRuns, each: Judged) -> str:
    metric, measure = each.objective.metric, each.objective.measure
    if math.isnan(each.value.estimate):
        return "No request arrives between warm-up and horizon."
    value = lower_bound(_plus_minus(metric, each.value), each.at_least)
    often = f", met in {each.met_in} of {result.count} replications" if result.count > 1 else ""
    lines = [f"{measure} is {value}{often}"]
    if each.at_least:
        lines.append("Unfinished requests could move it; a longer drain tells more.")
    if each.blame is not None:
        slow = each.objective.is_latency
        of = "the time of requests that took longer" if slow else "the requests that went wrong"
        lines.append(f"To blame: {each.blame.setting}, for {each.blame.share:.0%} of {of}.")
    text = "\n".join(map(_said, lines))
    if not each.objective.is_latency:
        return text
    made = sorted(
        result.composition(metric, each.objective.request_class).by_cause.items(),
        key=lambda cause: -cause[1],
    )
    rows = [(_words(cause), f"{value:.3f}") for cause, value in made if value >= _LEAST]
    return "\n".join([text, *_table([(f"{measure} is made of", "seconds"), *rows])])


def worsened(before: LazyRuns, after: LazyRuns, change: Contrast, by: str) -> str:
    """Return the text for a measure that is worse than it may be.

    What unfinished requests could move is a lower bound, and the difference the least of it.
    """
    labels = _labels(before, after)
    if labels == _SETTINGS:
        given = ", ".join(f"{path}={flow(value)}" for path, value in after.given.overrides.items())
        title = f"{change.measure} is worse with settings than without\n{_said(given)}"
    else:
        title = f"{change.measure} is worse in {labels[1]} than in {labels[0]}"
    least = change.kindest
    bound = ("> " if change.sign > 0 else "< ") if any(change.at_least) else ""
    tolerated = change.sign * change.tolerance.of(least.before.estimate)
    mean, half = _both(change.measure, least.difference, "+")
    rows = [
        ("", "mean", "± half its 95% interval"),
        *(
            (label, *_bounded(change.measure, each))
            for label, each in zip(labels, (before, after), strict=True)
        ),
        ("difference", f"{bound}{mean}", half),
        (f"allowed (by {by})", _amount(change.measure, tolerated, "+"), ""),
    ]
    worlds = f"{before.worlds}, in pairs"
    name = before.title if labels == _SETTINGS else before.given.name
    parts = [f"{title}\n{_said(f'{name}, {worlds}')}", "\n".join(_table(rows))]
    if change.measure in RATES or change.measure == "goodput":
        parts.append(_ends(before, after, change.measure, labels))
    else:
        parts.append(_growth(before, after, change.measure, labels))
    return "\n\n".join(part for part in parts if part)


def _growth(before: LazyRuns, after: LazyRuns, name: str, labels: Sequence[str]) -> str:
    made = [each.composition(name) for each in (before, after)]
    old, new = (each.by_cause for each in made)
    grown = sorted(difference(old, new).items(), key=lambda cause: -cause[1])
    rows = [
        (_words(cause), f"{old[cause]:.3f}", f"{new[cause]:.3f}", _signed(by))
        for cause, by in grown
        if abs(by) >= _LEAST
    ]
    settings = difference(*(each.by_setting for each in made))
    heading = (f"{name} by cause, in s", *labels, "change")
    return "\n".join([*_table([heading, *rows]), *_most("by setting", settings)])


def _ends(before: LazyRuns, after: LazyRuns, name: str, labels: Sequence[str]) -> str:
    outcomes = set(objective_outcomes(name)) - {Outcome.OK} or {*ERRORS, Outcome.DEGRADED}
    old, new = (each.ended(outcomes) for each in (before, after))
    grown = sorted(difference(old, new).items(), key=lambda end: -end[1])[:_FEW]
    rows = [
        (end, f"{old.get(end, 0):.2%}", f"{new.get(end, 0):.2%}", f"{by:+.2%}")
        for end, by in grown
        if by
    ]
    if not rows:
        return ""
    return "\n".join(_table([("requests ended by", *labels, "change"), *rows], label=40))


def drifted(found: Drift, path: str) -> str:
    """Return the text for percentiles that are worse than in the baseline in a file."""
    lines = [found.now.title, f"{found.now.worlds}, {_pairing(found)}", path]
    if found.same:
        lines.append(
            "Settings and seed are the same, so that another version has brought it: of cascadesim "
            f"({found.baseline.cascadesim} then), or of what it rests on."
        )
    if any(found.verdict(name) == "unfinished" for name in found.failing):
        lines.append(
            "Requests are unfinished at the end, so that nobody knows how slow they become; a "
            "longer `drain` lets them end."
        )
    lines.append("If it is meant, `pytest --cascade-update` writes the baseline anew.")
    head = "\n".join([_drift_title(found), *map(_said, lines)])
    table: list[tuple[str, ...]] = [("", "baseline", "now", "allowed", "")]
    table += [_drift_row(found, name) for name in found.changes]
    parts = [head, "\n".join(_table(table)), _causes(found)]
    return "\n\n".join(part for part in parts if part)


def _drift_title(found: Drift) -> str:
    failing = found.failing
    certain = [name for name in failing if found.verdict(name) != "unfinished"]
    named = certain or failing
    verb = ("is" if len(named) == 1 else "are") if certain else "may be"
    return _titled(
        named, "percentiles", f"{verb} {'other' if found.same else 'worse'} than in the baseline"
    )


def _pairing(found: Drift) -> str:
    if found.paired:
        few = f" {found.paired} of" if found.paired < found.baseline.replications else ""
        return f"in pairs with{few} the baseline's"
    return f"not in pairs, as the baseline's have seed {found.baseline.seed}"


def _drift_row(found: Drift, name: str) -> tuple[str, ...]:
    one = found.changes[name]
    now = lower_bound(f"{one.after.estimate:.3f}", found.now.at_least(name))
    then = lower_bound(f"{one.before.estimate:.3f}", found.baseline.percentiles[name].at_least)
    allowed = one.before.estimate if found.same else one.allowed
    return (name, then, now, f"{allowed:.3f}", found.verdict(name))


def _causes(found: Drift) -> str:
    """Return the change of each failing percentile by cause, "" where none is shown."""
    names = found.failing
    changes = [_in_milliseconds(found, name) for name in names]
    causes = sorted(
        {cause for each in changes for cause, by in each.items() if by},
        key=lambda cause: -max(each.get(cause, 0) for each in changes),
    )
    rows = [
        (_words(cause), *(_signed(each.get(cause, 0) / 1000) for each in changes))
        for cause in causes
    ]
    if not rows:
        return ""
    # The tail says the most of a timeout, and the very last request the least of the others.
    most = "p99" if "p99" in names else names[0]
    grown = found.by_cause(most)
    cause = max(grown, key=lambda each: grown[each])
    now = found.now.composition(most).of_cause(cause).by_setting
    table = _table([("change by cause, in s", *names), *rows])
    return "\n".join([*table, *_most(f"{_words(cause)} in {most} now", now, sign="")])


def _in_milliseconds(found: Drift, name: str) -> dict[str, int]:
    """Return the change of a percentile by cause, rounded so that it adds up to what is shown."""
    one = found.changes[name]
    before, after = (round(1000 * round(each.estimate, 3)) for each in (one.before, one.after))
    return apportioned(found.by_cause(name), after - before)


def apportioned(seconds: dict[str, float], total: int) -> dict[str, int]:
    """Return amounts in milliseconds, up or down, so that they add up to a total in milliseconds.

    Those are rounded the other way that are closest to it.
    """
    exact = {name: 1000 * value for name, value in seconds.items()}
    rounded = {name: round(value) for name, value in exact.items()}
    missing = total - sum(rounded.values())
    step = 1 if missing > 0 else -1
    nearest = sorted(exact, key=lambda name: step * (rounded[name] - exact[name]))
    for name in nearest[: abs(missing)]:
        rounded[name] += step
    return rounded


def outdated(found: Drift, path: str) -> str:
    """Return the lines on a baseline whose settings are other ones, and that still passes.

    Where nothing is better, they say how much worse the p99 has to be for that to be seen, or the
    next below it that is known.
    """
    known = [name for name in ("p99", "p95", "p90", "p50") if name not in found.unknown]
    if found.better:
        since = [f"{_listed(found.better)} better since"]
    elif known:
        least = max(found.changes[known[0]].visible, 0.001)
        since = [f"nothing is seen to be worse; at {known[0]}, that takes {least:.3f} s more"]
    else:
        since = []
    if found.unknown:
        since.append(f"{_listed(found.unknown)} not known, as requests are unfinished")
    since.append("`pytest --cascade-update` writes it anew")
    return "\n".join(
        [f"out of date: {path} [{OUT_OF_DATE.code}]", *(f"  {line}" for line in since)]
    )


def written(result: LazyRuns, path: str, *, by_interval: bool) -> str:
    """Return the lines on a baseline that was written, also where its intervals will not do."""
    if not by_interval or result.count >= FEWEST:
        return f"written: {path}"
    few = f"{result.count} replication{'s' * (result.count > 1)}"
    text = f"{few} cannot tell a later change from noise, {FEWEST} or more can"
    return f"written: {path}\n  {text} [{FEW_REPLICATIONS.code}]"


def _most(title: str, amounts: dict[str, float], sign: str = "+") -> list[str]:
    """Return a list of the largest amounts, of which none is a twentieth of the first or less."""
    largest = sorted(amounts.items(), key=lambda each: -each[1])[:_FEW]
    first = largest[0][1] if largest else 0.0
    shown = [(name, by) for name, by in largest if by > max(first / 20, _LEAST)]
    if not shown:
        return []
    return [f"{title}:", *(f"  {by:{sign}.3f} s {one_line(name)}" for name, by in shown)]


def _labels(before: LazyRuns, after: LazyRuns) -> tuple[str, str]:
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


def _table(rows: Iterable[Sequence[str]], label: int = _LABEL) -> list[str]:
    """Return lines of columns, the first to the left and the others to the right."""
    cells = [(cut(one_line(first), label), *others) for first, *others in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if i else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _said(text: str) -> str:
    return textwrap.fill(one_line(text), WIDTH, break_on_hyphens=False, break_long_words=False)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]


def _titled(names: Sequence[str], what: str, verdict: str) -> str:
    """Return names and what is said of them, or how many there are where they are too long."""
    title = f"{_listed(names)} {verdict}"
    return title if len(title) <= _TITLE else f"{len(names)} {what} {verdict}"


def _signed(seconds: float) -> str:
    return f"{round(seconds, 3) + 0.0:+.3f}"  # adding 0.0 makes a rounded -0.0 plain


def _words(name: str) -> str:
    return name.replace("_", " ")


def _amount(measure: str, value: float, sign: str = "") -> str:
    """Return a value of a measure with its unit."""
    if measure in RATES:
        return f"{value:{sign}.2%}"
    return f"{value:{sign}.3f}{'/s' if measure == 'goodput' else ' s'}"


def _both(measure: str, interval: Interval, sign: str = "") -> tuple[str, str]:
    return _amount(measure, interval.estimate, sign), f"± {_amount(measure, interval.half_width)}"


def _bounded(measure: str, of: LazyRuns) -> tuple[str, str]:
    """Return the mean of a measure, after ">" where it is a lower bound, and half its interval."""
    mean, half = _both(measure, of.measure(measure))
    return lower_bound(mean, of.at_least(measure)), half


def _plus_minus(measure: str, interval: Interval) -> str:
    estimate, half = interval.estimate, interval.half_width
    text = _amount(measure, estimate)
    return text if math.isnan(half) else f"{text} ± {_amount(measure, half)}"
