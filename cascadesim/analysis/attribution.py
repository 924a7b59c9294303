"""Where the time went: seconds by cause and by part, and the setting that could have saved
the most."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.band import rows_of
from cascadesim.plan.causes import CAUSES
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cascadesim.plan.layout import Part
    from cascadesim.records import Records


BOUND = 0.1  # share of the time in places from which on a queue inside bounds them


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


def blame_for_time(records: Records, name: str) -> Blame | None:
    """Return what could have saved most of a percentile, or of the mean: "p99" or "mean"."""
    return _most(governing(records, rows_of(records, name)))


def blame_for_late(records: Records, limit: float) -> Blame | None:
    """Return what could have saved most of the ok replies that took `limit` seconds or longer."""
    late = records.measured & (records.outcome == Outcome.OK) & (records.latency >= limit)
    return _most(governing(records, np.flatnonzero(late)))


def governing(records: Records, rows: NDArray[np.intp]) -> dict[str, float]:
    """Return the seconds of requests by the setting that could have saved them.

    A timeout could have saved the time of the calls that it ended, and no other; the work is what
    takes the rest. A wait for a place is shared out over what held the places: see `_Held`.
    """
    held = _Held(records)
    totals: dict[str, float] = defaultdict(float)
    for number, seconds in enumerate(_by_end(records, rows)):
        for end, amount in seconds.items():
            for setting, share in held.shares(number, end).items():
                totals[setting] += amount * share
    return {setting: seconds for setting, seconds in totals.items() if seconds > 0}


def _by_end(records: Records, rows: NDArray[np.intp]) -> list[dict[int, float]]:
    """Return the seconds of requests for each part, by the number of the timeout that ended it."""
    ended_by = records.ended_by[rows]
    cut = records.cut[rows] if len(records.cut) else ended_by
    pairs, which = np.unique(np.stack((ended_by, cut)), axis=1, return_inverse=True)
    sums = [records.seconds[rows[which == i]].sum(axis=0) for i in range(pairs.shape[1])]
    by_end: list[dict[int, float]] = []
    for number, part in enumerate(records.parts):
        timeouts = {end for end, path in enumerate(records.ends) if path in part.cut_by}
        seconds: dict[int, float] = defaultdict(float)
        for pair, of_pair in zip(pairs.T.tolist(), sums, strict=True):
            end = next((end for end in pair if end in timeouts), -1)
            seconds[end] += float(of_pair[number])
        by_end.append(seconds)
    return by_end


class _Held:
    """Shares of the blame for the time in a part, by setting.

    Calls that wait for a place wait for what is done in it: for a pool, what the records say of its
    holders. Of a limit, work that is done in its places is what the limit is there for, so that the
    limit is to blame; waits in them, and work that a timeout ended, are to blame themselves.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._shares: dict[int, dict[str, float]] = {}
        self._all = _by_end(records, np.arange(len(records.latency)))

    def shares(self, number: int, end: int) -> dict[str, float]:
        """Return the shares of a part, by its number, where this timeout ended it, -1 for none."""
        part = self._records.parts[number]
        setting = self._records.ends[end] if end >= 0 else part.setting
        return self.of_place(number, setting) if part.inside else {setting: 1.0}

    def of_place(self, number: int, limit: str) -> dict[str, float]:
        """Return the shares of what is inside of a part, where `limit` is that of its places."""
        if number not in self._shares:
            held = self._records.held.get(self._records.parts[number].where) or self._inside(number)
            total = sum(held.values())
            self._shares[number] = {setting: s / total for setting, s in held.items()} or {"": 1.0}
        return {setting or limit: share for setting, share in self._shares[number].items()}

    def _inside(self, number: int) -> dict[str, float]:
        """Return the seconds of all requests inside of a part, by setting, "" for good work."""
        held: dict[str, float] = defaultdict(float)
        parts = self._records.parts
        for i in range(number - parts[number].inside, number):
            for end, seconds in self._all[i].items():
                works = not CAUSES[parts[i].cause].is_wait
                for setting, share in self.shares(i, end).items():
                    held["" if works and setting == parts[i].setting else setting] += (
                        seconds * share
                    )
        waits = [i for i in range(number - parts[number].inside, number) if parts[i].inside]
        fullest = max(waits, key=lambda i: sum(self._all[i].values()), default=None)
        if fullest is not None and sum(self._all[fullest].values()) > BOUND * sum(held.values()):
            # More places would lead to the next queue.
            work = held.pop("", 0.0)
            for setting, share in self.of_place(fullest, parts[fullest].setting).items():
                held[setting] += work * share
        return {setting: seconds for setting, seconds in held.items() if seconds > 0}


def blame_for_outcomes(records: Records, outcomes: Iterable[Outcome]) -> Blame | None:
    """Return what ended most of the measured requests that had one of the outcomes."""
    return _most(ending(records, outcomes))


def ending(records: Records, outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return measured requests with one of the outcomes, by the setting that could save them.

    Those that found no place are shared out over what held the places, and those that a breaker
    turned away over what failed behind it, where anything did.
    """
    chosen = records.measured & np.isin(records.outcome, list(outcomes))
    ended = _Ended(records)
    totals: dict[str, float] = defaultdict(float)
    for end, count in enumerate(_counts(records, chosen)):
        for setting, share in ended.shares(end).items():
            totals[setting] += count * share
    return {setting: count for setting, count in totals.items() if count > 0}


def _counts(records: Records, rows: NDArray[np.bool_]) -> list[int]:
    """Return how many requests each end has ended."""
    ended_by = records.ended_by[rows & (records.ended_by >= 0)]
    counts: list[int] = np.bincount(ended_by, minlength=len(records.ends)).tolist()
    return counts


class _Ended:
    """Shares of the blame for what ended requests, by setting."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._held = _Held(records)
        self._counts = _counts(records, np.ones(len(records.latency), dtype=bool))
        self._waits = {part.where: i for i, part in enumerate(records.parts) if part.cut_by}
        self._waits |= {part.where: i for i, part in enumerate(records.parts) if part.inside}

    def shares(self, end: int) -> dict[str, float]:
        """Return the shares of an end, by its number."""
        behind = [i for i in self._records.behind.get(end, ()) if self._counts[i]]
        if behind:
            return self._behind(behind)
        path = self._records.ends[end]
        where, _, key = path.rpartition(".")
        if where not in self._waits:
            return self._cut(end)
        number = self._waits[where]
        part = self._records.parts[number]
        # To wait for longer finds no place where there are too few.
        limit = part.setting if key == "timeout" else path
        return self._held.of_place(number, limit) if part.inside else {limit: 1.0}

    def _cut(self, end: int) -> dict[str, float]:
        """Return the shares of a timeout: what it cut was work, or a wait for a place."""
        path, parts = self._records.ends[end], self._records.parts
        rows = self._records.ended_by == end
        spent: dict[str, float] = defaultdict(float)
        for i, seconds in enumerate(self._records.seconds[rows].sum(axis=0).tolist()):
            inside = parts[i - parts[i].inside : i + 1]
            if seconds > 0 and any(path in part.cut_by for part in inside):
                timeout = end if path in parts[i].cut_by else -1
                for setting, share in self._held.shares(i, timeout).items():
                    spent[setting] += seconds * share
        total = sum(spent.values())
        return {setting: seconds / total for setting, seconds in spent.items()} or {path: 1.0}

    def _behind(self, ends: list[int]) -> dict[str, float]:
        total = sum(self._counts[end] for end in ends)
        shares: dict[str, float] = defaultdict(float)
        for end in ends:
            for setting, share in self.shares(end).items():
                shares[setting] += share * self._counts[end] / total
        return dict(shares)


def _most(amounts: dict[str, float]) -> Blame | None:
    total = sum(amounts.values())
    if total <= 0:
        return None
    most = max(amounts, key=lambda setting: amounts[setting])
    return Blame(most, amounts[most] / total)
