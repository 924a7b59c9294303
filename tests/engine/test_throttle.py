"""Client-side throttling, by the formula of the book and by hand."""

import json
from typing import Any

import numpy as np
import pytest
from kit import OK, REJECTED, Data, ended_by, ends, fault, plan_of, run, scenario, simulated, stage

from cascadesim.engine import simulate
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.scenario.load import loads
from cascadesim.studies.check import check
from cascadesim.studies.openings import openings_of
from cascadesim.values.errors import ScenarioError


def throttle(**settings: Any) -> Data:
    return {"throttle": settings}


def refusing(*policies: Data, **rest: Any) -> Data:
    """Return a stage of which every call fails, behind policies."""
    return stage("0s", *policies, failure_rate="100%", **rest)


def test_who_is_always_accepted_is_never_refused() -> None:
    outcomes = [outcome for _, outcome in ends(simulated(stage("0s", throttle()), 50))]
    assert outcomes == [OK] * 50


def test_each_call_is_refused_with_the_probability_of_the_book() -> None:
    # None is accepted: after n calls the next is refused with probability n / (n + 1).
    records = simulated(refusing(throttle(outcomes=["failed"])), 60)
    draws = Stream(1, 0, "a.throttle.refusal", UNIFORM)
    refused = [draws.at(n) < n / (n + 1) for n in range(60)]
    assert [outcome == REJECTED for _, outcome in ends(records)] == refused
    assert 0 < sum(refused) < 60
    assert ended_by(records, refused.index(True)) == "a.throttle.multiplier"


def test_only_outcomes_that_are_named_are_no_acceptance() -> None:
    records = simulated(refusing(throttle(outcomes=["rejected"])), 40)  # calls fail
    assert REJECTED not in {outcome for _, outcome in ends(records)}


def test_in_the_long_run_it_sends_as_many_calls_as_the_multiplier_says() -> None:
    """A backend that accepts a tenth of 20/s gets K times what it accepts: 2 K a second."""
    for multiplier in (2, 4):
        backend: Data = {"rate_limit": {"rate": "2/s", "burst": 20}}
        load: Data = {"workload": {"arrivals": {"constant": {"rate": "20/s"}}}}
        policies = (throttle(multiplier=multiplier, window="60s"), backend)
        plan = plan_of(scenario(stage("0s", *policies), **load) | {"horizon": "1000s"})
        records = simulate(plan, 1)
        later = records.arrival > 200
        ends_by = np.array(records.ends)[records.ended_by[later]]
        refused = (records.outcome[later] > 1) & (ends_by == "a.throttle.multiplier")
        sent = (later.sum() - refused.sum()) / 800
        assert sent == pytest.approx(2 * multiplier, rel=0.1)


def test_calls_are_forgotten_after_the_window() -> None:
    outage = fault("0s", "20500ms", "a", error_rate={"share": "100%"})
    stages = stage("0s", throttle(outcomes=["failed"], window="10s"))
    records = run(scenario(stages, 60, faults=[outage]))
    outcomes = [outcome for _, outcome in ends(records)]
    assert REJECTED in outcomes[:20]
    assert set(outcomes[-20:]) == {OK}  # refused calls of the outage count no longer


def test_a_call_that_its_caller_cancels_was_not_accepted() -> None:
    records = simulated(stage("10s", {"deadline": {"timeout": "100ms"}}, throttle()), 40)
    assert REJECTED in {outcome for _, outcome in ends(records)}


def test_check_bounds_it_by_what_is_inside() -> None:
    text = json.dumps(scenario(stage("3s", throttle())))
    assert check(loads(text)).worst_case.total == 3.0


@pytest.mark.parametrize("settings", [{"multiplier": 0.5}, {"window": "0s"}, {"outcomes": []}])
def test_settings_without_sense_are_refused(settings: Data) -> None:
    with pytest.raises(ScenarioError, match=r"throttle\."):
        loads(json.dumps(scenario(stage("1s", throttle(**settings)))))


def test_a_breaker_opens_by_the_refusals_while_nothing_answers() -> None:
    """Calls that hang are never accepted, so that the throttle soon refuses one."""
    breaker = {"breaker": {"failure_threshold": 1, "recovery_timeout": "10s"}}
    data = scenario(stage("1s", breaker, throttle()))
    (silent,) = [
        one for one in openings_of(plan_of(data), 1, lambda _: None) if one.dead == "silent"
    ]
    assert (silent.never, silent.after is not None) == ("", True)
