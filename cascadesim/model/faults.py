"""Faults as a timeline known beforehand: what befalls a call is a function of time, no events."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cascadesim.model.outcome import Outcome


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """One fault on one stage, active from `start` until `end` (seconds, end excluded).

    outage: calls fail after `fail_after`, running ones fail when it begins. partition: calls get no
    answer, nor do running ones. error_rate: calls fail with `share` more. latency: work of calls
    that start meanwhile is multiplied by `multiply`, then `add` is added. restart: running calls
    fail when it begins; until its end the stage is starting up and what does not wait for it is
    refused at once. Of two faults that would cut a call at the same instant, the one listed first
    does.
    """

    kind: str
    start: float
    end: float
    fail_after: float = 0.0
    share: float = 0.0
    multiply: float = 1.0
    add: float = 0.0


class Timeline:
    """The faults of one stage."""

    def __init__(self, faults: tuple[FaultPlan, ...]) -> None:
        self._breaking = [f for f in faults if f.kind in ("outage", "partition", "restart")]
        self._latency = [f for f in faults if f.kind == "latency"]
        self._errors = [f for f in faults if f.kind == "error_rate"]
        self._restarts = [f for f in faults if f.kind == "restart"]

    def ready_at(self, now: float) -> float:
        """Return when the stage has started up: `now` unless a restart is under way."""
        return max([now, *(f.end for f in self._restarts if f.start <= now < f.end)])

    def work(self, now: float, work: float) -> float:
        """Return the seconds of work of a call that starts at `now`."""
        for fault in self._latency:
            if fault.start <= now < fault.end:
                work = work * fault.multiply + fault.add
        return work

    def error_rate(self, now: float, base: float) -> float:
        """Return the chance that a call which starts at `now` fails."""
        good = 1 - base
        for fault in self._errors:
            if fault.start <= now < fault.end:
                good *= 1 - fault.share
        return 1 - good

    def broken(self, now: float, work: float) -> tuple[float, Outcome] | None:
        """Return what cuts a call of `work` seconds that starts at `now`, or None.

        It is (seconds from now, FAILED) for an answer that says no, and (seconds from now until
        the silence begins, UNFINISHED) where no answer ever comes.
        """
        cut: tuple[float, Outcome] | None = None
        soonest = math.inf
        for fault in self._breaking:
            if not (fault.start <= now < fault.end or now < fault.start < now + work):
                continue
            after = max(0.0, fault.start - now)
            silent = fault.kind == "partition"
            if not silent and fault.start <= now:
                after = fault.fail_after
            if after < soonest:
                soonest = after
                cut = (after, Outcome.UNFINISHED if silent else Outcome.FAILED)
        return cut
