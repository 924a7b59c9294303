"""What holds in every run of every scenario."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Data, content, digest, draws_of, examples, plan_of, run, with_timeouts
from laws import check_laws, checked_pools
from strategies import HORIZON, scenarios, workloads, works

from cascadesim.engine import simulate
from cascadesim.values.outcome import Outcome


@examples(60)
@given(scenarios(), st.integers(0, 3))
def test_every_run_keeps_the_laws_and_a_seed_gives_the_same_records(data: Data, seed: int) -> None:
    plan = plan_of(data)
    seen: list[float] = []
    with checked_pools():
        records = simulate(plan, seed, progress=seen.append)
    check_laws(plan, records)
    sent = plan.arrivals.times(seed, 0, plan.horizon)
    assert len(records.arrival) == len(sent) + len(plan.observed)
    np.testing.assert_allclose(records.arrival[: len(sent)], sent, rtol=1e-12)
    assert list(records.arrival[len(sent) :]) == [seen.arrival for seen in plan.observed]
    assert list(records.observation) == [-1] * len(sent) + list(range(len(plan.observed)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert content(simulate(plan, seed)) == content(records)  # watched or not


@examples(30)
@given(scenarios())
def test_the_past_does_not_depend_on_the_horizon(data: Data) -> None:
    data |= {"drain": "0s"}
    short, long = run(data), run(data | {"horizon": f"{HORIZON + 7}s"})
    n = int((short.observation < 0).sum())
    ended = (short.outcome != Outcome.UNFINISHED)[:n]
    for name in ("arrival", "latency", "outcome", "retries", "seconds"):
        before, after = getattr(short, name)[:n][ended], getattr(long, name)[:n][ended]
        assert (before == after).all()


@examples(60)
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


@settings(max_examples=2)  # the first is the simplest there is
@given(st.lists(scenarios(), min_size=8, max_size=8))
def test_another_process_with_another_hash_seed_gives_the_same_bytes(many: list[Data]) -> None:
    there = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        input=json.dumps(many),
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == digest(many)


@examples(30)
@given(scenarios(), st.integers(2, 5))
def test_other_timeouts_meet_the_same_draws_and_none_serves_twice(data: Data, factor: int) -> None:
    before, after = draws_of(data), draws_of(with_timeouts(data, factor))
    common = before.values.keys() & after.values.keys()
    assert all(before.values[address] == after.values[address] for address in common)
    assert (before.records.arrival == after.records.arrival).all()
    assert set(before.times.values()) <= {1}
    assert set(after.times.values()) <= {1}


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

    patient = draws_of(agents("30s"))
    long, short = patient.values, draws_of(agents("500ms")).values
    n = len(patient.records.arrival)
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
    values, times, _ = draws_of(data)
    drawn = {attempt: values[name, r, attempt] for name, r, attempt in values if "work" in name}
    assert len(drawn) == len(set(drawn.values())) == 6
    assert set(times.values()) == {1}
    # More attempts of the inner retry move none of the draws there were.
    inner = policies[1]["retry"] | {"attempts": 3}
    stages["database"]["policies"] = [policies[0], {"retry": inner}]
    assert values.items() <= draws_of(data).values.items()
