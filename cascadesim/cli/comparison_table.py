"""What people read of a comparison: variants side by side, with intervals over replications."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import PERCENTILES, Percentile
from cascadesim.cli.tables import (
    blamed_of,
    new_console,
    print_connections,
    print_definition,
    print_outcomes,
    print_percentiles,
    print_table,
    print_too_few,
    say,
    words,
)
from cascadesim.scenario.objectives import RATES
from cascadesim.shown import lower_bound, percent, percent_plus_minus, plus_minus

if TYPE_CHECKING:
    from rich.console import Console

    from cascadesim.analysis.judged import Judged
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.compare import Comparison

_ALWAYS = ("error_rate", "degraded_rate")  # also where they are 0
_OTHERS = tuple(rate for rate in RATES if rate not in ("ok_rate", *_ALWAYS))


def print_comparison(comparison: Comparison) -> None:
    """Print variants side by side, with differences from the first."""
    console = new_console()
    console.print()
    if comparison.count > 1:
        _print_replicated(console, comparison)
    else:
        _print_single(console, comparison)


def _print_single(console: Console, comparison: Comparison) -> None:
    if comparison.precision is not None:
        _print_precision(console, comparison)
    print_percentiles(console, comparison.results)
    first, *others = (result.summary.percentiles for result in comparison.results.values())
    labels = list(comparison.results)[1:]
    if others:
        rows = (
            (label, *(_difference(first[p], own[p]) for p in PERCENTILES))
            for label, own in zip(labels, others, strict=True)
        )
        title = f"Difference from {comparison.first} in seconds"
        print_table(console, title, ("variant", *PERCENTILES), rows)
    _print_causes(console, comparison)
    print_outcomes(console, comparison.results)
    print_connections(console, comparison.results)
    print_too_few(console, comparison.results[comparison.first])


def _difference(old: Percentile, new: Percentile) -> str:
    change = new.seconds - old.seconds
    if math.isnan(change) or (old.at_least and new.at_least):
        return "?"  # the difference of two lower bounds says nothing
    return f"{'< ' if old.at_least else ''}{'> ' if new.at_least else ''}{change:+.3f}"


def _print_causes(console: Console, comparison: Comparison) -> None:
    """Say of each variant what changed its headline."""
    base, *others = comparison.results
    agreeing: dict[str, list[str]] = {}
    for label in others:
        found = comparison.decomposition(label)
        if found is not None:
            agreeing.setdefault(found.sentence, []).append(label)
    if agreeing:
        say(console, f"What changed from {base}, by cause:")
        for sentence, labels in agreeing.items():
            say(console, f"- {', '.join(labels)}: {sentence}.")
        console.print()


def _print_replicated(console: Console, comparison: Comparison) -> None:
    """Print means over replications with their intervals, and differences in pairs."""
    seed = comparison.results[comparison.first].seed
    means = (
        f"{comparison.count} replications from seed {seed}. Means over replications, with 95 % "
        "intervals (Student t)"
    )
    paired = (
        f"; differences from {comparison.first} are paired by replication, and called seen at 5 % "
        "after Holm's correction for the number of variants"
    )
    say(console, f"{means}{paired if len(comparison.results) > 1 else ''}.\n")
    if comparison.precision is not None:
        _print_precision(console, comparison)
    _print_unmeasured(console, comparison)
    _print_latencies(console, comparison)
    print_definition(console, comparison.results)
    first = comparison.results[comparison.first]
    if first.summary.requests:  # or it has been said
        print_too_few(console, first)
    _print_causes(console, comparison)
    _print_pairs(console, comparison)
    _print_rates(console, comparison)
    _print_objectives(console, comparison)
    _print_blame(console, comparison)
    print_connections(console, comparison.results, "Connections in the first replication")


def _print_precision(console: Console, comparison: Comparison) -> None:
    assert comparison.precision is not None
    asked = f"{comparison.precision.measure}={comparison.precision.share:g}"
    reached = {label: comparison.reached(label) for label in comparison.results}
    if comparison.count == 1:
        text = "is not known to be reached: one replication has no interval"
        say(console, f"The precision {asked} {text}; allow --replications 2 or more.\n")
        return
    enough = all(half <= comparison.precision.share for half in reached.values())
    shares = ", ".join(
        f"{label} {'not known' if math.isinf(half) else percent(half)}"
        for label, half in reached.items()
    )
    verdict = "is reached" if enough else "is not reached"
    unfinished = [
        label
        for label in comparison.results
        if comparison.at_least(label, comparison.precision.measure)
    ]
    why = ""
    if unfinished:
        text = "requests unfinished at the end could move it; a longer drain tells more"
        why = f" ({', '.join(unfinished)}: {text})"
    say(console, f"The precision {asked} {verdict}; half the interval is: {shares}{why}.\n")


def _print_unmeasured(console: Console, comparison: Comparison) -> None:
    """Say where there are no means, as replications measure no request."""
    without: dict[str, list[str]] = {}
    for label, replications in comparison.replications.items():
        empty = sum(not replication.requests for replication in replications)
        if empty:
            of = (
                "no replication has a" if empty == comparison.count else "some replications have no"
            )
            without.setdefault(of, []).append(label)
    for of, labels in without.items():
        text = f"{of} request between warm-up and horizon, so there is no mean latency"
        say(console, f"{', '.join(labels)}: {text}; a longer horizon has more.\n")


def _print_latencies(console: Console, comparison: Comparison) -> None:
    labels = list(comparison.results)
    if all(math.isnan(comparison.percentile(label, PERCENTILES[0]).estimate) for label in labels):
        return
    if len(labels) == 1:
        rows = [(name, _latency(comparison, comparison.first, name)) for name in PERCENTILES]
        title = f"Latency percentiles of {comparison.first} in seconds"
        print_table(console, title, ("percentile", "mean"), rows)
        return
    for name in PERCENTILES:
        columns = ("variant", name, "difference", "")
        compared = (_replicated_row(comparison, label, name) for label in labels)
        print_table(console, f"{name} in seconds", columns, compared)


def _latency(comparison: Comparison, label: str, name: str) -> str:
    own = plus_minus(comparison.percentile(label, name))
    return lower_bound(own, comparison.at_least(label, name))


def _replicated_row(comparison: Comparison, label: str, name: str) -> tuple[str, str, str, str]:
    own = _latency(comparison, label, name)
    if label == comparison.first:
        return label, own, "", ""
    difference = comparison.differences[label][name]
    if math.isnan(difference.interval.estimate):
        return label, own, "?", ""  # the difference of two lower bounds says nothing
    change = f"{difference.bound} {plus_minus(difference.interval, sign='+')}".lstrip()
    if math.isnan(difference.p_value):
        return label, own, change, "not known"  # a lower bound may be on either side
    return label, own, change, "seen" if difference.seen else "no difference seen"


def _print_pairs(console: Console, comparison: Comparison) -> None:
    found = {label: comparison.pairs(label) for label in comparison.results}
    del found[comparison.first]
    for label, pairs in found.items():
        if pairs is not None:
            text = f"{pairs[0]} requests got better and {pairs[1]} worse than in {comparison.first}"
            say(console, f"{label}: {text}.")
    if any(found.values()):
        console.print()


def _print_rates(console: Console, comparison: Comparison) -> None:
    """Print goodput and rates, in two tables so that they fit 80 columns."""
    measures = {label: comparison.measures(label) for label in comparison.results}
    rows = [
        (label, plus_minus(own["goodput"]), *(percent_plus_minus(own[name]) for name in _ALWAYS))
        for label, own in measures.items()
    ]
    columns = ("variant", "goodput /s", *map(words, _ALWAYS))
    print_table(console, "Goodput, and shares of requests", columns, rows)
    others = [name for name in _OTHERS if any(own[name].estimate > 0 for own in measures.values())]
    if others:
        others_of = [
            (label, *(percent_plus_minus(own[name]) for name in others))
            for label, own in measures.items()
        ]
        names = [words(name.removesuffix("_rate")) for name in others]
        print_table(console, "Shares of requests by outcome", ("variant", *names), others_of)


def _print_objectives(console: Console, comparison: Comparison) -> None:
    rows = [
        (
            label,
            each.objective.text,
            _judged(each),
            "yes" if each.met else "no",
            f"{each.met_in} of {comparison.count}",
        )
        for label in comparison.results
        for each in comparison.objectives(label)
    ]
    if rows:
        columns = ("variant", "objective", "mean", "met", "met in")
        print_table(console, "Objectives (latencies in seconds)", columns, rows)


def _judged(each: Judged) -> str:
    is_share = each.objective.metric in RATES
    value = percent_plus_minus(each.value) if is_share else plus_minus(each.value)
    return lower_bound(value, each.at_least)


def _print_blame(console: Console, comparison: Comparison) -> None:
    blamed: dict[Objective, list[tuple[str, ...]]] = {}
    for label in comparison.results:
        for each in comparison.objectives(label):
            if each.blame is not None:
                often = f"{each.blamed_in} of {comparison.count - each.met_in}"
                row = (label, f"{each.blame.share:.0%}", often, each.blame.setting)
                blamed.setdefault(each.objective, []).append(row)
    for objective, rows in blamed.items():
        title = (
            f"To blame in replications that miss {objective.text}, by its mean share of the "
            f"{blamed_of(objective)}"
        )
        print_table(console, title, ("variant", "share", "blamed in", "setting"), rows)
