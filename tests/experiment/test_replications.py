import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats
from strategies import plan_of

import cascadesim
from cascadesim.compile import compile_plan
from cascadesim.engine import simulate
from cascadesim.experiment.replications import (
    FEWEST,
    MEASURES,
    Precision,
    Replication,
    Variant,
    interval,
    parse_precision,
    replicate,
    replications,
    until_precise,
)
from cascadesim.scenario.errors import ScenarioError
from cascadesim.scenario.load import loads
from cascadesim.scenario.objectives import parse_objective

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
    return list(replications(VARIANTS, SEED, range(MOST)))


def p50s(found: list[list[Replication]], variant: int = 0) -> list[float]:
    return [each[variant].measures["p50"] for each in found]


def test_any_number_of_workers_gives_the_same() -> None:
    assert list(replications(VARIANTS, SEED, range(9), workers=2)) == directly()[:9]
    scenario = loads(
        json.dumps(queue() | {"variants": {"slow": {}, "fast": {"server.concurrency": 2}}})
    )
    tables = {
        cascadesim.compare(scenario, replications=5, workers=workers).frame.to_csv().encode()
        for workers in (1, 2)
    }
    assert len(tables) == 1


def test_replication_0_is_the_single_run() -> None:
    (found,) = replicate([Variant(plan_of(queue()), OBJECTIVES)], SEED, 0)
    summary = cascadesim.run(loads(json.dumps(queue())), SEED).summary
    expected = {name: p.seconds for name, p in summary.percentiles.items()} | {
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
    others = [replicate(VARIANTS, seed, 0) for seed in range(SEED + 1, SEED + 6)]
    assert not set(p50s(others)) & set(p50s(directly()))


def test_more_replications_or_variants_move_none() -> None:
    assert list(replications(VARIANTS, SEED, range(4))) == directly()[:4]
    assert list(replications(VARIANTS, SEED, range(4, 7))) == directly()[4:7]
    assert list(replications(VARIANTS[:2], SEED, range(4))) == [each[:2] for each in directly()[:4]]


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
    first, other = replicate([Variant(plan) for plan in plans], SEED, 0)
    assert (first.better, first.worse) == (0, 0)
    assert (other.better, other.worse) == (None, None)


def precise_enough(precision: Precision, n: int) -> bool:
    for variant in range(len(VARIANTS)):
        values = [each[variant].measures[precision.measure] for each in directly()[:n]]
        half = stats.t.ppf(0.975, n - 1) * stats.sem(values)
        if half > precision.share * np.mean(values):
            return False
    return True


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("text", "count"),
    [("p50=50%", FEWEST), ("mean=10%", None), ("p90=15%", None), ("p99=1%", MOST)],
)
def test_replications_stop_at_the_first_number_that_is_precise(
    text: str, count: int | None, workers: int
) -> None:
    precision = parse_precision(text)
    first = next((n for n in range(FEWEST, MOST) if precise_enough(precision, n)), MOST)
    assert FEWEST < first < MOST if count is None else first == count
    assert until_precise(VARIANTS, SEED, precision, MOST, workers) == directly()[:first]


def test_fewer_than_the_fewest_may_be_asked_for() -> None:
    precision = Precision("p50", 0.5)
    assert until_precise(VARIANTS, SEED, precision, most=3) == directly()[:3]


def test_a_measure_without_spread_is_precise() -> None:
    # No request fails, in any replication: there is nothing left to learn.
    precision = Precision("error_rate", 0.1)
    assert precision.reached([each[0] for each in directly()])
    assert len(until_precise(VARIANTS[:1], SEED, precision, most=7)) == 5


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
    _, found = replicate(plans, 1, 0)
    assert (found.better, found.worse) == (0, 19)
    _, back = replicate(plans[::-1], 1, 0)
    assert (back.better, back.worse) == (19, 0)


def test_the_interval_is_that_of_scipy() -> None:
    own = [each[1] for each in directly()]
    for measure in ("p50", "max", "mean", "goodput"):
        values = [replication.measures[measure] for replication in own]
        expected = stats.t.interval(0.95, MOST - 1, np.mean(values), stats.sem(values))
        found = interval(own, measure)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.001])
def test_progress_goes_up_to_all(share: float, workers: int) -> None:
    seen: list[float] = []
    until_precise(VARIANTS[:1], SEED, Precision("p50", share), 20, workers, seen.append)
    several: list[float] = []
    list(replications(VARIANTS[:1], SEED, range(4), workers, several.append))
    assert several == [0.25, 0.5, 0.75, 1.0]
    assert seen == sorted(seen)
    assert (seen[0] > 0, seen[-1]) == (True, 1.0)


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("p99=2%", Precision("p99", 0.02)),
        (" p99.9 = 5% ", Precision("p99.9", 0.05)),
        ("goodput=5%", Precision("goodput", 0.05)),
        ("max=10%", Precision("max", 0.1)),
    ],
)
def test_precision_is_a_measure_and_a_share(text: str, precision: Precision) -> None:
    found = parse_precision(text)
    assert found.measure == precision.measure
    assert found.share == pytest.approx(precision.share)


@pytest.mark.parametrize(
    "text",
    [
        *("", "p99", "p99=", "=2%", "p99=0%", "p99=-2%", "p99=200%", "p99=x", "p99=0.02", "p98=2%"),
        *("P99=2%", "p=2%", "p99=2%=3%", "p99=nan", "speed=2%", "p99\n=x"),
    ],
)
def test_any_other_precision_is_one_line(text: str) -> None:
    with pytest.raises(ScenarioError) as error:
        parse_precision(text)
    (line,) = str(error.value).splitlines()
    assert 'expected MEASURE=SHARE such as "p99=2%"' in line
    assert all(measure in line for measure in MEASURES)
