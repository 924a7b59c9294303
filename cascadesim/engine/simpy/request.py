"""A request under way and its ledger of where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Call, Task
    from cascadesim.engine.simpy.place import Place
    from cascadesim.engine.simpy.propagation import Context

    Places = tuple[Place | None, Place | None]  # of the stage before, and of this one


class Layer(Protocol):
    """Something a request passes through: a policy, a limit, a stage."""

    def call(self, request: Request) -> Call:
        """Carry the request through and return how it ended."""


class Request:
    """One request. Its ledger is always in one part, so that parts add up to the latency.

    `attempt` numbers the calls that retries make of one stage: it addresses draws, so a draw
    depends on which attempt it is and not on what happened before.
    """

    __slots__ = (
        "_left",
        "_of",
        "_part",
        "_since",
        "_twin",
        "arrival",
        "attempt",
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
        self._twin: Request | None = None  # keeps the ledger while it goes on in its place
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

    def fork(self) -> Request:
        """Return a twin of the request: a task of its own with a ledger of its own."""
        twin = type(self)(self.number, self.arrival, 0, self.work)
        twin.attempt = self.attempt
        twin.context = self.context
        twin.places = self.places
        twin.adopt(self)
        twin._of = self
        self._twin = twin
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

    def follow(self, twin: Request | None) -> None:
        """Take the ledger from this twin if the request ends now; from none with None."""
        self._twin = twin

    def catch_up(self) -> None:
        """Take over the ledger of the twin that is under way, if there is one."""
        if self._twin is not None:
            self.adopt(self._twin)

    def adopt(self, other: Request) -> None:
        """Take over the other's ledger as it stands, and go on alone."""
        self._twin = None
        other.catch_up()
        self.parts = other.parts.copy()
        self.retries = other.retries
        self.ended_by = other.ended_by
        self.cut = other.cut
        self._part = other._part
        self._since = other._since


class TracedRequest(Request):
    """A request that also remembers when it was in which part: part, start and end in seconds."""

    __slots__ = ("spans",)

    def __init__(
        self, number: int, arrival: float, parts: int, work: dict[int, float] | None = None
    ) -> None:
        super().__init__(number, arrival, parts, work)
        self.spans: list[tuple[int, float, float]] = []

    def enter(self, part: int, now: float) -> None:
        """Charge the time as a Request does, and remember it where there is any."""
        if now > self._since:
            self.spans.append((self._part, self._since, now))
        super().enter(part, now)

    def adopt(self, other: Request) -> None:
        """Take over the other's ledger, and what it remembers."""
        super().adopt(other)
        assert isinstance(other, TracedRequest)
        self.spans = other.spans.copy()
