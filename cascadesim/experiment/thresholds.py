"""Thresholds: how far a measure may move before it counts as worse, and whether it has."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.intervals import LEVEL, Interval, mean_interval
from cascadesim.scenario.errors import ScenarioError, show
from cascadesim.scenario.objectives import RATES, Objective, parse_objective
from cascadesim.scenario.units import parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cascadesim.experiment.replicated import Replicated

MORE_IS_BETTER = ("goodput", "ok_rate")
FEWEST = 2  # replications that have an interval


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a measure may be worse: a share of what it was, and an amount in its unit."""

    share: float = 0.0
    amount: float = 0.0

    def of(self, value: float) -> float:
        """Return what this comes to for a value."""
        return self.share * abs(value) + self.amount


@dataclass(frozen=True, slots=True)
class Change:
    """How a measure changed: two means, and the interval of the difference.

    `tolerated` is what it may be worse by, in the unit of the measure. It has become worse where
    the whole interval lies beyond that: a change inside the noise has not, however large it looks.
    """

    measure: str
    before: float
    after: float
    difference: Interval
    tolerated: float = 0.0

    @property
    def sign(self) -> int:
        """Return 1 where more is worse, -1 where more is better."""
        return -1 if self.measure in MORE_IS_BETTER else 1

    @property
    def worse(self) -> bool:
        """Return whether it has become worse by more than is tolerated."""
        return self._least > self.tolerated

    @property
    def better(self) -> bool:
        """Return whether it has become better beyond doubt, by more than is tolerated."""
        most = self.difference.high if self.sign > 0 else -self.difference.low
        return most < -self.tolerated

    @property
    def allowed(self) -> float:
        """Return the worst value of `after` that would still pass, at this spread."""
        least = self._least
        spread = 0.0 if math.isnan(least) else self.sign * self.difference.estimate - least
        return self.before + self.sign * (self.tolerated + spread)

    @property
    def _least(self) -> float:
        """Return the least by which it is worse."""
        return self.difference.low if self.sign > 0 else -self.difference.high


def change(before: Replicated, after: Replicated, measure: str, by: str = "0%") -> Change:
    """Return how a measure changed from one to the other, replication by replication.

    Both have met the same worlds. Raises ScenarioError where there are too few replications to
    tell, where no requests are measured, and where unfinished requests hide the answer.
    """
    source = f"on {measure}"
    pairs = list(zip(before.values(measure), after.values(measure), strict=True))
    if len(pairs) < FEWEST:
        message = f"needs {FEWEST} replications or more to tell a change from noise"
        raise ScenarioError(message, source)
    difference = mean_interval([new - old for old, new in pairs])
    if not math.isfinite(difference.estimate):
        raise ScenarioError("no request arrives between warm-up and horizon", source)
    old, new = (mean_interval(values).estimate for values in zip(*pairs, strict=True))
    tolerated = parse_tolerance(by, measure).of(old)
    found = Change(measure, old, new, difference, tolerated)
    if not found.worse and after.at_least(measure):
        message = f"requests unfinished at the end could still move {measure} up"
        raise ScenarioError(f"{message}; a longer drain tells more", source)
    return found


def parse_tolerance(text: str, measure: str, option: str = "by") -> Tolerance:
    """Return the tolerance in a text such as "2%" or "50ms"; of a rate, "1%" is one point.

    Raises ScenarioError saying what would be right.
    """
    percent = isinstance(text, str) and text.strip().endswith("%")
    try:
        if measure in RATES:
            return Tolerance(amount=parse_share(text))
        if percent:
            return Tolerance(share=parse_share(text))
        parse = parse_rate if measure == "goodput" else parse_duration
        return Tolerance(amount=parse(text))
    except ValueError as error:
        example = {"goodput": '"2%" or "0.5/s"'}.get(measure, '"2%" or "50ms"')
        if measure in RATES:
            example = '"1%", a percentage point'
        message = f"{error}; expected a tolerance such as {example}"
        raise ScenarioError(message, f"{option}={show(text)}") from None


def parse_allowed(absolute: str | None, relative: str | None) -> Tolerance | None:
    """Return what two such texts allow of a latency together, None where neither is given."""
    if absolute is None and relative is None:
        return None
    amount = parse_tolerance(absolute or "0s", "p99", "absolute")
    share = parse_tolerance(relative or "0%", "p99", "relative")
    if amount.share or share.amount:
        message = 'expected absolute="50ms", relative="2%"; they are the other way round'
        raise ScenarioError(message, "baseline")
    return Tolerance(share.share, amount.amount)


def parse_thresholds(
    texts: Sequence[str], named: Mapping[str, str], source: str
) -> tuple[Objective, ...]:
    """Return the objectives in texts, and in names such as p99_9="<5s".

    Raises ScenarioError saying what would be right.
    """
    if not texts and not named:
        message = 'expected an objective such as "p99 < 5s" or p99="<5s"'
        raise ScenarioError(message, source)
    stated = [*texts, *(f"{_metric(name)} {_spaced(bound)}" for name, bound in named.items())]
    objectives = []
    for text in stated:
        try:
            objectives.append(parse_objective(text))
        except ValueError as error:
            raise ScenarioError(str(error), source) from None
    return tuple(objectives)


def _metric(name: str) -> str:
    """Return the metric that a Python name means: p99_9 is the percentile p99.9."""
    digits = name[1:].replace("_", "")
    return name.replace("_", ".") if name.startswith("p") and digits.isdecimal() else name


def _spaced(bound: str) -> str:
    """Return a bound such as "<5s" as objectives are written: "< 5s"."""
    return re.sub(r"^\s*([<>]=?)\s*", r"\1 ", bound)


def welch_interval(
    before: Sequence[float], after: Sequence[float], level: float = LEVEL
) -> Interval:
    """Return the interval of the difference of two means whose values are not paired.

    By Welch's approximation (1947), for variances that may differ.
    """
    from scipy import stats  # slow to import, and not every command needs it

    estimate = float(np.mean(after) - np.mean(before))
    if min(len(before), len(after)) < FEWEST:
        return Interval(estimate, math.nan, math.nan, level)
    shares = [float(np.var(values, ddof=1)) / len(values) for values in (before, after)]
    sizes = (len(before), len(after))
    spread = sum(share**2 / (n - 1) for share, n in zip(shares, sizes, strict=True))
    if spread == 0:  # also where squares are too small for a float
        return Interval(estimate, estimate, estimate, level)
    freedom = sum(shares) ** 2 / spread
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(sum(shares))
    return Interval(estimate, estimate - half, estimate + half, level)
