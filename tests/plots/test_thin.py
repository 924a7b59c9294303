"""Thinning: what is left out is never an extreme, and always under something that is drawn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cascadesim.plots.thin import (
    COLUMNS,
    MANY,
    ROWS,
    most_of_each_pixel,
    ranks,
    slowest_of_each_cell,
)
from cascadesim.records import Level


def many(seed: int, zeros: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    latency = draw.lognormal(0, draw.uniform(0.1, 4), 3 * MANY)
    latency[draw.choice(len(latency), zeros, replace=False)] = 0
    return draw.uniform(0, 900, len(latency)), latency


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_every_point_left_out_has_a_slower_one_beside_it(seed: int, zeros: int) -> None:
    arrival, latency = many(seed, zeros)
    kept = slowest_of_each_cell(arrival, latency)
    assert len(kept) < len(latency)
    assert latency[kept].max() == latency.max()
    assert latency[kept].min() == latency.min()
    wide, high = np.ptp(arrival) / COLUMNS, np.ptp(np.log(latency[latency > 0])) / ROWS
    for i in np.setdiff1d(np.arange(len(latency)), kept)[:200]:
        near = kept[np.abs(arrival[kept] - arrival[i]) <= wide * 1.001]
        above = latency[near] >= latency[i]
        if latency[i] > 0:
            above &= np.log(np.maximum(latency[near], 1e-300) / latency[i]) <= high * 1.001
        assert above.any()


def test_few_points_are_all_kept() -> None:
    arrival, latency = np.arange(MANY) / 7, np.full(MANY, 0.2)
    assert slowest_of_each_cell(arrival, latency).tolist() == list(range(MANY))


def test_equal_latencies_are_thinned_to_one_for_each_column() -> None:
    n = 2 * MANY
    assert len(slowest_of_each_cell(np.arange(n) * 1.0, np.full(n, 0.2))) == COLUMNS


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0, 50))
def test_a_pixel_of_a_level_is_the_most_it_was_within(seed: int, pixels: int, start: float) -> None:
    draw = np.random.default_rng(seed)
    at = np.unique(np.append(0.0, draw.uniform(0, 100, 120)))
    level = Level(at, draw.integers(0, 50, len(at)))
    end = 110.0
    seen = most_of_each_pixel(level, start, end, pixels)
    edges = np.append(np.linspace(start, end, pixels, endpoint=False), end)
    assert seen.at.tolist() == edges[:-1].tolist()
    for left, right, value in zip(edges[:-1], edges[1:], seen.value, strict=True):
        # By the definition of a step function: what it enters with, and each later step.
        entered = [v for t, v in zip(level.at, level.value, strict=True) if t <= left][-1]
        later = [v for t, v in zip(level.at, level.value, strict=True) if left < t < right]
        assert value == max([entered, *later])


def test_a_level_of_few_steps_is_left_as_it_is() -> None:
    level = Level(np.array([0.0, 1.0]), np.array([3, 4]))
    assert most_of_each_pixel(level, 0, 9) is level


@given(st.integers(1, 300_000))
def test_ranks_have_both_ends_and_no_gap_that_could_be_seen(n: int) -> None:
    kept = ranks(n)
    assert kept[0] == 0
    assert kept[-1] == n - 1
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= 2000
    assert np.diff(kept).max(initial=0) <= 1 + n / 900
    beyond = n - kept
    assert (np.diff(np.log(beyond[::-1]))[beyond[::-1][1:] > 100] < 0.03).all()
