"""The states of circuit breakers over a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records


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
