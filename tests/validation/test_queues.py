"""Stages with a concurrency limit are queues: held against the formulas of queueing theory.

Formulas: Gross, Shortle, Thompson, Harris, "Fundamentals of Queueing Theory", 4th ed., ch. 2
(M/M/1, M/M/c, Erlang B and C, Little's law) and ch. 5 (Pollaczek-Khinchine). Requests are served
in one second on average, so the offered load in erlangs is the arrival rate.
"""

import heapq
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from kit import plan_of
from numpy.typing import NDArray
from scipy import integrate, special, stats

from cascadesim.engine import simulate
from cascadesim.plan.plan import Plan
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import Records
from cascadesim.values.outcome import Outcome

REPLICATIONS = 40
WARMUP = 200  # seconds
EXPONENTIAL = {"exponential": {"mean": "1s"}}
CONSTANT = {"constant": "1s"}

Floats = NDArray[np.float64]


def queue(load: float, servers: int, horizon: int, work: Any, **settings: Any) -> Plan:
    return plan_of(
        {
            "name": "queue",
            "horizon": f"{horizon}s",
            "warmup": f"{WARMUP}s",
            "drain": "1h",
            "workload": {"arrivals": {"poisson": {"rate": f"{load}/s"}}},
            "stages": {"server": {"work": work, "concurrency": servers} | settings},
        }
    )


def waits(records: Records) -> Floats:
    return records.frame()["server.queue_wait_s"].to_numpy()


def erlang_b(servers: int, load: float) -> float:
    """Return the share of calls that find all servers busy and are lost."""
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    return terms[-1] / sum(terms)


def erlang_c(servers: int, load: float) -> float:
    """Return the share of calls that find all servers busy and wait."""
    lost = erlang_b(servers, load)
    use = load / servers
    return lost / (1 - use * (1 - lost))


@cache
def queue_means(load: float, servers: int, horizon: int, kind: str) -> dict[str, Floats]:
    """Return mean wait, latency, number in the system and share that waits of every replication."""
    plan = queue(load, servers, horizon, {"exponential": EXPONENTIAL, "constant": CONSTANT}[kind])
    rows = []
    for i in range(REPLICATIONS):
        records = simulate(plan, seed=7, replication=i)
        assert (records.outcome == Outcome.OK).all()
        measured = records.measured
        wait, latency = waits(records)[measured], records.latency[measured]
        gap = np.diff(records.arrival[measured]).mean()
        number = number_in_system(records)
        work = (latency - wait).mean()
        rows.append((wait.mean(), latency.mean(), number, gap, work, (wait > 0).mean()))
    names = ("wait", "latency", "number", "gap", "work", "delayed")
    return dict(zip(names, np.array(rows, dtype=float).T, strict=True))


def number_in_system(records: Records) -> float:
    """Return the time average from warm-up to horizon, by overlap of stays with that span."""
    start, end = records.warmup, records.horizon
    leaves = records.arrival + records.latency
    stays = np.minimum(leaves, end) - np.maximum(records.arrival, start)
    return float(np.maximum(stays, 0.0).sum() / (end - start))


def agrees(sample: Floats, expected: float, *controls: Floats) -> None:
    """Hold a sample against a mean; the 99 % interval must be able to show an error of 2 %.

    Controls have mean zero. What of the sample they explain is chance and is taken off (Law,
    "Simulation Modeling and Analysis", 5th ed., section 11.4), which halves the runs needed.
    """
    design = np.column_stack([np.ones(len(sample)), *controls])
    fit, squares, *_ = np.linalg.lstsq(design, sample)
    free = len(sample) - len(fit)
    error = math.sqrt(squares[0] / free * np.linalg.inv(design.T @ design)[0, 0])
    half = stats.t.ppf(0.995, free) * error
    assert half < 0.02 * expected
    assert abs(fit[0] - expected) < half


# load, servers, simulated seconds of one replication
QUEUES = [(0.5, 1, 20_000), (1.2, 2, 15_000)]


@pytest.mark.slow
@pytest.mark.parametrize(("load", "servers", "horizon"), QUEUES)
def test_mean_wait_and_latency_of_m_m_c(load: float, servers: int, horizon: int) -> None:
    means = queue_means(load, servers, horizon, "exponential")
    wait = erlang_c(servers, load) / (servers - load)
    if servers == 1:
        assert wait == pytest.approx(load / (1 - load))
    chance = means["work"] - 1, means["gap"] - 1 / load
    agrees(means["wait"], wait, *chance)
    agrees(means["latency"], wait + 1, *chance)


@pytest.mark.slow
@pytest.mark.parametrize(("load", "servers", "horizon"), QUEUES)
def test_share_of_calls_that_wait_is_erlang_c(load: float, servers: int, horizon: int) -> None:
    means = queue_means(load, servers, horizon, "exponential")
    chance = means["work"] - 1, means["gap"] - 1 / load
    agrees(means["delayed"], erlang_c(servers, load), *chance)


@pytest.mark.slow
@pytest.mark.parametrize(("load", "servers", "horizon"), QUEUES)
def test_littles_law(load: float, servers: int, horizon: int) -> None:
    means = queue_means(load, servers, horizon, "exponential")
    number = load * (erlang_c(servers, load) / (servers - load) + 1)
    agrees(means["number"], number, means["work"] - 1, means["gap"] - 1 / load)
    assert means["number"] == pytest.approx(means["latency"] / means["gap"], rel=0.01)


@pytest.mark.slow
def test_mean_wait_of_m_d_1() -> None:
    # Pollaczek-Khinchine: half the wait of M/M/1, as constant work has no variance.
    means = queue_means(0.5, 1, 12_000, "constant")
    agrees(means["wait"], 0.5 * 0.5 / (1 - 0.5), means["gap"] - 1 / 0.5)


@pytest.mark.slow
def test_share_of_lost_calls_is_erlang_b() -> None:
    plan = queue(2.0, 3, 3000, EXPONENTIAL, queue_limit=0)
    agrees(shares(plan, Outcome.SHED), erlang_b(3, 2.0))


def shares(plan: Plan, outcome: Outcome) -> Floats:
    """Return the share of measured requests with an outcome, by replication."""
    runs = (simulate(plan, seed=7, replication=i) for i in range(REPLICATIONS))
    return np.array([(run.outcome[run.measured] == outcome).mean() for run in runs])


@pytest.mark.slow
def test_share_of_calls_that_a_full_queue_refuses_is_that_of_m_m_1_k() -> None:
    load, room = 1.2, 3
    size = room + 1  # with the one in service
    refused = (1 - load) * load**size / (1 - load ** (size + 1))
    plan = queue(load, 1, 5000, EXPONENTIAL, queue_limit=room)
    agrees(shares(plan, Outcome.SHED), refused)


@pytest.mark.slow
def test_share_of_deadlines_that_pass_is_that_of_m_m_1_with_reneging() -> None:
    """Whoever is not done `timeout` after its arrival leaves, from the queue or from service.

    Below the timeout the work found at arrival has the density of M/M/1 (level crossings, Brill,
    "Level Crossing Methods in Stochastic Models", 2nd ed., ch. 3), f(x) = load * p0 *
    exp(-(1 - load) x); it and p0, the chance of none, add up to 1.
    """
    load, timeout = 1.2, 3
    free = 1 - load
    idle = 1 / (1 + load * (1 - math.exp(-free * timeout)) / free)
    plan = queue(load, 1, 5000, EXPONENTIAL, policies=[{"deadline": {"timeout": f"{timeout}s"}}])
    agrees(shares(plan, Outcome.TIMED_OUT), idle * math.exp(-free * timeout))


@pytest.mark.slow
def test_share_that_gets_no_place_in_a_bulkhead_in_time_is_that_of_limited_waits() -> None:
    """Whoever is not served `timeout` after its arrival leaves the queue (M/M/1 + D).

    The work that a call finds before it has the density (level crossings, Brill, ch. 3)
    load * p0 * exp(-(1 - load) x) up to the timeout, and falls like exp(-x) from there on.
    """
    load, timeout = 1.2, 2
    free = 1 - load
    beyond = load * math.exp(-free * timeout)
    idle = 1 / (1 + (load - beyond) / free + beyond)
    bulkhead = {"bulkhead": {"concurrency": 1, "timeout": f"{timeout}s"}}
    plan = queue(load, 99, 5000, EXPONENTIAL, policies=[bulkhead])
    agrees(shares(plan, Outcome.REJECTED), idle * beyond)


@pytest.mark.slow
def test_mean_wait_of_m_g_1() -> None:
    # Pollaczek-Khinchine, for lognormal work with a mean of one second.
    load, sigma = 0.5, 0.6
    work = {"lognormal": {"median": f"{math.exp(-(sigma**2) / 2):.12f}s", "sigma": sigma}}
    plan = queue(load, 1, 15_000, work)
    rows = []
    for i in range(REPLICATIONS):
        records = simulate(plan, seed=7, replication=i)
        measured = records.measured
        wait = waits(records)[measured]
        gap = np.diff(records.arrival[measured]).mean()
        rows.append((wait.mean(), (records.latency[measured] - wait).mean() - 1, gap - 1 / load))
    mean, *chance = np.array(rows, dtype=float).T
    agrees(mean, load * math.exp(sigma**2) / (2 * (1 - load)), *chance)


def test_share_of_long_waits_on_a_lifo_queue_is_that_of_busy_periods() -> None:
    """Last come first served, who waits does so until all that came after it has been served.

    So its wait is a busy period, as the service under way has as long to go as a whole one (M/M/1;
    its density: Takács, "Introduction to the Theory of Queues", ch. 1, by the Bessel function I1).
    First come first served the share is load * exp(-(1 - load) * longer).
    """
    load, longer = 0.5, 1.0

    def density(t: float) -> float:
        # `ive` is scaled by exp(-2 t sqrt(load)), so that nothing overflows.
        root = math.sqrt(load)
        return float(math.exp(-((1 - root) ** 2) * t) * special.ive(1, 2 * t * root) / (t * root))

    expected = load * integrate.quad(density, longer, math.inf)[0]
    plan = queue(load, 1, 6000, EXPONENTIAL, queue="lifo")
    rows = []
    for i in range(REPLICATIONS):
        records = simulate(plan, seed=7, replication=i)
        wait, measured = waits(records), records.measured
        gap = np.diff(records.arrival[measured]).mean()
        work = (records.latency - wait)[measured].mean()
        rows.append(((wait[measured] > longer).mean(), work - 1, gap - 1 / load))
    share, *chance = np.array(rows, dtype=float).T
    agrees(share, expected, *chance)


@pytest.mark.slow
def test_mean_latency_of_a_request_that_forks_and_joins() -> None:
    """Two queues in parallel, each request served by both: (12 - load) / 8 times M/M/1's.

    Nelson and Tantawi, "Approximate Analysis of Fork/Join Synchronization in Parallel Queues",
    IEEE Transactions on Computers 37(6), 1988, equation for two servers, after Flatto and Hahn.
    """
    load = 0.5
    server = {"work": EXPONENTIAL, "concurrency": 1}
    plan = plan_of(
        {
            "name": "fork and join",
            "horizon": "6000s",
            "warmup": f"{WARMUP}s",
            "drain": "1h",
            "workload": {"arrivals": {"poisson": {"rate": f"{load}/s"}}},
            "stages": {"both": {"parallel": True, "stages": {"left": server, "right": server}}},
        }
    )
    rows = []
    for i in range(REPLICATIONS):
        records = simulate(plan, seed=7, replication=i)
        measured = records.measured
        gap = np.diff(records.arrival[measured]).mean()
        rows.append((records.latency[measured].mean(), gap - 1 / load))
    mean, *chance = np.array(rows, dtype=float).T
    agrees(mean, (12 - load) / 8 / (1 - load), *chance)


@pytest.mark.parametrize("servers", [1, 2, 5])
def test_every_wait_is_that_of_the_recursion(servers: int) -> None:
    """Kiefer and Wolfowitz 1955 (Lindley 1952 for one server): who waits for which server."""
    plan = queue(0.8 * servers, servers, 2000, EXPONENTIAL)
    records = simulate(plan, seed=7)
    arrivals = plan.arrivals.times(7, 0, plan.horizon)
    work = Stream(7, 0, "server.work", plan.stages[0].work or UNIFORM)
    free = [0.0] * servers  # when each server is free, the soonest first
    expected = []
    for i, arrival in enumerate(arrivals):
        begins = max(arrival, free[0])
        heapq.heapreplace(free, begins + work.at(i))
        expected.append(begins - arrival)
    np.testing.assert_allclose(waits(records), expected, atol=1e-6)
