"""Intervals hold the true value as often as they say, and noise is seldom seen as a difference.

The queue is M/M/1 with arrivals of 5/s and work of 100 ms on average: the time in the system is
exponential with rate mu - lambda = 5/s (Gross, Shortle, Thompson, Harris, "Fundamentals of
Queueing Theory", 4th ed., section 2.2), so that its mean and percentiles are known.

The p99 is left out, as no interval can mend its bias: of the 500 requests of a replication 5 lie
above it, which makes it 4 % too low on average. Its intervals hold the true value in 84 % of
experiments (what it is on average in 93 %); with four times the requests, in 94 %.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from kit import plan_of

from cascadesim.analysis.intervals import p_value
from cascadesim.studies.replications import Job, Replication, Variant, replicate
from cascadesim.studies.runs import KeptRuns

REPLICATIONS = 8
RATE = 10 - 5  # of the time in the system, per second

Experiment = list[list[Replication]]  # by variant


def queue(mean: str = "100ms", stage: str = "server") -> Variant:
    data: dict[str, Any] = {
        "name": "queue",
        "horizon": "120s",
        "warmup": "20s",
        "drain": "1h",
        "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
        "stages": {stage: {"work": {"exponential": {"mean": mean}}, "concurrency": 1}},
    }
    return Variant(plan_of(data))


def experiment(variants: tuple[Variant, ...], seed: int, count: int) -> Experiment:
    found = (replicate(Job(variants, seed, number)) for number in range(count))
    return [list(each) for each in zip(*found, strict=True)]


@cache
def experiments(
    variants: tuple[Variant, ...], seeds: range, count: int = REPLICATIONS
) -> list[Experiment]:
    jobs = (delayed(experiment)(variants, seed, count) for seed in seeds)
    return list(Parallel(n_jobs=-1)(jobs))


def differences(first: list[Replication], second: list[Replication], measure: str) -> list[float]:
    pairs = zip(first, second, strict=True)
    return [b.measures[measure] - a.measures[measure] for a, b in pairs]


QUEUE = queue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "truth"),
    [
        ("mean", 1 / RATE),
        *((p, -math.log(1 - int(p[1:]) / 100) / RATE) for p in ("p50", "p90", "p95")),
    ],
)
def test_intervals_of_95_percent_hold_the_true_value(measure: str, truth: float) -> None:
    runs = (KeptRuns(QUEUE, 0, tuple(own)) for (own,) in experiments((QUEUE,), range(1, 501)))
    intervals = [each.measure(measure) for each in runs]
    covered = np.mean([each.low <= truth <= each.high for each in intervals])
    bias = np.mean([each.estimate for each in intervals]) / truth - 1
    print(f"\n{measure}: {covered:.1%} of the intervals hold the true value, bias {bias:+.2%}")
    assert 0.92 <= covered <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["mean", "p50", "p90", "p99"])
def test_a_difference_is_seldom_seen_where_there_is_none(measure: str) -> None:
    """The same queue under another name is the same in law, but has draws of its own."""
    found = experiments((QUEUE, queue(stage="renamed")), range(1, 201))
    renamed = [differences(first, other, measure) for first, other in found]
    assert np.all(renamed)
    seen = np.mean([p_value(changes) < 0.05 for changes in renamed])
    print(f"\n{measure}: a difference is seen in {seen:.1%} of experiments without one")
    assert seen <= 0.09  # 5 %, and 2.6 standard errors of 200 experiments


@pytest.mark.slow
def test_no_difference_is_seen_between_a_variant_and_itself() -> None:
    for first, same in experiments((QUEUE, QUEUE), range(1, 11)):
        assert first == same
        assert p_value(differences(first, same, "p90")) == 1.0


@pytest.mark.slow
def test_meeting_the_same_world_makes_differences_sharper() -> None:
    """What 10 % less work does to the p90, in the same worlds and in worlds of their own."""
    slow, fast = experiments((QUEUE, queue("90ms")), range(1, 2), 200)[0]
    ((elsewhere,),) = experiments((queue("90ms"),), range(2, 3), 200)
    paired, independent = (differences(slow, other, "p90") for other in (fast, elsewhere))
    assert np.mean(paired) < 0
    reduction = np.var(independent, ddof=1) / np.var(paired, ddof=1)
    print(f"\np90 of 90 ms against 100 ms: pairing divides the variance by {reduction:.1f}")
    assert reduction > 1
