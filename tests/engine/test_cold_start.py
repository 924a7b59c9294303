"""Cold starts, by latencies computed by hand."""

import pytest
from kit import ends, latencies, plan_of, scenario, simulated, work

from cascadesim.analysis.bounds import worst_case
from cascadesim.engine import simulate
from cascadesim.values.outcome import Outcome


def test_after_a_cold_start_calls_get_faster_until_it_is_over() -> None:
    agent = {"agent": work("1s")}
    cold = {"on": "agent", "from": "0s", "for": "4s", "cold_start": {"multiply": 5}}
    # The factor falls by 1 a second, from 5 at t = 0.
    assert latencies(simulated(agent, 5, faults=[cold])) == [4.0, 3.0, 2.0, 1.0, 1.0]
    # From the very start of the fault the factor is whole, and it is what the bound has.
    plan = plan_of(scenario(agent, 2, faults=[cold | {"from": "1s"}]))
    assert simulate(plan, 1).latency.tolist() == [5.0, 4.0]
    assert worst_case(plan)["agent"].total == 5
    slow = {"on": "agent", "from": "0s", "for": "1h", "latency": {"multiply": 2, "add": "1s"}}
    assert latencies(simulated(agent, faults=[cold, slow])) == [9.0]
    assert latencies(simulated(agent, faults=[slow, cold])) == [12.0]


def test_a_restart_with_a_cold_start_after_it() -> None:
    agent = {"agent": work("1s", startup={"timeout": "10s"})}
    restart = {"on": "agent", "from": "500ms", "for": "2s", "restart": {}}
    cold = {"on": "agent", "from": "2500ms", "for": "2s", "cold_start": {"multiply": 3}}
    # Both wait until 2.5 s and then take 3 s; at 3 s the factor is 2.5, and at 4 s it is 1.5.
    found = ends(simulated(agent, 5, faults=[restart, cold]))
    assert [seconds for seconds, _ in found] == [4.5, 3.5, 2.5, 1.5, 1.0]
    tied = restart | {"restart": {"cold_start": {"multiply": 3, "for": "2s"}}}
    assert ends(simulated(agent, 5, faults=[tied])) == found
    assert worst_case(plan_of(scenario(agent, faults=[tied])))["agent"].total == 10 + 3


def test_every_random_restart_has_a_cold_start_after_it() -> None:
    """A call that begins a share x of the cold start after the end of a restart has 3 - 2 x."""
    cold = {"cold_start": {"multiply": 3, "for": "10s"}}
    often = {"on": "agent", "random": {"mtbf": "15s", "mttr": "2s"}, "restart": cold}
    plan = plan_of(scenario({"agent": work("1ms")}, 300, drain="100s", faults=[often]))
    records = simulate(plan, 1)
    restarts = [fault for fault, _ in plan.faults_in(1)]
    assert len(restarts) > 10
    for arrival, latency, outcome in zip(
        records.arrival, records.latency, records.outcome, strict=True
    ):
        if outcome == Outcome.OK:
            since = min((arrival - f.end for f in restarts if f.end <= arrival), default=10.0)
            factor = 3 - 2 * min(since / 10, 1)
            assert latency == pytest.approx(factor * 1e-3)
