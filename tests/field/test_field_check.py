"""What `check` says of the services of this folder."""

import time
from collections.abc import Callable

import pytest

from cascadesim.scenario.load import Scenario, loads
from cascadesim.studies.check import Check, check
from cascadesim.studies.openings import Opening
from cascadesim.studies.run import run
from cascadesim.values.outcome import Outcome
from cascadesim.views.check import page
from cascadesim.views.terminal import text

Field = Callable[..., Scenario]


def openings(found: Check) -> dict[str, Opening]:
    return {one.dead: one for one in found.openings}


def printed(found: Check) -> str:
    return " ".join(text(page(found), 80).split())


def test_the_one_client_waits_in_the_dead_call(field: Field) -> None:
    scenario = field("check-closed-load")
    found = openings(check(scenario))
    # It fails for 30 s three times, with a second to think in between.
    assert (found["silent"].after, found["silent"].reached) == (pytest.approx(3 * 30 + 2), 3)
    assert (found["refuses"].after, found["refuses"].reached) == (pytest.approx(2), 3)
    assert run(scenario).records.transitions[0].at == pytest.approx(1 + 92)


def test_three_failures_in_62_s_do_not_fill_a_window_of_60_s(field: Field) -> None:
    scenario = field("check-closed-load-window")
    found = check(scenario)
    assert openings(found)["silent"].never == "2 calls in 60.00 s, a minimum of 3"
    assert openings(found)["refuses"].after == pytest.approx(2)
    assert "never opens on a dependency that is silent: 2 calls in 60.00 s" in printed(found)
    assert not run(scenario).records.transitions


def test_a_client_in_a_hurry_costs_no_more_to_check() -> None:
    hurry = """
name: hurry
horizon: 10min
workload: {closed: {clients: 1, think: {constant: 1ms}}}
stages:
  dep:
    work: {constant: 1ms}
    policies:
      - breaker: {recovery_timeout: 60s, window: {time: 3min, minimum: 3, failure_rate: 100%}}
      - deadline: {timeout: 180s}
"""
    begin = time.process_time()
    found = openings(check(loads(hurry)))
    assert time.process_time() - begin < 2
    assert found["silent"].never == "1 call in 180.00 s, a minimum of 3"
    assert found["refuses"].after == pytest.approx(0.002)


def test_too_few_calls_for_a_minimum_never_open_a_breaker(field: Field) -> None:
    found = check(field("breaker-that-never-opens"))
    assert openings(found)["refuses"].never == "1 call in 30.00 s, a minimum of 100"
    (warning,) = found.contradictions
    assert warning.code == "C05"
    assert "it needs 100 calls in 30.00 s, and no more than 1 come" in warning.problem


def test_a_bulkhead_bounds_the_queue_inside(field: Field) -> None:
    scenario = field("bulkhead-bounds-the-queue")
    # 25 are let in, 5 of them work and 20 wait: four rounds of 100 ms, and their own.
    assert check(scenario).worst_case.total == pytest.approx(0.5)
    assert run(scenario).records.latency.max() == pytest.approx(0.5)


def test_a_retry_counts_only_attempts_that_can_begin(field: Field) -> None:
    scenario = field("retry-that-never-begins")
    found = check(scenario)
    assert [(cost.load, cost.sustained) for cost in found.retries] == [(1, 1)]
    assert [one.code for one in found.contradictions] == ["R01"]
    records = run(scenario).records
    assert records.calls["svc"] == len(records.arrival)


def test_a_second_is_not_1e3_ms(field: Field) -> None:
    assert "1.00 s" in printed(check(field("check-rounds-to-1e3")))


def test_waits_that_stay_the_same_are_named_once(field: Field) -> None:
    assert "0.5, 1, 2, 4, then 5 s x1000" in printed(check(field("long-retry")))


@pytest.mark.parametrize(
    ("name", "code", "settings"),
    [
        ("deadline-below-work", "T04", "a.deadline.timeout a.work"),
        ("load-above-capacity", "T05", "workload a.concurrency"),
        ("lifetime-below-work", "P05", "a.session.lifetime a.work"),
        ("leaks-above-max-connections", "P06", "a.session.leak a.pool.max_connections"),
        ("handshake-timeout-below-login", "W04", "WS.handshake.timeout login.work"),
        ("idle-timeout-below-messages", "W05", "WS.idle_timeout WS.messages"),
        ("idle-timeout-below-work", "W06", "WS.idle_timeout a.work"),
        ("reply-timeout-below-work", "W07", "WS.reply_timeout a.work"),
        ("", "P04", "db.pool.max_overflow db.pool.max_connections"),
    ],
)
def test_settings_that_contradict_each_other(
    field: Field, name: str, code: str, settings: str
) -> None:
    found = check(field(f"contradiction-{name}" if name else "pool-above-max-connections"))
    named = tuple(settings.replace("WS", "workload.connections").split())
    assert (code, named) in {(one.code, one.settings) for one in found.contradictions}


@pytest.mark.parametrize("name", ["deadline-below-work", "lifetime-below-work"])
def test_no_call_is_answered_where_check_says_so(field: Field, name: str) -> None:
    records = run(field(f"contradiction-{name}")).records
    assert not (records.outcome == Outcome.OK).any()


@pytest.mark.slow
def test_siblings_that_hold_each_other_open(field: Field) -> None:
    with_failures = {"planner.breaker.preset": "purgatory", "writer.breaker.preset": "purgatory"}
    found = check(field("siblings-lock-each-other-out").override(with_failures))
    locked = [one for one in found.contradictions if one.code == "C06"]
    assert [one.settings for one in locked] == [
        ("planner.breaker.recovery_timeout", "writer.breaker.recovery_timeout")
    ]
