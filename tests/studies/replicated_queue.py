"""A queue whose replications are compared, in two speeds."""

import json
from typing import Any

import cascadesim
from cascadesim.studies.runs import LazyRuns, Simulations

DATA: dict[str, Any] = {
    "name": "queue",
    "horizon": "60s",
    "drain": "60s",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "50ms"}}, "concurrency": 1}},
}


RUNS = Simulations(1)


def queue(
    seed: int = 1, number: int | None = 6, data: dict[str, Any] = DATA, **settings: Any
) -> LazyRuns:
    scenario = cascadesim.loads(json.dumps(data)).override(settings)
    return LazyRuns(scenario, seed, number, RUNS)


def slow(**more: Any) -> LazyRuns:
    return queue(**more, **{"a.work": {"exponential": {"mean": "60ms"}}})
