"""What a percentile is made of: the seconds that requests of about that latency spent on what.

The one request at a percentile says little of its causes, so those round it speak for it. The
measured requests are sorted by latency; the band is the request at the percentile and as many on
each side as reach half way to the slowest, so ranks from q - (1 - q) / 2 to q + (1 - q) / 2: the
slowest 1.5 % but for the last 0.5 % for p99, the middle half for p50, and only the slowest one for
max. Of these it keeps those that took within NEAR of the percentile as long, since where latencies
jump, neighbours by rank may be requests of another kind. Their mean seconds by part are scaled so
that they add up to the percentile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.percentiles import OK, share
from cascadesim.plan.causes import CAUSES
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from cascadesim.plan.layout import Part
    from cascadesim.records import Records


NEAR = 0.1  # share of the percentile


@dataclass(frozen=True, slots=True)
class Composition:
    """Seconds by part; they add up to the latency that they make, within float rounding."""

    seconds: dict[Part, float]

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
    def by_setting(self) -> dict[str, float]:
        """Return seconds by the dotted path of the setting that governs them."""
        return self._by(lambda part: part.setting)

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a stage, policy or pool and cause.

        Columns: stage, where (such as agent.breaker), cause, setting (which governs it), latency_s
        (seconds of the latency; they add up to it), share (of the latency).
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
        """Return the part of it that went to one cause."""
        return Composition({part: s for part, s in self.seconds.items() if part.cause == cause})

    def _by(self, key: Callable[[Part], str]) -> dict[str, float]:
        totals: dict[str, float] = {}
        for part, seconds in self.seconds.items():
            totals[key(part)] = totals.get(key(part), 0.0) + seconds
        return totals


def composition(records: Records, name: str) -> Composition:
    """Return what a percentile, or the mean, is made of; nothing where no request is measured."""
    chosen_rows = records.measured
    if name.startswith(OK):
        chosen_rows = chosen_rows & (records.outcome == Outcome.OK)
    latency, seconds = records.latency[chosen_rows], records.seconds[chosen_rows]
    if len(latency) == 0:
        return Composition({})
    chosen = np.arange(len(latency)) if name == "mean" else band(latency, share(name))
    mean = seconds[chosen].mean(axis=0)
    if name != "mean":
        target = float(np.quantile(latency, share(name), method="inverted_cdf"))
        total = float(latency[chosen].mean())
        mean = mean * (target / total if total > 0 else 0.0)
    return Composition(dict(zip(records.parts, mean.tolist(), strict=True)))


def band(latency: NDArray[np.float64], q: float) -> NDArray[np.intp]:
    """Return which requests lie round the quantile `q`, as indices into `latency`."""
    n = len(latency)
    order = np.argsort(latency, kind="stable")
    at = int(np.quantile(np.arange(n), q, method="inverted_cdf"))
    half = int(n * (1 - q) / 2)
    found = order[max(at - half, 0) : at + half + 1]
    target = latency[order[at]]
    near: NDArray[np.intp] = found[np.abs(latency[found] - target) <= NEAR * target]
    return near


def mean_composition(compositions: Sequence[Composition]) -> Composition:
    """Return the mean over replications, which have the same parts."""
    made = [each.seconds for each in compositions if each.seconds]
    parts = made[0] if made else {}
    return Composition({part: sum(each[part] for each in made) / len(made) for part in parts})


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
