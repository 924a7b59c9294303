"""Runs: a variant in several replications, and what all of them say together.

They have two sources. `KeptRuns` hold what is kept of each run, which is little enough for a store
and for many settings in memory. `LazyRuns` are simulated at first use and hold the records, so that
they can be judged by objectives that are named only afterwards.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.composition import Composition, composition, ended, mean_composition
from cascadesim.analysis.contrast import NO_TOLERANCE, Contrast, Tolerance, contrast
from cascadesim.analysis.intervals import Interval, mean_interval
from cascadesim.analysis.judged import Judged
from cascadesim.analysis.percentiles import PERCENTILES, percentile
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.studies.execution import Execution
from cascadesim.studies.processes import in_processes
from cascadesim.studies.replications import (
    MEASURES,
    Job,
    Replication,
    Variant,
    measured,
    variant_of,
)
from cascadesim.studies.run import Result
from cascadesim.studies.store import digest
from cascadesim.studies.thresholds import check_classes, check_measure
from cascadesim.studies.warmup import settled
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.execution import Runner
    from cascadesim.studies.replay import Progress

LIMIT = 512 * 1024 * 1024  # bytes of records that are kept; older ones are simulated again


class Runs:
    """A variant in several replications, all from one seed."""

    variant: Variant
    seed: int
    replications: tuple[Replication, ...]

    @property
    def plan(self) -> Plan:
        """Return what is simulated."""
        return self.variant.plan

    @property
    def count(self) -> int:
        """Return the number of replications."""
        return len(self.replications)

    def values(self, measure: str) -> list[float]:
        """Return one of MEASURES, replication by replication."""
        return [run.measures[measure] for run in self.replications]

    def measure(self, name: str) -> Interval:
        """Return the mean of one of MEASURES over replications, with its interval.

        Percentiles and the mean latency are in seconds, goodput in replies per second, rates are
        shares.
        """
        return mean_interval(self.values(name))

    @property
    def measures(self) -> dict[str, Interval]:
        """Return the mean of each of MEASURES; see `measure`."""
        return {name: self.measure(name) for name in MEASURES}

    @property
    def percentiles(self) -> dict[str, Interval]:
        """Return the mean of each percentile; see `measure`."""
        return {name: self.measure(name) for name in PERCENTILES}

    def bounds(self, measure: str) -> list[tuple[float, float]]:
        """Return the least and most unfinished requests can make of a measure, by replication."""
        return [run.bounds(measure) for run in self.replications]

    def contrast(self, after: Runs, measure: str, tolerance: Tolerance = NO_TOLERANCE) -> Contrast:
        """Return how a measure differs in other runs, paired with these by replication."""
        return contrast(measure, self.bounds(measure), after.bounds(measure), tolerance)

    def at_least(self, measure: str) -> bool:
        """Return whether unfinished requests could move a measure up."""
        bounds = (run.bounds(measure) for run in self.replications)
        return any(least < most for least, most in bounds)

    @property
    def objectives(self) -> list[Judged]:
        """Return the objectives of the variant, each held against all replications."""
        judgements = zip(*(run.objectives for run in self.replications), strict=True)
        return [Judged(*both) for both in zip(self.variant.objectives, judgements, strict=True)]

    @property
    def met(self) -> bool:
        """Return whether every objective is met."""
        return all(judged.met for judged in self.objectives)

    @property
    def pairs(self) -> tuple[int, int] | None:
        """Return how many requests got better and how many worse than in the first variant.

        Over all replications; None where the two did not meet the same requests.
        """
        better = worse = 0
        for run in self.replications:
            if run.better is None or run.worse is None:
                return None
            better += run.better
            worse += run.worse
        return better, worse


@dataclass(frozen=True)
class KeptRuns(Runs):
    """Runs of which one `Replication` each is kept."""

    variant: Variant
    seed: int
    replications: tuple[Replication, ...]


def run_alone(
    variants: Sequence[Variant], seed: int, number: int, runner: Runner, progress: Progress = None
) -> list[KeptRuns]:
    """Return so many replications of each variant, none of which is held beside another."""
    jobs = [Job((variant,), seed, i) for variant in variants for i in range(number)]
    rows = iter(runner.run(jobs, progress))
    return [KeptRuns(v, seed, tuple(next(rows)[0] for _ in range(number))) for v in variants]


def settings_digest(plan: Plan) -> str:
    """Return a digest of all settings that can change a result; the seed is none of them."""
    variant = Variant(plan)
    return digest(variant, variant)


class Simulations:
    """Simulates each plan, seed and replication once, as long as the records are kept.

    `jobs` is the number of processes, -1 for one on each core; `limit` is in bytes of records.
    """

    def __init__(self, jobs: int = -1, limit: int = LIMIT) -> None:
        self.workers = Execution(jobs).workers
        self._limit = limit
        self._kept: OrderedDict[tuple[str, int, int], Records] = OrderedDict()
        self._bytes = 0

    def records(self, plan: Plan, seed: int, number: int) -> list[Records]:
        """Return the records of the first replications of a plan."""
        keys = [(settings_digest(plan), seed, i) for i in range(number)]
        missing = [key for key in keys if key not in self._kept]
        records = {key: self._kept[key] for key in keys if key in self._kept}
        calls = [(plan, seed, i) for _, _, i in missing]
        simulated = in_processes(self.workers, simulate, calls, ordered=True)
        records |= zip(missing, simulated, strict=True)
        for key in keys:
            self._keep(key, records[key])
        return [records[key] for key in keys]

    def run(self, jobs: Sequence[Job]) -> list[list[Replication]]:
        """Return the replications of each job, as `Runner.run` does."""
        return [list(self._replications(job)) for job in jobs]

    def _replications(self, job: Job) -> Iterable[Replication]:
        simulated = [self.records(v.plan, job.seed, job.number + 1)[-1] for v in job.variants]
        for variant, records in zip(job.variants, simulated, strict=True):
            yield measured(variant, records, simulated[0])

    def _keep(self, key: tuple[str, int, int], records: Records) -> None:
        if key not in self._kept:
            self._bytes += _size(records)
        self._kept[key] = records
        self._kept.move_to_end(key)
        while self._bytes > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(records: Records) -> int:
    return sum(column.nbytes for column in vars(records).values() if isinstance(column, np.ndarray))


@dataclass(frozen=True, repr=False)
class LazyRuns(Runs):
    """Runs of a scenario, at most at one variant, which are simulated at first use.

    `number` is that of replications, None where nobody asked for one: then it is 1, but 8 where
    an interval decides (see `enough`). A warm-up of `auto` is found first.
    """

    given: Scenario
    seed: int
    number: int | None = None
    simulations: Simulations = field(default_factory=Simulations, compare=False)

    def __repr__(self) -> str:
        """Return what was run, in one line."""
        return f"<{self.title}, {self.how_many}>"

    @property
    def title(self) -> str:
        """Return the scenario's name, its variant and the settings given beside it, in short."""
        at = f", {self.given.variant}" if self.given.variant else ""
        more = len(self.given.overrides)
        other = f", {more} other setting{'s' * (more > 1)}" if more else ""
        return f"{self.given.name}{at}{other}"

    @property
    def how_many(self) -> str:
        """Return the number of replications, and from which seed, in words."""
        return f"{self.count} replication{'s' * (self.count > 1)} from seed {self.seed}"

    @property
    def count(self) -> int:
        """Return the number of replications."""
        return self.number or 1

    def enough(self, number: int = 8) -> LazyRuns:
        """Return it with enough replications for an interval, where nobody asked for a number."""
        return replace(self, number=number) if self.number is None else self

    @cached_property
    def scenario(self) -> Scenario:
        """Return the scenario with its warm-up in seconds."""
        (scenario,) = settled({"": self.given}, self.seed, self.simulations.run).values()
        return scenario

    @cached_property
    def variant(self) -> Variant:  # type: ignore[override]  # computed here, a field elsewhere
        """Return what is simulated, and the scenario's objectives."""
        return variant_of(self.scenario)

    @cached_property
    def settings(self) -> str:
        """Return the digest of the settings; see `settings_digest`."""
        return settings_digest(self.plan)

    @property
    def records(self) -> list[Records]:
        """Return the records of every replication."""
        return self.simulations.records(self.plan, self.seed, self.count)

    @cached_property
    def result(self) -> Result:
        """Return the run of replication 0, as `cascadesim.run` does."""
        (first,) = self.simulations.records(self.plan, self.seed, 1)
        return Result(self.scenario, self.seed, first, self.plan)

    @cached_property
    def replications(self) -> tuple[Replication, ...]:  # type: ignore[override]  # likewise
        """Return what is kept of each replication, beside no other variant."""
        return tuple(measured(self.variant, run, run) for run in self.records)

    def values(self, measure: str) -> list[float]:
        """Return one of MEASURES, replication by replication. Raises ScenarioError."""
        check_measure(measure, self.given.document.source)
        return super().values(measure)

    def bounds(self, measure: str) -> list[tuple[float, float]]:
        """Return the least and most unfinished requests can make of a measure, by replication.

        Where few are unfinished, even a percentile that they move is bounded.
        """
        bounds = super().bounds(measure)
        if measure not in PERCENTILES or not self.at_least(measure):
            return bounds
        return [
            (low, min(high, _at_most(measure, records)))
            for (low, high), records in zip(bounds, self.records, strict=True)
        ]

    def judge(self, objective: Objective) -> Judged:
        """Return an objective held against all replications, whether the scenario states it or not.

        Raises ScenarioError for one of a class of requests that there is not.
        """
        check_classes([objective], self.given, objective.text)
        verdicts = [summarize(records, (objective,)).verdicts[0] for records in self.records]
        return Judged(objective, tuple(judged.judgements[0] for judged in verdicts))

    def composition(self, name: str, request_class: str | None = None) -> Composition:
        """Return what a percentile, or the mean, is made of, as the mean over replications.

        Of all requests, or of those of one class.
        """
        records = self.records
        if request_class is not None:
            records = [run.of_class(request_class) for run in records]
        return mean_composition([composition(run, name) for run in records])

    def ended(self, outcomes: Collection[Outcome]) -> dict[str, float]:
        """Return the shares of requests with these outcomes by what ended them, as means."""
        shares = [ended(run, outcomes) for run in self.records]
        names = dict.fromkeys(name for run in shares for name in run)
        return {name: sum(run.get(name, 0.0) for run in shares) / len(shares) for name in names}


def _at_most(name: str, records: Records) -> float:
    latency, outcome = records.latency[records.measured], records.outcome[records.measured]
    return percentile(name, latency, outcome == Outcome.UNFINISHED).at_most
