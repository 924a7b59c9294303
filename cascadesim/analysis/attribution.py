"""Where the time went: seconds by cause and by part, and the setting that governs the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.plan.causes import CAUSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cascadesim.plan.layout import Part
    from cascadesim.records import Records
    from cascadesim.values.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Blame:
    """What is most to blame for requests that are slow or in error, and its share of the blame.

    `setting` is a dotted path: of a setting, or of a stage that fails.
    """

    setting: str
    share: float


def by_cause(parts: tuple[Part, ...], seconds: NDArray[np.float64]) -> dict[str, float]:
    """Return seconds by cause, every cause of CAUSES in, from seconds by part, shape (parts,)."""
    totals = dict.fromkeys(CAUSES, 0.0)
    for part, value in zip(parts, seconds, strict=True):
        totals[part.cause] += float(value)
    return totals


def by_part(parts: tuple[Part, ...], seconds: NDArray[np.float64]) -> dict[str, float]:
    """Return seconds by part where there are any, from seconds by part, shape (parts,)."""
    return {
        f"{part.where}.{part.cause}": float(value)
        for part, value in zip(parts, seconds, strict=True)
        if value > 0
    }


def blame_for_time(records: Records, over: float) -> Blame | None:
    """Return what the measured requests of `over` seconds and more spent most of their time on."""
    slow = records.measured & (records.latency >= over)
    seconds: dict[str, float] = {}
    for part, value in zip(records.parts, records.seconds[slow].sum(axis=0), strict=True):
        seconds[part.setting] = seconds.get(part.setting, 0.0) + float(value)
    return _most(seconds)


def blame_for_outcomes(records: Records, outcomes: Iterable[Outcome]) -> Blame | None:
    """Return what ended most of the measured requests that had one of the outcomes."""
    chosen = records.measured & np.isin(records.outcome, list(outcomes)) & (records.ended_by >= 0)
    counts = np.bincount(records.ended_by[chosen], minlength=len(records.ends))
    return _most(dict(zip(records.ends, counts.tolist(), strict=True)))


def _most(amounts: dict[str, float]) -> Blame | None:
    total = sum(amounts.values())
    if total <= 0:
        return None
    most = max(amounts, key=lambda setting: amounts[setting])
    return Blame(most, amounts[most] / total)
