"""A service to search good settings of."""

import json
from collections.abc import Collection, Sequence

from kit import plan_of

import cascadesim
from cascadesim.analysis.transient import Transient
from cascadesim.studies.aims import Trial
from cascadesim.studies.execution import Execution
from cascadesim.studies.optimization import Optimization
from cascadesim.studies.optimize import optimize
from cascadesim.studies.replications import MEASURES, Replication, Variant
from cascadesim.studies.runs import KeptRuns

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


def runs_of(
    p50: Sequence[float], goodput: Sequence[float], at_least: Collection[int] = ()
) -> KeptRuns:
    """Return runs with these values; in those of `at_least` the p50 is a lower bound."""
    replications = [
        Replication(
            1,
            dict.fromkeys(MEASURES, 0.0)
            | {"p50": a, "goodput": b, "unfinished_rate": 0.6 * (i in at_least)},
            frozenset({"p50"} if i in at_least else ()),
            0,
            0,
            (),
            Transient(0.0, True),
            (),
        )
        for i, (a, b) in enumerate(zip(p50, goodput, strict=True))
    ]
    return KeptRuns(Variant(plan_of(SERVICE)), 1, tuple(replications))


def trials_of(values: list[tuple[int, int]]) -> list[Trial]:
    return [
        Trial(number, {}, runs_of([float(a)], [float(b)])) for number, (a, b) in enumerate(values)
    ]


FLAKY = {
    "a": {
        "work": {"constant": "100ms"},
        "failure_rate": "20%",
        "policies": [{"breaker": {"failure_threshold": 3, "recovery_timeout": "5s"}}],
    }
}
