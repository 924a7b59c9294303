"""Values, differences and blame in words, as test reports, comments and tables have them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.scenario.objectives import RATES
from cascadesim.scenario.source import flow
from cascadesim.values.words import lower_bound

if TYPE_CHECKING:
    from cascadesim.analysis.contrast import Contrast
    from cascadesim.analysis.intervals import Interval
    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.changes import SettingChange
    from cascadesim.studies.diff import Pair

UNITS = "latencies in seconds, goodput in replies per second"


def amount(measure: str, value: float, sign: str = "") -> str:
    """Return a value of a measure, rates in percent, "-" where there is none."""
    if math.isnan(value):
        return "-"
    if measure in RATES:
        return f"{round(value, 4) + 0.0:{sign}.2%}"  # adding 0.0 makes a rounded -0.0 plain
    return f"{round(value, 3) + 0.0:{sign}.3f}"


def mean_text(measure: str, interval: Interval, sign: str = "") -> str:
    """Return the mean of a measure and half its interval, where there is one."""
    mean, half = amount(measure, interval.estimate, sign), interval.half_width
    return mean if math.isnan(half) else f"{mean} ± {amount(measure, half)}"


def judged_text(judged: Judged) -> str:
    """Return the value of an objective without its unit."""
    return lower_bound(mean_text(judged.objective.metric, judged.value), judged.at_least)


def value_text(judged: Judged) -> str:
    """Return the value of an objective with its unit, or what there is in its place."""
    if math.isnan(judged.value.estimate):
        return "not known, as no request arrives between warm-up and horizon"
    metric = judged.objective.metric
    unit = "" if metric in RATES else "/s" if metric == "goodput" else " s"
    return f"{judged_text(judged)}{unit}"


def blame_text(judged: Judged) -> str:
    """Return the setting that is most to blame and its share, "" for an objective that is met."""
    if judged.met or judged.blame is None:
        return ""
    return f"{judged.blame.setting} ({judged.blame.share:.0%})"


def moved_texts(moved: Contrast) -> tuple[str, str, str, str]:
    """Return old, new, difference, and whether it is seen: "yes", "no" or "?"."""
    old, new = (
        lower_bound(mean_text(moved.measure, mean), at_least)
        for mean, at_least in zip((moved.before, moved.after), moved.at_least, strict=True)
    )
    if all(moved.at_least) and not moved.seen:
        return old, new, "?", "?"  # the difference of two lower bounds says nothing
    difference = f"{moved.bound} {mean_text(moved.measure, moved.interval, '+')}".lstrip()
    return old, new, difference, {True: "yes", False: "no", None: "?"}[moved.seen]


def setting_texts(change: SettingChange) -> tuple[str, str]:
    """Return a setting's old and new value as they are written, "" for none."""
    if change.kind == "order":
        return ", ".join(change.old), ", ".join(change.new)
    return (
        "" if change.kind == "added" else flow(change.old),
        "" if change.kind == "removed" else flow(change.new),
    )


def requests_text(pair: Pair) -> str:
    """Return how many requests got better and worse, in a sentence."""
    if pair.requests is None:
        return "The two did not meet the same requests, as their workloads differ."
    return f"{pair.requests[0]} requests got better and {pair.requests[1]} worse."


def limits_text(pair: Pair) -> list[str]:
    """Return a sentence for each measure that is worse than is allowed, or not known."""
    worse = [
        f"{each.measure} is worse by more than {amount(each.measure, each.tolerated)}: "
        f"{mean_text(each.measure, each.known.difference, '+')}."
        for each in pair.worse
    ]
    unknown = [
        f"Whether {name} is worse is not known, as requests are unfinished at the end, or none "
        "is measured."
        for name in pair.unknown
    ]
    return [*worse, *unknown]


def counted(n: int, what: str) -> str:
    """Return a number of things, such as "1 objective" or "2 objectives"."""
    return f"{n} {what}{'' if n == 1 else 's'}"
