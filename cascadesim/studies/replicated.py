"""A scenario in several worlds, of which anything may be asked later; nothing is simulated twice.

Unlike a `Replication`, which keeps what a table shows, it can be judged by objectives that are
named only afterwards, and taken apart into causes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.composition import Composition, composition, ended, mean_composition
from cascadesim.analysis.intervals import Interval, mean_interval
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.studies.execution import Execution
from cascadesim.studies.judged import Judged, check_classes, judge
from cascadesim.studies.processes import in_processes
from cascadesim.studies.replications import (
    MEASURES,
    Judgement,
    Replication,
    Variant,
    at_least,
    measured,
)
from cascadesim.studies.run import Result
from cascadesim.studies.store import digest
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.replications import Job
    from cascadesim.values.outcome import Outcome

LIMIT = 512 * 1024 * 1024  # bytes of records that are kept; older ones are simulated again
_Key = tuple[str, int, int]  # digest of the settings, seed, number of the replication


def settings_digest(plan: Plan) -> str:
    """Return a digest of all settings that can change a result; the seed is none of them."""
    variant = Variant(plan)
    return digest(variant, variant)


class Simulations:
    """Simulates each plan, seed and replication once, as long as the records are kept.

    `jobs` is the number of processes, -1 for one on each core.
    """

    def __init__(self, jobs: int = -1, limit: int = LIMIT) -> None:
        self.workers = Execution(jobs).workers
        self._limit = limit
        self._kept: OrderedDict[_Key, Records] = OrderedDict()
        self._bytes = 0

    def records(self, plan: Plan, seed: int, number: int) -> list[Records]:
        """Return the first replications of a plan."""
        keys = [(settings_digest(plan), seed, i) for i in range(number)]
        missing = [key for key in keys if key not in self._kept]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        found |= zip(missing, self._simulate(plan, missing), strict=True)
        for key in keys:
            self._keep(key, found[key])
        return [found[key] for key in keys]

    def run(self, jobs: Sequence[Job]) -> list[list[Replication]]:
        """Return what each job came to, as `Runner.run` does."""
        return [self._replications(job) for job in jobs]

    def _replications(self, job: Job) -> list[Replication]:
        n = job.number
        found = [self.records(each.plan, job.seed, n + 1)[n] for each in job.variants]
        return [measured(*both, found[0]) for both in zip(job.variants, found, strict=True)]

    def _simulate(self, plan: Plan, keys: Sequence[_Key]) -> Iterable[Records]:
        calls = [(plan, seed, number) for _, seed, number in keys]
        return in_processes(self.workers, simulate, calls, ordered=True)

    def _keep(self, key: _Key, records: Records) -> None:
        if key not in self._kept:
            self._bytes += _size(records)
        self._kept[key] = records
        self._kept.move_to_end(key)
        while self._bytes > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(records: Records) -> int:
    return sum(each.nbytes for each in vars(records).values() if isinstance(each, np.ndarray))


@dataclass(frozen=True, repr=False)
class Replicated:
    """A scenario, at most at one variant, in as many worlds as there are replications.

    `number` is that of replications, None where nobody asked for one: then it is 1, but 8 where
    an interval decides (see `told`). What it came to is simulated at first use. A warm-up of `auto`
    is found first.
    """

    given: Scenario
    seed: int
    number: int | None = None
    simulations: Simulations = field(default_factory=Simulations, compare=False)

    def __repr__(self) -> str:
        """Return what was run, in one line."""
        return f"<{self.title}, {self.worlds}>"

    @property
    def title(self) -> str:
        """Return the scenario's name, its variant and the settings given beside it, in short."""
        at = f", {self.given.variant}" if self.given.variant else ""
        more = len(self.given.overrides)
        other = f", {more} other setting{'s' * (more > 1)}" if more else ""
        return f"{self.given.name}{at}{other}"

    @property
    def worlds(self) -> str:
        """Return the number of replications, and from which seed, in words."""
        return f"{self.count} replication{'s' * (self.count > 1)} from seed {self.seed}"

    @property
    def count(self) -> int:
        """Return the number of replications."""
        return self.number or 1

    def told(self, enough: int = 8) -> Replicated:
        """Return it with enough replications for an interval, where nobody asked for a number."""
        return replace(self, number=enough) if self.number is None else self

    @cached_property
    def scenario(self) -> Scenario:
        """Return the scenario with its warm-up in seconds."""
        (scenario,) = settled({"": self.given}, self.seed, self.simulations.run).values()
        return scenario

    @cached_property
    def plan(self) -> Plan:
        """Return what is simulated."""
        return compile_plan(self.scenario.model)

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
        return Result(self.scenario, self.seed, first)

    @cached_property
    def replications(self) -> tuple[Replication, ...]:
        """Return what each replication came to, by itself."""
        variant = Variant(self.plan, self.scenario.objectives)
        return tuple(measured(variant, each, each) for each in self.records)

    @property
    def percentiles(self) -> dict[str, Interval]:
        """Return the mean of each percentile over replications with its interval, in seconds."""
        return {name: self.measure(name) for name in PERCENTILES}

    def measure(self, name: str) -> Interval:
        """Return the mean of one of MEASURES over replications, with its interval."""
        return mean_interval(self.values(name))

    def values(self, name: str) -> list[float]:
        """Return one of MEASURES, replication by replication. Raises ScenarioError."""
        check_measure(name, self.given.document.source)
        return [each.measures[name] for each in self.replications]

    def at_least(self, name: str) -> bool:
        """Return whether unfinished requests could move a measure up."""
        return at_least(self.replications, name)

    def judge(self, objective: Objective) -> Judged:
        """Return what an objective came to, whether the scenario states it or not.

        Raises ScenarioError for one of a class of requests that there is not.
        """
        check_classes([objective], self.given, objective.text)
        verdicts = (summarize(each, (objective,)).verdicts[0] for each in self.records)
        return judge(objective, [Judgement(v.value, v.at_most, v.met, v.blame) for v in verdicts])

    def composition(self, name: str, request_class: str | None = None) -> Composition:
        """Return what a percentile, or the mean, is made of, as the mean over replications.

        Of all requests, or of those of one class.
        """
        chosen = (
            each if request_class is None else each.of_class(request_class) for each in self.records
        )
        return mean_composition([composition(each, name) for each in chosen])

    def ended(self, outcomes: Collection[Outcome]) -> dict[str, float]:
        """Return the shares of requests with these outcomes by what ended them, as means."""
        found = [ended(each, outcomes) for each in self.records]
        names = dict.fromkeys(name for each in found for name in each)
        return {name: sum(each.get(name, 0.0) for each in found) / len(found) for name in names}


def check_measure(name: str, source: str) -> None:
    """Raise a ScenarioError where there is no such measure."""
    if name not in MEASURES:
        message = f"unknown measure {show(name)}; {suggest(name, list(MEASURES))}"
        raise ScenarioError(message, source)


def side_by_side(before: Replicated, after: Replicated) -> tuple[Replicated, Replicated]:
    """Return both with as many replications and the same warm-up, so that they can be paired.

    Raises ScenarioError where their seeds differ.
    """
    if before.seed != after.seed:
        message = f"has seed {before.seed} and the other {after.seed}, so nothing pairs them"
        raise ScenarioError(message, before.given.document.source)
    given = {"before": before.given, "after": after.given}
    one, other = settled(given, before.seed, before.simulations.run).values()
    number = min(before.told().count, after.told().count)
    return replace(before, given=one, number=number), replace(after, given=other, number=number)
