"""A call by itself: how it fares where nothing is drawn and no other call is in its way."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from cascadesim.values.outcome import Outcome

_MOST_CALLS = 10_000  # of one call; a retry in a retry in a retry may make more


class Seen(NamedTuple):
    """A call through the observed breaker; times are seconds after the outermost call begins.

    It `counts` as a "failure", a "success" or as "ignored", and so it does if it is `cancelled`.
    `reaches` says when calls of it reach the dead dependency.
    """

    begin: float
    end: float
    counts: str
    cancelled: str
    reaches: tuple[float, ...]

    def later(self, seconds: float) -> Seen:
        """Return the same, later."""
        reaches = tuple(seconds + at for at in self.reaches)
        return self._replace(begin=seconds + self.begin, end=seconds + self.end, reaches=reaches)

    def cut(self, seconds: float) -> Seen:
        """Return the same as its caller ends it after so many seconds, if it goes on by then."""
        if self.end < seconds:
            return self
        reaches = tuple(at for at in self.reaches if at < seconds)
        return self._replace(end=seconds, counts=self.cancelled, reaches=reaches)


@dataclass(frozen=True, slots=True)
class LoneCall:
    """A call by itself; `seconds` are infinite where it never ends.

    `reaches` says when calls reach the dead dependency, in seconds after it begins, as long as no
    breaker looks on; later `seen` does. A call that is `entangled` has passed another breaker, or
    has left work to go on without it: more would happen than its end if it were cancelled.
    """

    outcome: Outcome
    seconds: float
    reaches: tuple[float, ...] = ()
    seen: tuple[Seen, ...] = ()
    entangled: bool = False

    @property
    def answers(self) -> bool:
        """Return whether it ends without an error."""
        return self.outcome <= Outcome.DEGRADED

    @property
    def ends(self) -> bool:
        """Return whether it ends at all."""
        return self.seconds < math.inf

    def then(self, later: LoneCall, wait: float = 0.0) -> LoneCall | None:
        """Return this call and a later one after a wait; None for too many calls to count."""
        calls = (len(one.reaches) + len(one.seen) for one in (self, later))
        if sum(calls) > _MOST_CALLS:
            return None
        start = self.seconds + wait
        return LoneCall(
            max(self.outcome, later.outcome) if later.answers else later.outcome,
            start + later.seconds,
            self.reaches + tuple(start + at for at in later.reaches),
            self.seen + tuple(one.later(start) for one in later.seen),
            self.entangled or later.entangled,
        )

    def cut(self, seconds: float) -> LoneCall | None:
        """Return the call as its caller ends it after so many seconds, before it ends by itself.

        None where more happens then, or where the order of things at one instant decides.
        """
        instants = [self.seconds, *self.reaches]
        instants += [at for one in self.seen for at in (one.begin, one.end, *one.reaches)]
        if self.entangled or any(math.isclose(seconds, at) for at in instants):
            return None
        return replace(
            self,
            outcome=Outcome.TIMED_OUT,
            seconds=seconds,
            reaches=tuple(at for at in self.reaches if at < seconds),
            seen=tuple(one.cut(seconds) for one in self.seen if one.begin < seconds),
        )
