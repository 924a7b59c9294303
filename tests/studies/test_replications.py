import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from kit import plan_of
from scipy import stats

import cascadesim
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import loads
from cascadesim.scenario.objectives import parse_objective
from cascadesim.studies.replications import (
    MEASURES,
    Job,
    Replication,
    Variant,
    replicate,
)
from cascadesim.studies.runs import KeptRuns

SEED = 3
MOST = 40


def queue(mean: str = "100ms", rate: str = "5/s") -> dict[str, Any]:
    return {
        "name": "queue",
        "horizon": "40s",
        "warmup": "5s",
        "drain": "10min",
        "workload": {"arrivals": {"poisson": {"rate": rate}}},
        "stages": {"server": {"work": {"exponential": {"mean": mean}}, "concurrency": 1}},
    }


OBJECTIVES = (parse_objective("p90 < 400ms"), parse_objective("error_rate < 1%"))
VARIANTS = tuple(Variant(plan_of(queue(mean)), OBJECTIVES) for mean in ("100ms", "80ms", "110ms"))


@cache
def directly() -> list[list[Replication]]:
    return [replicate(Job(VARIANTS, SEED, number)) for number in range(MOST)]


def p50s(found: list[list[Replication]], variant: int = 0) -> list[float]:
    return [each[variant].measures["p50"] for each in found]


def test_replication_0_is_the_single_run() -> None:
    (found,) = replicate(Job((Variant(plan_of(queue()), OBJECTIVES),), SEED, 0))
    result = cascadesim.run(loads(json.dumps(queue())), SEED)
    summary = summarize(result.records, OBJECTIVES)
    percentiles = summary.percentiles | summary.of_ok
    expected = {name: p.seconds for name, p in percentiles.items()} | {
        "mean": summary.mean.seconds,
        "goodput": summary.goodput,
        **summary.rates,
    }
    assert found.measures == expected
    assert set(expected) == set(MEASURES)
    p90 = expected["p90"]
    assert [(each.value, each.at_most, each.met) for each in found.objectives] == [
        (p90, p90, p90 < 0.4),
        (0.0, 0.0, True),
    ]
    assert found.requests == summary.requests
    assert (found.better, found.worse, found.at_least) == (0, 0, frozenset())


def test_replications_and_seeds_are_worlds_of_their_own() -> None:
    for variant in range(len(VARIANTS)):
        assert len(set(p50s(directly(), variant))) == MOST
    others = [replicate(Job(VARIANTS, seed, 0)) for seed in range(SEED + 1, SEED + 6)]
    assert not set(p50s(others)) & set(p50s(directly()))


def test_more_variants_move_none() -> None:
    found = [replicate(Job(VARIANTS[:2], SEED, number)) for number in range(4)]
    assert found == [each[:2] for each in directly()[:4]]


def test_better_and_worse_are_counted_request_by_request() -> None:
    for number in range(3):
        first, second = (simulate(v.plan, SEED, number) for v in VARIANTS[:2])
        pairs = list(zip(first.latency, second.latency, first.arrival, strict=True))
        measured = [(a, b) for a, b, arrival in pairs if arrival >= first.warmup]
        found = directly()[number][1]
        assert found.better == sum(b < a - 1e-9 for a, b in measured)
        assert found.worse == sum(b > a + 1e-9 for a, b in measured) == 0


def test_what_does_not_meet_the_same_requests_is_not_paired() -> None:
    plans = [plan_of(queue()), plan_of(queue(rate="6/s"))]
    first, other = replicate(Job(tuple(Variant(plan) for plan in plans), SEED, 0))
    assert (first.better, first.worse) == (0, 0)
    assert (other.better, other.worse) == (None, None)


def test_an_error_is_no_improvement_however_fast() -> None:
    data = {
        "name": "broken",
        "horizon": "20s",
        "drain": "5s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1s"}}},
    }
    scenario = cascadesim.loads(json.dumps(data))
    broken = {"a.work.constant": "1ms", "a.failure_rate": "100%"}
    plans = [Variant(compile_plan(scenario.override(more).model)) for more in ({}, broken)]
    _, found = replicate(Job(tuple(plans), 1, 0))
    assert (found.better, found.worse) == (0, 19)
    _, back = replicate(Job(tuple(plans[::-1]), 1, 0))
    assert (back.better, back.worse) == (19, 0)


def test_the_interval_is_that_of_scipy() -> None:
    own = KeptRuns(VARIANTS[1], SEED, tuple(each[1] for each in directly()))
    for measure in ("p50", "max", "mean", "goodput"):
        values = own.values(measure)
        expected = stats.t.interval(0.95, MOST - 1, np.mean(values), stats.sem(values))
        found = own.measure(measure)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
