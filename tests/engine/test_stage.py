"""Every option of the schema does what it says, by latencies computed by hand.

Arrivals are constant: one a second at t = 1, 2, 3 … unless a test says otherwise; work is constant.
"""

import gc
from typing import Any

import numpy as np
import pytest
from kit import (
    ALWAYS,
    DEGRADED,
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    UNFINISHED,
    Data,
    changes,
    ends,
    fault,
    plan_of,
    run,
    scenario,
    simulated,
    spent,
    stage,
)
from scipy import stats

from cascadesim.engine import simulate
from cascadesim.engine.simpy.senders import OBSERVED
from cascadesim.plan.outcome import Outcome
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import Records
from cascadesim.scenario.compile import distribution
from cascadesim.values.distributions import Work

# Workload -----------------------------------------------------------------------------------


def test_constant_arrivals_are_equally_far_apart() -> None:
    data = scenario(stage(), workload={"arrivals": {"constant": {"rate": "4/s"}}})
    assert run(data).arrival.tolist() == [0.25, 0.5, 0.75, 1.0, 1.25]


def test_poisson_arrivals_have_exponential_gaps() -> None:
    data = scenario(stage("0s"), 1000, workload={"arrivals": {"poisson": {"rate": "5/s"}}})
    gaps = np.diff(run(data).arrival)
    assert stats.kstest(gaps, stats.expon(scale=0.2).cdf).pvalue > 0.01


def test_seed_and_replication_change_the_world() -> None:
    data = scenario(stage(), 9, workload={"arrivals": {"poisson": {"rate": "5/s"}}})
    firsts = [run(data, 1), run(data, 2), run(data, 1, replication=1)]
    assert len({float(records.arrival[0]) for records in firsts}) == 3


def test_what_is_under_way_at_the_end_is_unfinished() -> None:
    assert ends(simulated(stage("5s"), drain="0s")) == [(0.5, UNFINISHED)]
    assert ends(simulated(stage("5s"), drain="2s")) == [(2.5, UNFINISHED)]
    assert ends(simulated(stage("5s"), drain="5s")) == [(5.0, OK)]


def test_what_ends_at_the_very_end_is_unfinished() -> None:
    assert ends(simulated(stage("500ms"), drain="0s")) == [(0.5, UNFINISHED)]
    assert ends(simulated(stage("499ms"), drain="0s")) == [(0.499, OK)]


def test_requests_of_the_warm_up_are_not_measured() -> None:
    assert simulated(stage(), 4, warmup="2s").measured.tolist() == [False, True, True, True]


# Work and stages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "law"),
    [
        ({"exponential": {"mean": "200ms"}}, stats.expon(scale=0.2)),
        ({"uniform": {"low": "1s", "high": "3s"}}, stats.uniform(1, 2)),
        ({"lognormal": {"median": "50ms", "sigma": 0.5}}, stats.lognorm(0.5, scale=0.05)),
    ],
)
def test_work_follows_its_distribution(work: Data, law: Any) -> None:
    latency = simulated({"a": {"work": work}}, 1000).latency
    assert stats.kstest(latency, law.cdf).pvalue > 0.01


@pytest.mark.parametrize("spread", ["p90", "p95", "p99"])
def test_a_lognormal_has_the_percentiles_it_is_given_by(spread: str) -> None:
    given = Work.model_validate({"lognormal": {"median": "250ms", spread: "900ms"}})
    mu, sigma = distribution(given).parameters
    law = stats.lognorm(sigma, scale=np.exp(mu))
    assert law.ppf([0.5, int(spread[1:]) / 100]) == pytest.approx([0.25, 0.9])


def test_the_work_of_an_agent_is_agent_execution() -> None:
    assert spent(simulated(stage("2s"))) == {"a.service_work": 2.0}
    assert spent(simulated(stage("2s", kind="agent"))) == {"a.agent_execution": 2.0}


def test_stages_are_passed_in_order_and_inner_ones_after_the_outer_work() -> None:
    inner = {"b": {"work": {"constant": "2s"}}, "c": {"work": {"constant": "4s"}}}
    records = simulated(stage("1s", stages=inner) | {"d": {"work": {"constant": "8s"}}})
    assert ends(records) == [(15.0, OK)]
    names = ("a", "b", "c", "d")
    assert spent(records) == {f"{name}.service_work": 2.0**i for i, name in enumerate(names)}


def test_an_inner_stage_is_called_when_the_outer_work_is_done() -> None:
    stages = stage("1s", stages={"b": {"work": {"constant": "2s"}}})
    for start, end in (("1900ms", (1.0, FAILED)), ("1s", (3.0, OK))):
        faults = [fault(start, "200ms", on="b", outage={})]
        assert ends(simulated(stages, faults=faults)) == [end]


def test_an_error_skips_the_stages_after_it() -> None:
    records = simulated(stage("1s", **ALWAYS) | {"b": {"work": {"constant": "2s"}}})
    assert ends(records) == [(1.0, FAILED)]
    assert records.calls == {"a": 1, "b": 0}


def test_a_call_fails_after_its_work_at_the_failure_rate() -> None:
    assert ends(simulated(stage("1s", **ALWAYS))) == [(1.0, FAILED)]
    failed = simulated(stage("1s", failure_rate="30%"), 1000).outcome == Outcome.FAILED
    assert stats.binomtest(int(failed.sum()), 1000, 0.3).pvalue > 0.01


def test_concurrency_makes_calls_queue() -> None:
    records = simulated(stage("1500ms", concurrency=1), 3)
    assert ends(records) == [(1.5, OK), (2.0, OK), (2.5, OK)]
    assert spent(records, 2) == {"a.queue_wait": 1.0, "a.service_work": 1.5}
    assert ends(simulated(stage("1500ms", concurrency=2), 3)) == [(1.5, OK)] * 3


def test_an_outer_stage_is_busy_while_the_stages_inside_work() -> None:
    inner = {"b": {"work": {"constant": "1500ms"}}}
    records = simulated(stage("0s", concurrency=1, stages=inner), 2)
    assert ends(records) == [(1.5, OK), (2.0, OK)]


@pytest.mark.parametrize(
    ("limit", "last"), [(0, (0.0, REJECTED)), (1, (0.0, REJECTED)), (2, (28.0, OK))]
)
def test_a_full_queue_rejects(limit: int, last: tuple[float, str]) -> None:
    assert ends(simulated(stage("10s", concurrency=1, queue_limit=limit), 3))[-1] == last


def test_callers_wait_for_a_start_up_as_long_as_they_have_patience() -> None:
    faults = [fault("0s", "5s", restart={})]
    patient = simulated(stage("1s", startup={"timeout": "4s"}), faults=faults)
    assert ends(patient) == [(5.0, OK)]
    assert spent(patient) == {"a.startup_wait": 4.0, "a.service_work": 1.0}
    hasty = simulated(stage("1s", startup={"timeout": "3s"}), faults=faults)
    assert ends(hasty) == [(3.0, TIMED_OUT)]
    assert ends(simulated(stage("1s"), faults=faults)) == [(0.0, FAILED)]


def test_the_tracker_notices_silence_and_nothing_else() -> None:
    tracked = stage("2s", tracker={"timeout": "3s"})
    silence = [fault("0s", "2s", partition={})]
    assert ends(simulated(tracked, faults=silence)) == [(3.0, FAILED)]
    assert ends(simulated(stage("2s"), faults=silence, drain="10s")) == [(10.5, UNFINISHED)]
    slow = [fault("0s", "2s", latency={"add": "10s"})]
    assert ends(simulated(tracked, faults=slow)) == [(12.0, OK)]


def test_the_trackers_record_runs_from_the_start_of_the_call() -> None:
    tracked = stage("10s", tracker={"timeout": "3s"})
    for start, noticed in (("2s", 3.0), ("6s", 5.0)):
        silence = [fault(start, "1s", partition={})]
        assert ends(simulated(tracked, faults=silence)) == [(noticed, FAILED)]


# Deadline -----------------------------------------------------------------------------------


def deadline(timeout: str, on_timeout: str = "cancel", **rest: Any) -> Data:
    return {"deadline": {"timeout": timeout, "on_timeout": on_timeout} | rest}


@pytest.mark.parametrize("mode", ["cancel", "abandon"])
def test_an_answer_at_the_deadline_is_in_time(mode: str) -> None:
    assert ends(simulated(stage("1s", deadline("1s", mode)))) == [(1.0, OK)]
    assert ends(simulated(stage("1001ms", deadline("1s", mode)))) == [(1.0, TIMED_OUT)]


def test_a_room_freed_at_the_deadline_passes_by_those_whose_time_is_up_too() -> None:
    # The observed request queues behind the first one, and both their deadlines are at 3 s.
    seen = {"at": "1s", "latency": "1s", "stamp": "arrival"}
    records = simulated(stage("9s", deadline("2s"), concurrency=1), 2, observations=[seen])
    assert ends(records) == [(2.0, TIMED_OUT)] * 3
    assert spent(records, 1) == {"a.queue_wait": 1.0, "a.service_work": 1.0}
    assert spent(records, 2) == {"a.queue_wait": 2.0}


def test_cancel_frees_the_room_that_the_call_held_and_abandon_does_not() -> None:
    def two(mode: str) -> Records:
        return simulated(stage("3s", deadline("1500ms", mode), concurrency=1), 2)

    assert ends(two("cancel")) == ends(two("abandon")) == [(1.5, TIMED_OUT)] * 2
    assert spent(two("cancel"), 1) == {"a.queue_wait": 0.5, "a.service_work": 1.0}
    assert spent(two("abandon"), 1) == {"a.queue_wait": 1.5}


def test_cancel_frees_the_connection_and_abandon_does_not() -> None:
    pool = {"connect_time": "0s", "size": 1, "max_overflow": 0}

    def two(mode: str) -> Records:
        return simulated(stage("3s", deadline("1500ms", mode), pool=pool), 2)

    assert spent(two("cancel"), 1) == {"a.pool.pool_wait": 0.5, "a.service_work": 1.0}
    assert spent(two("abandon"), 1) == {"a.pool.pool_wait": 1.5}


def test_abandoned_work_without_an_answer_keeps_its_room_for_ever() -> None:
    # Nobody else owns such a call; Python's garbage collector must not free what it holds.
    def collect(share: float) -> None:
        if share == 0.5:
            gc.collect()

    abandoned = stage("1ms", deadline("1s", "abandon"), concurrency=1)
    silence = [fault("0s", "1500ms", partition={})]
    plan = plan_of(scenario(abandoned, 5, drain="3s", faults=silence))
    records = simulate(plan, 1, progress=collect)
    assert ends(records) == [(1.0, TIMED_OUT)] * 5


@pytest.mark.parametrize("inner", ["cancel", "abandon"])
@pytest.mark.parametrize("outer", ["cancel", "abandon"])
def test_the_shorter_of_two_deadlines_counts(outer: str, inner: str) -> None:
    def both(first: str, second: str) -> Records:
        one, two = deadline(first, outer, name="one"), deadline(second, inner, name="two")
        return simulated(stage("9s", one, two))

    for records in (both("2s", "3s"), both("3s", "2s")):
        assert ends(records) == [(2.0, TIMED_OUT)]
        assert spent(records) == {"a.service_work": 2.0}


def test_an_outer_deadline_cuts_the_attempts_inside() -> None:
    retry = {"retry": {"attempts": 9, "backoff": "constant", "base": "500ms"}}
    policies = deadline("3s", name="all"), retry, deadline("1s", name="each")
    records = simulated(stage("9s", *policies))
    assert ends(records) == [(3.0, TIMED_OUT)]
    assert spent(records) == {"a.service_work": 2.0, "a.retry.retry_backoff": 1.0}
    assert records.calls == {"a": 3}  # what ends goes first, so a third attempt begins at 4 s
    assert simulated(stage("9s", deadline("2900ms", name="all"), *policies[1:])).calls["a"] == 2


def test_the_time_of_unfinished_requests_is_theirs_in_abandoning_deadlines_too() -> None:
    stages = {"first": {"work": {"constant": "1s"}}} | stage("99s", deadline("50s", "abandon"))
    records = simulated(stages, drain="9s")
    assert ends(records) == [(9.5, UNFINISHED)]
    assert spent(records) == {"first.service_work": 1.0, "a.service_work": 8.5}


# Retry --------------------------------------------------------------------------------------


def retry(**settings: Any) -> Data:
    return {"retry": settings}


def backoff(records: Records) -> float:
    return spent(records).get("a.retry.retry_backoff", 0.0)


def test_attempts_count_the_first_call_too() -> None:
    for attempts in (1, 2, 4):
        policy = retry(attempts=attempts, backoff="constant", base="0s")
        records = simulated(stage("1s", policy, **ALWAYS))
        assert ends(records) == [(float(attempts), FAILED)]
        assert records.retries.tolist() == [attempts - 1]
        assert records.calls == {"a": attempts}


def test_a_retry_ends_with_the_first_success() -> None:
    policy = retry(attempts=9, backoff="constant", base="1s")
    records = simulated(stage("1s", policy), faults=[fault("0s", "2500ms", outage={})])
    assert ends(records) == [(3.0, OK)]  # refused at 1 s and 2 s, worked from 3 s to 4 s
    assert records.retries.tolist() == [2]


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({"backoff": "constant"}, 1 + 1 + 1),
        ({"backoff": "linear"}, 1 + 2 + 3),
        ({"backoff": "exponential"}, 1 + 2 + 4),
        ({"backoff": "exponential", "multiplier": 3}, 1 + 3 + 9),
        ({"backoff": "exponential", "cap": "1500ms"}, 1 + 1.5 + 1.5),
        ({"backoff": "constant", "base": "5s"}, 5 + 5 + 5),
    ],
)
def test_backoff(settings: Data, waits: float) -> None:
    policy = retry(**({"attempts": 4, "base": "1s"} | settings))
    assert backoff(simulated(stage("1s", policy, **ALWAYS))) == waits


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
def test_jitter(jitter: str) -> None:
    # "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015.
    draws = [Stream(1, 0, "a.retry.jitter", UNIFORM).at(0, attempt) for attempt in (0, 1)]
    first = 1 + draws[0] * (3 * 1 - 1)
    expected = {
        "none": 1 + 2,
        "full": draws[0] * 1 + draws[1] * 2,
        "equal": (0.5 + draws[0] * 0.5) + (1 + draws[1]),
        "decorrelated": first + 1 + draws[1] * (3 * first - 1),
    }
    records = simulated(stage("1s", retry(attempts=3, base="1s", jitter=jitter), **ALWAYS))
    assert backoff(records) == pytest.approx(expected[jitter], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "retries"),
    # A reserve of 10 from the start; the first call earns nothing on top of a full one.
    [({"budget": "0%"}, 10), ({"budget": "50%"}, 29), ({}, 40)],
)
def test_a_budget_limits_retries_to_a_share_of_calls(settings: Data, retries: int) -> None:
    policy = retry(attempts=2, base="0s", **settings)
    assert simulated(stage("1ms", policy, **ALWAYS), 40).retries.sum() == retries


def test_only_some_outcomes_earn_another_attempt() -> None:
    for outcomes, calls in ((["timed_out"], 1), (["failed"], 3), (["rejected", "timed_out"], 1)):
        policy = retry(attempts=3, base="0s", outcomes=outcomes)
        assert simulated(stage("1s", policy, **ALWAYS)).calls == {"a": calls}
    assert simulated(stage("1s", retry(attempts=3), deadline("500ms"))).calls == {"a": 3}


# Fallback -----------------------------------------------------------------------------------


def test_a_fallback_answers_for_an_error_and_takes_its_time() -> None:
    records = simulated(stage("1s", {"fallback": {"work": {"constant": "250ms"}}}, **ALWAYS))
    assert ends(records) == [(1.25, DEGRADED)]
    assert spent(records) == {"a.service_work": 1.0, "a.fallback.fallback": 0.25}
    assert ends(simulated(stage("1s", {"fallback": {}}, **ALWAYS))) == [(1.0, DEGRADED)]
    assert ends(simulated(stage("1s", {"fallback": {}}))) == [(1.0, OK)]


def test_a_fallback_answers_for_its_outcomes_only() -> None:
    policy = {"fallback": {"outcomes": ["timed_out", "rejected"]}}
    assert ends(simulated(stage("1s", policy, **ALWAYS))) == [(1.0, FAILED)]
    late = simulated(stage("1s", policy, deadline("500ms")))
    assert ends(late) == [(0.5, DEGRADED)]


def test_a_degraded_answer_lets_the_request_go_on() -> None:
    stages = stage("1s", {"fallback": {}}, **ALWAYS) | {"b": {"work": {"constant": "2s"}}}
    assert ends(simulated(stages)) == [(3.0, DEGRADED)]


# Breaker ------------------------------------------------------------------------------------


def breaker(**settings: Any) -> Data:
    return {"breaker": {"failure_threshold": 1, "recovery_timeout": "10s"} | settings}


def outage(until: str) -> list[Data]:
    return [fault("0s", until, outage={})]


@pytest.mark.parametrize("threshold", [1, 2, 4])
def test_the_breaker_opens_at_its_threshold(threshold: int) -> None:
    records = simulated(stage("0s", breaker(failure_threshold=threshold), **ALWAYS), 6)
    words = [word for _, word in ends(records)]
    assert words == [FAILED] * threshold + [REJECTED] * (6 - threshold)
    assert changes(records) == [(float(threshold), "open")]


@pytest.mark.parametrize("recovery", [2, 3, 5])
def test_an_open_breaker_rejects_until_its_recovery(recovery: int) -> None:
    policy = breaker(recovery_timeout=f"{recovery}s")
    records = simulated(stage("0s", policy), 8, faults=outage("1500ms"))
    words = [word for _, word in ends(records)]
    assert words == [FAILED] + [REJECTED] * (recovery - 1) + [OK] * (8 - recovery)
    assert changes(records)[1:] == [(1.0 + recovery, "half-open"), (1.0 + recovery, "closed")]


def test_callers_may_wait_for_the_recovery_instead() -> None:
    records = simulated(stage("100ms", breaker(when_open="wait")), 3, faults=outage("1500ms"))
    # The second request is the trial at 11 s; the third waits for its success.
    assert ends(records) == [(0.0, FAILED), (9.1, OK), (8.2, OK)]
    assert spent(records, 2) == {"a.breaker.breaker_wait": 8.1, "a.service_work": 0.1}


@pytest.mark.parametrize(
    ("permits", "latencies"), [(1, [9.5, 9.0, 8.5]), (2, [9.5, 8.5, 8.0]), (3, [9.5, 8.5, 7.5])]
)
def test_half_open_lets_that_many_trials_through_at_once(
    permits: int, latencies: list[float]
) -> None:
    policy = breaker(when_open="wait", half_open_permits=permits, successes_to_close=9)
    records = simulated(stage("500ms", policy), 4, faults=outage("1500ms"))
    # One trial at a time works at 11 s, 11.5 s and 12 s; two: 11, 11, 11.5; three: 11, 11, 11.
    assert [latency for latency, _ in ends(records)[1:]] == latencies


@pytest.mark.parametrize(("successes", "closed"), [(1, 4.5), (2, 5.5), (3, 6.5)])
def test_that_many_trial_successes_close_it(successes: int, closed: float) -> None:
    policy = breaker(recovery_timeout="3s", successes_to_close=successes)
    records = simulated(stage("500ms", policy), 7, faults=outage("1500ms"))
    assert changes(records)[-1] == (closed, "closed")


@pytest.mark.parametrize(
    ("recoveries", "third"), [(0, (0.0, REJECTED)), (1, (9.0, REJECTED)), (2, (20.0, FAILED))]
)
def test_waiting_callers_give_up_after_that_many_recoveries(
    recoveries: int, third: tuple[float, str]
) -> None:
    # Request 1 opens it at 1 s. As work takes 1 s later on, request 2 is the trial that fails at
    # 12 s, and request 3 the one that begins at 22 s and fails at 23 s.
    policy = breaker(when_open="wait", max_recoveries=recoveries)
    slow = [fault("5s", "99s", latency={"add": "1s"})]
    assert ends(simulated(stage("0s", policy, **ALWAYS), 3, faults=slow))[2] == third


def test_only_some_outcomes_count_as_failures() -> None:
    for outcomes, opened in ((["failed"], True), (["timed_out", "rejected"], False)):
        records = simulated(stage("1s", breaker(outcomes=outcomes), **ALWAYS))
        assert bool(records.transitions) is opened


def test_a_success_starts_the_count_anew() -> None:
    faults = [fault(start, "100ms", outage={}) for start in ("1s", "3s", "5s")]
    records = simulated(stage("0s", breaker(failure_threshold=2)), 6, faults=faults)
    assert not records.transitions


def test_a_call_that_its_caller_gave_up_counts_as_a_failure() -> None:
    records = simulated(stage("9s", deadline("1s"), breaker()), 2)
    assert changes(records) == [(2.0, "open")]


def test_a_waiting_caller_may_give_up() -> None:
    policies = deadline("2s"), breaker(when_open="wait")
    records = simulated(stage("0s", *policies), 2, faults=outage("1500ms"))
    assert ends(records) == [(0.0, FAILED), (2.0, TIMED_OUT)]
    assert spent(records, 1) == {"a.breaker.breaker_wait": 2.0}


@pytest.mark.parametrize("recovery", [7.654321, 8.1, 9.3, 10.7, 12.345])
@pytest.mark.parametrize("rate", [0.7, 1.1, 1.9])
def test_rounding_does_not_make_callers_wait_for_ever(recovery: float, rate: float) -> None:
    policy = breaker(when_open="wait", recovery_timeout=f"{recovery}s")
    for seed in range(10):
        data = scenario(
            stage("7ms", policy),
            5,
            faults=outage("3s"),
            workload={"arrivals": {"poisson": {"rate": f"{rate}/s"}}},
        )
        assert UNFINISHED not in [word for _, word in ends(run(data, seed))]


# Policies together --------------------------------------------------------------------------


def test_the_order_of_policies_is_the_order_of_wrapping() -> None:
    again = retry(attempts=3, backoff="constant", base="0s", outcomes=["failed", "rejected"])
    around = simulated(stage("1s", again, breaker(failure_threshold=2), **ALWAYS))
    inside = simulated(stage("1s", breaker(failure_threshold=2), again, **ALWAYS))
    # Around the breaker two attempts open it and the third is rejected; inside it counts one call.
    assert ends(around) == [(2.0, REJECTED)]
    assert changes(around) == [(3.0, "open")]
    assert ends(inside) == [(3.0, FAILED)]
    assert not inside.transitions


@pytest.mark.parametrize(
    "policy",
    [
        deadline("500ms", enabled=False),
        retry(attempts=2, enabled=False),
        {"fallback": {"enabled": False}},
        breaker(enabled=False),
    ],
)
def test_a_policy_that_is_not_enabled_is_left_out(policy: Data) -> None:
    records = simulated(stage("1s", policy, **ALWAYS), 3)
    assert ends(records) == [(1.0, FAILED)] * 3
    assert records.calls == {"a": 3}
    assert not records.transitions
    (kind,) = policy
    enabled = {kind: policy[kind] | {"enabled": True}}
    assert ends(simulated(stage("1s", enabled, **ALWAYS), 3)) != ends(records)


# Pool and session ---------------------------------------------------------------------------


def pool(**settings: Any) -> Data:
    return {"connect_time": "100ms"} | settings


def test_a_queue_pool_connects_once_and_a_null_pool_each_time() -> None:
    for kind, second in (("queue", 0.5), ("null", 0.6)):
        records = simulated(stage("500ms", pool=pool(kind=kind)), 2)
        assert ends(records) == [(0.6, OK), (second, OK)]
        assert spent(records) == {"a.pool.connect": 0.1, "a.service_work": 0.5}


def test_connecting_takes_the_connect_time() -> None:
    assert ends(simulated(stage("1s", pool=pool(connect_time="3s")))) == [(4.0, OK)]


@pytest.mark.parametrize(
    ("size", "overflow", "waits"), [(1, 0, [0, 9.1, 18.1]), (1, 1, [0, 0, 8.1]), (3, 0, [0, 0, 0])]
)
def test_size_and_overflow_bound_what_is_lent(size: int, overflow: int, waits: list[float]) -> None:
    records = simulated(stage("10s", pool=pool(size=size, max_overflow=overflow)), 3)
    got = [spent(records, row).get("a.pool.pool_wait", 0.0) for row in range(3)]
    assert got == waits


def test_an_overflow_connection_is_closed_and_one_of_the_size_kept() -> None:
    # Two overlapping requests return two connections; two later ones want both.
    instants = ("1s", "1100ms", "6s", "6100ms")
    seen = [{"at": at, "latency": "1s", "stamp": "arrival"} for at in instants]
    quiet = {"arrivals": {"constant": {"rate": "1/h"}}}
    for size, overflow, fourth in ((1, 1, 1.6), (2, 0, 1.5)):
        stages = stage("1500ms", pool=pool(size=size, max_overflow=overflow))
        records = simulated(stages, horizon="9s", workload=quiet, observations=seen)
        assert [latency for latency, _ in ends(records)] == [1.6, 1.6, 1.5, fourth]


def test_waiting_for_a_connection_ends_at_the_pools_timeout() -> None:
    for timeout, second in (("2s", (2.0, TIMED_OUT)), ("20s", (19.1, OK))):
        small = pool(size=1, max_overflow=0, timeout=timeout)
        assert ends(simulated(stage("10s", pool=small), 2))[1] == second


def test_an_old_connection_is_replaced_at_checkout() -> None:
    for recycle, connects in (("1500ms", 2), ("500ms", 4), ("99s", 1)):
        records = simulated(stage("0s", pool=pool(size=1, recycle=recycle)), 4)
        assert (records.latency > 0.05).sum() == connects


@pytest.mark.parametrize("kind", ["queue", "null"])
def test_the_database_refuses_more_than_max_connections(kind: str) -> None:
    records = simulated(stage("1500ms", pool=pool(kind=kind, max_connections=1)), 3)
    assert [word for _, word in ends(records)] == [OK, FAILED, OK]
    assert ends(records)[1] == (0.0, FAILED)


def test_the_reaper_ends_a_stuck_session() -> None:
    stuck = stage("10s", pool=pool(size=1, max_overflow=0), session={"lifetime": "3s"})
    records = simulated(stuck, 2)
    # Its connection is gone, so the second one connects anew when it is free, at 4.1 s.
    assert ends(records) == [(3.1, FAILED), (2.1 + 3.1, FAILED)]
    assert spent(records, 1)["a.pool.connect"] == 0.1


def test_a_reaped_connection_is_not_lent_again_whatever_the_rounding() -> None:
    lifetimes = [f"{n}ms" for n in range(100, 400, 17)]
    for lifetime in lifetimes:
        stuck = stage("10s", pool=pool(size=1), session={"lifetime": lifetime})
        records = simulated(stuck, 9, workload={"arrivals": {"constant": {"rate": "0.7/s"}}})
        assert np.allclose(records.frame()["a.pool.connect_s"], 0.1)


@pytest.mark.parametrize(("lifetime", "second"), [("3s", 2.1 + 0.6), (None, None)])
def test_only_the_reaper_brings_a_leaked_connection_back(
    lifetime: str | None, second: float | None
) -> None:
    session = {"leak": "100%"} | ({"lifetime": lifetime} if lifetime else {})
    leaking = stage("500ms", pool=pool(size=1, max_overflow=0, timeout="60s"), session=session)
    end = (second, OK) if second else (60.0, TIMED_OUT)
    assert ends(simulated(leaking, 2)) == [(0.6, OK), end]


def test_leaks_happen_at_their_share() -> None:
    leaking = stage(
        "1ms",
        pool=pool(size=400, max_overflow=0, connect_time="0s", timeout="1ms"),
        session={"leak": "40%"},
    )
    outcomes = simulated(leaking, 1000).outcome
    until_empty = int((outcomes == Outcome.OK).sum())  # 400 leaks among this many sessions
    assert stats.binomtest(400, until_empty, 0.4).pvalue > 0.01


# Faults -------------------------------------------------------------------------------------


def test_calls_fail_in_an_outage_and_so_do_those_it_finds_under_way() -> None:
    records = simulated(stage("1500ms"), 4, faults=[fault("2250ms", "1s", outage={})])
    assert ends(records) == [(1.25, FAILED), (0.25, FAILED), (0.0, FAILED), (1.5, OK)]


def test_a_call_takes_a_while_to_fail_in_an_outage() -> None:
    faults = [fault("0s", "2s", outage={"fail_after": "300ms"})]
    assert ends(simulated(stage("1500ms"), 2, faults=faults)) == [(0.3, FAILED), (1.5, OK)]


def test_a_fault_begins_at_its_instant_and_is_over_at_its_end() -> None:
    faults = [fault("1s", "1s", outage={})]
    assert ends(simulated(stage("0s"), 2, faults=faults)) == [(0.0, FAILED), (0.0, OK)]


def test_an_error_rate_adds_failures_at_its_share() -> None:
    faults = [fault("0s", "500s", error_rate={"share": "40%"})]
    failed = simulated(stage("1ms", failure_rate="50%"), 1000, faults=faults).outcome == 4
    assert stats.binomtest(int(failed[:499].sum()), 499, 1 - 0.5 * 0.6).pvalue > 0.01
    assert stats.binomtest(int(failed[499:].sum()), 501, 0.5).pvalue > 0.01


def test_latency_is_multiplied_and_added_to() -> None:
    for settings, first in (
        ({"multiply": 3}, 3.0),
        ({"add": "250ms"}, 1.25),
        ({"multiply": 3, "add": "250ms"}, 3.25),
    ):
        faults = [fault("0s", "1500ms", latency=settings)]
        assert ends(simulated(stage("1s"), 2, faults=faults)) == [(first, OK), (1.0, OK)]


def test_a_partition_answers_neither_new_calls_nor_those_under_way() -> None:
    faults = [fault("2250ms", "1s", partition={})]
    records = simulated(stage("1500ms", deadline("5s")), 4, faults=faults)
    assert ends(records) == [(5.0, TIMED_OUT)] * 3 + [(1.5, OK)]


def test_a_restart_fails_calls_under_way_and_makes_others_wait() -> None:
    faults = [fault("1500ms", "2s", restart={})]
    records = simulated(stage("1s", startup={"timeout": "9s"}), 3, faults=faults)
    assert ends(records) == [(0.5, FAILED), (2.5, OK), (1.5, OK)]


@pytest.mark.parametrize(
    ("length", "seed"), [(24_255, 115), (24_995, 135), (25_291, 143), (28_214, 222), (29_028, 244)]
)
def test_rounding_lets_no_call_in_before_the_start_up_is_over(length: int, seed: int) -> None:
    # In these the sum of an arrival and the wait from there is less than the end of the restart.
    faults = [fault("0s", f"{length}ms", restart={})]
    arrivals = {"arrivals": {"poisson": {"rate": "1/s"}}}
    waiting = stage("7ms", startup={"timeout": "99s"})
    plan = plan_of(scenario(waiting, 3, faults=faults, workload=arrivals))
    records = simulate(plan, seed)
    arrival, end = float(records.arrival[0]), plan.stages[0].faults[0].end
    assert arrival + (end - arrival) < end
    assert {word for _, word in ends(records)} == {OK}


# Observations -------------------------------------------------------------------------------


def test_an_observation_is_sent_so_that_it_would_end_when_it_was_recorded() -> None:
    for stamp, arrival in (("reply", 4.0), ("arrival", 9.0)):
        seen = {"at": "23:29:09", "latency": "5s", "stamp": stamp}
        records = simulated(stage(), 10, clock="23:29:00", observations=[seen])
        assert records.arrival[-1] == arrival
        assert records.observation.tolist() == [-1] * 10 + [0]


def test_fitted_work_takes_the_place_of_drawn_work() -> None:
    stages = {
        name: {"work": {"exponential": {"mean": "1s"}}, "concurrency": 99} for name in ("a", "b")
    }
    seen = {"at": "2s", "latency": "1s", "work": {"b": "4321ms"}}
    parts = spent(simulated(stages, observations=[seen]), 1)
    drawn = Stream(1, 0, "a.work", plan_of(scenario(stages)).stages[0].work or UNIFORM)
    assert parts["b.service_work"] == 4.321
    assert parts["a.service_work"] == pytest.approx(drawn.at(OBSERVED), abs=1e-6)


def test_an_observed_request_competes_with_the_background() -> None:
    seen = {"at": "1500ms", "latency": "1s", "stamp": "arrival", "work": {"a": "10s"}}
    records = simulated(stage("100ms", concurrency=1), 2, observations=[seen])
    assert ends(records) == [(0.1, OK), (9.6, OK), (10.0, OK)]
    alone = simulated(stage("100ms", concurrency=1), 2)
    assert ends(alone) == [(0.1, OK), (0.1, OK)]


def test_a_slow_failure_takes_as_long_as_it_says_even_beyond_the_work() -> None:
    faults = [fault("0s", "2s", outage={"fail_after": "5s"})]
    assert ends(simulated(stage("1s"), faults=faults)) == [(5.0, FAILED)]


def test_a_cancelled_call_counts_as_timed_out_for_the_breaker_inside() -> None:
    def opened(outcomes: list[str]) -> bool:
        breaker = {"failure_threshold": 2, "recovery_timeout": "60s", "outcomes": outcomes}
        policies = ({"deadline": {"timeout": "500ms"}}, {"breaker": breaker})
        return bool(changes(simulated(stage("1s", *policies), n=3)))

    assert opened(["timed_out"])
    assert not opened(["failed", "rejected"])


# What ended it ------------------------------------------------------------------------------

DEADLINE: Data = {"deadline": {"timeout": "500ms"}}
POOL: Data = {"connect_time": "0s", "size": 1, "max_overflow": 0, "timeout": "500ms"}


@pytest.mark.parametrize(
    ("stages", "row", "path"),
    [
        (stage("1s", DEADLINE), 0, "a.deadline.timeout"),
        (stage("1s", {"deadline": DEADLINE["deadline"] | {"on_timeout": "abandon"}}), 0,
         "a.deadline.timeout"),
        ({"a": stage("1s")["a"] | ALWAYS}, 0, "a"),
        ({"a": stage("3s")["a"] | {"concurrency": 1, "queue_limit": 0}}, 1, "a.queue_limit"),
        ({"a": stage("3s")["a"] | {"pool": POOL}}, 1, "a.pool.timeout"),
        ({"a": stage("3s")["a"] | {"pool": {"kind": "null", "connect_time": "0s",
                                            "max_connections": 1}}}, 1, "a.pool.max_connections"),
        ({"a": stage("3s")["a"] | {"pool": POOL, "session": {"lifetime": "2s"}}}, 0,
         "a.session.lifetime"),
        ({"a": stage("1s", {"breaker": {"failure_threshold": 1, "recovery_timeout": "9s"}})["a"]
          | ALWAYS}, 1, "a.breaker.when_open"),
        ({"a": stage("1s", {"fallback": {}}, DEADLINE)["a"]}, 0, "a.deadline.timeout"),
    ],
)  # fmt: skip
def test_the_setting_or_stage_that_ended_a_request_is_noted(
    stages: Data, row: int, path: str
) -> None:
    records = simulated(stages, n=2)
    assert records.ends[records.ended_by[row]] == path
    assert records.frame()["ended_by"][row] == path


def test_an_error_that_a_retry_mends_is_not_noted() -> None:
    faults = [fault("0s", "1500ms", outage={})]
    retry = {"retry": {"attempts": 2, "base": "1s"}}
    records = simulated(stage("1s", retry), faults=faults)
    assert ends(records) == [(2.0, OK)]
    assert records.ended_by.tolist() == [-1]


# What governs the work ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "setting"),
    [
        (stage("1s"), "a.work"),
        (stage("1s", DEADLINE), "a.deadline.timeout"),
        ({"a": stage("1s", DEADLINE)["a"] | {"tracker": {"timeout": "100ms"}}},
         "a.tracker.timeout"),
        ({"o": {"policies": [DEADLINE], "stages": stage("1s")}}, "o.deadline.timeout"),
    ],
)  # fmt: skip
def test_the_tightest_timeout_around_it_governs_the_work(stages: Data, setting: str) -> None:
    (part,) = simulated(stages).parts
    assert part.setting == setting


def test_a_mended_error_leaves_what_brought_the_request_to_its_fallback() -> None:
    faults = [fault("0s", "1500ms", outage={}, on="b")]
    retry = {"retry": {"attempts": 2, "base": "1s"}}
    stages = {
        "a": stage("0s", {"fallback": {}})["a"] | ALWAYS,
        "b": stage("1s", retry)["a"],
    }
    records = simulated(stages, faults=faults)
    assert ends(records) == [(2.0, DEGRADED)]
    assert records.ends[records.ended_by[0]] == "a"


def test_a_silent_call_is_ended_by_its_tracker() -> None:
    faults = [fault("0s", "9s", partition={})]
    records = simulated({"a": stage("1s")["a"] | {"tracker": {"timeout": "3s"}}}, faults=faults)
    assert ends(records) == [(3.0, FAILED)]
    assert records.ends[records.ended_by[0]] == "a.tracker.timeout"
