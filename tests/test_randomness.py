import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from cascadesim.randomness import BLOCK, UNIFORM, Distribution, Stream, arrival_times

TWO = (("short", UNIFORM), ("long", Distribution("exponential", (3.0,))))


def draws(distribution: Distribution, blocks: int = 20) -> NDArray[np.float64]:
    stream = Stream(7, 0, "w", distribution)
    return np.concatenate([stream.block(i) for i in range(blocks)])


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 3)), min_size=1, max_size=40))
def test_a_draw_is_its_address_in_any_order(addresses: list[tuple[int, int]]) -> None:
    forth, back = (Stream(7, 0, "agent.work", UNIFORM) for _ in range(2))
    drawn = {address: forth.at(*address) for address in addresses}
    assert all(back.at(*address) == drawn[address] for address in reversed(addresses))


def test_names_seeds_replications_and_attempts_differ() -> None:
    draws = [
        Stream(*a).at(0, k)
        for a in [(7, 0, "a", UNIFORM), (8, 0, "a", UNIFORM), (7, 1, "a", UNIFORM)]
        for k in (0, 1)
    ]
    assert len(set(draws)) == len(draws)


def test_another_mean_scales_the_same_draws() -> None:
    slow, fast = (Stream(7, 0, "w", Distribution("exponential", (m,))) for m in (2.0, 1.0))
    assert slow.at(5) == 2 * fast.at(5)


@pytest.mark.parametrize(
    ("distribution", "cdf"),
    [
        (Distribution("exponential", (2.0,)), stats.expon(scale=2.0).cdf),
        (Distribution("lognormal", (0.5, 0.7)), stats.lognorm(0.7, scale=np.exp(0.5)).cdf),
        (Distribution("uniform", (1.0, 3.0)), stats.uniform(1.0, 2.0).cdf),
        (Distribution("gamma", (0.3, 2.0)), stats.gamma(0.3, scale=2.0).cdf),
        (Distribution("gamma", (7.0, 0.1)), stats.gamma(7.0, scale=0.1).cdf),
        (Distribution("pareto", (0.2, 3.5, math.inf)), stats.pareto(3.5, scale=0.2).cdf),
        (
            Distribution("mixture", (3.0, 1.0), TWO),
            lambda x: np.sum(
                [
                    w * c.cdf(x)
                    for w, c in ((0.75, stats.uniform(0.0, 1.0)), (0.25, stats.expon(scale=3.0)))
                ],
                axis=0,
            ),
        ),
    ],
)
def test_draws_follow_their_distribution(distribution: Distribution, cdf: object) -> None:
    sample = draws(distribution)
    assert stats.kstest(sample, cdf).pvalue > 0.001
    assert sample.mean() == pytest.approx(distribution.mean, rel=0.03)
    assert sample.max() <= distribution.upper


def test_a_longer_horizon_moves_no_arrival() -> None:
    gaps = Distribution("exponential", (0.1,))
    short, long = (arrival_times(7, 0, gaps, horizon) for horizon in (200.0, 400.0))
    assert len(long) > BLOCK
    assert (long[: len(short)] == short).all()
    assert len(long) / 400 == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    ("alpha", "cap"), [(0.4, 30.0), (1.0, 7.0), (1 + 1e-9, 7.0), (1.5, 90.0), (2.5, math.inf)]
)
def test_the_mean_of_a_pareto_is_the_integral_of_its_tail(alpha: float, cap: float) -> None:
    tail, _ = integrate.quad(stats.pareto(alpha, scale=0.2).sf, 0, cap, limit=500)
    assert Distribution("pareto", (0.2, alpha, cap)).mean == pytest.approx(tail, rel=1e-6)


def test_a_cap_is_reached_and_cuts_what_is_longer_alone() -> None:
    free, capped = (draws(Distribution("pareto", (0.2, 0.9, cap))) for cap in (1e9, 5.0))
    assert (capped == np.minimum(free, 5.0)).all()
    assert capped.max() == Distribution("pareto", (0.2, 0.9, 5.0)).upper == 5.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("gamma", (0.5, 1.0)), ("gamma", (9.0, 1.0))),
        (("pareto", (1.0, 2.0, math.inf)), ("pareto", (1.0, 1.2, 50.0))),
        (("empirical", (1.0, 5.0, 6.0, 70.0)), ("empirical", (0.1, 0.2, 0.2, 0.3))),
    ],
)
def test_another_shape_meets_the_same_underlying_draws(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    first, second = draws(Distribution(*one), 1), draws(Distribution(*other), 1)
    order = np.argsort(first, kind="stable")
    assert (np.diff(first[order]) >= 0).all()
    groups = np.lexsort((second, first))
    assert (np.diff(second[groups]) >= 0).all()  # whoever is longer in one is so in the other


def test_samples_come_as_often_as_they_stand_there() -> None:
    samples = (0.0, 0.25, 0.25, 3.0)
    distribution = Distribution("empirical", samples)
    values, counts = np.unique(draws(distribution), return_counts=True)
    assert values.tolist() == [0.0, 0.25, 3.0]
    assert stats.chisquare(counts, counts.sum() * np.array([0.25, 0.5, 0.25])).pvalue > 0.001
    assert (distribution.mean, distribution.upper) == (0.875, 3.0)


def test_changing_a_component_moves_no_draw_of_the_others() -> None:
    third = ("third", Distribution("gamma", (2.0, 1.0)))
    longer = (TWO[0], ("long", Distribution("exponential", (6.0,))))
    before = draws(Distribution("mixture", (3.0, 1.0), TWO))
    after = draws(Distribution("mixture", (3.0, 1.0), longer))
    more = draws(Distribution("mixture", (3.0, 1.0, 1.0), (*TWO, third)))
    is_long = before != after
    assert is_long.mean() == pytest.approx(0.25, abs=0.01)
    assert (after[is_long] == 2 * before[is_long]).all()
    # The uniform draw that chooses now falls otherwise where the shares have moved.
    assert (more == before).mean() == pytest.approx(0.6 + 0.05, abs=0.01)


def test_a_mixture_is_bounded_where_all_that_is_drawn_is() -> None:
    assert Distribution("mixture", (3.0, 1.0), TWO).mean == pytest.approx(0.75 * 0.5 + 0.25 * 3)
    assert Distribution("mixture", (3.0, 1.0), TWO).upper == math.inf
    never = Distribution("mixture", (3.0, 0.0), TWO)
    assert never.upper == 1.0
    assert draws(never).max() < 1.0
