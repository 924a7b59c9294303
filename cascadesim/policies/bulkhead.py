"""Bulkhead: a limit of the calls inside at once, with a short wait for a place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from cascadesim.policies.plan import PolicyPlan, Room, Timeout, tightest
from cascadesim.policies.settings import Policy
from cascadesim.resources.codel import Codel, CodelPlan
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.strict import problem
from cascadesim.values.units import Count, Duration, Whole, or_infinite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.policies.plan import Around, Position


class Bulkhead(Policy):
    """Limits the calls through it, as resilience4j's does."""

    KIND: ClassVar[str] = "bulkhead"
    SUMMARY: ClassVar[str] = "limits the calls through it"
    FOLLOWS = follows(sources.BULKHEAD, name=(), enabled=())

    concurrency: Count = Field(25, description="calls let through at once")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for a place; one more is rejected"
    )
    timeout: Duration = Field(
        "0s",
        validate_default=True,
        description="longest wait for a place, after which the call is rejected; 0s rejects at "
        "once",
    )
    codel: Codel | None = Field(None, description="sheds calls that wait for a place too long")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.codel is not None and "timeout" not in self.model_fields_set:
            raise problem("codel needs a timeout, else nobody waits", "codel")
        if self.queue_limit is not None and "timeout" not in self.model_fields_set:
            raise problem("queue_limit needs a timeout, else nobody waits", "queue_limit")
        return self

    def plan(self, name: str) -> BulkheadPlan:
        """Return the plan of a bulkhead of this name."""
        codel = None if self.codel is None else self.codel.plan()
        queue_limit = or_infinite(self.queue_limit)
        return BulkheadPlan(name, self.concurrency, queue_limit, self.timeout, codel)


@dataclass(frozen=True, slots=True)
class BulkheadPlan(PolicyPlan):
    """Settings of one bulkhead. `timeout`, in seconds, is the longest wait; 0 refuses at once."""

    kind: ClassVar[str] = "bulkhead"
    concurrency: int = 25  # calls inside at once
    queue_limit: float = math.inf  # calls that may wait for that
    timeout: float = 0.0
    codel: CodelPlan | None = None  # sheds calls that wait

    @property
    def room(self) -> float:
        """Return how many calls can be inside or wait."""
        return self.concurrency + (self.queue_limit if self.timeout else 0)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time goes to: waiting for a place."""
        return (("queue_wait", "concurrency"),)

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the settings that can refuse a call."""
        codel = () if self.codel is None else ("codel.target",)
        return ("concurrency", "queue_limit", "timeout", *codel)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case: the longest wait, then the call inside."""
        return inner + Bound({f"{where}.timeout": self.timeout})

    def timeouts(self, where: str) -> tuple[Timeout, ...]:
        """Return the longest wait, which never ends where a timeout around it is shorter."""
        return (Timeout(f"{where}.timeout", self.timeout),)

    @property
    def ends_silent(self) -> bool:
        """Return that it refuses calls when nothing inside answers."""
        return True

    @property
    def spans(self) -> tuple[float, ...]:
        """Return the longest wait."""
        return (self.timeout,)

    def lets_in(self, where: str) -> Room:
        """Return how many calls it lets inside at once."""
        return Room(f"{where}.concurrency", self.concurrency)

    def keeps(self, where: str) -> Room:
        """Return how many calls can be inside or wait."""
        return Room(f"{where}.concurrency", self.room)

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield limits around or inside that keep it from ever being full, and idle shedding."""
        rooms = [_room_outside(at.outside), _room_inside(at)]
        setting, room = min(rooms, key=lambda room: room.calls)
        if room <= self.concurrency:
            yield Contradiction(
                NEVER_FULL,
                (f"{at.path}.concurrency", setting),
                f"the bulkhead of {self.concurrency} has no effect: no more than {room:g} "
                "calls are ever inside it",
            )
        if self.codel is not None:
            outer = tightest(at.outside, for_waits=True)
            limits = (Timeout(f"{at.path}.timeout", self.timeout), outer)
            longest = min(filter(None, limits), key=lambda limit: limit.seconds)
            if longest.seconds <= self.codel.least_wait:
                yield self.codel.never_sheds(at.path, *longest[:2])


def _room_outside(outside: Around) -> Room:
    """Return how many calls the policies outside let in."""
    least = Room("", math.inf)
    for path, policy in reversed(outside):
        if policy.multiplies:
            break  # more calls may be inside than it was let in for
        room = policy.lets_in(path)
        if room is not None:
            least = min(least, room, key=lambda room: room.calls)
    return least


def _room_inside(at: Position) -> Room:
    """Return how many calls there is room for inside, waiting included."""
    for path, policy in at.inside:
        room = policy.keeps(path)
        if room is not None:
            return room
    stage = at.stage
    elsewhere = stage.startup or stage.blocks
    limit = math.inf if elsewhere else stage.concurrency + stage.queue_limit
    return Room(f"{stage.name}.concurrency", limit)


NEVER_FULL = Rule(
    code="B01",
    name="bulkhead-never-full",
    says="A bulkhead lets more calls through at once than can ever be inside it, since another "
    "limit around it or inside it is smaller.",
    why="The bulkhead protects nothing: calls queue or are refused at the other limit.",
    example="""\
concurrency: 5
queue_limit: 5
policies:
  - bulkhead: {concurrency: 20}
""",
    instead="Set the bulkhead below the other limit, or leave it out.",
)
