"""What `check` says before a run, held against runs of drawn scenarios."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, examples, plan_of
from policy_strategies import Draw, errors, library_breakers, maybe, merged, ms, own_breakers
from strategies import scenarios, with_load

from cascadesim.analysis.bounds import longest_bound
from cascadesim.analysis.contradictions import contradictions, retry_costs
from cascadesim.engine import simulate
from cascadesim.plan.arrivals import Closed, Gaps
from cascadesim.plan.plan import Plan
from cascadesim.plan.stage import walk
from cascadesim.randomness import Distribution
from cascadesim.studies.openings import Opening, openings_of
from cascadesim.values.outcome import Outcome

DEAD: dict[str, Data] = {"refuses": {"outage": {}}, "silent": {"hang": {}}}


def constant(low: int, high: int) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries({"constant": ms(low, high)})


@st.composite
def steady_stages(draw: Draw, names: list[str], depth: int = 0) -> Data:
    """Draw a stage in which nothing is drawn; its name and those inside are put into `names`."""
    name = f"stage-{len(names)}"
    names.append(name)
    stage: Data = {"work": draw(constant(0, 397))}
    if depth < 2 and draw(st.integers(0, 2)) == 0:
        inside = [draw(steady_stages(names, depth + 1)) for _ in range(draw(st.integers(1, 2)))]
        stage["stages"] = {key: one for part in inside for key, one in part.items()}
        stage |= {"parallel": True} if len(inside) > 1 and draw(st.booleans()) else {}
        stage = stage if draw(st.booleans()) else {k: v for k, v in stage.items() if k != "work"}
    if "work" in stage:
        stage |= draw(maybe("tracker", st.fixed_dictionaries({"timeout": ms(101, 3989)})))
    retry = merged(
        st.fixed_dictionaries({"attempts": st.integers(1, 4), "base": ms(0, 503)}),
        maybe("outcomes", errors),
    )
    deadline = merged(
        st.fixed_dictionaries({"timeout": ms(23, 2999)}),
        maybe("on_timeout", st.sampled_from(["cancel", "abandon"])),
    )
    fallback = merged(maybe("work", constant(0, 101)), maybe("outcomes", errors))
    breaker = merged(st.one_of(own_breakers(), library_breakers()), maybe("outcomes", errors))
    kinds = {"retry": retry, "deadline": deadline, "fallback": fallback, "breaker": breaker}
    some = st.sampled_from(["retry", "deadline", "breaker", "breaker", "fallback"])
    chosen = draw(st.lists(some, max_size=3, unique=True))
    stage["policies"] = [{kind: draw(kinds[kind])} for kind in chosen]
    return {name: stage}


@st.composite
def steady(draw: Draw) -> Data:
    """Draw a scenario in which nothing is drawn, with an open or a closed load."""
    names: list[str] = []
    stages: Data = {}
    for _ in range(draw(st.integers(1, 2))):
        stages |= draw(steady_stages(names))
    rate = {"arrivals": {"constant": {"rate": f"{draw(st.integers(1, 12))}/s"}}}
    clients = {"clients": draw(st.integers(1, 4)), "think": {"constant": draw(ms(7, 2503))}}
    workload = draw(st.sampled_from([rate, {"closed": clients}]))
    return {"name": "steady", "horizon": "60s", "workload": workload, "stages": stages}


def with_work(plan: Plan, name: str) -> list[str]:
    (target,) = [stage for stage in plan.walk() if stage.name == name]
    return [stage.name for stage in walk((target,)) if stage.work is not None]


def opened(plan: Plan, breaker: str) -> tuple[float | None, Any]:
    records = simulate(plan, seed=1)
    instants = [change.at for change in records.transitions if change.breaker == breaker]
    return (instants[0] if instants else None), records


def evenly(plan: Plan) -> Plan:
    """Return the plan with its open load at its mean rate alone, which `check` speaks of."""
    if isinstance(plan.arrivals, Closed) or plan.connections is not None:
        return plan
    return replace(plan, arrivals=Gaps(Distribution("constant", (plan.mean_gap,))), observed=())


def check_opening(data: Data, opening: Opening) -> None:
    """Let a dependency be dead in a run, and hold what was said of it against that."""
    stage = opening.breaker.rpartition(".")[0]
    dead = with_work(plan_of(data), stage)
    fault = {"on": dead, "from": "0s", "for": "100h"} | DEAD[opening.dead]
    at, records = opened(evenly(plan_of(data | {"faults": [fault]})), opening.breaker)
    if opening.never:
        assert at is None
    elif opening.after is not None and records.arrival[0] + opening.after < 59.99:
        assert at == pytest.approx(records.arrival[0] + opening.after)
        cut = data | {"faults": [fault], "horizon": f"{math.nextafter(at, math.inf)!r}s"}
        _, until = opened(plan_of(cut), opening.breaker)
        reached = sum(until.calls[name] for name in dead)
        # At that very instant a rounding may decide who is before the other.
        tied = (
            np.isclose(records.arrival + records.latency, at).sum()
            + np.isclose(records.arrival, at).sum()
        )
        assert abs(reached - (opening.reached or 0)) <= 4 * tied
    elif opening.after is not None:
        assert at is None or at > 59


@examples(30)
@given(steady())
def test_breakers_open_in_a_run_when_they_are_said_to(data: Data) -> None:
    for opening in openings_of(plan_of(data), 1, lambda _: None):
        check_opening(data, opening)


@examples(8)
@given(scenarios(), st.none() | st.integers(1, 4))
def test_breakers_that_never_open_do_not_in_any_scenario(data: Data, clients: int | None) -> None:
    if clients is not None:
        data = with_load(data, {"closed": {"clients": clients, "think": {"constant": "300ms"}}})
    for opening in openings_of(plan_of(data), 1, lambda _: None):
        if opening.never:
            check_opening(data, opening)


@examples(30)
@given(scenarios())
def test_what_is_said_to_be_never_answered_is_not(data: Data) -> None:
    plan = plan_of(data | {"observations": []})
    found = contradictions(plan, limit=None)
    silenced = {one.settings[0] for one in found if one.code == "T04"}
    never = {one.settings[0].removesuffix(".window.minimum") for one in found if one.code == "C05"}
    records = simulate(plan, seed=1)
    assert not never & {change.breaker for change in records.transitions}
    for stage in () if plan.classes else plan.stages:
        paths = [path for path, policy in stage.paths if policy.cut(path) or policy.answers_errors]
        if paths and f"{paths[0]}.timeout" in silenced:
            assert not (records.outcome == Outcome.OK).any()


@examples(30)
@given(scenarios(bounded=True), st.integers(1, 6))
def test_no_latency_of_clients_that_wait_exceeds_the_worst_case(data: Data, clients: int) -> None:
    closed = {"closed": {"clients": clients, "think": {"exponential": {"mean": "200ms"}}}}
    plan = plan_of(with_load(data, closed))
    worst = longest_bound(plan).total
    assert simulate(plan, seed=1).latency.max(initial=0.0) <= worst * (1 + 1e-9) + 1e-9


@examples(30)
@given(scenarios(), st.sampled_from(sorted(DEAD)))
def test_no_stage_is_called_more_often_than_it_is_said_to_be(data: Data, dead: str) -> None:
    plan = plan_of(data)
    names = [stage.name for stage in plan.walk() if stage.work is not None]
    fault = {"on": names, "from": "0s", "for": "100h"} | DEAD[dead]
    records = simulate(plan_of(data | {"faults": [fault]}), seed=1)
    loads = {cost.stage: cost.load for cost in retry_costs(plan)}
    for stage in plan.stages:
        if stage.work is not None and stage.name in loads:
            assert records.calls[stage.name] <= loads[stage.name] * len(records.arrival)
