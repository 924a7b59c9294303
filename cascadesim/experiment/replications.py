"""Replications: the same variants in worlds of their own, on as many cores as are given.

Replication i of every variant meets the same world, so variants are compared replication by
replication and request by request (common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.intervals import Interval, mean_interval
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.analysis.summary import Summary, summarize
from cascadesim.engine import simulate
from cascadesim.model.outcome import Outcome
from cascadesim.scenario.errors import ScenarioError
from cascadesim.scenario.objectives import RATES
from cascadesim.scenario.units import parse_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cascadesim.analysis.attribution import Blame
    from cascadesim.plan import Plan
    from cascadesim.records import Records
    from cascadesim.scenario.objectives import Objective

MOST = 200  # replications that a precision may ask for, unless told otherwise
FEWEST = 5  # before a precision is judged, since an interval of fewer says little
SAME = 1e-9  # seconds by which a latency may differ and count as the same


@dataclass(frozen=True, slots=True)
class Replication:
    """What one replication of one variant came to.

    `measures` holds MEASURES: percentiles and the mean in seconds, goodput in replies per second,
    and rates as shares. `better` and `worse` count the measured requests with a better and a worse
    outcome than in the first variant, or else the same and in less and in more time; both are None
    where the two did not meet the same requests.
    """

    requests: int  # that are measured
    measures: dict[str, float]
    at_least: frozenset[str]  # percentiles that unfinished requests could move up
    better: int | None
    worse: int | None
    objectives: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective in one replication; see `Verdict` for the fields."""

    value: float
    at_most: float
    met: bool
    blame: Blame | None


@dataclass(frozen=True, slots=True)
class Variant:
    """What is replicated: a plan, and the objectives that it should keep."""

    plan: Plan
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True)
class Precision:
    """Replicate until the interval of a measure is narrow: half of it at most `share` of it."""

    measure: str
    share: float

    def reached(self, replications: Sequence[Replication]) -> bool:
        """Return whether these replications are enough."""
        return interval(replications, self.measure).relative <= self.share


def parse_precision(text: str) -> Precision:
    """Return the precision that a text such as "p99=2%" asks for.

    Raises ScenarioError saying what would be right.
    """
    measure, _, share = (part.strip() for part in text.partition("="))
    try:
        asked = parse_share(share)
    except ValueError:
        asked = 0.0
    if measure not in MEASURES or not asked:
        message = f'expected MEASURE=SHARE such as "p99=2%"; measures: {", ".join(MEASURES)}'
        raise ScenarioError(message, f"--precision {text}")
    return Precision(measure, asked)


MEASURES = (*PERCENTILES, "mean", "goodput", *RATES)


def interval(replications: Sequence[Replication], measure: str) -> Interval:
    """Return the interval of a measure across replications."""
    return mean_interval([replication.measures[measure] for replication in replications])


def measured(summary: Summary, records: Records, first: Records) -> Replication:
    """Return what a run came to, beside the first variant's run in the same world."""
    better = worse = None
    if np.array_equal(records.arrival, first.arrival):
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
    return Replication(requests, measures, at_least, better, worse, objectives)


def _measures(summary: Summary) -> dict[str, float]:
    percentiles = {name: p.seconds for name, p in summary.percentiles.items()}
    return percentiles | {
        "mean": summary.mean.seconds,
        "goodput": summary.goodput,
        **summary.rates,
    }


def replicate(variants: Sequence[Variant], seed: int, number: int) -> list[Replication]:
    """Return one replication of every variant, each beside the first."""
    first: Records | None = None
    replications = []
    for variant in variants:
        records = simulate(variant.plan, seed, number)
        first = first or records
        replications.append(measured(summarize(records, variant.objectives), records, first))
    return replications


def replications(
    variants: Sequence[Variant],
    seed: int,
    numbers: range,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Iterator[list[Replication]]:
    """Yield the replications in order, the same for any number of workers.

    `workers` is a number of processes, -1 for one on each core.
    """
    from joblib import Parallel, delayed  # slow to import, and not every command needs it

    # No more processes than there is work for.
    parallel = Parallel(n_jobs=min(workers, len(numbers)), return_as="generator")
    jobs = (delayed(replicate)(variants, seed, number) for number in numbers)
    for done, result in enumerate(parallel(jobs), 1):
        if progress is not None:
            progress(done / len(numbers))
        yield result


def until_precise(
    variants: Sequence[Variant],
    seed: int,
    precision: Precision,
    most: int = MOST,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> list[list[Replication]]:
    """Return as many replications as the precision takes for every variant, `most` at most.

    They are judged in the order of their numbers, so that the same ones are kept with any number
    of workers.
    """
    kept: list[list[Replication]] = []
    ahead = 1 if workers == 1 else 8  # run at once before the next judgement
    while len(kept) < most:
        numbers = range(len(kept), min(most, max(FEWEST, len(kept) + ahead)))
        for replication in list(replications(variants, seed, numbers, workers)):
            kept.append(replication)
            if len(kept) >= FEWEST and all(
                precision.reached([each[i] for each in kept]) for i in range(len(variants))
            ):
                if progress is not None:
                    progress(1.0)
                return kept
        if progress is not None:
            progress(len(kept) / most)
    return kept
