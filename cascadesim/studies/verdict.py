"""The verdict of an optimization: what to make of it, in a sentence or two."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cascadesim.scenario.objectives import RATES
from cascadesim.scenario.source import flow
from cascadesim.studies.aims import OPTIMIZED, TODAY
from cascadesim.values.words import amount, in_words, listed, lower_bound, with_unit

if TYPE_CHECKING:
    from cascadesim.analysis.contrast import Contrast
    from cascadesim.studies.optimization import Optimization


def verdict(search: Optimization) -> str:
    """Return the verdict of an optimization."""
    if search.confirmation is None:
        return _none_feasible(search)
    if not search.proposals:
        missed = search.missed(TODAY)
        but = f", though they miss {listed(missed)} in fresh replications" if missed else ""
        return f"No better settings found: keep today's{but}."
    return _front(search) if len(search.aims.goals) > 1 else _best(search)


def _none_feasible(search: Optimization) -> str:
    nearest = search.aims.nearest(search.trials)
    if nearest.runs is None:
        return "The scenario refuses every one of these settings."
    if unknown := search.aims.unknown(nearest.runs):
        text = f"requests unfinished at the end could still move the {listed(unknown)}"
        return f"No settings can be judged: {text}; a longer drain tells more."
    if any(map(math.isnan, search.aims.costs(nearest.runs))):
        return "No settings can be judged: no request arrives between warm-up and horizon."
    metrics = {one.measure: one.metric for one in search.aims.constraints}
    values = [
        f"{name} {with_unit(metric, amount(metric, search.value(nearest, name)))}"
        for name, metric in metrics.items()
    ]
    changed = search.changed(nearest)
    settings = [f"{path}={setting_text(value)}" for path, value in changed.items()]
    at = f" with {', '.join(settings)}" if settings else " with today's settings"
    return (
        f"No settings keep {listed([one.text for one in search.aims.constraints])}; the nearest "
        f"come to {listed(values)}{at}."
    )


def _best(search: Optimization) -> str:
    (goal,) = search.aims.goals
    if missed := search.missed(OPTIMIZED):
        return f"The optimized settings miss {listed(missed)} in fresh replications."
    difference = search.differences(goal.measure)[OPTIMIZED]
    missed = search.missed(TODAY)
    hidden = _hidden(search, difference)
    if hidden and not (missed and hidden == "today's"):
        text = f"requests unfinished at the end could still move {hidden} {goal.measure}"
        return f"The gain of the search cannot be confirmed: {text}; a longer drain tells more."
    change, name = _change(search, goal.measure), in_words(goal.measure)
    if missed:
        unseen = f"no difference of {name} is seen"
        if hidden:
            unseen = f"whether {name} differs is not known"
        them = "them" if len(missed) > 1 else "it"
        both = f"Today's settings miss {listed(missed)}, and the optimized ones keep {them}"
        return f"{both}: {change if difference.seen else unseen}{_but(search)}."
    if not difference.seen:
        return "The gain of the search did not hold in fresh replications: no difference seen."
    if goal.cost(difference.interval.estimate) > 0:
        return f"The gain of the search did not hold in fresh replications: {change}."
    return f"{change}{_but(search)}."


def _hidden(search: Optimization, difference: Contrast) -> str:
    """Return whose unfinished requests hide a difference, "its" or "today's"; "" for neither."""
    today, optimized = difference.at_least
    # Where they could make the goal of the optimized settings anything.
    unbounded = search.aims.unknown(search.confirmed_runs[OPTIMIZED])
    if optimized and (difference.seen is None or (unbounded and not difference.seen)):
        return "its"
    return "today's" if today and difference.seen is None else ""


def _but(search: Optimization) -> str:
    """Return what gets worse than today, whatever the goal is."""
    changes = [f"{_the(name)}{_change(search, name)}" for name in search.worse[OPTIMIZED]]
    return f", but {listed(changes)}" if changes else ""


def _the(measure: str) -> str:
    return "the " if measure in RATES else ""


def _change(search: Optimization, measure: str) -> str:
    today, now = (search.confirmed(label, measure).estimate for label in (TODAY, OPTIMIZED))
    first, then = (
        lower_bound(with_unit(measure, amount(measure, value)), search.at_least(label, measure))
        for label, value in ((TODAY, today), (OPTIMIZED, now))
    )
    return f"{in_words(measure)} {'falls' if now < today else 'rises'} from {first} to {then}"


def _front(search: Optimization) -> str:
    on_front = search.on_front
    held = [label for label in search.proposals if on_front[label]]
    n = len(search.proposals)
    are = "is" if len(held) == 1 else "are"
    front = f"{len(held)} of {n} confirmed settings {are} on the Pareto front in fresh replications"
    of_today = {
        True: "today's are, too",
        False: "today's are not",
        None: "of today's it is unknown",
    }
    sentences = [f"{front}; {of_today[on_front[TODAY]]}.", *_untold(search), *_worse(search)]
    if others := [label for label in search.proposals if search.missed(label)]:
        sentences.append(f"Constraints are missed by {listed(others)}.")
    if search.left_out:
        sentences.append(f"{search.left_out} more of the search's front were not confirmed.")
    return " ".join(sentences)


def _untold(search: Optimization) -> list[str]:
    """Return sentences on the variants of which it is not seen whether they are on the front."""
    runs = search.confirmed_runs
    untold = [label for label in search.labels if search.on_front[label] is None]
    moving = {label: search.aims.lower_bounds(runs[label]) for label in untold}
    sentences = []
    if bounded := [label for label in untold if moving[label]]:
        measures = dict.fromkeys(in_words(name) for label in bounded for name in moving[label])
        text = f"Only lower bounds are known of the {listed([*measures])} of {listed(bounded)}"
        sentences.append(f"{text}: requests are unfinished at the end; a longer drain tells more.")
    if alike := [label for label in untold if not moving[label]]:
        text = f"Whether {listed(alike)} {'is' if len(alike) == 1 else 'are'} on it is not seen"
        sentences.append(f"{text}; a larger --confirm tells more.")
    return sentences


def _worse(search: Optimization) -> list[str]:
    """Return a sentence on the outcomes that are seen worse than today's."""
    by_measure: dict[str, list[str]] = {}
    for label, measures in search.worse.items():
        for measure in measures:
            by_measure.setdefault(measure, []).append(label)
    of = [f"{_the(name)}{in_words(name)} of {listed(who)}" for name, who in by_measure.items()]
    return [f"Seen worse than today's: {'; '.join(of)}."] if of else []


def column(measure: str) -> str:
    """Return the column of a measure, with its unit."""
    if measure == "goodput":
        return "goodput_per_s"
    return measure if measure in RATES else f"{measure}_s"


def setting_text(value: Any) -> str:
    """Return a setting as people read it."""
    return "not set" if value is None else flow(value)
