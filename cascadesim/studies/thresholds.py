"""Thresholds: how far a measure may move before it counts as worse, and whether it has."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.intervals import LEVEL, Interval, mean_interval
from cascadesim.analysis.percentiles import PERCENTILES, percentile
from cascadesim.scenario.objectives import RATES, Objective, parse_objective
from cascadesim.studies.replicated import Replicated, check_measure
from cascadesim.studies.replications import bounds
from cascadesim.values.errors import ScenarioError, show
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Bounds = Sequence[tuple[float, float]]  # least and most of a measure in each replication
    Compare = Callable[[Sequence[float], Sequence[float]], Interval]

MORE_IS_BETTER = ("goodput", "ok_rate")
# Replications that tell a change from noise. Of an M/M/1 queue at a load of 0.4 whose work became
# slower, by 1 % or by 60 %, six paired intervals that hold together see it in a fifth of the runs
# with 2 replications, in two thirds with 3, and in more than nine tenths with 4; the p99 alone in
# three fifths with 4, in nearly all with 8.
FEWEST = 4


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a measure may be worse: a share of what it was, and an amount in its unit."""

    share: float = 0.0
    amount: float = 0.0

    def of(self, value: float) -> float:
        """Return what this comes to for a value."""
        return (self.share * abs(value) if self.share else 0.0) + self.amount


@dataclass(frozen=True, slots=True)
class Change:
    """How a measure changed: two means, and the interval of the difference.

    `tolerated` is what it may be worse by, in the unit of the measure. It has become worse where
    the whole interval lies beyond that: a change inside the noise has not, however large it looks.
    Where unfinished requests could move one of the two, `best` is the change that is kindest to the
    latter, and `worst` the other extreme: only what is worse at best is worse, and only what is
    better at worst is better.
    """

    measure: str
    before: float
    after: float
    difference: Interval
    tolerated: float = 0.0
    best: Change | None = None
    worst: Change | None = None

    @property
    def sign(self) -> int:
        """Return 1 where more is worse, -1 where more is better."""
        return -1 if self.measure in MORE_IS_BETTER else 1

    @property
    def worse(self) -> bool:
        """Return whether it has become worse by more than is tolerated."""
        return (self.best or self).looks_worse

    @property
    def better(self) -> bool:
        """Return whether it has become better beyond doubt, by more than is tolerated."""
        one = self.worst or self
        most = one.difference.high if self.sign > 0 else -one.difference.low
        return most < -one.tolerated

    @property
    def unknown(self) -> bool:
        """Return whether it depends on unfinished requests whether it has become worse."""
        if self.worst is None or self.worse:
            return False
        unbounded = not math.isfinite(self.worst.difference.estimate)
        return unbounded or self.worst.looks_worse or self.looks_worse

    @property
    def looks_worse(self) -> bool:
        """Return whether it would have become worse if unfinished requests moved nothing."""
        return self._least > self.tolerated

    @property
    def allowed(self) -> float:
        """Return the worst value of `after` that would still pass, at this spread."""
        return self.before + self.sign * self.visible

    @property
    def visible(self) -> float:
        """Return the least change for the worse that would be seen, at this spread."""
        least = self._least
        spread = 0.0 if math.isnan(least) else self.sign * self.difference.estimate - least
        return self.tolerated + spread

    @property
    def _least(self) -> float:
        """Return the least by which it is worse."""
        return self.difference.low if self.sign > 0 else -self.difference.high


def change(before: Replicated, after: Replicated, measure: str, by: str = "0%") -> Change:
    """Return how a measure changed from one to the other, replication by replication.

    Both have met the same worlds. Raises ScenarioError where there are too few replications to
    tell, where no requests are measured, and where unfinished requests hide the answer.
    """
    source = f"on {check_named(measure, 'on')}"
    tolerance = parse_tolerance(by, measure)
    if min(before.count, after.count) < FEWEST:
        message = f"needs {FEWEST} replications or more to tell a change from noise"
        raise ScenarioError(message, source)
    old, new = (bounds_of(each, measure) for each in (before, after))
    found = bounded(measure, old, new, tolerance, paired_interval)
    if not math.isfinite(found.difference.estimate):
        raise ScenarioError("no request arrives between warm-up and horizon", source)
    if found.unknown:
        message = f"requests unfinished at the end could still move {measure} up, so that nobody "
        message += "can tell; a longer `drain` lets them end"
        raise ScenarioError(message, source)
    return found


def bounded(
    measure: str, before: Bounds, after: Bounds, tolerance: Tolerance, compare: Compare
) -> Change:
    """Return the change of a measure that unfinished requests may move within bounds."""
    found = _corner(measure, before, after, (0, 0), tolerance, compare)
    if not any(least < most for least, most in (*before, *after)):
        return found
    # Before at its most and after at its least are kindest to what is after, where more is worse.
    kind, harsh = ((0, 1), (1, 0)) if measure in MORE_IS_BETTER else ((1, 0), (0, 1))
    return replace(
        found,
        best=_corner(measure, before, after, kind, tolerance, compare),
        worst=_corner(measure, before, after, harsh, tolerance, compare),
    )


def _corner(
    measure: str,
    before: Bounds,
    after: Bounds,
    chosen: tuple[int, int],
    tolerance: Tolerance,
    compare: Compare,
) -> Change:
    old, new = ([own[i] for own in each] for each, i in zip((before, after), chosen, strict=True))
    means = [mean_interval(values).estimate for values in (old, new)]
    if all(map(math.isfinite, means)):
        difference = compare(old, new)
    else:
        difference = Interval(means[1] - means[0], math.nan, math.nan)
    return Change(measure, means[0], means[1], difference, tolerance.of(means[0]))


def bounds_of(of: Replicated, measure: str) -> list[tuple[float, float]]:
    """Return the least and most that unfinished requests can make of a measure, by replication."""
    found = [bounds(each, measure) for each in of.replications]
    if measure not in PERCENTILES or all(math.isfinite(most) for _, most in found):
        return found
    # Where few requests are unfinished, even a percentile that they move is bounded.
    most = [
        percentile(
            measure,
            each.latency[each.measured],
            each.outcome[each.measured] == Outcome.UNFINISHED,
        ).at_most
        for each in of.records
    ]
    return [(low, min(high, own)) for (low, high), own in zip(found, most, strict=True)]


def paired_interval(
    before: Sequence[float], after: Sequence[float], level: float = LEVEL
) -> Interval:
    """Return the interval of the difference of two means whose values are paired."""
    return mean_interval([new - old for old, new in zip(before, after, strict=True)], level)


def check_named(measure: str, source: str) -> str:
    """Return the name of a measure. Raises ScenarioError where there is no such measure."""
    if not isinstance(measure, str):
        message = f'expected a measure such as "p99", got {show(measure)}'
        raise ScenarioError(message, source)
    check_measure(measure, source)
    return measure


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
    for name, text, example in (("absolute", absolute, "50ms"), ("relative", relative, "2%")):
        if text is not None and not isinstance(text, str):
            message = f'expected {name}="{example}", got {show(text)}'
            raise ScenarioError(message, "baseline", name)
    amount = parse_tolerance("0s" if absolute is None else absolute, "p99", "absolute")
    share = parse_tolerance("0%" if relative is None else relative, "p99", "relative")
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
    for name, bound in named.items():
        if not isinstance(bound, str):
            message = f'expected {name}="<5s", with its relation and unit, got {show(bound)}'
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
    if min(len(before), len(after)) < 2:
        return Interval(estimate, math.nan, math.nan, level)
    shares = [float(np.var(values, ddof=1)) / len(values) for values in (before, after)]
    sizes = (len(before), len(after))
    spread = sum(share**2 / (n - 1) for share, n in zip(shares, sizes, strict=True))
    if spread == 0:  # also where squares are too small for a float
        return Interval(estimate, estimate, estimate, level)
    freedom = sum(shares) ** 2 / spread
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(sum(shares))
    return Interval(estimate, estimate - half, estimate + half, level)
