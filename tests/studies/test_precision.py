from functools import cache
from typing import Any

import numpy as np
import pytest
from kit import plan_of
from scipy import stats

from cascadesim.analysis.transient import Transient
from cascadesim.studies.execution import Execution
from cascadesim.studies.precision import FEWEST, Precision, parse_precision, until_precise
from cascadesim.studies.replications import (
    MEASURES,
    Job,
    Replication,
    Variant,
    replicate,
)
from cascadesim.studies.runs import KeptRuns
from cascadesim.values.errors import ScenarioError

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


VARIANTS = tuple(Variant(plan_of(queue(mean))) for mean in ("100ms", "80ms", "110ms"))


@cache
def directly() -> list[list[Replication]]:
    return [replicate(Job(VARIANTS, SEED, number)) for number in range(MOST)]


def kept(found: list[list[Replication]]) -> KeptRuns:
    """Return the runs of the first variant."""
    return KeptRuns(VARIANTS[0], SEED, tuple(each[0] for each in found))


def precisely(
    precision: Precision, most: int, jobs: int = 1, done: int = 0, n: int = 3, progress: Any = None
) -> list[list[Replication]]:
    first = [each[:n] for each in directly()[:done]]
    with Execution(jobs).open() as runner:
        return until_precise(VARIANTS[:n], SEED, precision, runner, first, most, progress)


def precise_enough(precision: Precision, n: int) -> bool:
    for variant in range(len(VARIANTS)):
        values = [each[variant].measures[precision.measure] for each in directly()[:n]]
        half = stats.t.ppf(0.975, n - 1) * stats.sem(values)
        if half > precision.share * np.mean(values):
            return False
    return True


@pytest.mark.parametrize(("jobs", "done"), [(1, 0), (1, 1), (2, 7)])
@pytest.mark.parametrize(
    ("text", "count"),
    [("p50=50%", FEWEST), ("mean=10%", None), ("p90=15%", None), ("p99=1%", MOST)],
)
def test_replications_stop_at_the_first_number_that_is_precise(
    text: str, count: int | None, jobs: int, done: int
) -> None:
    precision = parse_precision(text)
    first = next((n for n in range(FEWEST, MOST) if precise_enough(precision, n)), MOST)
    assert FEWEST < first < MOST if count is None else first == count
    assert precisely(precision, MOST, jobs, done) == directly()[:first]


def test_fewer_than_the_fewest_may_be_asked_for() -> None:
    precision = Precision("p50", 0.5)
    assert precisely(precision, most=3) == directly()[:3]


def test_a_measure_without_spread_is_precise() -> None:
    # No request fails, in any replication: there is nothing left to learn.
    precision = Precision("error_rate", 0.1)
    assert precision.reached(kept(directly())) == 0
    assert len(precisely(precision, most=12, n=1)) == FEWEST


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.001])
def test_progress_goes_up_to_all(share: float, jobs: int) -> None:
    seen: list[float] = []
    precisely(Precision("p50", share), 20, jobs, progress=seen.append)
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


class Normal:
    """A runner whose replications have a normal p50 with mean 10 and deviation 2."""

    ahead = 1

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def run(self, jobs: list[Job]) -> list[list[Replication]]:
        return [[self._replication(float(self._rng.normal(10, 2)))] for _ in jobs]

    def _replication(self, value: float) -> Replication:
        measures = dict.fromkeys(MEASURES, 0.0) | {"p50": value}
        return Replication(1, measures, frozenset(), None, None, (), Transient(0.0, True), ())


@pytest.mark.slow  # coverage, from a thousand searches
def test_intervals_that_were_stopped_for_hold_the_true_value_as_often_as_others() -> None:
    held = 0
    for seed in range(1000):
        found = until_precise(VARIANTS[:1], 1, Precision("p50", 0.08), Normal(seed))
        estimate = kept(found).measure("p50")
        held += estimate.low <= 10 <= estimate.high
    assert 0.92 <= held / 1000 <= 0.98


def test_a_lower_bound_is_never_precise_and_more_replications_are_not_run_for_it() -> None:
    late = queue() | {"drain": "0s", "stages": {"server": {"work": {"constant": "39s"}}}}
    variant = Variant(plan_of(late))
    with Execution(1).open() as runner:
        found = until_precise((variant,), SEED, Precision("p99", 0.5), runner)
    assert len(found) == FEWEST
    runs = kept(found)
    assert "p99" in runs.replications[0].at_least
    assert runs.measure("p99").relative < 0.5
    assert Precision("p99", 0.5).reached(runs) == np.inf
    assert Precision("error_rate", 0.5).reached(runs) == np.inf
