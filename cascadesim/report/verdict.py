"""The verdict of a report: one sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.analysis.composition import composition
from cascadesim.scenario.objectives import ANSWERED
from cascadesim.values.units import duration_text
from cascadesim.values.words import answered, fitted, in_words, listed, lower_bound, percent
from cascadesim.views.measures import limit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.replay import Replay

_MANY = 4  # variants that the sentence has room for


def verdict(comparison: Comparison, replay: Replay) -> str:
    """Return what happened, what it was spent on and which variants meet their objectives."""
    if math.isnan(comparison.percentile(comparison.first, "p99").estimate):
        return "No request arrives between warm-up and horizon, so there is nothing to judge."
    first = _observed(comparison, replay) if replay.scenario.model.observations else ""
    answers = _answers(comparison)
    answers = answers if first else f"{answers[0].upper()}{answers[1:]}"
    return f"{first}{answers}; the p99 is {_p99s(comparison)}{_met(comparison)}."


def _observed(comparison: Comparison, replay: Replay) -> str:
    """Return what the slowest of the observed requests spent its time on."""
    latencies = [seen.latency for seen in replay.scenario.model.observations]
    seen = replay.observation(latencies.index(max(latencies)))
    at_first = seen["variants"][comparison.first]
    simulated = lower_bound(duration_text(at_first["simulated_s"]), at_first["at_least"])
    text = fitted(seen["fitted_s"])
    fit = f" {text}" if text else ""
    return (
        f"The reply of {seen['at']} took {duration_text(seen['observed_s'])} (simulated: "
        f"{simulated}){fit}{_mostly(at_first['attribution_s'])}; "
    )


def _mostly(causes: Mapping[str, float]) -> str:
    total = sum(causes.values())
    if total <= 0:
        return ""
    most = max(causes, key=lambda cause: causes[cause])
    return f", {causes[most] / total:.0%} of it {in_words(most)}"


def _answers(comparison: Comparison) -> str:
    """Return which share of requests each variant answers in time, and how the others end."""
    labels = list(comparison.results)
    within = answered(limit_of(comparison.results))
    if len(labels) > _MANY:
        shares = {label: comparison.measures(label)[ANSWERED].estimate for label in labels}
        most = max(labels, key=lambda label: (not math.isnan(shares[label]), shares[label]))
        labels = list(dict.fromkeys([labels[0], most]))
    texts = (_share(comparison, label) for label in labels)
    if len(comparison.results) == 1:
        return f"{next(texts)} of the requests are {within}"
    said = [f"{text} in {label}" for text, label in zip(texts, labels, strict=True)]
    return f"{within} are {listed(said)}"


def _share(comparison: Comparison, label: str) -> str:
    measures = comparison.measures(label)
    others = (
        f"{percent(measures[f'{word}_rate'].estimate)} {what}"
        for word, what in (("error", "errors"), ("degraded", "degraded"))
        if measures[f"{word}_rate"].estimate
    )
    besides = ", ".join(others)
    return f"{percent(measures[ANSWERED].estimate)}{f' ({besides})' if besides else ''}"


def _p99s(comparison: Comparison) -> str:
    labels = list(comparison.results)
    if len(labels) == 1:
        made = composition(comparison.results[labels[0]].records, "p99").by_cause
        return f"{_p99(comparison, labels[0])}{_mostly(made)}"
    if len(labels) <= _MANY:
        return listed([f"{_p99(comparison, label)} in {label}" for label in labels])
    values = {label: comparison.percentile(label, "p99").estimate for label in labels}
    lowest = min(labels, key=lambda label: (math.isnan(values[label]), values[label]))
    first = f"{_p99(comparison, labels[0])} in {labels[0]}"
    if lowest == labels[0]:
        return f"{first}, and no lower in any of {len(labels) - 1} other variants"
    return f"{first}, and lowest in {lowest}, {_p99(comparison, lowest)}"


def _p99(comparison: Comparison, label: str) -> str:
    text = duration_text(comparison.percentile(label, "p99").estimate)
    return f"at least {text}" if comparison.at_least(label, "p99") else text


def _met(comparison: Comparison) -> str:
    """Return which variants meet their objectives, which are the same for all of them or not."""
    labels = list(comparison.results)
    objectives = comparison.results[comparison.first].scenario.objectives
    if not objectives:
        return ""
    asked = listed([objective.text for objective in objectives])
    met = [label for label in labels if all(o.met for o in comparison.objectives(label))]
    if len(labels) == 1:
        missed = [o.objective.text for o in comparison.objectives(labels[0]) if not o.met]
        return f"; it misses {listed(missed)}" if missed else f"; it meets {asked}"
    if len(met) == len(labels):
        return f"; every variant meets {asked}"
    if not met:
        return f"; none of the {len(labels)} variants meets {asked}"
    verb = "meets" if len(met) == 1 else "meet"
    return f"; of {len(labels)} variants only {listed(met)} {verb} {asked}"
