"""Replications: the same variants in worlds of their own.

Replication i of every variant meets the same world, so variants are compared replication by
replication and request by request (common random numbers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.composition import composition
from cascadesim.analysis.intervals import Interval, mean_interval
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.analysis.summary import Summary, summarize
from cascadesim.analysis.transient import Transient, transient
from cascadesim.engine import simulate
from cascadesim.scenario.objectives import RATES
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.analysis.attribution import Blame
    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.scenario.objectives import Objective

MEASURES = (*PERCENTILES, "mean", "goodput", *RATES)
HEADLINE = "p99"
_REQUEST = ("arrival", "request_class")  # columns that say which request it is
SAME = 1e-9  # seconds by which a latency may differ and count as the same


@dataclass(frozen=True, slots=True)
class Replication:
    """What one replication of one variant came to.

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


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective in one replication; see `Verdict` for the fields."""

    value: float
    at_most: float
    met: bool
    blame: Blame | None


@dataclass(frozen=True, slots=True)
class Variant:
    """What is replicated: a plan, and the objectives that it should keep.

    The `headline` is the percentile, or the mean, that is taken apart by cause.
    """

    plan: Plan
    objectives: tuple[Objective, ...] = ()
    headline: str = HEADLINE


@dataclass(frozen=True, slots=True)
class Job:
    """One replication of variants, which meet the same world."""

    variants: tuple[Variant, ...]
    seed: int
    number: int


def interval(replications: Sequence[Replication], measure: str) -> Interval:
    """Return the interval of a measure across replications."""
    return mean_interval([replication.measures[measure] for replication in replications])


def at_least(replications: Sequence[Replication], measure: str) -> bool:
    """Return whether unfinished requests could move a measure up."""
    return any(low < high for low, high in (bounds(each, measure) for each in replications))


def bounds(replication: Replication, measure: str) -> tuple[float, float]:
    """Return the least and the most that unfinished requests can make of a measure."""
    value, unfinished = replication.measures[measure], replication.measures["unfinished_rate"]
    if measure in ("unfinished_rate", "goodput") or not unfinished:
        return value, value
    if measure in RATES:
        return value, value + unfinished  # which may all come to that outcome
    unbounded = measure == "mean" or measure in replication.at_least
    return value, math.inf if unbounded else value


def measured(variant: Variant, records: Records, first: Records) -> Replication:
    """Return what a run of a variant came to, beside the first variant's in the same world."""
    summary = summarize(records, variant.objectives)
    better = worse = None
    if _same_requests(records, first):
        chosen = records.measured & first.measured
        change = (records.latency - first.latency)[chosen]
        # An answer is better than a degraded one, and that is better than an error, however fast.
        outcome = np.minimum(records.outcome, Outcome.REJECTED).astype(int)[chosen]
        outcome -= np.minimum(first.outcome, Outcome.REJECTED).astype(int)[chosen]
        better = int(((outcome < 0) | ((outcome == 0) & (change < -SAME))).sum())
        worse = int(((outcome > 0) | ((outcome == 0) & (change > SAME))).sum())
    at_least = frozenset(name for name, p in summary.percentiles.items() if p.at_least)
    objectives = tuple(Judgement(v.value, v.at_most, v.met, v.blame) for v in summary.verdicts)
    requests, measures = summary.requests, _measures(summary)
    settling = transient(records, records.first_fault)
    parts = tuple(composition(records, variant.headline).seconds.values())
    return Replication(requests, measures, at_least, better, worse, objectives, settling, parts)


def _same_requests(records: Records, first: Records) -> bool:
    same = (np.array_equal(getattr(records, key), getattr(first, key)) for key in _REQUEST)
    return records.classes == first.classes and all(same)


def _measures(summary: Summary) -> dict[str, float]:
    percentiles = {name: p.seconds for name, p in summary.percentiles.items()}
    return percentiles | {
        "mean": summary.mean.seconds,
        "goodput": summary.goodput,
        **summary.rates,
    }


def replicate(job: Job) -> list[Replication]:
    """Return one replication of every variant, each beside the first."""
    first: Records | None = None
    replications = []
    for variant in job.variants:
        records = simulate(variant.plan, job.seed, job.number)
        first = first or records
        replications.append(measured(variant, records, first))
    return replications
