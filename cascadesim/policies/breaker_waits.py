"""What contradicts a breaker: deadlines around or inside it, and retries around it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.policies.plan import tightest
from cascadesim.values.outcome import Outcome
from cascadesim.values.rules import Contradiction, Rule
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.policies.breaker import BreakerPlan
    from cascadesim.policies.plan import Position


def contradictions_of(breaker: BreakerPlan, at: Position) -> Iterator[Contradiction]:
    """Yield the timeouts that a breaker at this place does not go with."""
    caller = tightest(at.outside, for_waits=True)
    recovery = breaker.recovery_timeout
    if breaker.waits and breaker.max_recoveries and caller and caller.seconds < recovery:
        yield Contradiction(
            RECOVERY_BEYOND_CALLER,
            (f"{at.path}.recovery_timeout", caller.setting),
            f"most who wait for a recovery give up: it takes {duration_text(recovery)}, and their "
            f"time is over after {duration_text(caller.seconds)}",
        )
    shortest = tightest(at.others)
    slow = math.inf if breaker.window is None else breaker.window.slow_call
    if shortest is not None and slow < math.inf and slow >= shortest.seconds:
        yield Contradiction(
            SLOW_BEYOND_DEADLINE,
            (f"{at.path}.window.slow_call", shortest.setting),
            f"no call is ever slow: it ends after {duration_text(shortest.seconds)}, and only one "
            f"of more than {duration_text(slow)} would be slow",
        )
    if not breaker.waits:
        yield from _retries_within(breaker, at)


def _retries_within(breaker: BreakerPlan, at: Position) -> Iterator[Contradiction]:
    for path, policy in at.outside:
        waits = policy.backoffs
        if not waits or not policy.sends_again_after(Outcome.REJECTED):
            continue
        longest = math.fsum(wait for _, wait in waits)
        if longest < breaker.recovery_timeout:
            yield Contradiction(
                RETRIES_WITHIN_RECOVERY,
                (f"{path}.outcomes", f"{at.path}.recovery_timeout"),
                f"a rejected call is sent again for {duration_text(longest)} at most, and the "
                f"breaker stays open for {duration_text(breaker.recovery_timeout)}: it is rejected "
                "again, but for calls shortly before the recovery",
            )


RECOVERY_BEYOND_CALLER = Rule(
    code="C03",
    name="recovery-beyond-caller",
    says="Callers wait for an open breaker to recover (`when_open: wait`), and a deadline around "
    "it is shorter than the recovery.",
    why="Most callers wait for nothing: the deadline ends them before the breaker lets a call "
    "through, where a rejection would have told them at once.",
    example="""\
policies:
  - deadline: {timeout: 2s}
  - breaker: {recovery_timeout: 60s, when_open: wait}
""",
    instead="Reject at once (`when_open: reject`), with a fallback outside, or shorten the "
    "recovery to less than the deadline.",
)
SLOW_BEYOND_DEADLINE = Rule(
    code="C04",
    name="slow-call-beyond-deadline",
    says="A breaker counts calls as slow (`slow_call`) that a deadline ends before.",
    why="No call is ever slow, so `slow_rate` opens nothing. Calls that are cut short are failures "
    "at most.",
    example="""\
policies:
  - breaker:
      recovery_timeout: 30s
      window: {calls: 100, slow_call: 10s, slow_rate: 50%}
  - deadline: {timeout: 2s}
""",
    instead="Set `slow_call` well below the deadline, or leave it out.",
)
RETRIES_WITHIN_RECOVERY = Rule(
    code="R02",
    name="retries-within-recovery",
    says="A retry sends calls again that an open breaker rejects, and all its waits together are "
    "shorter than the breaker stays open.",
    why="The breaker rejects the same call several times, which takes the caller's time and helps "
    "nobody.",
    example="""\
policies:
  - retry: {attempts: 3, base: 100ms, outcomes: [rejected, failed]}
  - breaker: {recovery_timeout: 60s}
""",
    instead="Leave `rejected` out of the retry's `outcomes`.",
)
