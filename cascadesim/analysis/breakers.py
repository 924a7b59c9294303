"""The states of circuit breakers over a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cascadesim.plan.stage import walk

if TYPE_CHECKING:
    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records

TRIALS = 3  # trial calls that fail in a row before a breaker is said to be stuck


class StateSpan(NamedTuple):
    """A breaker is in a state, in seconds after t = 0."""

    state: str
    start: float
    end: float


def state_spans(records: Records, breaker: str, end: float) -> list[StateSpan]:
    """Return the states of a breaker, by its dotted path, from t = 0 to `end`."""
    changes = [(t.at, t.state) for t in records.transitions if t.breaker == breaker]
    starts = [(0.0, "closed"), *changes]
    ends = [*(at for at, _ in changes), end]
    return [
        StateSpan(state, start, until) for (start, state), until in zip(starts, ends, strict=True)
    ]


def breaker_paths(plan: Plan) -> list[str]:
    """Return the dotted paths of the breakers that are enabled, outermost first."""
    return [
        path
        for _, _, policies in plan.walk_policies()
        for path, policy in policies
        if policy.states_over_time
    ]


class Stuck(NamedTuple):
    """A breaker that opens again at each trial call: since when, and how many trials failed.

    `beside` are breakers as stuck in the parallel stages beside it, whose errors cancel its calls.
    """

    breaker: str
    since: float
    trials: int
    beside: tuple[str, ...]


def stuck(plan: Plan, records: Records, seed: int) -> list[Stuck]:
    """Return the breakers that do not recover though no fault is active, to the end of the run.

    Those that have opened again at TRIALS trial calls in a row or more, with no fault meanwhile.
    """
    over = max((fault.end for fault, _ in plan.faults_in(seed)), default=0.0)
    found = {}
    for breaker in breaker_paths(plan):
        spans = state_spans(records, breaker, plan.end)
        closed = max((span.end for span in spans if span.state == "closed"), default=0.0)
        if spans[-1].state != "closed" and closed < plan.end:
            tries = [s for s in spans if s.start >= closed and s.state == "half-open"]
            trials = sum(over <= span.start and span.end < plan.end for span in tries)
            if trials >= TRIALS:
                found[breaker] = Stuck(breaker, closed, trials, ())
    return [
        one._replace(beside=tuple(other for other in found if _beside(plan, one.breaker, other)))
        for one in found.values()
    ]


def _beside(plan: Plan, breaker: str, other: str) -> bool:
    """Return whether two breakers stand in different branches of the same parallel stages."""
    names = [path.partition(".")[0] for path in (breaker, other)]
    for stage in plan.walk():
        if stage.parallel:
            branches = [{inner.name for inner in walk((branch,))} for branch in stage.stages]
            at = [[i for i, branch in enumerate(branches) if name in branch] for name in names]
            if all(at) and at[0] != at[1]:
                return True
    return False
