"""How one request fares by itself where a stage is dead, from the plan alone.

By itself: nothing is drawn, and no other request is in its way. Where that is not so there is no
answer here, and only a run has one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cascadesim.policies.lone import LoneCall, Seen
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.plan import PolicyPlan

_NOTHING = LoneCall(Outcome.OK, 0.0)


@dataclass(frozen=True, slots=True)
class Death:
    """The stages of these names are dead, `silent` or else refusing; a breaker looks on."""

    stages: frozenset[str]
    silent: bool
    breaker: str  # by its dotted path

    def through(self, stages: Iterable[StagePlan]) -> LoneCall | None:
        """Return a call through stages in order, up to the first error."""
        whole: LoneCall | None = _NOTHING
        for stage in stages:
            if whole is None or not (whole.answers and whole.ends):
                break
            call = self._stage(stage)
            whole = None if call is None else whole.then(call)
        return whole

    def _stage(self, stage: StagePlan) -> LoneCall | None:
        call = self._inside(stage)
        for path, policy in reversed(stage.paths):
            if call is None:
                return None
            call = _observed(policy, call) if path == self.breaker else policy.lone(call)
        return call

    def _inside(self, stage: StagePlan) -> LoneCall | None:
        if stage.concurrency < math.inf or stage.pool is not None:
            return None  # other calls may be in the way
        if stage.work is None:
            work = _NOTHING
        elif stage.name in self.stages:
            seconds = stage.tracker if self.silent else 0.0
            return LoneCall(Outcome.FAILED, seconds, (0.0,))
        elif stage.work.kind == "constant" and not stage.failure_rate:
            work = LoneCall(Outcome.OK, stage.work.mean)
        else:
            return None
        inside = self._together(stage.stages) if stage.parallel else self.through(stage.stages)
        return None if inside is None else work.then(inside)

    def _together(self, stages: Iterable[StagePlan]) -> LoneCall | None:
        """Return a call through all stages at once, which the first error ends."""
        known: list[LoneCall] = []
        for stage in stages:
            call = self._stage(stage)
            if call is None:
                return None
            known.append(call)
        errors = [call for call in known if not call.answers]
        last = max(known, key=lambda call: call.seconds)
        if not errors:
            return _united(known, max(call.outcome for call in known), last.seconds)
        first = min(errors, key=lambda call: call.seconds)
        known.remove(first)
        cut: list[LoneCall] = []
        for call in known:
            ended = call
            if first.seconds == 0 and not call.entangled and not call.seen:
                ended = replace(call, seconds=0.0, reaches=tuple(x for x in call.reaches if not x))
            elif call.seconds > first.seconds or math.isclose(call.seconds, first.seconds):
                short = call.cut(first.seconds)
                if short is None:
                    return None
                ended = short
            cut.append(ended)
        return _united([first, *cut], first.outcome, first.seconds)


def _united(calls: list[LoneCall], outcome: Outcome, seconds: float) -> LoneCall:
    return LoneCall(
        outcome,
        seconds,
        tuple(sorted(at for call in calls for at in call.reaches)),
        tuple(sorted(one for call in calls for one in call.seen)),
        any(call.entangled for call in calls),
    )


def _observed(breaker: PolicyPlan, call: LoneCall) -> LoneCall:
    counts = breaker.counts(call.outcome)
    seen = Seen(0.0, call.seconds, counts, breaker.cancelled, call.reaches)
    return replace(call, reaches=(), seen=(seen,))
