"""Networks of three queues beside Ciw, customer by customer: the same arrivals and service times.

Ciw (https://github.com/CiwPython/Ciw) is a simulator of queueing networks. Its customers that find
the next node full stay in their server (type I blocking, or blocking after service), those that
find the first one full are lost, and so are those that find the whole system full.
"""

from typing import Any

import ciw
import numpy as np
import pytest
from kit import Data, plan_of

from cascadesim.engine import simulate
from cascadesim.plan.plan import Plan
from cascadesim.plan.stage import walk
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import Records
from cascadesim.values.outcome import Outcome

SEED = 7
NEVER = 1e9  # seconds
EXPONENTIAL = {"exponential": {"mean": "1s"}}
Served = dict[tuple[int, int], Any]  # Ciw's records, by customer and node


class Given(ciw.dists.Distribution):  # type: ignore[misc]
    """The service times of a stage: who is served gets what it would get there."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def sample(self, t: Any = None, ind: Any = None) -> float:
        return self._stream.at(ind.id_number - 1)


def node(servers: int, room: int | None, **more: Any) -> Data:
    return {"work": EXPONENTIAL, "concurrency": servers, "queue_limit": room} | more


def blocking(servers: int, room: int | None, work: Any = EXPONENTIAL) -> Data:
    full = {} if room is None else {"when_full": "block"}
    return node(servers, room, **full) | {"work": work}


def network(rate: float, stages: Data, horizon: int = 3000) -> Plan:
    return plan_of(
        {
            "name": "network",
            "horizon": f"{horizon}s",
            "drain": "2h",
            "workload": {"arrivals": {"poisson": {"rate": f"{rate}/s"}}},
            "stages": stages,
        }
    )


def in_ciw(plan: Plan, **settings: Any) -> tuple[Served, set[int]]:
    """Return what Ciw says of every customer that is served, and which are lost."""
    stages = [stage for stage in walk(plan.stages) if stage.work is not None]
    arrivals = plan.arrivals.times(SEED, 0, plan.horizon)
    gaps = [*np.diff(arrivals, prepend=0.0).tolist(), NEVER]
    works = [Stream(SEED, 0, f"{stage.name}.work", stage.work or UNIFORM) for stage in stages]
    model = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(gaps), None, None],
        service_distributions=[Given(work) for work in works],
        number_of_servers=[stage.concurrency for stage in stages],
        queue_capacities=[stage.queue_limit for stage in stages],
        routing=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
        **settings,
    )
    simulation = ciw.Simulation(model)
    simulation.simulate_until_max_time(NEVER / 2)
    records = simulation.get_all_records()
    served = {(r.id_number - 1, r.node): r for r in records if r.record_type == "service"}
    return served, {r.id_number - 1 for r in records if r.record_type == "rejection"}


def agrees(records: Records, served: Served, lost: set[int]) -> None:
    """Hold a run against Ciw: who is lost, when each leaves, and how long it waits where."""
    assert set(np.flatnonzero(records.outcome == Outcome.SHED)) == lost
    done = np.flatnonzero(records.outcome == Outcome.OK)
    assert {customer for customer, _ in served} == {*done.tolist()}
    assert len(done) + len(lost) == len(records.arrival)
    left = [served[i, 3].exit_date for i in done]
    np.testing.assert_allclose((records.arrival + records.latency)[done], left, rtol=0, atol=1e-8)
    frame = records.frame()
    for node in (1, 2, 3):
        # Of the time from the end of one service to the next, the first part is in the server.
        blocked = [served[i, node - 1].time_blocked if node > 1 else 0.0 for i in done]
        waits = np.add(blocked, [served[i, node].waiting_time for i in done])
        ours = frame[f"n{node}.queue_wait_s"].to_numpy()[done]
        np.testing.assert_allclose(ours, waits, rtol=0, atol=1e-8)


NETWORKS = {
    "no queue between": (0.6, (node(1, 6), blocking(1, 0), blocking(1, 0))),
    "small queues": (0.9, (node(1, 4), blocking(1, 2), blocking(1, 1))),
    "several servers": (2.0, (node(3, 5), blocking(2, 1), blocking(3, 0))),
    "slow last": (
        1.5,
        (node(2, 3), blocking(2, 2), blocking(1, 1, {"lognormal": {"median": "1s", "p99": "5s"}})),
    ),
    "all room": (0.8, (node(1, None), node(1, None), node(1, None))),
    "room before": (0.5, (node(1, None), blocking(1, 1), blocking(1, 1))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_customer_of_three_nodes_with_blocking_leaves_when_ciws_does(name: str) -> None:
    rate, nodes = NETWORKS[name]
    plan = network(rate, {f"n{i}": each for i, each in enumerate(nodes, 1)})
    served, lost = in_ciw(plan)
    agrees(simulate(plan, SEED), served, lost)
    blocked = sum(record.time_blocked > 0 for record in served.values())
    assert (blocked > 100) == (name != "all room")
    if "room" not in name:
        assert len(lost) > 100


def test_every_customer_of_a_full_system_is_lost_when_ciws_is() -> None:
    """A stage with three inside holds its place for all of them: Ciw's system capacity."""
    inside = {f"n{i}": {"work": EXPONENTIAL, "concurrency": 1} for i in (1, 2, 3)}
    plan = network(1.0, {"outer": {"concurrency": 5, "queue_limit": 0, "stages": inside}})
    served, lost = in_ciw(plan, system_capacity=5)
    agrees(simulate(plan, SEED), served, lost)
    assert len(lost) > 100


def test_blocking_is_seen_by_customers() -> None:
    """What the agreement above would not show if the option did nothing."""
    rate, nodes = NETWORKS["small queues"]
    stages = {f"n{i}": each | {"when_full": "reject"} for i, each in enumerate(nodes, 1)}
    rejecting = simulate(network(rate, stages), SEED)
    _, lost = in_ciw(network(rate, stages))
    assert set(np.flatnonzero(rejecting.outcome == Outcome.SHED)) != lost
