"""The known shapes of timeout cascades come out of the dynamics, and so does what helps."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import cascadesim
from cascadesim.scenario.compile import compile_plan
from cascadesim.studies.run import Result

SECOND, THIRD = (pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))
TWO, SEEDS = (1, SECOND), (1, SECOND, THIRD)


def simulated(name: str, variant: str, seed: int, **settings: Any) -> Result:
    scenario = cascadesim.load(ROOT / "scenarios" / name).at(variant)
    return cascadesim.run(scenario.override(settings), seed)


def answered(frame: pd.DataFrame, start: float, end: float = np.inf) -> float:
    """Return the share of the requests that arrived meanwhile and were answered, not degraded."""
    arrived = frame[(frame.arrival_s >= start) & (frame.arrival_s < end)]
    assert len(arrived) > 50
    return float((arrived.outcome == "ok").mean())


# Metastable failure: the trigger a minute after the start, half a minute long.
TRIGGER = {"on": "database", "from": "1min", "for": "30s", "latency": {"multiply": 10}}


@cache
def metastable(variant: str, seed: int, load: str = "7/s") -> pd.DataFrame:
    faults = [] if variant == "no-trigger" else [TRIGGER]
    settings = {"horizon": "5min", "faults": faults, "workload.arrivals.poisson.rate": load}
    return simulated("metastable-failure", variant, seed, **settings).frame


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_requests_are_answered_without_the_trigger_and_not_long_after_it(
    seed: int,
) -> None:
    collapsed, healthy = metastable("retries", seed), metastable("no-trigger", seed)
    assert np.array_equal(collapsed.arrival_s, healthy.arrival_s)
    assert answered(collapsed, 10, 60) > 0.99
    assert answered(collapsed, 180) < 0.2
    assert answered(healthy, 10) > 0.99


@pytest.mark.parametrize("variant", ["no-retries", "breaker", "cancel", "lifo", "short-queue"])
@pytest.mark.parametrize("seed", TWO)
def test_the_metastable_failure_ends_where_dead_work_is_not_made_or_not_served(
    variant: str, seed: int
) -> None:
    assert answered(metastable(variant, seed), 240) > 0.95


def test_a_budget_takes_longer_than_no_retries_and_ends_it_too() -> None:
    shares = [answered(metastable(name, 1), 120, 210) for name in ("retries", "budget")]
    assert shares[0] == 0
    assert shares[1] < answered(metastable("no-retries", 1), 120, 210)
    assert answered(metastable("budget", 1), 270) > 0.9


@pytest.mark.parametrize("variant", ["two-attempts", "jitter", "long-queue"])
def test_what_leaves_the_attempts_above_capacity_does_not_end_it(variant: str) -> None:
    assert answered(metastable(variant, 1), 180) < 0.2


def test_it_ends_by_itself_where_all_attempts_are_within_capacity() -> None:
    scenario = cascadesim.load(ROOT / "scenarios" / "metastable-failure")
    (database,) = compile_plan(scenario.model).stages
    assert database.work is not None
    capacity = database.concurrency / database.work.mean / 3  # of requests of three attempts
    below, above = (f"{capacity * factor:.2f}/s" for factor in (0.75, 1.25))
    assert answered(metastable("retries", 1, below), 240) > 0.95
    assert answered(metastable("retries", 1, above), 240) < 0.2
    assert answered(metastable("no-trigger", 1, above), 10) > 0.99


# Retry storm: half of the queries fail from 30 to 60 s.
BROWNOUT = {"on": "database", "from": "30s", "for": "30s", "error_rate": {"share": "50%"}}


@cache
def storm(variant: str, seed: int) -> pd.DataFrame:
    settings = {"horizon": "90s", "warmup": "0s", "faults": [BROWNOUT]}
    return simulated("retry-storm", variant, seed, **settings).frame


@pytest.mark.parametrize("seed", SEEDS)
def test_retries_at_three_levels_answer_fewer_than_none_and_outlive_the_fault(seed: int) -> None:
    retried, alone = storm("three-levels", seed), storm("no-retries", seed)
    assert answered(retried, 0, 30) > 0.97
    assert answered(retried, 35, 60) < answered(alone, 35, 60) - 0.2
    assert answered(retried, 60) < 0.2
    assert answered(alone, 60) > 0.97
    assert 16 < retried.retries.max() + 1 <= 64  # more than two levels make, and no more than three


@pytest.mark.parametrize("variant", ["one-budget", "short-queue"])
@pytest.mark.parametrize("seed", TWO)
def test_few_retries_answer_more_than_none(variant: str, seed: int) -> None:
    frame = storm(variant, seed)
    assert answered(frame, 30, 60) > answered(storm("no-retries", seed), 30, 60) + 0.02
    assert answered(frame, 70) > 0.9


@pytest.mark.parametrize("variant", ["one-level", "jitter", "cancel"])
def test_jitter_fewer_levels_and_cancelling_do_not_end_the_storm(variant: str) -> None:
    assert answered(storm(variant, 1), 60) < 0.2


@pytest.mark.parametrize("seed", TWO)
def test_retries_mend_the_same_fault_where_there_is_room_for_them(seed: int) -> None:
    assert answered(storm("low-load", seed), 30, 60) > 0.95
    assert answered(storm("low-load-no-retries", seed), 30, 60) < 0.65


# Leaked sessions, from 1 to 8 min, which reapers have all ended five minutes later.
LEAK = {"on": "database", "from": "1min", "for": "7min", "pool_leak": {"share": "2%"}}


@cache
def leaking(variant: str, seed: int) -> pd.DataFrame:
    settings = {"horizon": "15min", "warmup": "0s", "faults": [LEAK]}
    return simulated("leaked-sessions", variant, seed, **settings).frame


@pytest.mark.parametrize("seed", TWO)
def test_the_pool_is_exhausted_where_a_lifetime_of_leaks_is_more_than_it_holds(seed: int) -> None:
    # 4/s of which 2% leak: by Little's law 24 connections at 300 s and 4.8 at 60 s, of 15.
    assert answered(leaking("lifetime-300s", seed), 240, 480) < 0.9
    assert answered(leaking("lifetime-300s", seed), 780) > 0.99
    assert answered(leaking("lifetime-60s", seed), 0) > 0.999
    assert answered(leaking("no-reaper", seed), 780) == 0


@pytest.mark.parametrize("seed", TWO)
def test_a_short_lifetime_ends_long_queries_and_nothing_else(seed: int) -> None:
    frame = leaking("lifetime-30s", seed)
    errors = frame[frame.outcome != "ok"]
    assert set(errors.ended_by) == {"database.session.lifetime"}
    assert errors.latency_s.between(30, 31).all()
    reports = leaking("lifetime-60s", seed)
    assert list(reports.index[reports.latency_s > 45]) == list(errors.index)


@pytest.mark.parametrize("variant", ["breaker", "pool-timeout"])
def test_no_policy_of_callers_gives_an_empty_pool_connections(variant: str) -> None:
    assert answered(leaking(variant, 1), 240, 480) < 0.9


# Thundering herd: the outage is over at 75 s.
OUTAGE = {"on": "backend", "from": "30s", "for": "45s", "outage": {}}


@cache
def herd(variant: str, seed: int, recovery: str | None = None) -> Result:
    settings: dict[str, Any] = {"horizon": "5min", "warmup": "0s"}
    settings["faults"] = [] if variant == "no-outage" else [OUTAGE]
    if recovery is not None:
        settings["backend.breaker.recovery_timeout"] = recovery
    return simulated("thundering-herd", variant, seed, **settings)


def opened_after(result: Result, start: float) -> int:
    return sum(t.state == "open" and t.at > start for t in result.records.transitions)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_herd_opens_the_breaker_again_and_again_after_the_outage(seed: int) -> None:
    herded = herd("wait", seed)
    assert answered(herded.frame, 0, 25) > 0.99
    assert answered(herded.frame, 150) < 0.5
    assert opened_after(herded, 150) >= 4
    assert not opened_after(herd("no-outage", seed), 0)


@pytest.mark.parametrize(
    "variant", ["valve", "all-trials", "short-recovery", "bulkhead", "reject", "reject-retry"]
)
@pytest.mark.parametrize("seed", TWO)
def test_the_backend_recovers_where_no_herd_counts_against_it(variant: str, seed: int) -> None:
    assert answered(herd(variant, seed).frame, 200) > 0.99


@pytest.mark.parametrize("variant", ["ten-trials", "window", "short-queue"])
def test_how_the_breaker_closes_and_opens_does_not_make_the_herd_smaller(variant: str) -> None:
    assert answered(herd(variant, 1).frame, 150) < 0.5


@pytest.mark.parametrize("seed", TWO)
def test_a_herd_that_is_worked_off_within_the_deadline_is_none(seed: int) -> None:
    # 10/s for 2 s are 20 calls, a second's work; the deadline is 2 s.
    small = herd("wait", seed, "2s")
    assert not opened_after(small, 78)
    assert answered(small.frame, 85) > 0.99


# Slow dependency, from 10 to 70 s.
SLOW = {"on": "recommendations", "from": "10s", "for": "1min", "latency": {"add": "10s"}}


@cache
def slow(variant: str, seed: int) -> pd.DataFrame:
    settings = {"horizon": "2min", "warmup": "0s", "faults": [SLOW]}
    return simulated("slow-dependency", variant, seed, **settings).frame


@pytest.mark.parametrize("seed", TWO)
def test_requests_wait_for_much_longer_than_the_dependency_takes(seed: int) -> None:
    frame = slow("no-timeout", seed)
    assert frame.latency_s.max() > 40  # and ten seconds of that are the dependency
    assert frame["web.queue_wait_s"].max() > 30
    # A deadline above ten seconds changes nothing.
    late = slow("deadline-30s", seed)
    assert np.array_equal(late.latency_s, frame.latency_s)


@pytest.mark.parametrize("variant", ["deadline", "bulkhead", "breaker", "short-queue"])
def test_an_end_to_waiting_is_an_error_without_a_fallback(variant: str) -> None:
    assert answered(slow(variant, 1), 20, 70) < 0.2


@pytest.mark.parametrize("seed", TWO)
def test_only_a_deadline_with_a_fallback_answers_all_in_time(seed: int) -> None:
    frame = slow("recommended", seed)
    assert frame.outcome.isin(["ok", "degraded"]).all()
    assert frame.latency_s.max() < 1
    assert slow("breaker-fallback", seed).latency_s.max() > 10  # slow calls count once they end
    assert answered(slow("recommended", seed), 85) > 0.99


@pytest.mark.parametrize("seed", TWO)
def test_stuck_calls_leave_as_few_threads_as_the_book_computes(seed: int) -> None:
    # "Addressing Cascading Failures": 1000 threads of 5000 + 95 are an error rate of 80.4%.
    frame = simulated("slow-dependency", "bimodal-100s", seed, horizon="20min").frame
    refused = (frame.outcome[frame.arrival_s > 60] == "shed").mean()
    assert refused == pytest.approx(1 - 1000 / 5095, abs=0.02)


# Cold start: the restart is over at 30 s, and the caches are warm at 150 s.
RESTART = {"on": "catalogue", "from": "10s", "for": "20s", "restart": {}}
COLD = {"on": "catalogue", "from": "30s", "for": "2min", "cold_start": {"multiply": 5}}


@cache
def cold(variant: str, seed: int) -> pd.DataFrame:
    faults = [RESTART] if variant == "warm" else [RESTART, COLD]
    settings = {"horizon": "210s", "warmup": "0s", "faults": faults}
    return simulated("cold-start", variant, seed, **settings).frame


@pytest.mark.parametrize("seed", TWO)
def test_cold_caches_and_not_the_restart_are_the_outage(seed: int) -> None:
    assert answered(cold("cold", seed), 35, 150) < 0.05
    assert answered(cold("warm", seed), 35, 150) > 0.9
    assert answered(cold("fivefold", seed), 35, 150) > 0.9
    assert answered(cold("cold", seed), 195) > 0.95


@pytest.mark.parametrize("variant", ["cancel", "lifo", "short-queue"])
@pytest.mark.parametrize("seed", TWO)
def test_a_queue_without_dead_work_answers_what_cold_capacity_allows(
    variant: str, seed: int
) -> None:
    assert 0.5 < answered(cold(variant, seed), 35, 150) < 0.9


@pytest.mark.parametrize("seed", TWO)
def test_retries_keep_a_warm_service_down_unless_its_queue_is_short(seed: int) -> None:
    assert answered(cold("retries", seed), 170) < 0.05
    assert answered(cold("retries-short-queue", seed), 170) > 0.95
