"""Effects: which of the settings that were varied a measure depends on, and how.

The share of a setting is that of the measure's variance over all settings (Sobol indices): the
first-order share is what it explains alone, the total share what it explains together with others
as well. The shares of a full grid are exact, those of the factorial. Samples estimate them by
SALib: a `saltelli` sample both (Saltelli et al. 2010), any other the first-order one by RBD-FAST
(Tarantola, Gatelli and Mara 2006; bias corrected after Tissot and Prieur 2012).

RBD-FAST with 4 harmonics, as it came closest on functions with known shares: on average to 0.05
from 256 settings and 0.1 from 64, where the partition of SALib's `delta` was 0.1 and 0.2 off and
missed what rises and falls again.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.figure_rules import FEW_SETTINGS, LOWER_BOUND, NONE_MEASURED
from cascadesim.analysis.intervals import LEVEL
from cascadesim.scenario.source import flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from cascadesim.scenario.vary import Vary

    Settings = dict[str, Any]

FEWEST = 32  # settings of a sample whose shares say something
BINS = 8  # at most, of what a sample varies
HIGHER_IS_BETTER = ("goodput", "ok_rate")
_HARMONICS = 4
_ROUNDING = 1e-9  # a share of the largest value by which values differ from rounding alone


@dataclass(frozen=True, slots=True)
class Effect:
    """The shares of one setting, with the bounds of their 95 % intervals; NaN where not known."""

    setting: str
    first_order: float = math.nan
    first_order_low: float = math.nan
    first_order_high: float = math.nan
    total_order: float = math.nan
    total_order_low: float = math.nan
    total_order_high: float = math.nan

    @property
    def rank(self) -> float:
        """Return what effects are ranked by: the total share, or else the first-order one."""
        known = self.first_order if math.isnan(self.total_order) else self.total_order
        return -math.inf if math.isnan(known) else known


@dataclass(frozen=True, slots=True)
class Effects:
    """What a measure depends on, most important first.

    `noise` is the share of the variance that is chance, as replications tell it (NaN for one);
    `note` says what is not known, and why; `code` is the rule that it follows from, if any.
    """

    measure: str
    effects: tuple[Effect, ...]
    noise: float = math.nan
    note: str = ""
    code: str = ""

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a setting, with the fields of `Effect` as columns."""
        import pandas as pd  # slow to import, and not every command needs it

        return pd.DataFrame([asdict(effect) for effect in self.effects])

    def to_dict(self) -> dict[str, Any]:
        """Return them as plain data; NaN is null."""
        rows = [asdict(effect) for effect in self.effects]
        return {
            "measure": self.measure,
            "noise": _plain(self.noise),
            "note": self.note or None,
            "settings": [{key: _plain(value) for key, value in row.items()} for row in rows],
        }


@dataclass(frozen=True, slots=True)
class Level:
    """The mean of a measure over all settings with one value (or range of values) of a setting.

    The range goes from `low` to `high`. `along` is how far the value is along those of the setting,
    from 0 (first) to 1 (last); `settings` is how many have it. `at_least` is whether the mean is
    a lower bound, as the measure of one of them is.
    """

    setting: str
    low: Any
    high: Any
    along: float
    mean: float
    settings: int
    at_least: bool = False

    @property
    def value(self) -> Any:
        """Return the value, or the text of a range."""
        return self.low if self.low == self.high else self.text

    @property
    def text(self) -> str:
        """Return the value, or the range, as a scenario writes it."""
        low, high = flow(self.low), flow(self.high)
        return low if low == high else f"{low}..{high}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def is_grid(vary: Sequence[Vary], settings: Sequence[Settings]) -> bool:
    """Return whether the settings are all combinations of their values, each once."""
    values = [{str(each[v.path]) for each in settings} for v in vary]
    distinct = {tuple(str(each[v.path]) for v in vary) for each in settings}
    return len(settings) == len(distinct) == math.prod(map(len, values))


def effects(
    measure: str,
    vary: Sequence[Vary],
    settings: Sequence[Settings],
    values: Any,
    kind: str = "grid",
    seed: int = 1,
    at_least: Sequence[bool] = (),
) -> Effects:
    """Return what a measure depends on.

    `values` has a row for each setting with the measure in each replication; `kind` is how the
    settings were chosen, and `seed` that of the resampling which intervals come from. `at_least`
    is for which settings the measure is a lower bound: of those there are no shares, as what the
    measure would be is not known.
    """
    means = np.mean(values, axis=1)
    unknown = tuple(Effect(each.path) for each in vary)
    missing = int(np.isnan(means).sum())
    if missing:
        note = f"{missing} of {len(means)} settings measure no request, so have no {measure}"
        return Effects(measure, unknown, note=note, code=NONE_MEASURED.code)
    if any(at_least):
        note = (
            f"the {measure} of {sum(at_least)} of {len(means)} settings is a lower bound, as "
            "requests were unfinished at the end; a longer drain tells more"
        )
        return Effects(measure, unknown, note=note, code=LOWER_BOUND.code)
    if np.ptp(means) <= _ROUNDING * np.abs(means).max():
        return Effects(measure, unknown, note=f"no setting changes {measure}")
    note = code = ""
    if kind == "saltelli":
        found = _saltelli(vary, means, seed)
    elif is_grid(vary, settings):
        found = _factorial(vary, settings, means)
    elif len(means) < FEWEST:
        found = list(unknown)
        note = f"{len(means)} settings are too few for shares; take {FEWEST} or more"
        code = FEW_SETTINGS.code
    else:
        found = _given_data(vary, settings, means, seed)
        note = "a total share takes a sample of the kind saltelli:N"
    ranked = tuple(sorted(found, key=lambda effect: -effect.rank))
    return Effects(measure, ranked, _noise(values), note, code)


def shares(dimensions: int) -> dict[str, Any]:
    """Return what SALib calls a problem: so many shares from 0 to 1."""
    names = [f"x{i}" for i in range(dimensions)]
    return {"num_vars": dimensions, "names": names, "bounds": [[0.0, 1.0]] * dimensions}


def _factorial(vary: Sequence[Vary], settings: Sequence[Settings], means: Any) -> list[Effect]:
    places, shape = [], []
    for each in vary:
        numbers: dict[str, int] = {}
        places.append([numbers.setdefault(str(s[each.path]), len(numbers)) for s in settings])
        shape.append(len(numbers))
    table = np.empty(shape)
    table[tuple(places)] = means
    axes = set(range(len(vary)))
    found = []
    for i, each in enumerate(vary):
        first = table.mean(axis=tuple(axes - {i})).var() / table.var()
        total = 1 - table.mean(axis=i).var() / table.var()
        found.append(Effect(each.path, float(first), total_order=float(total)))
    return found


def _saltelli(vary: Sequence[Vary], means: Any, seed: int) -> list[Effect]:
    from SALib.analyze import sobol  # slow to import, and not every command needs it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a subset whose values are all the same
        # SALib takes a seed of 0 for none.
        told = sobol.analyze(
            shares(len(vary)), means, calc_second_order=False, conf_level=LEVEL, seed=seed + 1
        )
    return [
        Effect(
            each.path,
            *_around(told["S1"][i], told["S1_conf"][i]),
            *_around(told["ST"][i], told["ST_conf"][i]),
        )
        for i, each in enumerate(vary)
    ]


def _given_data(
    vary: Sequence[Vary], settings: Sequence[Settings], means: Any, seed: int
) -> list[Effect]:
    from SALib.analyze import rbd_fast

    along = np.array([[v.share(each[v.path]) for v in vary] for each in settings])
    # Settings of the same value in the order of chance, as that of a sample may say something.
    rng = np.random.default_rng(seed)
    order = along + 1e-9 * rng.random(along.shape)
    with np.errstate(invalid="ignore"):  # a resample may have one value only
        told = rbd_fast.analyze(
            shares(len(vary)), order, means, M=_HARMONICS, conf_level=LEVEL, seed=rng
        )
    return [
        Effect(each.path, *_around(told["S1"][i], told["S1_conf"][i]))
        for i, each in enumerate(vary)
    ]


def _around(estimate: float, half: float) -> tuple[float, float, float]:
    return float(estimate), float(estimate - half), float(estimate + half)


def _noise(values: Any) -> float:
    """Return the share of the variance of means over replications that is chance.

    Replications meet the same worlds, so chance is what remains of two-way analysis of variance.
    """
    settings, replications = values.shape
    if replications < 2:
        return math.nan
    means = values.mean(axis=1)
    rest = values - means[:, np.newaxis] - values.mean(axis=0) + values.mean()
    variance = (rest**2).sum() / ((settings - 1) * (replications - 1))
    return float(min(variance / replications / means.var(ddof=1), 1.0))


def main_effects(
    vary: Sequence[Vary],
    settings: Sequence[Settings],
    values: Any,
    kind: str = "grid",
    at_least: Sequence[bool] = (),
) -> list[Level]:
    """Return the mean of a measure for each value of each setting, over all the others.

    `values` has a row for each setting, and `at_least` is for which of them the measure is a lower
    bound. Where a sample has many values of a setting they are put into BINS. A mean is of the
    settings that have the measure.
    """
    means = np.mean(values, axis=1)
    bounds = np.array(at_least, bool) if len(at_least) else np.zeros(len(means), bool)
    return [level for each in vary for level in _levels(each, settings, means, bounds, kind)]


def _levels(
    vary: Vary, settings: Sequence[Settings], means: Any, bounds: Any, kind: str
) -> list[Level]:
    along = np.array([vary.share(each[vary.path]) for each in settings])
    places = np.unique(along, return_inverse=True)[1]
    if kind != "grid" and places.max() >= BINS:
        places = np.minimum((along * BINS).astype(int), BINS - 1)
    levels = []
    for place in np.unique(places):
        inside = np.flatnonzero(places == place)
        first, last = inside[np.argmin(along[inside])], inside[np.argmax(along[inside])]
        known = means[inside][~np.isnan(means[inside])]
        levels.append(
            Level(
                setting=vary.path,
                low=settings[first][vary.path],
                high=settings[last][vary.path],
                along=float(along[inside].mean()),
                mean=float(known.mean()) if len(known) else math.nan,
                settings=len(inside),
                at_least=bool(bounds[inside].any()),
            )
        )
    return levels


def best_level(levels: Sequence[Level], measure: str) -> Level | None:
    """Return the level with the best mean, None where none has one or one is a lower bound."""
    if any(level.at_least for level in levels):
        return None
    known = [level for level in levels if not math.isnan(level.mean)]
    best = max if measure in HIGHER_IS_BETTER else min
    return best(known, key=lambda level: level.mean) if known else None
