"""Contrasts: what is seen of a difference whose values unfinished requests may move."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cascadesim.analysis.contrast import Contrast, contrast, corrected, means_alone, welch

NOISE = (0.0, 0.3, -0.2, 0.5, -0.4)


def around(mean: float, more: float = 0.0) -> list[tuple[float, float]]:
    return [(mean + x, mean + x + more) for x in NOISE]


def by_turns(mean: float, more: float = 0.0) -> list[tuple[float, float]]:
    """Return values of as much noise in another order, so that differences are noisy."""
    return around(mean, more)[::-1]


def test_what_nothing_can_move_is_the_paired_t_test() -> None:
    before, after = ([low for low, _ in each] for each in (around(3.0), by_turns(4.0)))
    found = contrast("p99", around(3.0), by_turns(4.0))
    test = stats.ttest_rel(after, before)
    low, high = test.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=1e-12)
    assert found.p_value == pytest.approx(test.pvalue, rel=1e-12)
    assert (found.seen, found.bound, found.direction) == (bool(test.pvalue < 0.05), "", found.seen)
    assert (found.before.estimate, found.after.estimate) == (np.mean(before), np.mean(after))
    assert found.least is found.most is found.known


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        # The later one is a lower bound of anything: it is larger, or nobody can tell.
        (around(3.0), around(9.0, math.inf), True),
        (around(9.0), around(3.0, math.inf), None),
        (around(3.0, math.inf), around(9.0), None),
        (around(9.0, math.inf), around(3.0), True),
        (around(3.0, math.inf), around(9.0, math.inf), None),
        (around(3.0), around(3.0, math.inf), None),
        # Of a rate it is known how much unfinished requests could add.
        (around(3.0, 1.0), around(9.0), True),
        (around(3.0, 7.0), around(9.0), None),
        (around(9.0, 1.0), around(3.0, 1.0), True),
        (around(9.0, 1.0), around(3.0, 7.0), None),
        # By as much as chance.
        (around(3.0), by_turns(3.1), False),
        (around(3.0, 0.01), by_turns(3.1), None),
        (around(3.0), by_turns(3.1, 0.01), False),
    ],
)
def test_a_difference_that_may_be_none_is_not_known(
    old: list[tuple[float, float]], new: list[tuple[float, float]], seen: bool | None
) -> None:
    found = contrast("p99", old, new)
    assert found.seen is seen
    assert found.direction == (0 if not seen else 1 if new[0][0] > old[0][0] else -1)
    # From the other side it is the same.
    for other in (found.turned, contrast("p99", new, old)):
        assert (other.seen, other.direction, other.bound) == (
            seen,
            -found.direction,
            {"<": ">", ">": "<", "": ""}[found.bound],
        )
        assert other.at_least == found.at_least[::-1]
    assert math.isnan(found.interval.estimate) is all(math.isinf(each[0][1]) for each in (old, new))


WITH_BOUNDS = st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(0, 2), st.floats(0, 2))


@given(st.lists(WITH_BOUNDS, min_size=2, max_size=8), st.randoms())
def test_what_is_seen_has_its_side_wherever_the_values_lie(
    rows: list[tuple[float, float, float, float]], draws: object
) -> None:
    old = [(a, a + u) for a, _, u, _ in rows]
    new = [(b, b + v) for _, b, _, v in rows]
    found = contrast("mean", old, new)
    inside = [
        draws.uniform(*b) - draws.uniform(*a)  # type: ignore[attr-defined]
        for a, b in zip(old, new, strict=True)
    ]
    if found.seen:
        assert np.mean(inside) * found.direction > 0
    assert found.least.difference.estimate <= np.mean(inside) + 1e-9
    assert found.most.difference.estimate >= np.mean(inside) - 1e-9


def test_a_single_replication_shows_nothing() -> None:
    found = contrast("p99", [(1.0, 1.0)], [(2.0, 2.0)])
    assert (found.interval.estimate, found.seen, found.direction) == (1.0, None, 0)
    nothing = contrast("p99", [(math.nan, math.nan)] * 3, [(2.0, 2.0)] * 3)
    assert nothing.seen is None
    assert math.isnan(nothing.interval.estimate)


def test_correction_counts_only_what_can_be_tested() -> None:
    def shifted(by: float, more: float = 0.0) -> Contrast:
        return contrast("p99", around(3.0, more), by_turns(3.0 + by))

    alone = [shifted(1.5), shifted(0.9), shifted(0.1, math.inf)]
    assert [math.isnan(each.p_value) for each in alone] == [False, False, True]
    found = corrected(alone)
    assert found[0].p_value == pytest.approx(2 * alone[0].p_value)  # the third has no p-value
    assert found[1].p_value == pytest.approx(max(alone[1].p_value, found[0].p_value))
    assert math.isnan(found[2].p_value)


def test_the_same_values_in_each_replication_leave_no_doubt() -> None:
    for method in (welch, means_alone):
        interval, p = method([2.0] * 4, [3.0] * 4)
        assert (interval.low, interval.estimate, interval.high) == (1.0, 1.0, 1.0)
        assert p == 0.0 or math.isnan(p)
    assert welch([2.0] * 4, [2.0] * 5)[1] == 1.0
