"""Where the time went: seconds by cause and by part, and the setting that could have saved
the most."""

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
    return _most(governing(records, records.measured & (records.latency >= over)))


def governing(records: Records, rows: NDArray[np.bool_]) -> dict[str, float]:
    """Return the seconds of requests by the setting that could have saved them.

    A timeout could have saved the time of the calls that it ended, and no other; the work is what
    takes the rest. A wait for a connection is shared out over what held the connections.
    """
    seconds, ended_by = records.seconds[rows], records.ended_by[rows]
    numbers = {end: number for number, end in enumerate(records.ends)}
    totals: dict[str, float] = {}

    def add(setting: str, amount: float) -> None:
        if amount > 0:
            totals[setting] = totals.get(setting, 0.0) + amount

    for part, spent in zip(records.parts, seconds.T, strict=True):
        cut = np.isin(ended_by, [numbers[end] for end in part.cut_by if end in numbers])
        for end in np.unique(ended_by[cut]):
            add(records.ends[end], float(spent[ended_by == end].sum()))
        for setting, share in _holders(records, part.where, part.setting).items():
            add(setting, float(spent[~cut].sum()) * share)
    return totals


def blame_for_outcomes(records: Records, outcomes: Iterable[Outcome]) -> Blame | None:
    """Return what ended most of the measured requests that had one of the outcomes."""
    return _most(ending(records, outcomes))


def ending(records: Records, outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return measured requests with one of the outcomes, by the setting that could save them.

    Those that a pool turned away are shared out over what held its connections.
    """
    chosen = records.measured & np.isin(records.outcome, list(outcomes)) & (records.ended_by >= 0)
    counts = np.bincount(records.ended_by[chosen], minlength=len(records.ends))
    totals: dict[str, float] = {}
    for end, count in zip(records.ends, counts.tolist(), strict=True):
        for setting, share in _holders(records, end.rpartition(".")[0], end).items():
            totals[setting] = totals.get(setting, 0.0) + count * share
    return totals


def _holders(records: Records, where: str, setting: str) -> dict[str, float]:
    """Return shares of the blame: of those that held a pool, all of it on a setting elsewhere."""
    held = records.held.get(where, {})
    total = sum(held.values())
    return {name: seconds / total for name, seconds in held.items()} or {setting: 1.0}


def _most(amounts: dict[str, float]) -> Blame | None:
    total = sum(amounts.values())
    if total <= 0:
        return None
    most = max(amounts, key=lambda setting: amounts[setting])
    return Blame(most, amounts[most] / total)
