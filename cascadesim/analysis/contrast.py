"""Held against each other: a measure before and after, and whether a difference is seen.

All studies that compare use this one rule. Requests that are unfinished at the end leave a measure
between the least and the most that they can make of it (its bounds), and a claim has to hold
wherever in there it lies. So it is tested at the corner that speaks most against it: that a measure
rose, with all of before at its most and all of after at its least. Where it holds only as long as
unfinished requests move nothing, it is not known. Variants meet the same world in each replication,
so differences are taken in pairs; those of other worlds by Welch's approximation (1947).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cascadesim.analysis.intervals import LEVEL, Interval, holm, mean_interval, p_value

MORE_IS_BETTER = ("answered_rate", "goodput", "ok_rate")
# Replications that tell a change from noise. Of an M/M/1 queue at a load of 0.4 whose work became
# slower, by 1 % or by 60 %, six paired intervals that hold together see it in a fifth of the runs
# with 2 replications, in two thirds with 3, and in more than nine tenths with 4; the p99 alone in
# three fifths with 4, in nearly all with 8.
FEWEST = 4

Bounds = Sequence[tuple[float, float]]  # least and most of a measure, by replication
# The interval of a difference of means, and the p-value of none.
Method = Callable[[Sequence[float], Sequence[float]], tuple[Interval, float]]


def paired(
    before: Sequence[float], after: Sequence[float], level: float = LEVEL
) -> tuple[Interval, float]:
    """Compare means whose values are paired, by Student's t."""
    differences = [new - old for old, new in zip(before, after, strict=True)]
    return mean_interval(differences, level), p_value(differences)


def welch(
    before: Sequence[float], after: Sequence[float], level: float = LEVEL
) -> tuple[Interval, float]:
    """Compare means whose values are not paired, and whose variances may differ."""
    estimate = float(np.mean(after) - np.mean(before))
    if min(len(before), len(after)) < 2:
        return Interval(estimate, math.nan, math.nan, level), math.nan
    if max(np.var(before), np.var(after)) ** 2 == 0:  # also where squares are too small for a float
        return Interval(estimate, estimate, estimate, level), p_value([estimate, estimate])
    from scipy import stats  # slow to import, and not every command needs it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that are nearly the same
        test = stats.ttest_ind(after, before, equal_var=False)
        low, high = test.confidence_interval(level)
    return Interval(estimate, float(low), float(high), level), float(test.pvalue)


def means_alone(before: Sequence[float], after: Sequence[float]) -> tuple[Interval, float]:
    """Compare means as if there were no noise."""
    by = sum(after) / len(after) - sum(before) / len(before)
    return Interval(by, by, by), math.nan


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a measure may be worse: a share of what it was, and an amount in its unit."""

    share: float = 0.0
    amount: float = 0.0

    def of(self, value: float) -> float:
        """Return the amount for a value, in its unit."""
        return (self.share * abs(value) if self.share else 0.0) + self.amount


NO_TOLERANCE = Tolerance()


@dataclass(frozen=True, slots=True)
class Change:
    """Two means, the interval of their difference, and the p-value of none, NaN if untestable."""

    before: Interval
    after: Interval
    difference: Interval
    p_value: float = math.nan

    @property
    def turned(self) -> Change:
        """Return the change from after to before."""
        by = self.difference
        difference = Interval(-by.estimate, -by.high, -by.low, by.level)
        return Change(self.after, self.before, difference, self.p_value)


@dataclass(frozen=True, slots=True)
class Contrast:
    """How a measure changed, over replications.

    `known` is the change of what is known at the end of the runs; `least` and `most` are the
    smallest and the largest that unfinished requests can make of it. `at_least` says whether they
    could move the measure up, before and after. `p_value` is that of no difference, NaN where it is
    not known; see `corrected`. `tolerance` is what the measure may be worse by.
    """

    measure: str
    known: Change
    least: Change
    most: Change
    at_least: tuple[bool, bool]
    p_value: float
    tolerance: Tolerance = NO_TOLERANCE

    @property
    def before(self) -> Interval:
        """Return the mean before, with its interval."""
        return self.known.before

    @property
    def after(self) -> Interval:
        """Return the mean after, with its interval."""
        return self.known.after

    @property
    def interval(self) -> Interval:
        """Return the difference with its interval, NaN where it could be anything."""
        if math.isinf(self.least.difference.estimate) and math.isinf(self.most.difference.estimate):
            return Interval(math.nan, math.nan, math.nan, self.known.difference.level)
        return self.known.difference

    @property
    def bound(self) -> str:
        """Return "<" or ">" where the difference is at most, or at least, its estimate."""
        return {(True, False): "<", (False, True): ">"}.get(self.at_least, "")

    @property
    def seen(self) -> bool | None:
        """Return whether there is a difference, at the level of the interval; None if not known."""
        if self.p_value < 1 - self.known.difference.level:
            return True
        return None if math.isnan(self.p_value) or _is_open(self.known, self.at_least) else False

    @property
    def direction(self) -> int:
        """Return 1 where the measure is seen to have risen, -1 to have fallen, else 0."""
        return int(math.copysign(1, self.known.difference.estimate)) if self.seen else 0

    @property
    def turned(self) -> Contrast:
        """Return the contrast as it is seen from the other side."""
        return replace(
            self,
            known=self.known.turned,
            least=self.most.turned,
            most=self.least.turned,
            at_least=self.at_least[::-1],
        )

    @property
    def sign(self) -> int:
        """Return 1 where more is worse, -1 where more is better."""
        return -1 if self.measure in MORE_IS_BETTER else 1

    @property
    def kindest(self) -> Change:
        """Return the change that unfinished requests make the best of."""
        return self.least if self.sign > 0 else self.most

    @property
    def harshest(self) -> Change:
        """Return the change that unfinished requests make the worst of."""
        return self.most if self.sign > 0 else self.least

    @property
    def worse(self) -> bool:
        """Return whether it became worse by more than is tolerated, whatever is unfinished.

        The whole interval has to lie beyond: a change inside the noise is not worse, however large.
        """
        return self._is_worse(self.kindest)

    @property
    def better(self) -> bool:
        """Return whether it became better by more than is tolerated, whatever is unfinished."""
        by = self.harshest.difference
        most = by.high if self.sign > 0 else -by.low
        return most < -self.tolerance.of(self.harshest.before.estimate)

    @property
    def unknown(self) -> bool:
        """Return whether it depends on unfinished requests whether it became worse."""
        if not any(self.at_least) or self.worse:
            return False
        unbounded = not math.isfinite(self.harshest.difference.estimate)
        return unbounded or self._is_worse(self.harshest) or self.looks_worse

    @property
    def looks_worse(self) -> bool:
        """Return whether it would have become worse if unfinished requests moved nothing."""
        return self._is_worse(self.known)

    @property
    def tolerated(self) -> float:
        """Return what it may be worse by, in the unit of the measure."""
        return self.tolerance.of(self.before.estimate)

    @property
    def allowed(self) -> float:
        """Return the worst mean after that would still pass, at this spread."""
        return self.before.estimate + self.sign * self.visible

    @property
    def visible(self) -> float:
        """Return the least change for the worse that would be seen, at this spread."""
        least = self._least_worse(self.known)
        by = self.sign * self.known.difference.estimate
        return self.tolerated + (0.0 if math.isnan(least) else by - least)

    def _is_worse(self, change: Change) -> bool:
        return self._least_worse(change) > self.tolerance.of(change.before.estimate)

    def _least_worse(self, change: Change) -> float:
        """Return the least by which it is worse."""
        return change.difference.low if self.sign > 0 else -change.difference.high


def contrast(
    measure: str,
    before: Bounds,
    after: Bounds,
    tolerance: Tolerance = NO_TOLERANCE,
    method: Method = paired,
) -> Contrast:
    """Return how a measure changed that unfinished requests may move within bounds."""
    at_least = (_can_move(before), _can_move(after))
    known = least = most = _change(before, after, (0, 0), method)
    if any(at_least):
        least, most = (_change(before, after, at, method) for at in ((1, 0), (0, 1)))
    tested = least if known.difference.estimate > 0 else most
    same_side = tested.difference.estimate * known.difference.estimate > 0
    p = tested.p_value if same_side or not any(at_least) else math.nan
    return Contrast(measure, known, least, most, at_least, p, tolerance)


def corrected(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Return contrasts whose p-values are corrected for their number, after Holm."""
    p_values = holm([one.p_value for one in contrasts])
    return [replace(one, p_value=p) for one, p in zip(contrasts, p_values, strict=True)]


def _change(before: Bounds, after: Bounds, chosen: tuple[int, int], method: Method) -> Change:
    """Return the change from the least (0) or the most (1) of before to that of after."""
    old = [bounds[chosen[0]] for bounds in before]
    new = [bounds[chosen[1]] for bounds in after]
    means = mean_interval(old), mean_interval(new)
    if all(math.isfinite(mean.estimate) for mean in means):
        return Change(*means, *method(old, new))
    by = means[1].estimate - means[0].estimate
    return Change(*means, Interval(by, math.nan, math.nan))


def _can_move(bounds: Bounds) -> bool:
    return any(least < most for least, most in bounds)


def _is_open(known: Change, at_least: tuple[bool, bool]) -> bool:
    """Return whether unfinished requests could make the change smaller than is known."""
    return at_least[0] if known.difference.estimate > 0 else at_least[1]
