"""Shares against models whose shares are known from a formula."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.analysis.effects import (
    BINS,
    Effect,
    Effects,
    best_level,
    effects,
    is_grid,
    main_effects,
)
from cascadesim.scenario.vary import Vary, parse_vary
from cascadesim.studies.design import grid, sampled

Model = Callable[[Any], Any]
A, B = 7, 0.1  # of the Ishigami function
LINEAR = (4, 2, 1)


def ishigami(x: Any) -> Any:
    """Return the function of Ishigami and Homma (1990) of rows of numbers from 0 to 1."""
    x1, x2, x3 = (2 * x.T - 1) * math.pi
    return np.sin(x1) + A * np.sin(x2) ** 2 + B * x3**4 * np.sin(x1)


def ishigami_shares() -> tuple[list[float], list[float]]:
    """Return its first-order and total shares (Sobol and Levitan 1999)."""
    first = 0.5 * (1 + B * math.pi**4 / 5) ** 2
    second = A**2 / 8
    both = B**2 * math.pi**8 * (1 / 18 - 1 / 50)
    variance = first + second + both
    return (
        [first / variance, second / variance, 0],
        [(first + both) / variance, second / variance, both / variance],
    )


def linear(x: Any) -> Any:
    return x @ LINEAR


def linear_shares() -> list[float]:
    """Return its shares, of a sum of uniform numbers."""
    squares = np.square(LINEAR)
    return [float(share) for share in squares / squares.sum()]


VARY = [parse_vary(f"{name}=0.0..1.0") for name in "abc"]


def found(model: Model, kind: str, count: int, seed: int = 1) -> dict[str, Effect]:
    settings = sampled(VARY, kind, count, seed)
    x = np.array([list(each.values()) for each in settings])
    result = effects("p99", VARY, settings, model(x)[:, np.newaxis], kind, seed)
    ranks = [effect.rank for effect in result.effects]
    assert ranks == sorted(ranks, reverse=True)
    return {effect.setting: effect for effect in result.effects}


def test_a_saltelli_sample_finds_the_shares_of_ishigami() -> None:
    first, total = ishigami_shares()
    assert first == pytest.approx([0.3139, 0.4424, 0], abs=1e-4)
    assert total == pytest.approx([0.5576, 0.4424, 0.2437], abs=1e-4)
    told = found(ishigami, "saltelli", 1024)
    for name, one, whole in zip("abc", first, total, strict=True):
        assert told[name].first_order == pytest.approx(one, abs=0.02)
        assert told[name].total_order == pytest.approx(whole, abs=0.02)
        assert told[name].first_order_low <= one <= told[name].first_order_high
        assert told[name].total_order_low <= whole <= told[name].total_order_high


@pytest.mark.parametrize(("kind", "count"), [("sobol", 1024), ("lhs", 1000)])
@pytest.mark.parametrize(
    ("model", "shares"), [(ishigami, ishigami_shares()[0]), (linear, linear_shares())]
)
def test_any_sample_finds_first_order_shares(
    kind: str, count: int, model: Model, shares: list[float]
) -> None:
    told = found(model, kind, count)
    for name, share in zip("abc", shares, strict=True):
        assert told[name].first_order == pytest.approx(share, abs=0.06)
        assert told[name].first_order_low <= share <= told[name].first_order_high
        assert math.isnan(told[name].total_order)


@pytest.mark.parametrize("kind", ["saltelli", "sobol"])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_seed_gives_the_same_shares(kind: str, seed: int) -> None:
    assert repr(found(ishigami, kind, 64, seed)) == repr(found(ishigami, kind, 64, seed))


LISTS = st.lists(
    st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=2, max_size=4),
    min_size=2,
    max_size=4,
)


def factorial(parts: list[list[float]]) -> tuple[list[Vary], list[dict[str, Any]]]:
    vary = [Vary(f"s.x{i}", tuple(range(len(part)))) for i, part in enumerate(parts)]
    return vary, grid(vary)


@given(LISTS, st.randoms(use_true_random=False))
def test_shares_of_a_sum_add_up_to_one(parts: list[list[float]], random: Any) -> None:
    vary, settings = factorial(parts)
    random.shuffle(settings)  # a grid is one in any order
    values = np.array([sum(p[i] for p, i in zip(parts, s.values(), strict=True)) for s in settings])
    result = effects("p99", vary, settings, values[:, np.newaxis])
    variances = [float(np.var(part)) for part in parts]
    if sum(variances) < 1e-4:
        return
    assert sum(effect.first_order for effect in result.effects) == pytest.approx(1)
    told = {effect.setting: effect for effect in result.effects}
    for each, variance in zip(vary, variances, strict=True):
        share = pytest.approx(variance / sum(variances), abs=1e-6)
        assert told[each.path].first_order == share
        assert told[each.path].total_order == share


def test_what_only_acts_together_has_a_total_share_alone() -> None:
    vary, settings = factorial([[0, 1], [0, 1], [0, 1]])
    values = np.array([float(s["s.x0"] != s["s.x1"]) for s in settings])
    result = effects("p99", vary, settings, values[:, np.newaxis])
    shares = {e.setting: (e.first_order, e.total_order) for e in result.effects}
    assert shares == {"s.x0": (0, 1), "s.x1": (0, 1), "s.x2": (0, 0)}


def test_a_sample_is_no_grid() -> None:
    vary, settings = factorial([[0, 1], [0, 1, 2]])
    assert is_grid(vary, settings)
    assert not is_grid(vary, settings[1:])
    assert not is_grid(vary, [*settings, settings[0]])
    assert not is_grid(vary, [*settings[1:], settings[1]])


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([1.0, 1.0, 1.0, 1.0], "no setting changes p99"),
        ([1.0, math.nan, 3.0, math.nan], "2 of 4 settings measure no request, so have no p99"),
    ],
)
def test_what_cannot_be_told_is_said(values: list[float], note: str) -> None:
    vary, settings = factorial([[0, 1], [0, 1]])
    result = effects("p99", vary, settings, np.array(values)[:, np.newaxis])
    assert result.note == note
    assert [effect.setting for effect in result.effects] == ["s.x0", "s.x1"]
    assert result.frame.drop(columns="setting").isna().all(axis=None)
    assert result.to_dict()["settings"][0]["first_order"] is None


@pytest.mark.parametrize("kind", ["grid", "saltelli", "lhs"])
def test_a_lower_bound_has_no_share(kind: str) -> None:
    vary, settings = factorial([[0, 1], [0, 1]])
    values, bounds = np.array([[1.0], [9.0], [2.0], [5.0]]), [False, True, False, True]
    result = effects("p95", vary, settings, values, kind, at_least=bounds)
    assert result.note == (
        "the p95 of 2 of 4 settings is a lower bound, as requests were unfinished at the end; "
        "a longer drain tells more"
    )
    assert result.frame.drop(columns="setting").isna().all(axis=None)


def test_a_mean_with_a_lower_bound_is_one_and_none_of_its_setting_is_best() -> None:
    vary, settings = factorial([[0, 1], [0, 1]])
    values, bounds = np.array([[1.0], [9.0], [2.0], [5.0]]), [False, True, False, False]
    levels = main_effects(vary, settings, values, at_least=bounds)
    assert [level.at_least for level in levels] == [True, False, False, True]
    assert best_level(levels[:2], "p99") is None
    assert not any(level.at_least for level in main_effects(vary, settings, values))


def test_few_settings_say_nothing() -> None:
    told = found(linear, "lhs", 20)
    assert all(math.isnan(effect.first_order) for effect in told.values())
    settings = sampled(VARY, "lhs", 20, 1)
    values = np.arange(20.0)[:, np.newaxis]
    assert "20 settings are too few" in effects("p99", VARY, settings, values, "lhs").note


def test_a_single_extreme_value_does_not_break_the_shares() -> None:
    settings = sampled(VARY, "sobol", 32, 1)
    values = np.zeros((32, 1))
    values[5] = 60.0
    result = effects("p99", VARY, settings, values, "sobol")
    assert all(math.isfinite(effect.first_order) for effect in result.effects)


def noisy(effect: float, noise: float, replications: int) -> Effects:
    vary, settings = factorial([list(range(20)), list(range(20))])
    rng = np.random.default_rng(1)
    values = effect * np.array([[s["s.x0"]] for s in settings], dtype=float)
    shared = 100 * rng.normal(size=(1, replications))  # worlds are good or bad for all settings
    values = values + shared + noise * rng.normal(size=(len(settings), replications))
    return effects("p99", vary, settings, values)


def test_the_share_of_chance() -> None:
    # The variance of means is that of the effect and of the noise over the replications.
    expected = (4 / 5) / (4 / 5 + np.var(range(20)))
    assert noisy(1, 2, 5).noise == pytest.approx(expected, rel=0.1)
    assert noisy(1, 0, 5).noise == pytest.approx(0, abs=1e-12)
    assert noisy(0, 1, 5).noise == pytest.approx(1, rel=0.1)
    assert math.isnan(noisy(1, 2, 1).noise)


@given(st.integers(1, 4), st.integers(1, 4))
def test_main_effects_are_means_over_the_others(m: int, n: int) -> None:
    vary, settings = factorial([[0.0] * m, [0.0] * n])
    table = np.arange(m * n, dtype=float).reshape(m, n) ** 2
    levels = main_effects(vary, settings, table.reshape(-1, 1))
    assert [level.mean for level in levels] == [*table.mean(axis=1), *table.mean(axis=0)]
    assert [level.settings for level in levels] == [n] * m + [m] * n
    assert [level.value for level in levels] == [*range(m), *range(n)]
    assert [level.along for level in levels[:m]] == [i / max(m - 1, 1) for i in range(m)]


def test_samples_are_put_into_bins() -> None:
    vary = [parse_vary("a.b=0s..16s"), parse_vary("c.d=1..100"), parse_vary("e.f=x,y")]
    settings = sampled(vary, "sobol", 64, 1)
    seconds = np.array([[float(each["a.b"].rstrip("s"))] for each in settings])
    levels = main_effects(vary, settings, seconds, "sobol")
    bins = [level for level in levels if level.setting == "a.b"]
    assert len(bins) == BINS
    # A value on a border may be rounded into the next bin.
    assert all(abs(level.settings - 64 // BINS) <= 1 for level in bins)
    for i, level in enumerate(bins):
        low, high = level.value.split("..")
        assert 2 * i <= float(low[:-1]) < level.mean < float(high[:-1]) <= 2 * i + 2
        assert level.along == pytest.approx(level.mean / 16)
    assert [level.value for level in levels if level.setting == "e.f"] == ["x", "y"]


def test_the_best_level_is_low_or_high_by_the_measure() -> None:
    vary, settings = factorial([[0, 1, 2]])
    levels = main_effects(vary, settings, np.array([[3.0], [math.nan], [1.0]]))
    best = {name: best_level(levels, name) for name in ("p99", "error_rate", "goodput", "ok_rate")}
    assert {name: level and level.value for name, level in best.items()} == {
        "p99": 2,
        "error_rate": 2,
        "goodput": 0,
        "ok_rate": 0,
    }
    assert best_level(levels[1:2], "p99") is None


def test_the_models_are_those_of_the_formulas() -> None:
    """Check the formulas above by sums over a fine grid."""
    fine = (np.arange(40) + 0.5) / 40
    table = ishigami(np.array(list(itertools.product(fine, repeat=3)))).reshape(40, 40, 40)
    for i, (first, total) in enumerate(zip(*ishigami_shares(), strict=True)):
        others = tuple({0, 1, 2} - {i})
        assert table.mean(axis=others).var() / table.var() == pytest.approx(first, abs=0.01)
        assert 1 - table.mean(axis=i).var() / table.var() == pytest.approx(total, abs=0.01)
