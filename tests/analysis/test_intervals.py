import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cascadesim.analysis.intervals import holm, mean_interval, mser5, p_value

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


@given(numbers, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_is_that_of_scipy(values: list[float], level: float) -> None:
    interval = mean_interval(values, level)
    spread = stats.sem(values)
    if spread > 0:
        expected = stats.t.interval(level, len(values) - 1, np.mean(values), spread)
        assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)
    assert interval.low <= interval.estimate <= interval.high


def test_one_value_has_no_interval() -> None:
    interval = mean_interval([3.0])
    assert interval.estimate == 3.0
    assert math.isnan(interval.low)
    assert interval.relative == math.inf
    assert math.isnan(mean_interval([]).estimate)


@given(numbers)
def test_the_interval_leaves_0_out_where_the_p_value_is_below_5_percent(
    values: list[float],
) -> None:
    interval, p = mean_interval(values), p_value(values)
    if abs(p - 0.05) > 1e-6 and np.ptp(values) > 1e-9:
        assert (interval.low > 0 or interval.high < 0) == (p < 0.05)


def test_p_values_without_spread() -> None:
    assert p_value([0.0, 0.0]) == 1.0
    assert p_value([1.0, 1.0]) == 0.0
    assert math.isnan(p_value([1.0]))
    assert math.isnan(p_value([1.0, math.inf]))


def test_rounding_is_no_difference() -> None:
    assert p_value([-1e-13, -1e-13, -1.1e-13]) == 1.0
    assert p_value([10.0, 10.0 + 2e-15, 10.0 - 2e-15]) == 0.0  # which scipy warns of


def test_holm_by_hand() -> None:
    # Holm (1979): 0.01 x 4, 0.02 x 3 = 0.06, 0.03 x 2 = 0.06, and 0.04 x 1 raised to 0.06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, math.nan, 0.6])[1] != holm([0.5, math.nan, 0.6])[1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_stepwise(values: list[float]) -> None:
    # The definition: go up the sorted values and stop at the first above 5 % over what is left.
    rejected, order = set(), np.argsort(values, kind="stable").tolist()
    for rank, i in enumerate(order):
        if values[i] * (len(values) - rank) > 0.05:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(values)) if p <= 0.05} == rejected


def batches_of_5(series: list[float]) -> list[float]:
    return [float(np.mean(series[i : i + 5])) for i in range(0, len(series) // 5 * 5, 5)]


def errors_by_cut(series: list[float]) -> list[float]:
    batches = batches_of_5(series)
    return [np.var(batches[cut:]) / (len(batches) - cut) for cut in range(len(batches) // 2 + 1)]


@given(st.lists(st.integers(0, 50).map(float), max_size=120))
def test_mser5_is_its_definition(series: list[float]) -> None:
    found = mser5(series)
    half = len(series) // 10 * 5
    if len(series) < 10:
        assert found is None
        return
    errors = errors_by_cut(series)
    best = int(np.argmin(errors)) * 5
    if (half if found is None else found) != best:  # a tie, which rounding breaks either way
        assert errors[(half if found is None else found) // 5] == pytest.approx(
            errors[best // 5], abs=1e-9
        )


@pytest.mark.parametrize("n", [0, 9, 10, 200])
def test_mser5_tells_nothing_of_a_series_that_does_not_settle(n: int) -> None:
    assert mser5([float(i) for i in range(n)]) is None  # it only rises


def test_mser5_cuts_off_a_start_that_differs() -> None:
    rng = np.random.default_rng(1)
    series = np.concatenate([np.linspace(50, 10, 100), 10 + rng.standard_normal(900)])
    cut = mser5(series.tolist())
    assert cut is not None
    assert 60 <= cut <= 130
