"""Delays before retries, beside those of tenacity and the formulas of the AWS Architecture Blog.

Tenacity's backoffs get the same settings, number of the attempt and, where they draw, the same
draw. Equal and decorrelated jitter, which tenacity lacks, are held against M. Brooker's
"Exponential Backoff And Jitter" (2015), by their ranges and by their distributions.
"""

import math

import numpy as np
import pytest
import tenacity.wait
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tenacity import (
    RetryCallState,
    Retrying,
    wait_exponential,
    wait_fixed,
    wait_incrementing,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from cascadesim.policies.retry import RetryPlan
from cascadesim.values.outcome import Outcome

DRAWS = 20_000
BASE, CAP = 0.1, 5.0
seconds = st.floats(0.001, 100)
caps = st.one_of(st.just(math.inf), st.floats(0.001, 1000))
attempts = st.integers(0, 40)


def plan(backoff: str, base: float = BASE, **rest: object) -> RetryPlan:
    return RetryPlan("retry", 3, frozenset({Outcome.FAILED}), backoff, base, **rest)


def tenacitys(wait: wait_base, attempt: int) -> float:
    """Return what tenacity waits after an attempt, which we number from 0."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt + 1
    return wait(state)


@given(attempts, seconds, caps, st.floats(0, 1))
def test_constant_is_wait_fixed(attempt: int, base: float, cap: float, draw: float) -> None:
    found = plan("constant", base, cap=cap).wait(attempt, draw, 0.0)
    assert found == min(cap, tenacitys(wait_fixed(base), attempt))  # which has no cap


@given(attempts, seconds, caps, st.floats(0, 1))
def test_linear_is_wait_incrementing(attempt: int, base: float, cap: float, draw: float) -> None:
    theirs = tenacitys(wait_incrementing(start=base, increment=base, max=cap), attempt)
    found = plan("linear", base, cap=cap).wait(attempt, draw, 0.0)
    assert math.isclose(found, theirs, rel_tol=1e-12)


@given(attempts, seconds, st.floats(1, 4), caps, st.floats(0, 1))
def test_exponential_is_wait_exponential(
    attempt: int, base: float, multiplier: float, cap: float, draw: float
) -> None:
    wait = wait_exponential(multiplier=base, exp_base=multiplier, max=cap)
    found = plan("exponential", base, multiplier=multiplier, cap=cap).wait(attempt, draw, 0.0)
    assert math.isclose(found, tenacitys(wait, attempt), rel_tol=1e-12)


@given(attempts, seconds, st.floats(1, 4), caps, st.floats(0, 1))
def test_full_jitter_is_wait_random_exponential(
    attempt: int, base: float, multiplier: float, cap: float, draw: float
) -> None:
    wait = wait_random_exponential(multiplier=base, exp_base=multiplier, max=cap)
    ours = plan("exponential", base, multiplier=multiplier, cap=cap, jitter="full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tenacity.wait.random, "uniform", lambda a, b: a + (b - a) * draw)
        theirs = tenacitys(wait, attempt)
    assert math.isclose(ours.wait(attempt, draw, 0.0), theirs, rel_tol=1e-12)


def test_full_jitter_is_spread_as_tenacitys_own_draws() -> None:
    wait = wait_random_exponential(multiplier=BASE, max=CAP)
    ours = plan("exponential", cap=CAP, jitter="full")
    tenacity.wait.random.seed(1)
    draws = np.random.default_rng(1).random(DRAWS)
    for attempt in (0, 3, 9):
        theirs = [tenacitys(wait, attempt) for _ in range(DRAWS // 10)]
        found = [ours.wait(attempt, draw, 0.0) for draw in draws]
        assert stats.ks_2samp(found, theirs).pvalue > 0.01


def test_equal_jitter_is_half_the_backoff_and_a_random_half() -> None:
    # temp = min(cap, base * 2 ** attempt); sleep = temp / 2 + random_between(0, temp / 2)
    ours = plan("exponential", cap=CAP, jitter="equal")
    draws = np.random.default_rng(2).random(DRAWS)
    for attempt in range(9):
        temp = min(CAP, BASE * 2**attempt)
        found = [ours.wait(attempt, draw, 0.0) for draw in draws]
        assert temp / 2 <= min(found) <= max(found) <= temp
        assert stats.kstest(found, stats.uniform(temp / 2, temp / 2).cdf).pvalue > 0.01


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), seconds, caps)
def test_decorrelated_jitter_goes_by_the_wait_before(
    draws: list[float], base: float, cap: float
) -> None:
    # sleep = min(cap, random_between(base, sleep * 3)), where sleep is base at first
    ours = plan("exponential", base, cap=cap, jitter="decorrelated")
    sleep, last = base, 0.0
    for attempt, draw in enumerate(draws):
        sleep = min(cap, base + draw * (sleep * 3 - base))
        last = ours.wait(attempt, draw, last)
        assert math.isclose(last, sleep, rel_tol=1e-12)
        assert ours.shortest(attempt) <= last * (1 + 1e-12)
        assert last <= ours.longest(attempt) * (1 + 1e-12)


def test_decorrelated_jitter_is_spread_as_the_published_loop() -> None:
    ours = plan("exponential", cap=CAP, jitter="decorrelated")
    rng = np.random.default_rng(3)
    sleeps = np.full(DRAWS, BASE)
    waits = np.zeros(DRAWS)
    for attempt in range(6):
        sleeps = np.minimum(CAP, rng.uniform(BASE, sleeps * 3))
        draws = np.random.default_rng((4, attempt)).random(DRAWS)
        waits = np.array(
            [ours.wait(attempt, *pair) for pair in zip(draws, waits.tolist(), strict=True)]
        )
        assert stats.ks_2samp(sleeps, waits).pvalue > 0.01
