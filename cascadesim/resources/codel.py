"""CoDel: sheds calls from a queue that stays too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from cascadesim.values import sources
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import PositiveDuration, duration_text


class Codel(Strict):
    """Sheds calls from a queue that lasts too long."""

    FOLLOWS = follows(sources.FOLLY, law=(sources.FOLLY, sources.CODEL))

    target: PositiveDuration = Field(
        "5ms", validate_default=True, description="wait that a good queue does not exceed for long"
    )
    interval: PositiveDuration = Field(
        "100ms", validate_default=True, description="time for which it may be exceeded"
    )
    law: Literal["folly", "rfc8289"] = Field(
        "folly",
        description="shed all that have waited for twice the target while even the shortest wait "
        "is longer than it, as Facebook's servers do; or one after the other, as routers do",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.interval <= self.target:
            raise problem("must be more than the target", "interval")
        return self

    def plan(self) -> CodelPlan:
        """Return the plan."""
        return CodelPlan(self.target, self.interval, self.law)


@dataclass(frozen=True, slots=True)
class CodelPlan:
    """Settings of one CoDel, times in seconds. `law` is "folly" or "rfc8289"."""

    target: float = 0.005
    interval: float = 0.1
    law: str = "folly"

    @property
    def least_wait(self) -> float:
        """Return the shortest wait, in seconds, after which a call can be shed."""
        return 2 * self.target if self.law == "folly" else self.target

    def never_sheds(self, where: str, setting: str, longest: float) -> Contradiction:
        """Return that nothing is shed at `where`, since `setting` ends waits after `longest`."""
        return Contradiction(
            NEVER_SHEDS,
            (f"{where}.codel.target", setting),
            f"nothing is ever shed: nobody waits for longer than {duration_text(longest)}",
        )


NEVER_SHEDS = Rule(
    code="Q01",
    name="codel-never-sheds",
    says="CoDel sheds calls that have waited for longer than its target (twice the target under "
    "`law: folly`), and a timeout ends every wait before that.",
    why="CoDel has no effect: the queue stays as long as the timeout allows.",
    example="""\
policies:
  - bulkhead: {concurrency: 10, timeout: 5ms, codel: {target: 5ms}}
""",
    instead="Set the target to a tenth of the timeout or less, or leave `codel` out.",
)
