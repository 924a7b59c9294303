"""Clients that wait for their answers are a finite source: the machine-repair model, M/M/1//N.

Formulas: Gross, Shortle, Thompson, Harris, "Fundamentals of Queueing Theory", 4th ed., section 2.8.
N machines (clients) run (think) for Z seconds on average and are repaired one at a time.
"""

import math

import numpy as np
import pytest
from kit import plan_of
from scipy import stats

from cascadesim.engine import simulate
from cascadesim.plan.plan import Plan
from cascadesim.values.outcome import Outcome

REPLICATIONS = 30
WARMUP, HORIZON = 100, 5000  # seconds


def repair(clients: int, think: str, servers: int) -> Plan:
    return plan_of(
        {
            "name": "repair",
            "horizon": f"{HORIZON}s",
            "warmup": f"{WARMUP}s",
            "drain": "1h",
            "workload": {"closed": {"clients": clients, "think": {"exponential": {"mean": think}}}},
            "stages": {"server": {"work": {"exponential": {"mean": "1s"}}, "concurrency": servers}},
        }
    )


def expected(clients: int, think: float, servers: int) -> tuple[float, float]:
    """Return throughput and mean response time: by the shares of time with n at the servers."""
    weights = [1.0]
    for n in range(clients):
        arriving, leaving = (clients - n) / think, min(n + 1, servers)
        weights.append(weights[-1] * arriving / leaving)
    total = math.fsum(weights)
    busy = math.fsum(min(n, servers) * w for n, w in enumerate(weights)) / total
    return busy, clients / busy - think  # the response time law


def agrees(sample: list[float], truth: float) -> None:
    """Hold a sample against a mean; its 99 % interval must be able to show an error of 2 %."""
    half = stats.t.ppf(0.995, len(sample) - 1) * stats.sem(sample)
    assert half < 0.02 * truth
    assert abs(np.mean(sample) - truth) < half


@pytest.mark.parametrize(("clients", "think", "servers"), [(5, 3.0, 1), (12, 4.0, 2), (1, 1.0, 1)])
@pytest.mark.slow
def test_throughput_and_response_time_of_m_m_c_n(clients: int, think: float, servers: int) -> None:
    plan = repair(clients, f"{think}s", servers)
    throughputs, responses, numbers = [], [], []
    for i in range(REPLICATIONS):
        records = simulate(plan, seed=7, replication=i)
        assert (records.outcome == Outcome.OK).all()
        measured = records.measured
        ends = records.arrival + records.latency
        inside = (ends >= WARMUP) & (ends < HORIZON)
        throughputs.append(inside.sum() / (HORIZON - WARMUP))
        responses.append(float(records.latency[measured].mean()))
        stays = np.minimum(ends, HORIZON) - np.maximum(records.arrival, WARMUP)
        numbers.append(float(np.maximum(stays, 0).sum()) / (HORIZON - WARMUP))
    throughput, response = expected(clients, think, servers)
    agrees(throughputs, throughput)
    agrees(responses, response)
    agrees(numbers, throughput * response)
    # Little: those at the servers are as many as come in a second, times how long they stay.
    np.testing.assert_allclose(numbers, np.multiply(throughputs, responses), rtol=0.02)
