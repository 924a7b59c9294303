"""What a percentile is made of: the seconds that requests of about that latency spent on what.

The mean seconds of the requests that speak for it (see band.py), scaled so that they add up to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.attribution import governing
from cascadesim.analysis.band import measured_rows, rows_of
from cascadesim.analysis.percentiles import share
from cascadesim.plan.causes import CAUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pandas as pd

    from cascadesim.plan.layout import Part
    from cascadesim.records import Records
    from cascadesim.values.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Composition:
    """Seconds by part; they add up to the latency that they make, within float rounding.

    `by_setting` are the same seconds by the dotted path of the setting that could have saved them.
    """

    seconds: dict[Part, float]
    by_setting: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Return the latency in seconds."""
        return sum(self.seconds.values())

    @property
    def by_cause(self) -> dict[str, float]:
        """Return seconds by cause, every cause of CAUSES in."""
        return dict.fromkeys(CAUSES, 0.0) | self._by(lambda part: part.cause)

    @property
    def by_part(self) -> dict[str, float]:
        """Return seconds by stage, policy or pool and cause, such as "agent.agent_execution"."""
        return self._by(lambda part: f"{part.where}.{part.cause}")

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a stage, policy or pool and cause.

        Columns: stage, where (such as agent.breaker), cause, setting (which governs it, but where
        a timeout ended the call), latency_s (seconds of the latency; they add up to it), share (of
        the latency).
        """
        import pandas as pd  # slow to import, and not every command needs it

        total = self.total
        rows = [
            (part.stage, part.where, part.cause, part.setting, value, value / (total or math.nan))
            for part, value in self.seconds.items()
        ]
        columns = ["stage", "where", "cause", "setting", "latency_s", "share"]
        return pd.DataFrame(rows, columns=pd.Index(columns))

    def of_cause(self, cause: str) -> Composition:
        """Return the part of it that went to one cause, by the settings that govern its parts."""
        chosen = Composition({part: s for part, s in self.seconds.items() if part.cause == cause})
        return replace(chosen, by_setting=chosen._by(lambda part: part.setting))

    def _by(self, key: Callable[[Part], str]) -> dict[str, float]:
        totals: dict[str, float] = {}
        for part, seconds in self.seconds.items():
            totals[key(part)] = totals.get(key(part), 0.0) + seconds
        return totals


def composition(records: Records, name: str) -> Composition:
    """Return what a percentile, or the mean, is made of; nothing where no request is measured."""
    rows = rows_of(records, name)
    if len(rows) == 0:
        return Composition({})
    scale = 1 / len(rows)
    if name != "mean":
        latency = records.latency[measured_rows(records, name)]
        target = float(np.quantile(latency, share(name), method="inverted_cdf"))
        total = float(records.latency[rows].sum())
        scale = target / total if total > 0 else 0.0
    seconds = (records.seconds[rows].sum(axis=0) * scale).tolist()
    settings = {path: spent * scale for path, spent in governing(records, rows).items()}
    return Composition(dict(zip(records.parts, seconds, strict=True)), settings)


def mean_composition(compositions: Sequence[Composition]) -> Composition:
    """Return the mean over replications, which have the same parts."""
    made = [each for each in compositions if each.seconds]
    parts = made[0].seconds if made else {}
    paths = dict.fromkeys(path for each in made for path in each.by_setting)
    return Composition(
        {part: sum(each.seconds[part] for each in made) / len(made) for part in parts},
        {path: sum(each.by_setting.get(path, 0.0) for each in made) / len(made) for path in paths},
    )


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return by how much each amount grew, what is in only one of the two counted as 0 there."""
    names = dict.fromkeys([*before, *after])
    return {name: after.get(name, 0.0) - before.get(name, 0.0) for name in names}


def ended(records: Records, outcomes: Collection[Outcome]) -> dict[str, float]:
    """Return the shares of measured requests that had one of the outcomes, by what ended them.

    That is the dotted path of a setting, or of a stage that fails.
    """
    n = int(records.measured.sum())
    chosen = records.measured & np.isin(records.outcome, list(outcomes)) & (records.ended_by >= 0)
    counts = np.bincount(records.ended_by[chosen], minlength=len(records.ends))
    return {end: int(count) / n for end, count in zip(records.ends, counts, strict=True) if count}


def apportioned(seconds: dict[str, float], total: int) -> dict[str, int]:
    """Return amounts in milliseconds, up or down, so that they add up to a total in milliseconds.

    Those are rounded the other way that are closest to it.
    """
    exact = {name: 1000 * value for name, value in seconds.items()}
    rounded = {name: round(value) for name, value in exact.items()}
    missing = total - sum(rounded.values())
    step = 1 if missing > 0 else -1
    nearest = sorted(exact, key=lambda name: step * (rounded[name] - exact[name]))
    for name in nearest[: abs(missing)]:
        rounded[name] += step
    return rounded
