"""Arrivals follow the rate that is given, and recorded ones come when they were recorded."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import run, scenario, stage
from numpy.typing import NDArray
from scipy import integrate, stats

from cascadesim.plan.arrivals import Gaps, Piece, Rates, Recorded
from cascadesim.randomness import BLOCK, Distribution

POISSON, EVEN = Distribution("exponential", (1.0,)), Distribution("constant", (1.0,))

# Silence, a burst, a ramp up and one down to nothing, silence, and a flow.
PIECES = (
    Piece(0.0, 0.0),
    Piece(10.0, 40.0),
    Piece(20.0, 5.0, 0.5),
    Piece(100.0, 45.0, -0.9),
    Piece(150.0, 0.0),
    Piece(170.0, 3.0),
)


def rate(t: float, pieces: tuple[Piece, ...] = PIECES) -> float:
    piece = max((p for p in pieces if p.start <= t), key=lambda p: p.start)
    return piece.rate + piece.slope * (t - piece.start)


def integral(until: float) -> float:
    bounds = [*(p.start for p in PIECES if p.start < until), until]
    # A little inside the span, since the rate jumps at its end.
    return math.fsum(integrate.quad(rate, a, b - 1e-9)[0] for a, b in pairwise(bounds))


@pytest.mark.parametrize("until", [5.0, 10.0, 17.5, 60.0, 120.0, 150.0, 169.0, 1000.0])
def test_the_expected_number_is_the_integral_of_the_rate(until: float) -> None:
    rates = Rates(PIECES, POISSON)
    assert rates.expected(until) == pytest.approx(integral(until), rel=1e-6)
    if until > 10:
        assert rates.mean_gap(until) == pytest.approx(until / integral(until), rel=1e-6)


@pytest.mark.parametrize("period", [math.inf, 250.0])
def test_arrivals_at_a_changing_rate_are_poisson(period: float) -> None:
    """Transformed by the integral of their rate they are a process of rate 1 (Lewis, Shedler)."""
    rates = Rates(PIECES, POISSON, period)
    times = rates.times(7, 0, 1000.0)
    assert len(times) > 2 * BLOCK
    points = np.array([rates.expected(t) for t in times])
    assert stats.kstest(np.diff(points, prepend=0.0), stats.expon().cdf).pvalue > 0.01
    assert stats.kstest(points / rates.expected(1000.0), stats.uniform().cdf).pvalue > 0.01


def test_every_interval_has_as_many_as_its_rate_says() -> None:
    rates = Rates(PIECES, POISSON)
    edges = np.array([0, 10, 20, 60, 100, 125, 150, 170, 400])
    counts = np.sum(
        [np.histogram(rates.times(7, i, 400.0), bins=edges)[0] for i in range(50)], axis=0
    )
    expected = 50 * np.diff([integral(float(edge)) for edge in edges])
    silent = expected < 1e-6
    assert counts[silent].tolist() == [0, 0]
    z = (counts - expected)[~silent] / np.sqrt(expected[~silent])
    assert np.abs(z).max() < 3.5


def test_even_arrivals_come_whenever_the_integral_is_whole() -> None:
    # 2/s for 3 s, then a ramp from 2/s by 2/s each second: 2x + x^2 = k, so x = sqrt(1 + k) - 1.
    rates = Rates((Piece(0.0, 2.0), Piece(3.0, 2.0, 2.0), Piece(9.0, 0.0)), EVEN)
    times = rates.times(7, 0, 9.0)
    flow = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    ramp = [3 + math.sqrt(1 + k) - 1 for k in range(1, 48)]
    assert times[: len(flow)].tolist() == flow
    np.testing.assert_allclose(times[len(flow) :], ramp, rtol=1e-12)


def test_pieces_begin_again_after_a_period() -> None:
    day = Rates((Piece(0.0, 0.0), Piece(2.0, 4.0), Piece(3.0, 0.0)), EVEN, 10.0)
    assert day.times(7, 0, 30.0).tolist() == pytest.approx(
        [d + x for d in (0, 10, 20) for x in (2.25, 2.5, 2.75, 3.0)]
    )
    assert day.expected(12.5) == 6


def test_one_piece_is_a_poisson_process() -> None:
    steady = Gaps(Distribution("exponential", (0.1,))).times(7, 0, 300.0)
    piece = Rates((Piece(0.0, 10.0),), POISSON).times(7, 0, 300.0)
    np.testing.assert_allclose(piece, steady, rtol=1e-12)


def test_a_burst_moves_arrivals_and_draws_none_anew() -> None:
    """The points are common: those before the change stay, and later ones come sooner."""
    calm, burst = (
        Rates((Piece(0.0, 4.0), Piece(60.0, r), Piece(120.0, 4.0)), POISSON).times(7, 0, 300.0)
        for r in (4.0, 40.0)
    )
    before = calm < 60
    assert (burst[: before.sum()] == calm[before]).all()
    after = slice(before.sum(), len(calm))
    assert (burst[after] < calm[after]).all()


spans = st.floats(0.1, 50)
levels = st.sampled_from([0.0, 0.5, 3.0, 20.0])


@given(st.lists(st.tuples(spans, levels, levels), min_size=1, max_size=5), st.booleans(), spans)
def test_a_longer_horizon_moves_no_arrival(
    drawn: list[tuple[float, float, float]], again: bool, horizon: float
) -> None:
    starts = np.cumsum([0.0, *(span for span, _, _ in drawn)]).tolist()
    pieces = [
        Piece(start, a, (b - a) / span) for start, (span, a, b) in zip(starts, drawn, strict=False)
    ]
    period = starts[-1] if again else math.inf
    if not again:
        pieces.append(Piece(starts[-1], 1.0))
    rates = Rates(tuple(pieces), POISSON, period)
    short, long = (rates.times(7, 0, h) for h in (horizon, horizon + 37.0))
    assert (long[: len(short)] == short).all()
    assert (long[len(short) :] >= horizon * (1 - 1e-12)).all()
    assert (np.diff(long) >= -1e-9).all()
    assert ((short >= 0) & (short < horizon)).all()
    # No arrival stands where the rate is nothing.
    within = long % period if again else long
    assert all(rate(float(t), rates.pieces) > 0 or _at_edge(t, starts) for t in within)


def _at_edge(t: float, starts: list[float]) -> bool:
    return bool(np.isclose(starts, t, atol=1e-9).any())


TIMES = tuple(np.cumsum(np.full(2000, 0.25)).tolist())


def test_recorded_arrivals_are_exact() -> None:
    assert Recorded(TIMES).times(7, 3, 100.0).tolist() == [t for t in TIMES if t < 100]
    assert Recorded(TIMES).mean_gap(100.0) == pytest.approx(100 / 399)


def test_a_larger_share_keeps_what_a_smaller_one_does() -> None:
    def kept(share: float, replication: int = 0) -> NDArray[np.float64]:
        return Recorded(TIMES, share).times(7, replication, 1000.0)

    few, more = kept(0.2), kept(0.6)
    assert set(few) < set(more) < set(TIMES)
    assert len(more) / len(TIMES) == pytest.approx(0.6, abs=0.04)
    assert Recorded(TIMES, 0.6).mean_gap(500.0) == pytest.approx(500 / (1999 * 0.6))
    assert set(kept(0.6, replication=1)) != set(more)
    shorter = Recorded(TIMES, 0.6).times(7, 0, 50.0)
    assert shorter.tolist() == [t for t in more if t < 50]


def test_constant_arrivals_are_equally_far_apart() -> None:
    data = scenario(stage(), workload={"arrivals": {"constant": {"rate": "4/s"}}})
    assert run(data).arrival.tolist() == [0.25, 0.5, 0.75, 1.0, 1.25]


def test_poisson_arrivals_have_exponential_gaps() -> None:
    data = scenario(stage("0s"), 1000, workload={"arrivals": {"poisson": {"rate": "5/s"}}})
    gaps = np.diff(run(data).arrival)
    assert stats.kstest(gaps, stats.expon(scale=0.2).cdf).pvalue > 0.01


def test_seed_and_replication_change_the_world() -> None:
    data = scenario(stage(), 9, workload={"arrivals": {"poisson": {"rate": "5/s"}}})
    firsts = [run(data, 1), run(data, 2), run(data, 1, replication=1)]
    assert len({float(records.arrival[0]) for records in firsts}) == 3
