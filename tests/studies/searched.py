"""A service to search good settings of."""

import json

import cascadesim
from cascadesim.analysis.transient import Transient
from cascadesim.studies.aims import Trial
from cascadesim.studies.execution import Execution
from cascadesim.studies.optimization import Optimization
from cascadesim.studies.optimize import optimize
from cascadesim.studies.replications import MEASURES, Replication

ALONE = Execution(jobs=1)


TIMEOUT = "a.deadline.timeout"


SERVICE = {
    "name": "service",
    "horizon": "200s",
    "drain": "20s",
    "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
    "stages": {
        "a": {
            "work": {"lognormal": {"median": "250ms", "p99": "900ms"}},
            "policies": [{"deadline": {"timeout": "10s"}}],
        }
    },
}


def load(**changes: object) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(SERVICE | changes))


def quick(scenario: cascadesim.Scenario, *tune: str, **options: object) -> Optimization:
    few = {"budget": 12, "replications": 1, "confirm": 2, "execution": ALONE}
    return optimize(scenario, tune, **few | options)  # type: ignore[arg-type]


QUEUE = {"a": {"work": {"exponential": {"mean": "400ms"}}, "concurrency": 3, "queue_limit": 6}}


LIMITS = ("a.concurrency=1..3", "a.queue_limit=0,2,4,6")


def trials_of(values: list[tuple[int, int]]) -> list[Trial]:
    return [
        Trial(
            number,
            {},
            (
                Replication(
                    1,
                    dict.fromkeys(MEASURES, 0.0) | {"p50": float(a), "goodput": float(b)},
                    frozenset(),
                    0,
                    0,
                    (),
                    Transient(0.0, True),
                    (),
                ),
            ),
        )
        for number, (a, b) in enumerate(values)
    ]


FLAKY = {
    "a": {
        "work": {"constant": "100ms"},
        "failure_rate": "20%",
        "policies": [{"breaker": {"failure_threshold": 3, "recovery_timeout": "5s"}}],
    }
}
