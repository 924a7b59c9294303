"""What any fault's plan can be asked. The answers here are those of a fault without effect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, ClassVar

from cascadesim.randomness import Distribution, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
        """Return the times down that begin before `until`: starts and ends in seconds.

        A later `until` adds times and moves none.
        """
        up, down = (
            Stream(seed, replication, f"{self.stream}.{name}", Distribution("exponential", (mean,)))
            for name, mean in (("up", self.mtbf), ("down", self.mttr))
        )
        spans: list[tuple[float, float]] = []
        end = 0.0
        for i in count():
            start = end + up.at(i)
            if start >= until:
                break
            end = start + down.at(i)
            spans.append((start, end))
        return spans


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """One fault on one stage, active from `start` until `end` (seconds, end excluded).

    A fault with a `renewal` comes again and again, at times drawn for each replication. Of two
    faults that would cut a call at the same instant, the one listed first does.
    """

    kind: ClassVar[str] = ""  # the key in the scenario
    words: ClassVar[str] = ""  # what calls are like meanwhile, in a word or three
    cuts: ClassVar[bool] = False  # ends calls: those under way when it begins, and newcomers
    silent: ClassVar[bool] = False  # and gives them no answer, ever
    # The cause of the time that calls wait for its end, in a layer of its own around the work.
    wait: ClassVar[str] = ""
    stretches: ClassVar[bool] = False  # makes work longer that is under way, see `stretched`
    restarts: ClassVar[bool] = False  # the stage starts up until the fault is over
    start: float = 0.0
    end: float = 0.0
    renewal: Renewal | None = None

    @property
    def fails_after(self) -> float:
        """Return the seconds after which a call fails that comes while the fault is active."""
        return 0.0

    def slowed(self, work: float, share: float) -> float:
        """Return how long a call takes that would work for `work` seconds without the fault.

        The call starts while the fault is active, at a `share` of its time from 0 to 1.
        """
        return work

    def stretched(self, work: float, now: float, spans: Spans) -> float:
        """Return how long a call takes that starts `now` with `work` seconds of work to do.

        `spans` are all times of all faults of this kind on the stage, apart from each other.
        """
        return work

    @property
    def ends_all_calls(self) -> bool:
        """Return whether no call ever does its work: all of them fail, from t = 0 on."""
        return False

    @property
    def slows(self) -> bool:
        """Return whether calls that start meanwhile take longer."""
        return False

    def longest(self, work: float) -> float:
        """Return the longest that `work` seconds can take because of this fault."""
        return work

    @property
    def error_share(self) -> float:
        """Return the share of calls that fail after their work, beside the stage's own."""
        return 0.0

    @property
    def leak_share(self) -> float:
        """Return the share of sessions that are leaked, beside the stage's own."""
        return 0.0

    def aftermath(self, end: float) -> FaultPlan | None:
        """Return the fault that follows at `end` of this one, if any."""
        return None

    def spans(self, seed: int, replication: int, until: float) -> Spans:
        """Return when it is active in one replication: starts and ends in seconds.

        Of a random fault, those that begin before `until`.
        """
        if self.renewal is None:
            return planned(self)
        return self.renewal.spans(seed, replication, until)

    def drawn(self, seed: int, replication: int, until: float) -> Iterator[FaultPlan]:
        """Yield the fault once for each time that it begins before `until`, with start and end."""
        for start, end in self.spans(seed, replication, until):
            if start < until:
                yield replace(self, start=start, end=end, renewal=None)


def planned(fault: FaultPlan) -> Spans:
    """Return when a fault that is not random is active: its start and end in seconds."""
    return ((fault.start, fault.end),)


def merged(all_spans: Iterable[Spans]) -> list[tuple[float, float]]:
    """Return when any of several is active, in order and without overlap."""
    apart: list[tuple[float, float]] = []
    for start, end in sorted(span for spans in all_spans for span in spans):
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart
