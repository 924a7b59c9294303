"""What breakers make of calls that are cancelled, and what presets take and stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cascadesim.analysis.contradictions import contradictions
from cascadesim.engine import simulate
from cascadesim.records import Records
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario
from cascadesim.values.outcome import Outcome

Field = Callable[..., Scenario]


def records(scenario: Scenario, changes: dict[str, Any] | None = None) -> Records:
    changed = scenario.override(changes) if changes else scenario
    return simulate(compile_plan(changed.model), seed=1)


def count(records: Records, outcome: Outcome) -> int:
    return int(np.count_nonzero(records.outcome == outcome))


@pytest.mark.parametrize(
    ("cancelled", "rejects"), [(None, False), ("success", False), ("failure", True)]
)
def test_the_losers_of_a_hedge_open_no_breaker_of_a_service_that_never_fails(
    field: Field, cancelled: str | None, rejects: bool
) -> None:
    changes = {"svc.breaker.cancelled": cancelled} if cancelled else None
    rejected = count(records(field("hedge-opens-a-healthy-breaker"), changes), Outcome.REJECTED)
    # As a failure 10 % of the calls, which take 500 ms, reach the rate of 5 % again and again.
    assert rejected > 3_000 if rejects else rejected == 0


@pytest.mark.slow
def test_siblings_recover_where_a_cancelled_call_counts_nowhere(field: Field) -> None:
    # The writer is down from 180 to 240 s, and its breaker open until its first trial after that.
    result = records(field("siblings-lock-each-other-out"))
    assert {change.breaker for change in result.transitions} == {"writer.breaker"}
    last = result.transitions[-1]
    assert (last.state, last.at < 240 + 30 + 5) == ("closed", True)
    rejected = result.arrival[result.outcome == Outcome.REJECTED]
    assert rejected.min() > 180
    assert rejected.max() < last.at
    assert rejected.max() - rejected.min() < 60 + 30 + 5


@pytest.mark.slow
def test_siblings_lock_each_other_out_where_it_counts_as_a_failure(field: Field) -> None:
    changes = {f"{stage}.breaker.cancelled": "failure" for stage in ("planner", "writer")}
    result = records(field("siblings-lock-each-other-out"), changes)
    late = result.outcome[result.arrival > 1000]  # a quarter of an hour after the writer is well
    assert count(result, Outcome.REJECTED) == 61_337
    assert np.mean(late == Outcome.REJECTED) > 0.95


def test_a_minimum_above_its_window_is_the_window(field: Field) -> None:
    # A call fails every second from 1 s on; the window of 5 is full at the fifth.
    result = records(field("window-below-its-minimum"))
    assert [(change.at, change.state) for change in result.transitions][:1] == [(5.0, "open")]


def test_an_only_host_of_envoy_is_never_ejected(field: Field) -> None:
    scenario = field("envoy-only-host")
    result = records(scenario)
    assert count(result, Outcome.FAILED) == len(result.outcome) == 99
    assert list(result.transitions) == []
    (warning,) = contradictions(compile_plan(scenario.model), None)
    assert warning.rule.name == "only-host-never-ejected"
    ejected = {"svc.breaker.max_ejection": "100%", "svc.breaker.panic_threshold": "0%"}
    first = records(scenario, ejected).transitions[0]
    assert (first.at, first.state) == (5.0, "open")
    assert contradictions(compile_plan(scenario.override(ejected).model), None) == []
