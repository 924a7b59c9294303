"""Replications: what a worker is told to run, and what is kept of each run.

Replication i has the same random numbers for every variant, so they are compared replication by
replication and request by request (common random numbers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.composition import composition
from cascadesim.analysis.judged import Judgement  # noqa: TC001 - a field's type is looked up
from cascadesim.analysis.percentiles import OK_PERCENTILES, PERCENTILES
from cascadesim.analysis.summary import Summary, summarize
from cascadesim.analysis.transient import Transient, transient
from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.objectives import RATES
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.analysis.percentiles import Percentile
    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.objectives import Objective

MEASURES = (*PERCENTILES, "mean", "goodput", *RATES, *OK_PERCENTILES)
HEADLINE = "p99"
_REQUEST = ("arrival", "request_class")  # columns that say which request it is
SAME = 1e-9  # seconds by which a latency may differ and count as the same


@dataclass(frozen=True, slots=True)
class Variant:
    """What is simulated and judged: a plan, and the objectives that it should keep.

    The `headline` is the percentile, or the mean, that is taken apart by cause. Plans take far less
    memory than scenarios, and are what workers and the key of the store need.
    """

    plan: Plan
    objectives: tuple[Objective, ...] = ()
    headline: str = HEADLINE


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told: to run one replication of variants, with the same random numbers."""

    variants: tuple[Variant, ...]
    seed: int
    number: int


@dataclass(frozen=True, slots=True)
class Replication:
    """What is kept of one run of one variant.

    `measures` holds MEASURES: percentiles and the mean in seconds, goodput in replies per second,
    and rates as shares. `better` and `worse` count the measured requests with a better and a worse
    outcome than in the first variant, or else the same and in less and in more time; both are None
    where the two did not meet the same requests. `transient` is that before the first fault.
    `parts` are the seconds of the variant's headline latency by part, as `Records.parts` has them;
    none where no request is measured.
    """

    requests: int  # that are measured
    measures: dict[str, float]
    at_least: frozenset[str]  # percentiles that unfinished requests could move up
    better: int | None
    worse: int | None
    objectives: tuple[Judgement, ...]
    transient: Transient
    parts: tuple[float, ...]

    def bounds(self, measure: str) -> tuple[float, float]:
        """Return the least and the most that unfinished requests can make of a measure."""
        value, unfinished = self.measures[measure], self.measures["unfinished_rate"]
        if measure in ("unfinished_rate", "goodput") or not unfinished:
            return value, value
        if measure in RATES:
            return value, value + unfinished  # all of which may end like that
        unbounded = measure == "mean" or measure in self.at_least
        return value, math.inf if unbounded else value


def variant_of(scenario: Scenario) -> Variant:
    """Return what to simulate of a scenario, and the objectives that it states."""
    return Variant(compile_plan(scenario.model), scenario.objectives)


def replicate(job: Job) -> list[Replication]:
    """Return one replication of every variant, each beside the first."""
    first: Records | None = None
    replications = []
    for variant in job.variants:
        records = simulate(variant.plan, job.seed, job.number)
        first = first or records
        replications.append(measured(variant, records, first))
    return replications


def measured(variant: Variant, records: Records, first: Records) -> Replication:
    """Return what is kept of a run of a variant, beside the first variant's."""
    summary = summarize(records, variant.objectives)
    better, worse = _better_and_worse(records, first)
    return Replication(
        requests=summary.requests,
        measures=_measures(summary),
        at_least=frozenset(name for name, p in _percentiles(summary).items() if p.at_least),
        better=better,
        worse=worse,
        objectives=tuple(judged.judgements[0] for judged in summary.verdicts),
        transient=transient(records, records.first_fault),
        parts=tuple(composition(records, variant.headline).seconds.values()),
    )


def _better_and_worse(records: Records, first: Records) -> tuple[int, int] | tuple[None, None]:
    """Return how many requests are better and worse than in the first run; see `Replication`."""
    same = (np.array_equal(getattr(records, key), getattr(first, key)) for key in _REQUEST)
    if records.classes != first.classes or not all(same):
        return None, None
    chosen = records.measured & first.measured
    change = (records.latency - first.latency)[chosen]
    # An answer is better than a degraded one, and that is better than an error, however fast.
    outcome = np.minimum(records.outcome, Outcome.REJECTED).astype(int)[chosen]
    outcome -= np.minimum(first.outcome, Outcome.REJECTED).astype(int)[chosen]
    better = (outcome < 0) | ((outcome == 0) & (change < -SAME))
    worse = (outcome > 0) | ((outcome == 0) & (change > SAME))
    return int(better.sum()), int(worse.sum())


def _percentiles(summary: Summary) -> dict[str, Percentile]:
    return summary.percentiles | summary.of_ok


def _measures(summary: Summary) -> dict[str, float]:
    percentiles = {name: p.seconds for name, p in _percentiles(summary).items()}
    others = {"mean": summary.mean.seconds, "goodput": summary.goodput}
    return percentiles | others | summary.rates
