"""Check: what the settings of a scenario amount to, before anything goes wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.bounds import Bound, worst_case
from cascadesim.analysis.contradictions import (
    Contradiction,
    RetryCost,
    contradictions,
    retry_costs,
    stages_within,
)
from cascadesim.compile import compile_plan
from cascadesim.engine import simulate
from cascadesim.model.breaker import BreakerPlan
from cascadesim.model.faults import FaultPlan
from cascadesim.randomness import Distribution

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.model.stage import StagePlan
    from cascadesim.plan import Plan
    from cascadesim.scenario.load import Scenario

_MOST_REQUESTS = 20_000  # a breaker that is still closed after so many is taken to stay closed
DEAD = {"refuses": "outage", "silent": "partition"}  # how a dependency can be dead, as a fault


@dataclass(frozen=True, slots=True)
class Opening:
    """How a breaker meets a dependency that is dead from the start.

    `dead` says how: it "refuses" calls at once or is "silent". `after` is the seconds until the
    breaker opens, at the mean arrival rate, and `reached` the calls that get through to the
    dependency by then; both are None where it never opens.
    """

    breaker: str
    failing_calls: int
    dead: str
    after: float | None
    reached: int | None


@dataclass(frozen=True)
class Check:
    """What `check` found for one variant of a scenario."""

    scenario: Scenario
    openings: list[Opening]
    retries: list[RetryCost]
    bounds: dict[str, Bound]
    contradictions: list[Contradiction]

    @property
    def worst_case(self) -> Bound:
        """Return the worst-case latency of a request, over all the stages that it passes."""
        return sum(self.bounds.values(), Bound())

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data; null stands for "never" and "unbounded"."""
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
                {"settings": list(c.settings), "problem": c.problem} for c in self.contradictions
            ],
        }


def _plain(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def check(scenario: Scenario, progress: Callable[[float], None] | None = None) -> Check:
    """Return what the settings of a scenario amount to.

    `progress` is called with the share that is done.
    """
    plan = compile_plan(scenario.model)
    limit = next((o.bound for o in scenario.objectives if o.is_latency), None)
    return Check(
        scenario,
        _openings(plan, scenario.model.seed, progress or (lambda _: None)),
        retry_costs(plan),
        worst_case(plan),
        contradictions(plan, limit),
    )


def _openings(plan: Plan, seed: int, progress: Callable[[float], None]) -> list[Opening]:
    probes = [
        (stage, path, policy, dead)
        for stage, around in stages_within(plan)
        for path, policy in around
        if isinstance(policy, BreakerPlan) and path.startswith(f"{stage.name}.")
        for dead in DEAD
    ]
    openings = []
    for i, (stage, path, policy, dead) in enumerate(probes):
        probed = _probe(plan, stage.name, dead)
        after, reached = _first_opening(probed, seed, path, stage)
        openings.append(Opening(path, policy.failure_threshold, dead, after, reached))
        progress((i + 1) / len(probes))
    return openings


def _probe(plan: Plan, target: str, dead: str) -> Plan:
    """Return the plan with one stage, and those inside it, dead from the start."""

    def changed(stages: tuple[StagePlan, ...], inside: bool) -> tuple[StagePlan, ...]:
        return tuple(
            replace(
                stage,
                faults=(FaultPlan(DEAD[dead], 0.0, math.inf),)
                if inside or stage.name == target
                else (),
                stages=changed(stage.stages, inside or stage.name == target),
            )
            for stage in stages
        )

    return replace(
        plan,
        warmup=0.0,
        gaps=Distribution("constant", (plan.gaps.mean,)),
        stages=changed(plan.stages, inside=False),
        observed=(),
    )


def _first_opening(
    plan: Plan, seed: int, breaker: str, stage: StagePlan
) -> tuple[float | None, int | None]:
    names = [inner.name for inner in replace(plan, stages=(stage,)).walk()]
    requests = 100
    while requests <= _MOST_REQUESTS:
        records = simulate(replace(plan, horizon=requests * plan.gaps.mean), seed)
        for transition in records.transitions:
            if transition.breaker == breaker:
                # The same run again up to that instant, and no further.
                horizon = math.nextafter(transition.at, math.inf)
                records = simulate(replace(plan, horizon=horizon), seed)
                first = float(records.arrival[0])
                return transition.at - first, sum(records.calls.get(name, 0) for name in names)
        requests *= 5
    return None, None
