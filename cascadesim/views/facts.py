"""Facts that several studies share, as cells: latencies, means, differences and objectives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.analysis.figure_rules import FEW_BEYOND, WARMUP_GUESSED
from cascadesim.analysis.percentiles import FEW
from cascadesim.plan.causes import CAUSES
from cascadesim.values import words
from cascadesim.values.units import duration_text
from cascadesim.views.page import Cell, Note, listing, name, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cascadesim.analysis.judged import Judged
    from cascadesim.analysis.percentiles import Percentile
    from cascadesim.scenario.load import Scenario
    from cascadesim.views.page import Listing

INTERVALS = "means with half their 95 % interval (Student t)"
GUESS = Note(
    "the run is too short, or its first fault too early, to tell where the warm-up ends, so it is "
    "a guess.",
    "warning",
    WARMUP_GUESSED.code,
)
_MINOR = 0.005  # the share of a latency below which a part of it is faint


_LEAST = 0.0005  # seconds, what rounds to nothing
_LONGEST = 56  # characters of a title, which may go on after the path of a test
_FEW = 3  # settings that are named


def shows(seconds: float) -> bool:
    """Return whether there is anything left of seconds when they are rounded."""
    return seconds >= _LEAST


def heading(measure: str) -> str:
    """Return a measure as the heading of a column, a latency with its unit."""
    unit = "" if measure == "goodput" or words.is_share(measure) else " in seconds"
    return f"{words.heading(measure)}{unit}"


def in_short(names: Sequence[str], what: str, verdict: str) -> str:
    """Return names and a verdict, or how many there are where they are too long."""
    title = f"{words.listed(names)} {verdict}"
    return title if len(title) <= _LONGEST else f"{words.counted(len(names), what)} {verdict}"


def largest(title: str, seconds: Mapping[str, float], sign: str = "") -> Listing | None:
    """Return the settings with the most seconds, more than a twentieth of those of the first."""
    most = sorted(seconds.items(), key=lambda item: -item[1])[:_FEW]
    least = max(most[0][1] / 20, _LEAST) if most else 0.0
    return listing(
        title,
        ((f"{words.number(by, sign)} s ", setting(path)) for path, by in most if by > least),
    )


def known(value: float) -> float:
    """Return a number to sort by; what is not known comes last."""
    return math.inf if math.isnan(value) else value


def latency(seconds: float, at_least: bool = False) -> Cell:
    """Return a latency."""
    return Cell(words.lower_bound(words.number(seconds), at_least), known(seconds))


def percentile(value: Percentile) -> Cell:
    """Return a percentile of one run."""
    return latency(value.seconds, value.at_least)


def amount(measure: str, value: float | None, sign: str = "", at_least: bool = False) -> Cell:
    """Return a value of a measure, "-" where there is none."""
    value = math.nan if value is None else value
    return Cell(words.lower_bound(words.amount(measure, value, sign), at_least), known(value))


def mean(measure: str, value: words.Estimate, at_least: bool = False) -> Cell:
    """Return the mean of a measure over replications, and half its interval."""
    return Cell(words.lower_bound(words.mean(measure, value), at_least), known(value.estimate))


def difference(measure: str, value: words.Estimate, bound: str = "") -> Cell:
    """Return a difference, after ">" or "<" where it is a bound; "?" where it is of two bounds."""
    if math.isnan(value.estimate):
        return Cell("?", math.inf, "faint")
    text = f"{bound} {words.mean(measure, value, '+')}".lstrip()
    return Cell(text, value.estimate)


def seen(is_seen: bool | None) -> Cell:
    """Return whether a difference is seen, None where that is not known."""
    order = {True: 0.0, False: 1.0, None: 2.0}
    return Cell(words.SEEN[is_seen], order[is_seen], "" if is_seen else "faint")


def share(value: float) -> Cell:
    """Return a share in whole percent, such as that of what is to blame."""
    return Cell(f"{value:.0%}", value)


def objective(judged: Judged) -> Cell:
    """Return an objective as it is written."""
    return name(judged.objective.text)


def judged_value(judged: Judged) -> Cell:
    """Return the value of an objective over replications, without its unit."""
    return mean(judged.objective.metric, judged.value, judged.at_least)


def met(is_met: bool) -> Cell:
    """Return whether an objective is met."""
    return Cell(words.met(is_met), 0.0 if is_met else 1.0, "good" if is_met else "bad")


def met_in(judged: Judged, replications: int) -> Cell:
    """Return in how many of all replications an objective is met."""
    return Cell(f"{judged.met_in} of {replications}", judged.met_in)


def blamed_in(judged: Judged, replications: int) -> Cell:
    """Return how many of the replications that miss an objective blame the same setting."""
    return Cell(f"{judged.blamed_in} of {replications - judged.met_in}", judged.blamed_in)


def blamed(judged: Judged) -> tuple[Cell, Cell]:
    """Return the setting that is to blame where an objective is missed, and its share."""
    if judged.met or judged.blame is None:
        return Cell("-", kind="faint"), Cell("-", 0.0, "faint")
    return setting(judged.blame.setting), share(judged.blame.share)


def missed(judged: Iterable[Judged]) -> Cell:
    """Return the objectives that are missed, "none" where all are met."""
    texts = [one.objective.text for one in judged if not one.met]
    return name(", ".join(texts)) if texts else Cell("none", kind="faint")


def bound(seconds: float) -> Cell:
    """Return a worst case, which may be unbounded; "-" for none."""
    if math.isinf(seconds):
        return Cell(duration_text(seconds), math.inf)
    return Cell(words.number(seconds), seconds) if seconds else Cell("-", 0.0, "faint")


def used_causes(latencies: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the causes that any of some latencies has a part in."""
    parts = list(latencies)
    return [cause for cause in CAUSES if any(made[cause] > 0 for made in parts)]


def at_variant(scenario: Scenario) -> str:
    """Return a scenario's name, its variant and the number of settings given beside it."""
    at = f", variant {scenario.variant}" if scenario.variant else ""
    more = len(scenario.overrides)
    return f"{scenario.name}{at}" + (f", {words.counted(more, 'other setting')}" if more else "")


def too_few(names: Sequence[str], requests: str, where: str = "") -> Note:
    """Return a warning of percentiles beyond which there are few requests."""
    text = f"fewer than {FEW} {requests} lie beyond {', '.join(names)}{where}"
    return Note(f"{text}; a longer horizon tells more.", "warning", FEW_BEYOND.code)


def part(seconds: float, total: float) -> Cell:
    """Return a part of a latency."""
    return Cell(words.number(seconds), seconds, "faint" if seconds < _MINOR * total else "")
