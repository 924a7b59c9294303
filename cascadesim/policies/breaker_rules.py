"""What `check` warns of around a breaker: that it never opens, or not on calls that hang."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.policies.plan import tightest
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.plan import Around, Position

NEVER_EJECTED = Rule(
    code="C01",
    name="only-host-never-ejected",
    says="A breaker with `preset: envoy` stands for an only host, and Envoy ejects none of those "
    "by default: one host is more than `max_ejection` (10 %) of the cluster, and with less than "
    "`panic_threshold` (50 %) of it healthy all calls go to ejected hosts, too.",
    why="The breaker never rejects a call, however long the stage fails.",
    example="""\
policies:
  - breaker: {preset: envoy}
""",
    instead="Leave the breaker out, or set `max_ejection: 100%` and `panic_threshold: 0%` where "
    "your cluster has `max_ejection_percent: 100` (or `always_eject_one_host`) and "
    "`healthy_panic_threshold: 0`.",
)
HIDDEN_HANGS = Rule(
    code="C02",
    name="deadline-hides-hung-calls",
    says="A deadline outside a breaker cancels calls that hang, nothing inside ends them sooner, "
    "and a cancelled call is no failure for the breaker.",
    why="The breaker never opens on a dependency that accepts calls and does not answer, which is "
    "what a breaker is for. In resilience4j a TimeLimiter outside the CircuitBreaker does that, "
    "and in asyncio a timeout outside a breaker that catches `Exception`, as CancelledError is "
    "none.",
    example="""\
policies:
  - deadline: {timeout: 2s}
  - breaker: {recovery_timeout: 10s}
""",
    instead="Put the deadline inside the breaker, or say `cancelled: failure` where your breaker "
    "counts a cancelled call as one (purgatory, pybreaker, gobreaker).",
)


def never_ejected(path: str) -> Contradiction:
    """Return that the only host of Envoy is never ejected."""
    return Contradiction(
        NEVER_EJECTED,
        (f"{path}.max_ejection", f"{path}.panic_threshold"),
        "the breaker never opens: Envoy ejects an only host with max_ejection: 100% alone, and "
        "then misses it with panic_threshold: 0% alone",
    )


def hidden_hangs(at: Position, cancelled: str) -> Contradiction | None:
    """Return that a deadline outside hides calls that hang from the breaker, if it does."""
    outside = tightest(tuple((path, policy) for path, policy in at.outside if not policy.abandons))
    if outside is None or _ends_inside(at.stage, at.inside):
        return None
    counts = "nowhere" if cancelled == "ignored" else "as a success"
    return Contradiction(
        HIDDEN_HANGS,
        (f"{at.path}.cancelled", outside.setting),
        f"a call that hangs is cancelled after {duration_text(outside.seconds)} and counts "
        f"{counts}: the breaker never opens on a dependency that does not answer",
    )


def _ends_inside(stage: StagePlan, inside: Around) -> bool:
    """Return whether anything inside ends a call that hangs."""
    return (
        any(policy.ends_silent for _, policy in inside)
        or min(stage.tracker, stage.session.lifetime) < math.inf
        or any(_ends_inside(part, part.paths) for part in stage.stages)
    )
