"""What contradicts a breaker and depends on more than its own stage: load, and stages beside it."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

from cascadesim.analysis.rules import NEVER_OPENS, SIBLINGS_LOCKED
from cascadesim.plan.arrivals import Closed, Gaps, Rates
from cascadesim.policies.plan import load_of
from cascadesim.values.outcome import Outcome
from cascadesim.values.rules import Contradiction
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan

_UNLIKELY = 1e-3  # that calls which come by chance fill a window, ever


def breaker_contradictions(plan: Plan) -> Iterator[Contradiction]:
    """Yield breakers that never open, or that keep each other open."""
    yield from _never_filled(plan)
    for stage in plan.walk():
        if stage.parallel:
            yield from _locked(stage)


def _never_filled(plan: Plan) -> Iterator[Contradiction]:
    for _, outer, around in plan.walk_policies():
        for i, (path, policy) in enumerate(around):
            if policy.fills is None:
                continue
            seconds, minimum = policy.fills
            calls = load_of(outer + around[:i]).most
            most = _most_within(plan, seconds, minimum / calls)
            if most is not None and most * calls < minimum:
                yield Contradiction(
                    NEVER_OPENS,
                    (f"{path}.window.minimum", f"{path}.window.time"),
                    f"it never opens: it needs {minimum} calls in {duration_text(seconds)}, and "
                    f"no more than {most * calls:g} come in that time",
                )


def _most_within(plan: Plan, seconds: float, needed: float) -> float | None:
    """Return how many requests come within so many seconds at most, None where that is not known.

    Where they come by chance, it is the mean, if it is as good as certain that fewer come than are
    needed.
    """
    arrivals = plan.arrivals
    if isinstance(arrivals, Closed):
        least = arrivals.think.lower
        return arrivals.clients * (math.floor(seconds / least) + 1) if least else None
    if isinstance(arrivals, Gaps):
        gaps, rate = arrivals.gaps, 1 / arrivals.gaps.mean
    elif isinstance(arrivals, Rates):
        ends = [*(piece.start for piece in arrivals.pieces[1:]), min(arrivals.period, plan.horizon)]
        gaps = arrivals.gaps
        rate = max(
            piece.rate + max(0.0, piece.slope * (end - piece.start))
            for piece, end in zip(arrivals.pieces, ends, strict=True)
        )
    else:
        return None
    mean = seconds * rate
    if gaps.kind == "constant":
        return math.floor(mean) + 1
    if needed <= mean or not mean:
        return None
    # Chernoff's bound of a Poisson variable, for as many windows as there are requests.
    chance = rate * plan.horizon * math.exp(needed - mean - needed * math.log(needed / mean))
    return mean if chance < _UNLIKELY else None


def _locked(parent: StagePlan) -> Iterator[Contradiction]:
    """Yield pairs of breakers in branches whose rejections cancel each other's calls."""
    locking = [path for branch in parent.stages for path in _locks(branch)[:1]]
    for first, second in combinations(locking, 2):
        yield Contradiction(
            SIBLINGS_LOCKED,
            (f"{first}.recovery_timeout", f"{second}.recovery_timeout"),
            "while one of them is open, its rejection cancels the call beside it, which the other "
            "takes for a failure: they keep each other open",
        )


def _locks(branch: StagePlan) -> list[str]:
    """Return the breakers of a branch that reject at once and take cancelled calls for failures."""
    paths = []
    for path, policy in branch.paths:
        if policy.answers_errors or policy.sends_again_after(Outcome.REJECTED):
            break  # a rejection inside is not the branch's error, or not at once
        if policy.rejects_open and policy.cancelled == "failure":
            paths.append(path)
    return paths
