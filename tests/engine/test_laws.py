"""What holds in every run of every scenario."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Data, content, digest, draws_of, plan_of, run, with_timeouts
from strategies import HORIZON, scenarios, workloads, works

from cascadesim.engine import simulate
from cascadesim.engine.simpy.pool import Pool
from cascadesim.plan.causes import CAUSES
from cascadesim.policies.breaker import BreakerPlan
from cascadesim.values.outcome import Outcome


@settings(max_examples=35)
@given(scenarios())
def test_whatever_is_no_answer_has_something_that_ended_it(data: Data) -> None:
    records = run(data)
    ended = records.ended_by >= 0
    answered = np.isin(records.outcome, [Outcome.OK, Outcome.UNFINISHED])
    assert (ended == ~answered).all()


@settings(max_examples=35)
@given(scenarios())
def test_every_request_ends_once_with_one_outcome(data: Data) -> None:
    plan = plan_of(data)
    records = simulate(plan, 1)
    sent = plan.arrivals.times(1, 0, plan.horizon)
    assert len(records.arrival) == len(sent) + len(plan.observed)
    np.testing.assert_allclose(records.arrival[: len(sent)], sent, rtol=1e-12)
    assert list(records.arrival[len(sent) :]) == [seen.arrival for seen in plan.observed]
    assert list(records.observation) == [-1] * len(sent) + list(range(len(plan.observed)))
    assert set(records.outcome) <= set(Outcome)

    unfinished = records.outcome == Outcome.UNFINISHED
    age = plan.end - records.arrival
    assert (records.latency[unfinished] == age[unfinished]).all()
    assert (records.latency >= 0).all()
    assert (records.latency <= age).all()


@settings(max_examples=35)
@given(scenarios())
def test_parts_add_up_to_the_latency(data: Data) -> None:
    records = run(data)
    assert (records.seconds >= 0).all()
    np.testing.assert_allclose(records.seconds.sum(axis=1), records.latency, rtol=1e-9, atol=1e-9)
    assert {part.cause for part in records.parts} <= set(CAUSES)
    columns = [part.column for part in records.parts]
    assert len(set(columns)) == len(columns)


@settings(max_examples=35)
@given(scenarios())
def test_breakers_change_state_by_the_rules(data: Data) -> None:
    plan = plan_of(data)
    breakers = {
        f"{stage.name}.{policy.name}": policy
        for stage in plan.walk()
        for policy in stage.policies
        if isinstance(policy, BreakerPlan)
    }
    state: dict[str, str] = defaultdict(lambda: "closed")
    since: dict[str, float] = defaultdict(float)
    legal = {
        ("closed", "open"),
        ("open", "half-open"),
        ("half-open", "open"),
        ("half-open", "closed"),
    }
    closes = ("open", "closed")  # of a host that is back, and after a trial that succeeds late
    others = {"envoy": {("closed", "open"), closes}, "pybreaker": {*legal, closes}}
    for change in simulate(plan, 1).transitions:
        policy = breakers[change.breaker]
        pair = (state[change.breaker], change.state)
        assert pair in others.get(policy.preset or "", legal)
        assert change.at >= since[change.breaker]
        if change.state == "half-open" or (policy.preset, pair) == ("envoy", closes):
            assert change.at >= since[change.breaker] + policy.recovery_timeout
        state[change.breaker], since[change.breaker] = change.state, change.at


@settings(max_examples=35)
@given(scenarios())
def test_pools_never_lend_more_than_they_have(data: Data) -> None:
    checkout, checkin = Pool.checkout, Pool.checkin

    def check(pool: Pool) -> None:
        assert 0 <= pool.checked_out <= pool.plan.limit
        assert pool.open <= min(pool.plan.limit, pool.plan.max_connections)

    def checked_out(pool: Pool, now: float) -> float | None:
        made = checkout(pool, now)
        check(pool)
        return made

    def checked_in(pool: Pool, made: float | None) -> None:
        checkin(pool, made)
        check(pool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "checkout", checked_out)
        patch.setattr(Pool, "checkin", checked_in)
        run(data)


@settings(max_examples=35)
@given(scenarios(), st.integers(0, 3))
def test_a_seed_gives_the_same_records_watched_or_not(data: Data, seed: int) -> None:
    plan = plan_of(data)
    seen: list[float] = []
    first = content(simulate(plan, seed))
    assert content(simulate(plan, seed)) == first
    assert content(simulate(plan, seed, progress=seen.append)) == first
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@settings(max_examples=35)
@given(scenarios())
def test_the_past_does_not_depend_on_the_horizon(data: Data) -> None:
    data |= {"drain": "0s"}
    short, long = run(data), run(data | {"horizon": f"{HORIZON + 7}s"})
    n = int((short.observation < 0).sum())
    ended = (short.outcome != Outcome.UNFINISHED)[:n]
    for name in ("arrival", "latency", "outcome", "retries", "seconds"):
        before, after = getattr(short, name)[:n][ended], getattr(long, name)[:n][ended]
        assert (before == after).all()


@settings(max_examples=100)
@given(workloads(), works(bounded=False), st.integers(1, 4), st.integers(1, 4))
def test_more_servers_make_no_request_later_first_come_first_served(
    arrivals: Data, work: Data, servers: int, more: int
) -> None:
    """Kiefer and Wolfowitz 1955: every server is free no later, so nobody begins later."""

    def latencies(concurrency: int) -> Any:
        stage = {"work": work, "concurrency": concurrency}
        times = {"horizon": f"{HORIZON}s", "drain": "5s", "clock": "12:00:00"}
        workload = {"arrivals": arrivals}
        return run({"name": "one", "workload": workload, "stages": {"a": stage}} | times).latency

    fewer = latencies(servers)
    assert (latencies(servers + more) <= fewer + 1e-9).all()


IN_ANOTHER_PROCESS = """
import json, sys
sys.path.insert(0, "tests")
from kit import digest
print(digest(json.load(sys.stdin)))
"""


@settings(max_examples=2)
@given(st.lists(scenarios(), min_size=8, max_size=8))
def test_another_process_with_another_hash_seed_gives_the_same_bytes(many: list[Data]) -> None:
    here = digest(many)
    for seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            input=json.dumps(many),
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


@settings(max_examples=35)
@given(scenarios(), st.integers(2, 5))
def test_other_timeouts_meet_the_same_draws(data: Data, factor: int) -> None:
    other = with_timeouts(data, factor)
    before, after = draws_of(data)[0], draws_of(other)[0]
    assert all(before[address] == after[address] for address in before.keys() & after.keys())
    assert (run(data).arrival == run(other).arrival).all()


@settings(max_examples=35)
@given(scenarios())
def test_no_draw_serves_twice(data: Data) -> None:
    times = draws_of(data)[1]
    assert all(count == 1 for count in times.values())


def test_the_agents_deadline_leaves_every_request_its_draws() -> None:
    def agents(timeout: str) -> Data:
        policies = [
            {"retry": {"attempts": 3, "jitter": "full"}},
            {"deadline": {"timeout": timeout}},
        ]
        work = {"lognormal": {"median": "250ms", "p99": "2s"}}
        return {
            "name": "agents",
            "horizon": "60s",
            "drain": "60s",
            "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
            "stages": {
                "agent": {"work": work, "failure_rate": "20%", "policies": policies},
                "database": {"work": {"exponential": {"mean": "8ms"}}},
            },
        }

    long, short = draws_of(agents("30s"))[0], draws_of(agents("500ms"))[0]
    n = len(run(agents("30s")).arrival)
    assert {r for name, r, _ in long if name.endswith("agent.work")} == set(range(n))
    # A shorter deadline means more attempts, and fewer that get to the failure draw.
    common = long.keys() & short.keys()
    assert all(long[address] == short[address] for address in common)
    works = {address for address in long if address[0].endswith("agent.work") and not address[2]}
    assert works <= common
    assert len(short.keys() - long.keys()) > 0
    # The stage after it is called once, however many attempts the agent took.
    assert {attempt for name, _, attempt in short if name.endswith("database.work")} == {0}


def test_retries_around_retries_draw_anew_for_every_attempt() -> None:
    policies = [{"retry": {"attempts": 3}}, {"retry": {"attempts": 2, "name": "again"}}]
    work = {"exponential": {"mean": "8ms"}}
    stages = {"database": {"work": work, "failure_rate": "100%", "policies": policies}}
    workload = {"arrivals": {"constant": {"rate": "1/s"}}}
    data = {"name": "t", "horizon": "1500ms", "drain": "9s", "workload": workload, "stages": stages}
    values, times = draws_of(data)
    drawn = {attempt: values[name, r, attempt] for name, r, attempt in values if "work" in name}
    assert len(drawn) == len(set(drawn.values())) == 6
    assert set(times.values()) == {1}
    # More attempts of the inner retry move none of the draws there were.
    inner = policies[1]["retry"] | {"attempts": 3}
    stages["database"]["policies"] = [policies[0], {"retry": inner}]
    more, _ = draws_of(data)
    assert values.items() <= more.items()
