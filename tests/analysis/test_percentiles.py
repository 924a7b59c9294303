import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.analysis.percentiles import PERCENTILES, percentile, share

latencies = st.lists(st.floats(0, 100), min_size=1, max_size=200)


@given(latencies, st.sampled_from(PERCENTILES))
def test_it_is_the_smallest_latency_that_enough_requests_stay_within(
    values: list[float], name: str
) -> None:
    latency = np.array(values)
    got = percentile(name, latency, np.zeros(len(latency), dtype=bool)).seconds
    # The definition, spelled out: the share at or below it is enough, and below it is not.
    needed = share(name) * (1 - 1e-12)
    assert got in values
    assert (latency <= got).mean() >= needed
    smaller = [value for value in values if value < got]
    assert not smaller or (latency <= max(smaller)).mean() < share(name)


@given(latencies, st.data())
def test_unfinished_requests_bound_it_from_both_sides(
    values: list[float], data: st.DataObject
) -> None:
    latency = np.array(values)
    unfinished = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    )
    later = latency + unfinished * data.draw(st.floats(0, 1000))
    for name in PERCENTILES:
        known = percentile(name, latency, unfinished)
        true = percentile(name, later, np.zeros(len(later), dtype=bool)).seconds
        assert known.seconds <= true <= known.at_most


def test_it_is_a_lower_bound_where_the_unfinished_could_move_it() -> None:
    latency = np.array([1.0, 1.005, 3.0, 0.5])
    unfinished = np.array([False, False, False, True])
    assert not percentile("p50", latency, unfinished).at_least  # by half a percent at most
    assert percentile("p75", latency, unfinished).at_least
    assert percentile("max", latency, unfinished).at_least


def test_nothing_gives_nan() -> None:
    assert math.isnan(percentile("p99", np.empty(0), np.empty(0, dtype=bool)).seconds)


@pytest.mark.parametrize(("name", "expected"), [("p50", 0.5), ("p99.9", 0.999), ("max", 1.0)])
def test_names(name: str, expected: float) -> None:
    assert share(name) == pytest.approx(expected)
