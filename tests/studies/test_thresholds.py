"""Changes: when one is seen, how much of it is allowed, and what bounds leave open."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replicated_queue import DATA, queue, slow
from scipy import stats

from cascadesim.analysis.contrast import Change, Contrast, Tolerance, contrast, welch
from cascadesim.analysis.intervals import Interval
from cascadesim.studies.no_worse import change, side_by_side
from cascadesim.studies.thresholds import parse_allowed, parse_thresholds, parse_tolerance
from cascadesim.values.errors import ScenarioError


@given(
    one=st.lists(st.floats(-10, 10), min_size=2, max_size=9),
    other=st.lists(st.floats(-10, 10), min_size=2, max_size=9),
)
def test_welch_is_that_of_scipy(one: list[float], other: list[float]) -> None:
    found, p = welch(one, other, 0.9)
    if min(np.var(one), np.var(other)) < 1e-6:  # where scipy warns of its own precision
        assert found.low <= found.estimate <= found.high
        return
    test = stats.ttest_ind(other, one, equal_var=False)
    low, high = test.confidence_interval(0.9)
    assert p == pytest.approx(test.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-9)


OPEN = 4.0  # seconds


NEVER = math.inf


CORNERS = [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.parametrize("ends", [OPEN, NEVER])
@pytest.mark.parametrize(("old_open", "new_open"), CORNERS)
@pytest.mark.parametrize("by", [-9.0, -1.0, 1.0, 9.0])
def test_bounds_decide_only_what_they_leave_no_doubt_about(
    by: float, old_open: bool, new_open: bool, ends: float
) -> None:
    """Unfinished requests end within OPEN seconds, or never."""
    old_more, new_more = (ends if is_open else 0.0 for is_open in (old_open, new_open))
    noise = [0.0, 0.1, -0.1, 0.0]
    old = [(10.0, 10.0 + old_more)] * 4
    new = [(10.0 + by + x, 10.0 + by + x + new_more) for x in noise]
    found = contrast("p99", old, new)
    least, most = by - old_more, by + new_more
    assert found.worse is (least > 0)
    assert found.better is (most < 0)
    assert found.unknown is (least <= 0 < most)
    # Where more is better, it is the other way round.
    goods = [[(-high, -low) for low, high in each] for each in (old, new)]
    mirrored = contrast("ok_rate", goods[0], goods[1])
    assert (mirrored.worse, mirrored.better) == (found.worse, found.better)
    assert mirrored.unknown is found.unknown


@given(
    st.lists(
        st.tuples(*[st.floats(0, 10), st.floats(0, 10), st.floats(0, 2), st.floats(0, 2)]),
        min_size=2,
        max_size=8,
    )
)
def test_bounds_are_no_surer_than_the_truth(
    rows: list[tuple[float, float, float, float]],
) -> None:
    """A claim holds at every corner that is harsher, as all its values are further out."""
    old = [(a, a + u) for a, _, u, _ in rows]
    new = [(b, b + v) for _, b, _, v in rows]
    found = contrast("mean", old, new)
    kindest = np.array([b - (a + u) for a, b, u, _ in rows])
    harshest = np.array([b + v - a for a, b, _, v in rows])
    reach = stats.t.ppf(0.975, len(rows) - 1) / math.sqrt(len(rows))
    if found.worse:
        assert kindest.mean() - reach * kindest.std(ddof=1) > -1e-9
    if found.better:
        assert harshest.mean() + reach * harshest.std(ddof=1) < 1e-9
    assert [found.worse, found.better, found.unknown].count(True) <= 1


def test_no_worse_is_decided_by_the_paired_interval() -> None:
    before, after = side_by_side(queue(), slow())
    found = change(before, after, "p90")
    low, _ = stats.ttest_rel(after.values("p90"), before.values("p90")).confidence_interval()
    assert found.interval.low == pytest.approx(low)
    share = low / found.before.estimate
    assert change(before, after, "p90", f"{100 * share - 0.1:.3f}%").worse
    assert not change(before, after, "p90", f"{100 * share + 0.1:.3f}%").worse
    assert change(before, after, "p90", f"{1000 * low - 1:.3f}ms").worse
    assert not change(before, after, "p90", f"{1000 * low + 1:.3f}ms").worse
    assert not change(after, before, "p90").worse
    assert not change(before, before, "p90").worse


def known(measure: str, before: float, by: Interval, allowed: float = 0.0) -> Contrast:
    """Return a contrast that no unfinished request could move."""
    means = [Interval(x, math.nan, math.nan) for x in (before, before + by.estimate)]
    change = Change(means[0], means[1], by)
    tolerance = Tolerance(amount=allowed)
    return Contrast(measure, change, change, change, (False, False), math.nan, tolerance)


def test_a_change_inside_the_noise_is_not_worse_however_large() -> None:
    noisy = known("p99", 10.0, Interval(5.0, -1.0, 11.0))
    assert not noisy.worse
    assert noisy.allowed == 16.0  # at this spread
    assert known("p99", 10.0, Interval(0.1, 0.05, 0.15)).worse


def test_more_goodput_is_better() -> None:
    less = known("goodput", 10.0, Interval(-1.0, -1.2, -0.8), 0.5)
    assert (less.worse, less.better, less.allowed) == (True, False, pytest.approx(9.3))
    more = known("goodput", 9.0, Interval(1.0, 0.8, 1.2), 0.5)
    assert (more.worse, more.better) == (False, True)


def test_comparisons_that_cannot_be_made_say_why() -> None:
    with pytest.raises(ScenarioError, match="has seed 1 and the other 2"):
        side_by_side(queue(), queue(seed=2))
    pair = side_by_side(queue(number=1), queue(number=1))
    with pytest.raises(ScenarioError, match="needs 4 replications or more"):
        change(*pair, "p99")
    with pytest.raises(ScenarioError, match='unknown measure "p9"; did you mean "p99"'):
        change(*side_by_side(queue(), queue()), "p9")
    data = DATA | {"drain": "0s", "horizon": "4s"}
    hang = [{"on": "a", "from": "0s", "for": "60s", "hang": {}}]
    both = side_by_side(queue(data=data, faults=hang), queue(data=data, faults=hang))
    with pytest.raises(ScenarioError, match="could still move p99 up"):
        change(*both, "p99")


def test_comparisons_take_eight_replications_where_nobody_says() -> None:
    one, other = side_by_side(queue(number=None), queue(number=None))
    assert (one.count, other.count, queue(number=None).count) == (8, 8, 1)
    assert side_by_side(queue(number=3), queue(number=None))[1].count == 3


def test_an_automatic_warmup_is_that_of_both() -> None:
    auto = DATA | {"warmup": "auto"}
    one, other = side_by_side(queue(data=auto), slow(data=auto))
    assert one.plan.warmup == other.plan.warmup
    assert one.plan.warmup == max(queue(data=auto).plan.warmup, slow(data=auto).plan.warmup)


@pytest.mark.parametrize(
    ("text", "measure", "share", "amount"),
    [
        ("2%", "p99", 0.02, 0),
        ("50ms", "mean", 0, 0.05),
        ("2%", "goodput", 0.02, 0),
        ("3/min", "goodput", 0, 0.05),
        ("1%", "error_rate", 0, 0.01),
    ],
)
def test_tolerances(text: str, measure: str, share: float, amount: float) -> None:
    assert parse_tolerance(text, measure) == Tolerance(share, pytest.approx(amount))


@pytest.mark.parametrize(
    ("text", "measure", "says"),
    [
        ("2", "p99", '"2" has no unit'),
        ("-1%", "p99", "between 0% and 100%"),
        ("50ms", "error_rate", "a percentage point"),
        ("50ms", "goodput", '"0.5/s"'),
    ],
)
def test_wrong_tolerances_say_what_is_right(text: str, measure: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse_tolerance(text, measure)


def test_absolute_and_relative_are_not_mixed_up() -> None:
    assert parse_allowed(None, None) is None
    assert parse_allowed("50ms", "2%") == Tolerance(0.02, 0.05)
    with pytest.raises(ScenarioError, match="the other way round"):
        parse_allowed("2%", None)
    with pytest.raises(ScenarioError, match=r'relative="2%", got 0\.02'):
        parse_allowed(None, 0.02)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match="expected a duration"):
        parse_allowed("", None)


def test_thresholds_are_objectives() -> None:
    found = parse_thresholds(["mean < 1s"], {"p99_9": "<5s", "error_rate": "<1%"}, "here")
    assert [(each.metric, each.bound) for each in found] == [
        ("mean", 1.0),
        ("p99.9", 5.0),
        ("error_rate", 0.01),
    ]
    for texts, named in (([], {}), (["p99 < 5"], {}), ([], {"p99_x": "<5s"})):
        with pytest.raises(ScenarioError, match=r"^here: "):
            parse_thresholds(texts, named, "here")
    with pytest.raises(ScenarioError, match='here: expected p99="<5s", with its relation and unit'):
        parse_thresholds([], {"p99": 5}, "here")  # type: ignore[dict-item]
