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
    assert not interval.decided
    assert math.isnan(mean_interval([]).estimate)


@given(numbers)
def test_the_interval_and_the_p_value_decide_alike(values: list[float]) -> None:
    interval, p = mean_interval(values), p_value(values)
    if abs(p - 0.05) > 1e-6 and np.ptp(values) > 1e-9:
        assert interval.decided == (p < 0.05)


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


def mser5_by_definition(series: list[float]) -> int:
    batches = [np.mean(series[i : i + 5]) for i in range(0, len(series) // 5 * 5, 5)]
    if len(batches) < 2:
        return 0
    errors = [np.var(batches[cut:]) / (len(batches) - cut) for cut in range(len(batches) // 2 + 1)]
    return int(np.argmin(errors)) * 5


@given(st.lists(st.integers(0, 50).map(float), max_size=120))
def test_mser5_is_its_definition(series: list[float]) -> None:
    found, expected = mser5(series), mser5_by_definition(series)
    batches = np.array(series[: len(series) // 5 * 5]).reshape(-1, 5).mean(axis=1)
    if found != expected:  # a tie, which rounding breaks either way
        errors = [np.var(batches[c // 5 :]) / (len(batches) - c // 5) for c in (found, expected)]
        assert errors[0] == pytest.approx(errors[1], abs=1e-9)


def test_mser5_cuts_off_a_start_that_differs() -> None:
    rng = np.random.default_rng(1)
    series = np.concatenate([np.linspace(50, 10, 100), 10 + rng.standard_normal(900)])
    assert 60 <= mser5(series.tolist()) <= 130
