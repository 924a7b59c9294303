"""Check: what the settings of a scenario amount to, before anything goes wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.bounds import path_bounds, worst_case
from cascadesim.analysis.contradictions import RetryCost, contradictions, retry_costs
from cascadesim.analysis.summary import class_limits, latency_limit
from cascadesim.scenario.compile import compile_plan
from cascadesim.studies.openings import openings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.openings import Opening
    from cascadesim.values.bound import Bound
    from cascadesim.values.rules import Contradiction


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
                    "never": bool(o.never),
                    "never_because": o.never or None,
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
        openings_of(plan, scenario.model.seed, progress or (lambda _: None)),
        retry_costs(plan),
        worst_case(plan),
        path_bounds(plan),
        contradictions(plan, latency_limit(objectives), class_limits(objectives)),
    )
