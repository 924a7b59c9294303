"""What every policy's plan can be asked. The answers here are those of a policy without effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from cascadesim.values.bound import Bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.plan.stage import StagePlan
    from cascadesim.values.rules import Contradiction

    Around = tuple[tuple[str, "PolicyPlan"], ...]  # dotted paths and policies, outermost first


class Timeout(NamedTuple):
    """A timeout by the dotted path of its setting.

    `ends_waits` says that no wait inside lasts longer; else work inside goes on after it.
    """

    setting: str
    seconds: float
    ends_waits: bool = True


class Room(NamedTuple):
    """How many calls there is room for, and the dotted path of the setting that says so."""

    setting: str
    calls: float


class Load(NamedTuple):
    """How many calls a policy makes of one that goes through it and fails.

    `most` is the number at most, `sustained` that in the long run, when a budget's reserve is
    spent. `word` names what is sent again, such as "retries".
    """

    most: int = 1
    sustained: float = 1.0
    word: str = ""
    reserve: float = 0.0  # calls sent again at most before `sustained` holds


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

    `kind` is the key in the scenario, and the name of the policy's file in an engine. `where` is
    everywhere the dotted path of the policy, such as "agent.retry".
    """

    kind: ClassVar[str] = ""
    name: str

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what a request's time can go to here: causes, with the setting to blame."""
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
        """Return how many calls one that fails becomes."""
        return Load()

    @property
    def backoffs(self) -> tuple[tuple[float, float], ...] | None:
        """Return the shortest and longest seconds before each further call; None if none is."""
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
    def sends_again(self) -> bool:
        """Return whether a call may come anew, from no place before."""
        return self.load.most > 1

    @property
    def answers_errors(self) -> bool:
        """Return whether an error inside becomes an answer here."""
        return False

    def lets_in(self, where: str) -> Room | None:
        """Return how many calls it lets inside at once, None for any number."""
        return None

    def keeps(self, where: str) -> Room | None:
        """Return how many calls have room in it, waiting included.

        None where that is up to what is inside, and an infinite room where calls can also spend
        time here outside of it.
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


def load_of(around: Around) -> Load:
    """Return how many calls reach what is inside all of these policies, of one that fails."""
    most, sustained = 1, 1.0
    for _, policy in around:
        load = policy.load
        most *= load.most
        sustained *= load.sustained
    return Load(most, sustained)
