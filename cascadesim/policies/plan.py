"""What any policy's plan can be asked. The answers here are those of a policy without effect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from cascadesim.values.bound import Bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.lone import LoneCall
    from cascadesim.values.outcome import Outcome
    from cascadesim.values.rules import Contradiction

    Around = tuple[tuple[str, "PolicyPlan"], ...]  # dotted paths and policies, outermost first


class Timeout(NamedTuple):
    """A timeout in seconds, and the dotted path of its setting.

    `ends_waits` says that no wait inside lasts longer; without it, waits inside may go on.
    """

    setting: str
    seconds: float
    ends_waits: bool = True


class Room(NamedTuple):
    """How many calls there is room for, and the dotted path of the setting that says so."""

    setting: str
    calls: float


class Load(NamedTuple):
    """How many calls a policy makes of one call that does not succeed.

    `most` is the largest number, `sustained` the number in the long run, to which a budget's
    reserve adds so many calls per second. `word` names the calls sent again, such as "retries".
    """

    most: int = 1
    sustained: float = 1.0
    word: str = ""
    reserve: float = 0.0  # per second


class Attempts(NamedTuple):
    """When one request can make its calls at the earliest, in seconds, and all be over.

    There is one instant in `starts` for each call that it can make.
    """

    starts: tuple[float, ...] = (0.0,)
    over: float = 0.0


class Asked(NamedTuple):
    """In how many seconds a stage asks callers to come again that it refuses (Retry-After).

    `end` is the dotted path of the setting by which it refuses them.
    """

    end: str
    seconds: float


class Position(NamedTuple):
    """Where a policy stands: around which stage, inside and outside of which policies."""

    stage: StagePlan
    path: str  # dotted, of the policy
    outside: Around
    inside: Around  # those of the same stage

    @property
    def others(self) -> Around:
        """Return the policies outside and inside."""
        return self.outside + self.inside


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """Settings of a policy as an engine takes them, times in seconds.

    `kind` is the key in the scenario, and the name of the policy's file in an engine. The argument
    `where` is the dotted path of the policy, such as "agent.retry".
    """

    kind: ClassVar[str] = ""
    name: str

    def around(self, asked: tuple[Asked, ...]) -> Self:
        """Return the plan where it stands around stages that ask callers to come again."""
        return self

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what a request can spend time on here: causes, with the setting to blame.

        A cause that stands here again has its parts under the dotted path of that setting.
        """
        return ()

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the settings that can end a call here."""
        return ()

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case of a call through the policy, from that of the call inside."""
        return inner

    def recoveries(self, where: str) -> Bound:
        """Return how long callers can wait here for a breaker to recover."""
        return Bound()

    @property
    def load(self) -> Load:
        """Return how many calls it makes of one call that does not succeed."""
        return Load()

    def attempts_of(self, inner: Attempts) -> Attempts:
        """Return when one request can call through the policy, from that of the call inside."""
        return inner

    def lone(self, call: LoneCall) -> LoneCall | None:
        """Return how a call through the policy fares by itself, from that of the call inside.

        None where draws, or other calls, decide that.
        """
        return None

    @property
    def backoffs(self) -> tuple[tuple[float, float], ...] | None:
        """Return the shortest and longest wait before each further call, in seconds.

        None for a policy that sends no call again.
        """
        return None

    def cut(self, where: str) -> Timeout | None:
        """Return the timeout after which callers no longer wait for a call inside, if any."""
        return None

    def timeouts(self, where: str) -> tuple[Timeout, ...]:
        """Return the timeouts that never fire where one around them is shorter."""
        return ()

    @property
    def ends_silent(self) -> bool:
        """Return whether it ends or refuses calls when nothing inside ever answers."""
        return False

    @property
    def states_over_time(self) -> bool:
        """Return whether it changes its state over time, recorded as transitions."""
        return False

    @property
    def trips_after(self) -> int | None:
        """Return after how many failures in a row it refuses calls, None for never."""
        return None

    @property
    def moving_limit(self) -> int | None:
        """Return the most calls inside that a limit allows which moves over time, if it has one."""
        return None

    @property
    def rejects_open(self) -> bool:
        """Return whether it can be open, and rejects calls at once then."""
        return False

    @property
    def fills(self) -> tuple[float, int] | None:
        """Return in how many seconds it needs how many calls to open, None for any number."""
        return None

    @property
    def cancelled(self) -> str:
        """Return how a call counts here that its caller cancels: failure, success or ignored."""
        return "ignored"

    def counts(self, outcome: Outcome) -> str:
        """Return how a call counts here that ends so: failure, success or ignored."""
        return "ignored"

    @property
    def spans(self) -> tuple[float, ...]:
        """Return the seconds for which a state or a wait of it can last."""
        return ()

    @property
    def abandons(self) -> bool:
        """Return whether calls inside may go on when their caller has left."""
        return False

    @property
    def propagates(self) -> bool:
        """Return whether calls inside know the deadline of this one."""
        return False

    @property
    def multiplies(self) -> bool:
        """Return whether several calls of one request may be inside at once."""
        return self.abandons

    @property
    def overlaps(self) -> bool:
        """Return whether it waits for several calls at once, of which one decides."""
        return False

    @property
    def sends_again(self) -> bool:
        """Return whether a call may come again, without a place in the stage before."""
        return self.load.most > 1

    def sends_again_after(self, outcome: Outcome) -> bool:
        """Return whether a call that ends so is sent again."""
        return False

    @property
    def answers_errors(self) -> bool:
        """Return whether an error inside becomes an answer here."""
        return False

    def lets_in(self, where: str) -> Room | None:
        """Return how many calls it lets inside at once, None for any number."""
        return None

    def keeps(self, where: str) -> Room | None:
        """Return how many calls have room in it, waiting included.

        None where only what is inside limits that; infinite where calls can also spend time here
        before or after the call inside.
        """
        return None

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield the settings that contradict those of this policy."""
        return iter(())


def tightest(around: Around, *, for_waits: bool = False) -> Timeout | None:
    """Return the shortest timeout of these policies; only of those that end waits, if asked."""
    cuts = (policy.cut(path) for path, policy in around)
    chosen = (cut for cut in cuts if cut is not None and (cut.ends_waits or not for_waits))
    return min(chosen, key=lambda cut: cut.seconds, default=None)


_MOST_STARTS = 10_000  # that are worth a look at when each of them is


def load_of(around: Around) -> Load:
    """Return how many calls these policies together make of one call that does not succeed.

    Those that would begin when a deadline around them has passed are not among them.
    """
    most = math.prod(policy.load.most for _, policy in around)
    sustained = math.prod(policy.load.sustained for _, policy in around)
    if most <= _MOST_STARTS:
        attempts = Attempts()
        for _, policy in reversed(around):
            attempts = policy.attempts_of(attempts)
        most = len(attempts.starts)
    return Load(most, min(sustained, most))
