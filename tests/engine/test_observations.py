"""Observations: recorded requests that are sent beside the drawn ones."""

import pytest
from kit import OK, ends, plan_of, scenario, simulated, spent, stage

from cascadesim.engine.simpy.senders import OBSERVED
from cascadesim.randomness import UNIFORM, Stream


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
