"""Check: what the settings of a scenario amount to, before anything goes wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.bounds import path_bounds, worst_case
from cascadesim.analysis.contradictions import RetryCost, contradictions, retry_costs
from cascadesim.analysis.summary import class_limits, latency_limit
from cascadesim.engine import simulate
from cascadesim.faults.outage import OutagePlan
from cascadesim.faults.partition import PartitionPlan
from cascadesim.plan.arrivals import Gaps
from cascadesim.plan.stage import walk
from cascadesim.policies.plan import tightest
from cascadesim.randomness import Distribution
from cascadesim.scenario.compile import compile_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.faults.plan import FaultPlan
    from cascadesim.plan.plan import Plan
    from cascadesim.plan.stage import StagePlan
    from cascadesim.policies.plan import Around
    from cascadesim.scenario.load import Scenario
    from cascadesim.values.bound import Bound
    from cascadesim.values.rules import Contradiction

_MOST_REQUESTS = 200_000  # of one probe, so that a check takes seconds
# How a dependency can be dead, as a fault from the beginning to the end.
DEAD: dict[str, FaultPlan] = {
    "refuses": OutagePlan(0.0, math.inf),
    "silent": PartitionPlan(0.0, math.inf),
}


@dataclass(frozen=True, slots=True)
class Opening:
    """How a breaker meets a dependency that is dead from the start.

    `dead` says how: it "refuses" calls at once or is "silent". `after` is the seconds until the
    breaker opens, at the mean arrival rate, and `reached` the calls that get through to the
    dependency by then. Both are None where it stays closed: for good if `never`, and otherwise for
    as many requests as were tried.
    """

    breaker: str
    failing_calls: int
    dead: str
    after: float | None
    reached: int | None
    never: bool = False


@dataclass(frozen=True)
class Check:
    """What `check` found for one variant of a scenario.

    `bounds` are those of top-level stages, `paths` those of requests by class; see `path_bounds`.
    """

    scenario: Scenario
    openings: list[Opening]
    retries: list[RetryCost]
    bounds: dict[str, Bound]
    paths: dict[str | None, Bound]
    contradictions: list[Contradiction]

    @property
    def worst_case(self) -> Bound:
        """Return the worst-case latency of a request of any class, over the stages it passes."""
        return max(self.paths.values(), key=lambda bound: bound.total)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data; null stands for "never" and "unbounded".

        Where there are classes of requests, `worst_case_by_class_s` is there too.
        """
        by_class = {name: _plain(bound.total) for name, bound in self.paths.items() if name}
        return self._plain() | ({"worst_case_by_class_s": by_class} if by_class else {})

    def _plain(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "breakers": [
                {
                    "breaker": o.breaker,
                    "dependency": o.dead,
                    "failing_calls": o.failing_calls,
                    "opens_after_s": o.after,
                    "calls_that_reach_it": o.reached,
                    "never": o.never,
                }
                for o in self.openings
            ],
            "retries": [
                {
                    "retry": r.path,
                    "waits_s": [list(wait) for wait in r.waits],
                    "load": r.load,
                    "sustained_load": r.sustained,
                }
                for r in self.retries
            ],
            "worst_case_s": _plain(self.worst_case.total),
            "worst_case_by_stage": {
                stage: {
                    "worst_case_s": _plain(bound.total),
                    "settings_s": {path: _plain(s) for path, s in bound.terms.items() if s},
                }
                for stage, bound in self.bounds.items()
            },
            "contradictions": [
                {"code": c.code, "settings": list(c.settings), "problem": c.problem}
                for c in self.contradictions
            ],
        }


def _plain(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def check(scenario: Scenario, progress: Callable[[float], None] | None = None) -> Check:
    """Return what the settings of a scenario amount to.

    `progress` is called with the share that is done.
    """
    plan = compile_plan(scenario.model)
    objectives = scenario.objectives
    return Check(
        scenario,
        _openings(plan, scenario.model.seed, progress or (lambda _: None)),
        retry_costs(plan),
        worst_case(plan),
        path_bounds(plan),
        contradictions(plan, latency_limit(objectives), class_limits(objectives)),
    )


def _openings(plan: Plan, seed: int, progress: Callable[[float], None]) -> list[Opening]:
    breakers = [
        (stage, i, outer + own)
        for stage, outer, own in plan.walk_policies()
        for i, (_, policy) in enumerate(own, len(outer))
        if policy.trips_after is not None
    ]
    openings = []
    for n, (stage, i, around) in enumerate(breakers):
        for dead in DEAD:
            openings.append(
                _opening(_probe(plan, stage.name, dead), seed, stage.name, around, i, dead)
            )
        progress((n + 1) / len(breakers))
    return openings


def _opening(plan: Plan, seed: int, stage: str, around: Around, i: int, dead: str) -> Opening:
    path, breaker = around[i]
    assert breaker.trips_after is not None
    (target,) = [s for s in plan.walk() if s.name == stage]
    opening = Opening(path, breaker.trips_after, dead, None, None)
    # An error of what runs beside it cancels a silent call.
    alone = not any(s.parallel and target in walk(s.stages) for s in plan.walk())
    if dead == "silent" and alone and not _ever_ends(target, around, i):
        return replace(opening, never=True)  # a call that never ends never counts as a failure
    gap = plan.mean_gap
    requests, most = 100, _most_requests(plan, breaker.trips_after)
    while True:
        records = simulate(replace(plan, horizon=requests * gap), seed)
        for transition in records.transitions:
            if transition.breaker == path:
                after, reached = _reached(plan, seed, transition.at, target)
                return replace(opening, after=after, reached=reached)
        if requests >= most:
            return opening
        requests = min(requests * 5, most)


def _ever_ends(target: StagePlan, around: Around, i: int) -> bool:
    """Return whether anything could end a silent call inside policy `i` of those around it.

    Or one that finds everything taken by those that came before.
    """
    inside = [policy for stage in walk(target.stages) for policy in stage.policies]
    inside += [policy for _, policy in around[i + 1 :]]
    # An outer deadline that abandons its call does not end it, if it does not propagate.
    outside = tightest(around[:i], for_waits=True)
    timeouts = [min(s.tracker, s.session.lifetime) for s in walk((target,))]
    ends = any(policy.ends_silent for policy in inside)
    return (
        ends or outside is not None or min(timeouts) < math.inf or any(map(_fills, walk((target,))))
    )


def _fills(stage: StagePlan) -> bool:
    """Return whether a stage refuses others at some point, if its calls never end."""
    pool = stage.pool
    finite = pool is not None and min(pool.limit, pool.max_connections) < math.inf
    return finite or (not stage.blocks and stage.concurrency + stage.queue_limit < math.inf)


def _most_requests(plan: Plan, failures: int) -> int:
    """Return how many requests to try: enough for every wait of the plan several times over."""
    gap = plan.mean_gap
    waits = [failures * gap]
    for stage in plan.walk():
        waits += [stage.tracker, stage.startup, stage.session.lifetime]
        waits += [seconds for policy in stage.policies for seconds in policy.spans]
    several = 3 * sum(wait for wait in waits if wait < math.inf) / gap
    return int(min(_MOST_REQUESTS, max(5_000, several)))


def _reached(plan: Plan, seed: int, opened: float, target: StagePlan) -> tuple[float, int]:
    # The same run again up to that instant, and no further.
    records = simulate(replace(plan, horizon=math.nextafter(opened, math.inf)), seed)
    reached = sum(records.calls.get(stage.name, 0) for stage in walk((target,)))
    return opened - float(records.arrival[0]), reached


def _probe(plan: Plan, target: str, dead: str) -> Plan:
    """Return the plan with one stage, and those inside it, dead from the start."""

    def changed(stages: tuple[StagePlan, ...], inside: bool) -> tuple[StagePlan, ...]:
        return tuple(
            replace(
                stage,
                faults=(DEAD[dead],) if inside or stage.name == target else (),
                stages=changed(stage.stages, inside or stage.name == target),
            )
            for stage in stages
        )

    return replace(
        plan,
        warmup=0.0,
        drain=0.0,
        arrivals=Gaps(Distribution("constant", (plan.mean_gap,))),
        stages=changed(plan.stages, inside=False),
        observed=(),
    )
