"""CoDel: sheds calls from a queue that stays too long, by how long those at its head have waited.

`law: folly` follows Facebook's folly::Codel (facebook/folly, folly/executors/Codel.cpp; B. Maurer,
"Fail at Scale", ACM Queue 13(8), 2015), the default, as it was made for request servers: a queue in
which every call of an interval had to wait for longer than `target` is overloaded, and while it is,
calls that have waited for longer than twice the target are shed.

`law: rfc8289` is CoDel proper (K. Nichols et al., "Controlled Delay Active Queue Management", RFC
8289, 2018, section 5), with a call for a packet of the largest size: once calls at the head have
waited for `target` or longer throughout an interval, one is shed, and the next ones interval /
sqrt(n) later each, until one has waited for less or no more than one is left behind it. It counts
on senders that slow down when they lose a packet. Callers do not: an excess of r calls a second is
met only after about 2 r interval^2 seconds, until when the queue grows; the default sheds all that
is overdue.

Either looks at the call at the head of the queue when there is a place for it. One that finds a
place at once is a call without a wait. Who is shed is refused at that instant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cascadesim.resources.codel import CodelPlan

_REMEMBERED = 16  # intervals for which RFC 8289 knows how often it shed calls


class Law(Protocol):
    """Says which calls to shed."""

    def sheds(self, now: float, waited: float, left: int) -> bool:
        """Return whether to shed the call at the head, which leaves `left` calls behind it.

        Asked again at the same instant for the one behind it if so.
        """


class FollyLaw:
    """Sheds all overdue calls while none is quick."""

    def __init__(self, target: float, interval: float) -> None:
        self._target = target
        self._interval = interval
        self._ends = 0.0  # when the interval does
        self._least = 0.0  # wait of the calls in it
        self._anew = True  # another one begins with the next call
        self._overloaded = False

    def sheds(self, now: float, waited: float, left: int) -> bool:
        """Return whether to shed the call at the head."""
        if now > self._ends and not self._anew:
            self._anew = True
            self._ends = now + self._interval
            self._overloaded = self._least > self._target
        if self._anew:
            self._anew = False
            self._least = waited
            return False  # the first call of an interval never is
        self._least = min(self._least, waited)
        return self._overloaded and waited > 2 * self._target


class Rfc8289Law:
    """Sheds one call after the other, ever faster, until one is quick."""

    def __init__(self, target: float, interval: float) -> None:
        self._target = target
        self._interval = interval
        self._above_until = math.inf  # when calls have been slow for an interval, if they are
        self._shedding = False
        self._next = 0.0  # when to shed another one
        self._count = 0  # calls shed since that began, or as if so
        self._begun_with = 0
        self._last = ""  # what the one before was shed for, at this very instant

    def sheds(self, now: float, waited: float, left: int) -> bool:
        """Return whether to shed the call at the head."""
        last, self._last = self._last, ""
        too_slow = self._too_slow(now, waited, left)
        if last == "first":
            return False  # the one behind the first passes
        if not self._shedding:
            if too_slow:
                self._begin(now)
            return too_slow
        self._shedding = too_slow
        if not too_slow:
            return False
        if last:
            self._next += self._interval / math.sqrt(self._count)
        if now < self._next:
            return False
        self._count += 1
        self._last = "another"
        return True

    def _too_slow(self, now: float, waited: float, left: int) -> bool:
        if waited < self._target or left <= 1:
            self._above_until = math.inf
        elif self._above_until == math.inf:
            self._above_until = now + self._interval
        return now >= self._above_until

    def _begin(self, now: float) -> None:
        before = self._count - self._begun_with
        recent = now - self._next < _REMEMBERED * self._interval
        self._count = before if before > 1 and recent else 1
        self._begun_with = self._count
        self._next = now + self._interval / math.sqrt(self._count)
        self._shedding = True
        self._last = "first"


def law_of(plan: CodelPlan) -> Law:
    """Return what says which calls to shed."""
    law = FollyLaw if plan.law == "folly" else Rfc8289Law
    return law(plan.target, plan.interval)
