"""A request under way and its ledger of where its time goes."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Protocol

from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.engine.simpy.kernel import Call, Task
    from cascadesim.engine.simpy.place import Place
    from cascadesim.engine.simpy.propagation import Context

    Places = tuple[Place | None, Place | None]  # of the stage before, and of this one
    Span = tuple[int, float, float]  # part, start and end in seconds


class Layer(Protocol):
    """Something a request passes through: a policy, a limit, a stage."""

    def call(self, request: Request) -> Call:
        """Carry the request through and return how it ended."""


class Request:
    """One request. Its ledger is always in one part, so that parts add up to the latency.

    `attempt` numbers the calls that retries make of one stage: it addresses draws, so a draw
    depends on which attempt it is and not on what happened before.

    Where it is in several places at once, each of them has a twin of it. One twin is on the
    critical path: the request takes its ledger. The time of the others is in `beside`, by part.
    """

    __slots__ = (
        "_before",
        "_branches",
        "_left",
        "_of",
        "_part",
        "_since",
        "_stopped",
        "_twin",
        "arrival",
        "attempt",
        "beside",
        "context",
        "cut",
        "ended_by",
        "number",
        "parts",
        "places",
        "retries",
        "task",
        "work",
    )

    task: Task

    def __init__(
        self, number: int, arrival: float, parts: int, work: dict[int, float] | None = None
    ) -> None:
        self.number = number
        self.arrival = arrival
        self.work = work  # seconds of own work by stage, where it is given and not drawn
        self.parts = [0.0] * parts
        self.attempt = 0
        self.retries = 0
        self.ended_by = -1  # the number of what last made it an error
        self.cut = -1  # that of the timeout that last ended a call of it
        self.context: Context | None = None  # the deadline that it knows
        self.places: Places | None = None  # that it keeps where stages can block it
        self._part = 0
        self._since = arrival
        self.beside: list[float] | None = None  # like `parts`; None while nothing ran beside
        self._twin: Request | None = None  # keeps the ledger while it goes on in its place
        self._branches: Sequence[Request] = ()  # beside that twin
        self._before: tuple[list[float], list[float] | None] = ([], None)  # ledger of a new branch
        self._stopped = False
        self._of: Request | None = None  # the request that this is a twin of
        self._left: tuple[float, str] | None = None  # when it was given up, and by what it went on

    def enter(self, part: int, now: float) -> None:
        """Charge the time since the last call to the part under way; `part` is next."""
        self.parts[self._part] += now - self._since
        self._part = part
        self._since = now

    def end(self, outcome: Outcome, ended_by: int) -> Outcome:
        """Note the number of what makes the request an error, and return the outcome."""
        self.ended_by = ended_by
        if outcome is Outcome.TIMED_OUT:
            self.cut = ended_by
        return outcome

    def fork(self, now: float) -> Request:
        """Return a twin of the request: a task of its own with a ledger of its own."""
        twin = type(self)(self.number, self.arrival, 0, self.work)
        twin.attempt = self.attempt
        twin.context = self.context
        twin.places = self.places
        twin.adopt(self, now)
        twin._of = self
        self._twin = twin
        return twin

    def branch(self, now: float) -> Request:
        """Return a twin that runs beside others, or beside the request; `stop` it when it ends."""
        self.enter(self._part, now)  # what was before is not the branch's
        twin = self.fork(now)
        twin._before = (twin.parts.copy(), copy(twin.beside))
        return twin

    def leave(self, now: float, setting: str) -> None:
        """Take note that its caller has given it up; `setting` is what lets it go on."""
        self._left = (now, setting)

    def left(self, now: float) -> tuple[float, str]:
        """Return the seconds for which it goes on though given up, and the setting that lets it."""
        since, setting = self._left or (now, "")
        if self._of is None:
            return now - since, setting
        return max((now - since, setting), self._of.left(now))

    def ledger(self, now: float) -> list[float]:
        """Return the seconds by part until now."""
        parts = self.parts.copy()
        parts[self._part] += now - self._since
        return parts

    def stop(self, now: float) -> None:
        """Charge the time of a branch up to now, and none that comes later."""
        if not self._stopped:
            self.catch_up(now)
            self.enter(self._part, now)
            self._stopped = True

    def follow(self, twin: Request | None, branches: Sequence[Request] = ()) -> None:
        """Take the ledger from this twin if the request ends now; from none with None.

        The time of the other `branches` is kept in `beside`.
        """
        self._twin = twin
        self._branches = branches

    def catch_up(self, now: float) -> None:
        """Take over the ledger of the twin that is under way, if there is one."""
        if self._twin is not None:
            critical, branches = self._twin, self._branches
            self.adopt(critical, now)
            for branch in branches:
                if branch is not critical:
                    branch.stop(now)
                    self._add_beside(branch)

    def adopt(self, other: Request, now: float) -> None:
        """Take over the other's ledger as it stands, and go on alone."""
        self._twin = None
        self._branches = ()
        other.catch_up(now)
        self.parts = other.parts.copy()
        self.beside = copy(other.beside)
        self.retries = other.retries
        self.ended_by = other.ended_by
        self.cut = other.cut
        self._part = other._part
        self._since = other._since

    def _add_beside(self, branch: Request) -> None:
        """Add the time of a branch since it began."""
        nothing = [0.0] * len(self.parts)
        parts, beside = branch._before
        ledgers = (self.beside or nothing, branch.parts, parts, branch.beside or nothing)
        self.beside = [
            kept + (after - before) + (inner - known)
            for kept, after, before, inner, known in zip(*ledgers, beside or nothing, strict=True)
        ]


class TracedRequest(Request):
    """A request that also remembers when it was in which part: part, start and end in seconds.

    `aside` has the spans of the branches beside it, a list for each branch.
    """

    __slots__ = ("_known", "aside", "spans")

    def __init__(
        self, number: int, arrival: float, parts: int, work: dict[int, float] | None = None
    ) -> None:
        super().__init__(number, arrival, parts, work)
        self.spans: list[Span] = []
        self.aside: list[list[Span]] = []
        self._known = (0, 0)  # how many spans and branches it had when it became a branch

    def enter(self, part: int, now: float) -> None:
        """Charge the time as a Request does, and remember it where there is any."""
        if now > self._since:
            self.spans.append((self._part, self._since, now))
        super().enter(part, now)

    def branch(self, now: float) -> TracedRequest:
        """Return a twin, which remembers where its own spans begin."""
        twin = super().branch(now)
        assert isinstance(twin, TracedRequest)
        twin._known = (len(twin.spans), len(twin.aside))
        return twin

    def adopt(self, other: Request, now: float) -> None:
        """Take over the other's ledger, and what it remembers."""
        super().adopt(other, now)
        assert isinstance(other, TracedRequest)
        self.spans = other.spans.copy()
        self.aside = other.aside.copy()

    def _add_beside(self, branch: Request) -> None:
        super()._add_beside(branch)
        assert isinstance(branch, TracedRequest)
        spans, aside = branch._known
        self.aside += filter(None, (branch.spans[spans:], *branch.aside[aside:]))
