import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cascadesim.randomness import BLOCK, UNIFORM, Distribution, Stream, arrival_times


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
    ],
)
def test_draws_follow_their_distribution(distribution: Distribution, cdf: object) -> None:
    stream = Stream(7, 0, "w", distribution)
    sample = np.concatenate([stream.block(i) for i in range(20)])
    assert stats.kstest(sample, cdf).pvalue > 0.001
    assert sample.mean() == pytest.approx(distribution.mean, rel=0.03)
    assert sample.max() <= distribution.upper


def test_a_longer_horizon_moves_no_arrival() -> None:
    gaps = Distribution("exponential", (0.1,))
    short, long = (arrival_times(7, 0, gaps, horizon) for horizon in (200.0, 400.0))
    assert len(long) > BLOCK
    assert (long[: len(short)] == short).all()
    assert len(long) / 400 == pytest.approx(10, rel=0.1)
