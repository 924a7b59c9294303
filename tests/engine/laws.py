"""What holds of the records of every run, whoever sends its requests."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from cascadesim.engine.simpy.pool import Pool
from cascadesim.plan.causes import CAUSES
from cascadesim.plan.plan import Plan
from cascadesim.policies.breaker import BreakerPlan
from cascadesim.records import Records
from cascadesim.values.outcome import Outcome


def check_laws(plan: Plan, records: Records) -> None:
    check_ends(plan, records)
    check_parts(records)
    check_breakers(plan, records)


def check_ends(plan: Plan, records: Records) -> None:
    """Every request ends once; whatever is no answer has something that ended it."""
    assert set(records.outcome) <= set(Outcome)
    answered = np.isin(records.outcome, [Outcome.OK, Outcome.UNFINISHED])
    assert ((records.ended_by >= 0) == ~answered).all()
    unfinished = records.outcome == Outcome.UNFINISHED
    age = plan.end - records.arrival
    assert (records.latency[unfinished] == age[unfinished]).all()
    assert (records.latency >= 0).all()
    assert (records.latency <= age).all()


def check_parts(records: Records) -> None:
    """The parts of a request add up to its latency."""
    assert (records.seconds >= 0).all()
    np.testing.assert_allclose(records.seconds.sum(axis=1), records.latency, rtol=1e-9, atol=1e-9)
    assert {part.cause for part in records.parts} <= set(CAUSES)
    columns = [part.column for part in records.parts]
    assert len(set(columns)) == len(columns)


CLOSES = ("open", "closed")  # of a host that is back, and after a trial that succeeds late
USUAL = {
    ("closed", "open"),
    ("open", "half-open"),
    ("half-open", "open"),
    ("half-open", "closed"),
}
OTHERS = {"envoy": {("closed", "open"), CLOSES}, "pybreaker": {*USUAL, CLOSES}}


def check_breakers(plan: Plan, records: Records) -> None:
    """Breakers change their state by the rules, and recover no sooner than they may."""
    breakers = {
        f"{stage.name}.{policy.name}": policy
        for stage in plan.walk()
        for policy in stage.policies
        if isinstance(policy, BreakerPlan)
    }
    state: dict[str, str] = defaultdict(lambda: "closed")
    since: dict[str, float] = defaultdict(float)
    for change in records.transitions:
        policy = breakers[change.breaker]
        pair = (state[change.breaker], change.state)
        assert pair in OTHERS.get(policy.preset or "", USUAL)
        assert change.at >= since[change.breaker]
        if change.state == "half-open" or (policy.preset, pair) == ("envoy", CLOSES):
            assert change.at >= since[change.breaker] + policy.recovery_timeout
        state[change.breaker], since[change.breaker] = change.state, change.at


@contextmanager
def checked_pools() -> Iterator[None]:
    """Hold every pool of the runs inside to its limits, at each checkout and checkin."""
    checkout, checkin = Pool.checkout, Pool.checkin

    def check(pool: Pool) -> None:
        assert 0 <= pool.checked_out <= pool.plan.limit
        assert pool.open <= min(pool.plan.limit, pool.plan.max_connections)

    def checked_out(pool: Pool, now: float) -> float | None:
        made = checkout(pool, now)
        check(pool)
        return made

    def checked_in(pool: Pool, made: float | None) -> None:
        checkin(pool, made)
        check(pool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "checkout", checked_out)
        patch.setattr(Pool, "checkin", checked_in)
        yield
