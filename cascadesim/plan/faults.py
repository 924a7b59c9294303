"""Faults as a timeline known beforehand: what befalls a call is a function of time, no events."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from cascadesim.plan.outcome import Outcome
from cascadesim.randomness import Distribution, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Spans = Sequence[tuple[float, float]]  # start and end in seconds, by start


@dataclass(frozen=True, slots=True)
class Renewal:
    """An alternating renewal process: up at t = 0, then down and up in turns, all exponential.

    `mtbf` is the mean of the seconds up, from the end of one fault to the next, `mttr` that of the
    seconds down. In the long run a share of mttr / (mtbf + mttr) of the time is down (Ross,
    "Stochastic Processes", 2nd ed., theorem 3.4.4). `stream` is the address of its draws.
    """

    stream: str
    mtbf: float
    mttr: float

    def spans(self, seed: int, replication: int, until: float) -> Spans:
        """Return the times down that begin before `until`; a later one moves none."""
        up, down = (
            Stream(seed, replication, f"{self.stream}.{name}", Distribution("exponential", (mean,)))
            for name, mean in (("up", self.mtbf), ("down", self.mttr))
        )
        found: list[tuple[float, float]] = []
        end = 0.0
        for i in count():
            start = end + up.at(i)
            if start >= until:
                break
            end = start + down.at(i)
            found.append((start, end))
        return found


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """One fault on one stage, active from `start` until `end` (seconds, end excluded).

    outage: calls fail after `fail_after`, running ones fail when it begins. partition: calls get no
    answer, nor do running ones. error_rate: calls fail with `share` more. latency: work of calls
    that start meanwhile is multiplied by `multiply`, then `add` is added. restart: running calls
    fail when it begins; until its end the stage is starting up and what does not wait for it is
    refused at once, and for `cold` seconds more it is as in a cold_start. pool_leak: sessions that
    end meanwhile are leaked with `share` more.
    cold_start: work of calls that start meanwhile is multiplied by `multiply` at its start, and by
    less and less until its end, where the factor is 1. It falls along a line, as the interval
    between permits does in Guava's SmoothRateLimiter.SmoothWarmingUp, which spares servers whose
    caches are cold; how real warm-up of just-in-time compilers goes has no one form (Barrett et
    al., "Virtual Machine Warmup Blows Hot and Cold", OOPSLA 2017). Of two faults that would cut a
    call at the same instant, the one listed first does. One with a `renewal` comes again and again,
    at times that are drawn for each run.
    """

    kind: str
    start: float = 0.0
    end: float = 0.0
    fail_after: float = 0.0
    share: float = 0.0
    multiply: float = 1.0
    add: float = 0.0
    cold: float = 0.0
    renewal: Renewal | None = None

    def spans(self, seed: int, replication: int, until: float) -> Spans:
        """Return when it is active in one world, of a random one what begins before `until`."""
        if self.renewal is None:
            return planned(self)
        return self.renewal.spans(seed, replication, until)

    def drawn(self, seed: int, replication: int, until: float) -> Iterator[FaultPlan]:
        """Yield what of it begins before `until` in one world, each with its start and end."""
        for start, end in self.spans(seed, replication, until):
            if start < until:
                yield replace(self, start=start, end=end, renewal=None)


def planned(fault: FaultPlan) -> Spans:
    """Return when a fault is active that is not random."""
    return ((fault.start, fault.end),)


class _Lane(NamedTuple):
    """A fault with its spans, of which the next begins after the last has ended."""

    fault: FaultPlan
    starts: list[float]
    ends: list[float]


def _lane(fault: FaultPlan, active: Spans) -> _Lane:
    return _Lane(fault, [start for start, _ in active], [end for _, end in active])


def _after(restart: _Lane) -> _Lane:
    """Return the cold starts after restarts, of which the next cuts the one before short."""
    fault = replace(restart.fault, kind="cold_start")
    return _lane(fault, [(end, end + fault.cold) for end in restart.ends])


class Timeline:
    """The faults of one stage; `spans` tells when each is active, and random ones need it."""

    def __init__(
        self, faults: Iterable[FaultPlan], spans: Callable[[FaultPlan], Spans] = planned
    ) -> None:
        lanes = []
        for fault in faults:
            active = spans(fault)
            lanes.append(_lane(fault, active))
        self._breaking = [n for n in lanes if n.fault.kind in ("outage", "partition", "restart")]
        slowing = [_after(lane) if lane.fault.cold else lane for lane in lanes]
        self._slowing = [n for n in slowing if n.fault.kind in ("latency", "cold_start")]
        self._errors = [lane for lane in lanes if lane.fault.kind == "error_rate"]
        self._leaks = [lane for lane in lanes if lane.fault.kind == "pool_leak"]
        self._restarts = [lane for lane in lanes if lane.fault.kind == "restart"]

    def ready_at(self, now: float) -> float:
        """Return when the stage has started up: `now` unless a restart is under way."""
        ready = now
        for _, starts, ends in self._restarts:
            i = bisect_right(starts, now)
            if i and ends[i - 1] > ready:
                ready = ends[i - 1]
        return ready

    def restarted(self, since: float, now: float) -> bool:
        """Return whether a restart has begun after `since`."""
        for _, starts, _ in self._restarts:
            i = bisect_right(starts, now)
            if i and starts[i - 1] > since:
                return True
        return False

    def work(self, now: float, work: float) -> float:
        """Return the seconds of work of a call that starts at `now`."""
        for fault, starts, ends in self._slowing:
            i = bisect_right(starts, now)
            if i and now < ends[i - 1]:
                factor = fault.multiply
                if fault.kind == "cold_start":
                    start, end = starts[i - 1], ends[i - 1]
                    factor -= (factor - 1) * ((now - start) / (end - start))
                work = work * factor + fault.add
        return work

    def error_rate(self, now: float, base: float) -> float:
        """Return the chance that a call which starts at `now` fails."""
        return _more(base, self._errors, now)

    def leak(self, now: float, base: float) -> float:
        """Return the chance that a session which ends at `now` is leaked."""
        return _more(base, self._leaks, now)

    def broken(self, now: float, work: float) -> tuple[float, Outcome] | None:
        """Return what cuts a call of `work` seconds that starts at `now`, or None.

        It is (seconds from now, FAILED) for an answer that says no, and (seconds from now until
        the silence begins, UNFINISHED) where no answer ever comes.
        """
        cut: tuple[float, Outcome] | None = None
        soonest = math.inf
        for fault, starts, ends in self._breaking:
            i = bisect_right(starts, now)
            after = math.inf
            silent = fault.kind == "partition"
            if i and now < ends[i - 1]:
                after = 0.0 if silent else fault.fail_after
            if i < len(starts) and starts[i] < now + work:
                after = min(after, starts[i] - now)
            if after < soonest:
                soonest = after
                cut = (after, Outcome.UNFINISHED if silent else Outcome.FAILED)
        return cut


def _more(base: float, lanes: list[_Lane], now: float) -> float:
    """Return a chance with those of the faults that are active, each independent of the others."""
    good = 1 - base
    for fault, starts, ends in lanes:
        i = bisect_right(starts, now)
        if i and now < ends[i - 1]:
            good *= 1 - fault.share
    return 1 - good
