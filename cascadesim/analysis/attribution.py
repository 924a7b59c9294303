"""Where the time went: seconds by cause and by part, and the setting that governs the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.model.outcome import CAUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cascadesim.records import Part, Records


@dataclass(frozen=True, slots=True)
class Blame:
    """The setting that governs most of the time of slow requests, and its share of that time."""

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


def blame(records: Records, over: float) -> Blame | None:
    """Return what the measured requests slower than `over` seconds spent most of their time on."""
    slow = records.measured & (records.latency >= over)
    seconds = records.seconds[slow].sum(axis=0)
    total = float(seconds.sum())
    if total <= 0:
        return None
    most = int(np.argmax(seconds))
    return Blame(records.parts[most].setting, float(seconds[most]) / total)
