"""Comparison: variants, of one scenario or of several, side by side and in pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.analysis.composition import Composition, mean_composition
from cascadesim.analysis.contrast import Contrast, corrected
from cascadesim.analysis.decomposition import Decomposition
from cascadesim.analysis.intervals import LEVEL, Interval
from cascadesim.analysis.percentiles import DEFINITION, PERCENTILES
from cascadesim.files import without_nan
from cascadesim.outputs import Shown, output
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.precision import MOST, Precision, parse_precision, until_precise
from cascadesim.studies.replay import at_variants, check_named, part_of, run_each, titles
from cascadesim.studies.replications import HEADLINE, Job, Variant, measured
from cascadesim.studies.run import check_count, seed_of
from cascadesim.studies.runs import KeptRuns
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from cascadesim.analysis.judged import Judged
    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.execution import Runner
    from cascadesim.studies.replay import Progress
    from cascadesim.studies.replications import Replication
    from cascadesim.studies.run import Result
    from cascadesim.studies.runs import Runs


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Variants by label; the first is what the others are compared with.

    `results` are the runs of replication 0, `runs` hold what is kept of every replication.
    """

    results: dict[str, Result]
    runs: dict[str, KeptRuns]
    precision: Precision | None = None  # that was asked for

    @property
    def first(self) -> str:
        """Return the label that the others are compared with."""
        return next(iter(self.results))

    @property
    def replications(self) -> dict[str, tuple[Replication, ...]]:
        """Return what is kept of each replication, by label."""
        return {label: runs.replications for label, runs in self.runs.items()}

    @property
    def count(self) -> int:
        """Return the number of replications."""
        return self.runs[self.first].count

    def reached(self, label: str) -> float:
        """Return half the interval of the measure that a precision was asked of, as a share."""
        assert self.precision is not None
        return self.precision.reached(self.runs[label])

    @property
    def met(self) -> bool:
        """Return whether every variant meets every objective of its scenario, see `objectives`."""
        return all(runs.met for runs in self.runs.values())

    def objectives(self, label: str) -> list[Judged]:
        """Return every objective of a variant, held against all replications."""
        return self.runs[label].objectives

    def measures(self, label: str) -> dict[str, Interval]:
        """Return the mean of every measure over replications; see `Runs.measure`."""
        return self.runs[label].measures

    def percentile(self, label: str, name: str) -> Interval:
        """Return the mean of a percentile over replications, with its interval, in seconds."""
        return self.runs[label].measure(name)

    def at_least(self, label: str, name: str) -> bool:
        """Return whether unfinished requests could move a measure up."""
        return self.runs[label].at_least(name)

    @cached_property
    def differences(self) -> dict[str, dict[str, Contrast]]:
        """Return the difference from the first variant, by label and percentile.

        p-values are corrected for the number of variants (Holm).
        """
        by_name = {name: differences(self.runs, name) for name in PERCENTILES}
        others = list(self.runs)[1:]
        return {label: {name: by_name[name][label] for name in PERCENTILES} for label in others}

    @property
    def headline(self) -> str:
        """Return the latency that is taken apart: of the first objective of one, else the p99."""
        return self.runs[self.first].variant.headline

    def composition(self, label: str) -> Composition:
        """Return what the headline is made of, as the mean over replications that have requests.

        Its parts add up to the mean of the headline.
        """
        parts = self.results[label].records.parts
        seconds = [dict(zip(parts, run.parts, strict=False)) for run in self.replications[label]]
        return mean_composition([Composition(by_part) for by_part in seconds])

    def decomposition(self, label: str) -> Decomposition | None:
        """Return by what the headline changed from the first variant.

        None where a replication has no requests, so that there is no mean.
        """
        labels, name = (self.first, label), self.headline
        if any(math.isnan(self.percentile(one, name).estimate) for one in labels):
            return None
        before, after = (self.composition(one) for one in labels)
        first_at_least, at_least = (self.at_least(one, name) for one in labels)
        change = self.differences.get(label, {}).get(name)
        seen = None if change is None else change.seen
        return Decomposition(name, before, after, first_at_least, at_least, seen)

    @cached_property
    def errors(self) -> dict[str, Contrast]:
        """Return by how much the error rate of the other variants differs from the first."""
        return differences(self.runs, "error_rate")

    def pairs(self, label: str) -> tuple[int, int] | None:
        """Return how many requests got better and worse than in the first; see `Runs.pairs`."""
        return self.runs[label].pairs

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a variant and percentile.

        Columns: variant, percentile, latency_s (the mean over replications) with low_s and high_s,
        difference_s (from the first variant) with difference_low_s, difference_high_s and p_value,
        at_least and first_at_least (whether unfinished requests could move the latency up, and the
        first variant's). Intervals are of 95 %, and NaN for a single replication. A difference is
        NaN where both latencies could move, and its p_value where that leaves open which is more.
        """
        import pandas as pd  # slow to import, and not every command needs it

        return pd.DataFrame(
            [
                {"variant": label, "percentile": name, **self._figures(label, name)}
                for label in self.results
                for name in PERCENTILES
            ]
        )

    def _figures(self, label: str, name: str) -> dict[str, Any]:
        mean = self.percentile(label, name)
        difference, p_value = Interval(0.0, math.nan, math.nan), math.nan
        if label != self.first:
            change = self.differences[label][name]
            difference, p_value = change.interval, change.p_value
        return {
            "latency_s": mean.estimate,
            "low_s": mean.low,
            "high_s": mean.high,
            "difference_s": difference.estimate,
            "difference_low_s": difference.low,
            "difference_high_s": difference.high,
            "p_value": p_value,
            "at_least": self.at_least(label, name),
            "first_at_least": self.at_least(self.first, name),
        }

    def _precision(self) -> dict[str, Any] | None:
        if self.precision is None:
            return None
        reached = {label: self.reached(label) for label in self.results}
        return {
            "measure": self.precision.measure,
            "share": self.precision.share,
            "reached": {k: None if math.isinf(v) else v for k, v in reached.items()},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data.

        Keys: cascadesim (version), percentile_definition, met, replications (their number), level
        (of intervals), precision (what was asked for and reached, or null); variants, for each
        label what `Result.to_dict` gives of replication 0, but `objectives` over all of them
        (`value` is the mean; see `Judged`), and `percentiles` (the columns of `frame` by
        percentile, null for NaN), `measures` (`mean`, `low` and `high` of each, as `measures` has
        them), `decomposition` (see `Decomposition.to_dict`, null for the first variant), `better`
        and `worse` (requests beside the first).
        """
        return {
            "cascadesim": __version__,
            "percentile_definition": DEFINITION,
            "met": self.met,
            "replications": self.count,
            "level": LEVEL,
            "precision": self._precision(),
            "variants": {label: self._variant(label) for label in self.results},
        }

    def _variant(self, label: str) -> dict[str, Any]:
        better, worse = self.pairs(label) or (None, None)
        made = None if label == self.first else self.decomposition(label)
        return self.results[label].to_dict() | {
            "objectives": [judged.to_dict() for judged in self.objectives(label)],
            "percentiles": {name: without_nan(self._figures(label, name)) for name in PERCENTILES},
            "measures": {name: mean.to_dict("mean") for name, mean in self.measures(label).items()},
            "decomposition": made and made.to_dict(),
            "better": better,
            "worse": worse,
        }

    def plot(self, kind: str = "dumbbell", ax: Axes | None = None) -> Axes:
        """Draw a figure of variants, such as "dumbbell", with intervals where there are any.

        Raises ScenarioError where there is no such figure of variants, no requests to draw, or more
        variants than can be told apart.
        """
        axes: Axes = output("draw")(kind, self, ax)
        return axes


def compare(
    *scenarios: Scenario,
    variants: Sequence[str] = (),
    seed: int | None = None,
    progress: Progress = None,
    settings: Mapping[str, Any] | None = None,
    replications: int | None = None,
    precision: Precision | str | None = None,
    execution: Execution = HERE,
) -> Comparison:
    """Run variants (all of them if none is named) of one or more scenarios.

    `settings` are applied to every variant, by dotted path. Labels are variant names, with the
    scenario's name before where there are several scenarios, and its number where names are alike.
    `replications` is their number (1 if not given), or with a `precision` (such as "p99=2%") the
    most that it may take; `execution` is where they run. Raises ScenarioError for a variant that is
    in none of the scenarios, and for replications of scenarios whose seeds differ.
    """
    if isinstance(precision, str):
        precision = parse_precision(precision)
    if not scenarios:
        raise ScenarioError("give a scenario", "cascadesim.compare")
    check_count("replications", replications)
    chosen = _chosen(scenarios, variants, settings)
    if precision is None and (replications or 1) == 1:
        return side_by_side(run_each(settled(chosen, seed), seed, progress))
    if len(seeds := {seed_of(scenario, seed) for scenario in chosen.values()}) > 1:
        message = "the scenarios have different seeds, so nothing pairs them; give one with --seed"
        raise ScenarioError(message, scenarios[0].document.source)
    with execution.open() as runner:
        return _replicated(chosen, seeds.pop(), replications, precision, runner, progress)


def _replicated(
    chosen: dict[str, Scenario],
    seed: int,
    number: int | None,
    precision: Precision | None,
    runner: Runner,
    progress: Progress,
) -> Comparison:
    """Return the comparison of so many replications, the first of which has its records."""
    steps = (number or 1) if precision is None else 2
    results = run_each(settled(chosen, seed, runner.run), seed, part_of(progress, 0, steps))
    alone = side_by_side(results)
    plans = tuple(runs.variant for runs in alone.runs.values())
    first = [replication for (replication,) in alone.replications.values()]
    rest = part_of(progress, 1, steps, steps - 1)
    if precision is None:
        replicated = [first, *runner.run([Job(plans, seed, i) for i in range(1, steps)], rest)]
    else:
        replicated = until_precise(plans, seed, precision, runner, [first], number or MOST, rest)
    by_variant = zip(results, plans, zip(*replicated, strict=True), strict=True)
    runs = {label: KeptRuns(plan, seed, kept) for label, plan, kept in by_variant}
    return Comparison(results, runs, precision)


def side_by_side(results: Mapping[str, Result]) -> Comparison:
    """Return runs of variants, replication 0 of each, as a comparison with the first."""
    first = next(iter(results.values()))
    runs = {}
    for label, result in results.items():
        variant = Variant(result.plan, result.scenario.objectives, _headline(first.scenario))
        replication = measured(variant, result.records, first.records)
        runs[label] = KeptRuns(variant, result.seed, (replication,))
    return Comparison(dict(results), runs)


def differences(runs: Mapping[str, Runs], measure: str) -> dict[str, Contrast]:
    """Return how a measure of each of the others differs from that of the first, by label.

    Replications are paired; p-values are corrected for the number of the others (Holm).
    """
    first, *others = runs
    contrasts = [runs[first].contrast(runs[label], measure) for label in others]
    return dict(zip(others, corrected(contrasts), strict=True))


def _headline(scenario: Scenario) -> str:
    # What is taken apart is of all requests.
    latencies = (o.metric for o in scenario.objectives if o.is_latency and o.request_class is None)
    return next(latencies, HEADLINE)


def _chosen(
    scenarios: Sequence[Scenario], variants: Sequence[str], settings: Mapping[str, Any] | None
) -> dict[str, Scenario]:
    """Return the scenarios at their variants, by label; see `compare`."""
    if isinstance(variants, str):
        variants = [variants]
    check_named(scenarios, variants)
    chosen: dict[str, Scenario] = {}
    for title, scenario in zip(titles(scenarios), scenarios, strict=True):
        names = [name for name in variants if name in scenario.variants]
        if variants and scenario.variants and not names:
            continue
        prefix = f"{title}:" if len(scenarios) > 1 else ""
        for name, at_variant in at_variants(scenario, names, settings).items():
            chosen[prefix + name] = at_variant
    return chosen
