"""Settings that contradict each other, found without simulating.

Also what a retry costs when every call fails: its waits, and the load that it multiplies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.model.breaker import BreakerPlan
from cascadesim.model.deadline import DeadlinePlan
from cascadesim.model.retry import BUDGET_RESERVE, RetryPlan
from cascadesim.scenario.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.model.stage import PolicyPlan, StagePlan
    from cascadesim.plan import Plan

Around = tuple[tuple[str, "PolicyPlan"], ...]  # dotted path and policy, outermost first


@dataclass(frozen=True, slots=True)
class RetryCost:
    """A retry whose calls all fail.

    `waits` are the shortest and longest seconds before each further attempt. `load` is how many
    calls one request makes of the stage, retries around this one included; `sustained` is the same
    once a budget's reserve is spent.
    """

    path: str
    stage: str
    waits: tuple[tuple[float, float], ...]
    load: int
    sustained: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Settings at odds, by dotted path, and what that does."""

    settings: tuple[str, ...]
    problem: str


def stages_within(plan: Plan) -> Iterator[tuple[StagePlan, Around]]:
    """Yield every stage with the policies around its work, outermost first."""

    def visit(stages: tuple[StagePlan, ...], outer: Around) -> Iterator[tuple[StagePlan, Around]]:
        for stage in stages:
            around = outer + tuple((f"{stage.name}.{p.name}", p) for p in stage.policies)
            yield stage, around
            yield from visit(stage.stages, around)

    yield from visit(plan.stages, ())


def retry_costs(plan: Plan) -> list[RetryCost]:
    """Return the cost of every retry, in the order of the plan."""
    costs = []
    for stage, around in stages_within(plan):
        for i, (path, policy) in enumerate(around):
            if not isinstance(policy, RetryPlan) or not path.startswith(f"{stage.name}."):
                continue
            attempts = range(policy.attempts - 1)
            waits = tuple((policy.shortest(k), policy.longest(k)) for k in attempts)
            load, sustained = _load(around[: i + 1])
            costs.append(RetryCost(path, stage.name, waits, load, sustained))
    return costs


def _load(around: Around) -> tuple[int, float]:
    load, sustained = 1, 1.0
    for _, policy in around:
        if isinstance(policy, RetryPlan):
            load *= policy.attempts
            budget = math.inf if policy.budget is None else policy.budget
            sustained *= min(policy.attempts, 1 + budget)
    return load, sustained


def contradictions(plan: Plan, limit: float | None) -> list[Contradiction]:
    """Return the contradictions of a plan; `limit` is the latency objective in seconds, if any."""
    found = [
        *_inner_beyond_outer(plan),
        *_pool_beyond_caller(plan),
        *_sessions_outlive_waiters(plan),
        *_retries_beyond_capacity(plan),
    ]
    return found if limit is None else [*found, *_recoveries_beyond(plan, limit)]


def _timeouts(around: Around) -> list[tuple[str, float]]:
    return [(f"{path}.timeout", p.timeout) for path, p in around if isinstance(p, DeadlinePlan)]


def _inner_beyond_outer(plan: Plan) -> Iterator[Contradiction]:
    for stage, around in stages_within(plan):
        timeouts = _timeouts(around)
        if stage.tracker < math.inf:
            timeouts.append((f"{stage.name}.tracker.timeout", stage.tracker))
        if stage.startup > 0:
            timeouts.append((f"{stage.name}.startup.timeout", stage.startup))
        for i, (inner, seconds) in enumerate(timeouts):
            if not inner.startswith(f"{stage.name}."):
                continue  # reported where that stage is visited
            outer = min(timeouts[:i], key=lambda timeout: timeout[1], default=None)
            if outer is not None and seconds > outer[1]:
                yield Contradiction(
                    (inner, outer[0]),
                    f"the inner timeout of {duration_text(seconds)} never fires: the outer one "
                    f"ends the call after {duration_text(outer[1])}",
                )


def _pool_beyond_caller(plan: Plan) -> Iterator[Contradiction]:
    for stage, around in stages_within(plan):
        if stage.pool is None or stage.pool.kind == "null":
            continue
        caller = min(_timeouts(around), key=lambda timeout: timeout[1], default=None)
        if caller is not None and stage.pool.timeout > caller[1]:
            yield Contradiction(
                (f"{stage.name}.pool.timeout", caller[0]),
                f"callers give up after {duration_text(caller[1])}, before the pool's timeout of "
                f"{duration_text(stage.pool.timeout)} tells them that it is exhausted",
            )


def _sessions_outlive_waiters(plan: Plan) -> Iterator[Contradiction]:
    for stage, _ in stages_within(plan):
        pool, session = stage.pool, stage.session
        if pool is None or pool.kind == "null" or session.lifetime <= pool.timeout:
            continue
        if session.lifetime == math.inf and not session.leak:
            continue  # no reaper, and nothing for it to do
        yield Contradiction(
            (f"{stage.name}.session.lifetime", f"{stage.name}.pool.timeout"),
            f"with all {pool.limit:g} connections held by stuck or leaked sessions, every waiting "
            f"caller gives up after {duration_text(pool.timeout)}, before the reaper frees one "
            f"after {duration_text(session.lifetime)}",
        )


def _retries_beyond_capacity(plan: Plan) -> Iterator[Contradiction]:
    offered = 1 / plan.gaps.mean
    for stage, around in stages_within(plan):
        if stage.concurrency == math.inf or stage.work is None or stage.work.mean == 0:
            continue
        retries = [(path, p) for path, p in around if isinstance(p, RetryPlan)]
        capacity = stage.concurrency / stage.work.mean
        load, sustained = _load(around)
        if not retries or offered > capacity or offered * sustained <= capacity:
            continue
        reserve = ""
        if any(p.budget is not None for _, p in retries):
            reserve = f" (up to {load} times while the reserve of {BUDGET_RESERVE:g} lasts)"
        yield Contradiction(
            (*(f"{path}.attempts" for path, _ in retries), f"{stage.name}.concurrency"),
            f"when calls fail, retries make {sustained:g} calls of each request{reserve}: "
            f"{offered * sustained:.3g}/s against a capacity of {capacity:.3g}/s",
        )


def _recoveries_beyond(plan: Plan, limit: float) -> Iterator[Contradiction]:
    waits = [
        (f"{path}.recovery_timeout", p.recovery_timeout * p.max_recoveries)
        for stage, around in stages_within(plan)
        for path, p in around
        if isinstance(p, BreakerPlan) and p.waits and path.startswith(f"{stage.name}.")
    ]
    total = math.fsum(seconds for _, seconds in waits)
    if total > limit:
        chain = "recoveries along the chain add up to" if len(waits) > 1 else "a recovery takes"
        yield Contradiction(
            tuple(path for path, _ in waits),
            f"callers wait while these are open: {chain} {duration_text(total)}, beyond the "
            f"objective of {duration_text(limit)}",
        )
