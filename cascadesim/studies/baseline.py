"""Baselines: figures of a scenario in a file that people read, and what has changed since.

The file holds each replication's percentiles, so that later ones of the same seed are paired with
them. pytest-regressions and syrupy compare what they store number by number or letter by letter,
and write a missing file by themselves; here an interval decides, and nobody writes unasked.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from math import inf
from typing import TYPE_CHECKING, Self

from pydantic import model_validator
from ruamel.yaml import YAML

from cascadesim import __version__
from cascadesim.analysis.composition import difference
from cascadesim.analysis.contrast import (
    FEWEST,
    NO_TOLERANCE,
    Contrast,
    Method,
    Tolerance,
    contrast,
    means_alone,
    paired,
    welch,
)
from cascadesim.analysis.intervals import LEVEL
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.files import write_text
from cascadesim.scenario.source import read
from cascadesim.scenario.validate import validated
from cascadesim.values.errors import ScenarioError, show
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import Count, Seed

if TYPE_CHECKING:
    from pathlib import Path

    from cascadesim.studies.runs import LazyRuns

DIGITS = 6  # significant ones that a file holds
ROUNDING = 10 ** (1 - DIGITS)  # what a value may differ by from that, as a share


class StoredPercentile(Strict):
    """A percentile in seconds: over replications, in each of them, and by cause."""

    mean_s: float
    low_s: float | None = None
    high_s: float | None = None
    at_least: bool = False
    by_cause_s: dict[str, float]
    replications_s: list[float]


class Baseline(Strict):
    """What a file holds. `settings` is a digest of all that could change a result but the seed."""

    test: str
    scenario: str
    variant: str | None = None
    seed: Seed
    replications: Count
    settings: str
    cascadesim: str
    percentiles: dict[str, StoredPercentile]

    @model_validator(mode="after")
    def _check_percentiles(self) -> Self:
        for name, stored in self.percentiles.items():
            at = ("percentiles", name)
            if name not in PERCENTILES:
                raise problem(f"expected one of {', '.join(PERCENTILES)}", *at, key=True)
            if len(stored.replications_s) != self.replications:
                message = f"expected {self.replications} values, one a replication"
                raise problem(message, *at, "replications_s")
        for name in PERCENTILES:
            if name not in self.percentiles:
                message = f"{name} is missing; `pytest --cascade-update` writes all of them"
                raise problem(message, "percentiles", key=True)
        return self


@dataclass(frozen=True)
class Drift:
    """What has changed since a baseline: each percentile, and by cause what it is made of.

    `now` has the replications that were compared; `paired` is the number of those that were so one
    by one, 0 where none could be. `same` says that settings and seed are those of the baseline, so
    that nothing may change at all: what does is brought by another version of cascadesim, or of
    what it rests on.
    """

    baseline: Baseline
    now: LazyRuns
    changes: dict[str, Contrast]
    paired: int
    same: bool

    @property
    def failing(self) -> list[str]:
        """Return the percentiles that fail."""
        return [name for name in self.changes if self.verdict(name)]

    def verdict(self, name: str) -> str:
        """Return why a percentile fails, "" where it does not.

        It is "other" than the same settings gave before, or "worse", or "unfinished" requests hide
        whether it is. Where they did so in the baseline too, nothing was lost that was known.
        """
        one = self.changes[name]
        was_open = self.baseline.percentiles[name].at_least
        if self.same:
            if abs(one.after.estimate - one.before.estimate) > one.tolerated:
                return "other"
            return "unfinished" if self.now.at_least(name) and not was_open else ""
        if one.worse:
            return "worse"
        return "unfinished" if one.unknown and (one.looks_worse or not was_open) else ""

    @property
    def better(self) -> list[str]:
        """Return the percentiles that are better beyond doubt."""
        return [name for name, one in self.changes.items() if one.better and not self.same]

    @property
    def unknown(self) -> list[str]:
        """Return the percentiles that pass as the baseline did not know them either."""
        hidden = (name for name, one in self.changes.items() if one.unknown and not self.same)
        return [name for name in hidden if not self.verdict(name)]

    @property
    def outdated(self) -> bool:
        """Return whether the settings are other ones than the baseline's."""
        return self.now.settings != self.baseline.settings

    def by_cause(self, name: str) -> dict[str, float]:
        """Return by how many seconds each cause of a percentile grew; adds up to its change.

        A file holds causes as means of all its replications, so where fewer were compared they are
        scaled to the percentile of those.
        """
        one = self.changes[name]
        then, now = self.baseline.percentiles[name].by_cause_s, self.now.composition(name).by_cause
        before, after = one.before.estimate, one.after.estimate
        return difference(_scaled(then, before), _scaled(now, after))


def _scaled(amounts: dict[str, float], total: float) -> dict[str, float]:
    """Return amounts that add up to a total, in the same proportions."""
    now = sum(amounts.values())
    return {name: amount * (total / now if now else 0.0) for name, amount in amounts.items()}


def baseline_of(now: LazyRuns, test: str) -> Baseline:
    """Return the baseline that a run makes; figures are rounded to DIGITS. Raises ScenarioError."""
    _check_measured(now)
    return Baseline(
        test=test,
        scenario=now.given.name,
        variant=now.given.variant,
        seed=now.seed,
        replications=now.count,
        settings=now.settings,
        cascadesim=__version__,
        percentiles={name: _stored(now, name) for name in PERCENTILES},
    )


def _stored(now: LazyRuns, name: str) -> StoredPercentile:
    interval, known = now.measure(name), now.count >= FEWEST
    by_cause = now.composition(name).by_cause
    return StoredPercentile(
        mean_s=rounded(interval.estimate),
        low_s=rounded(interval.low) if known else None,
        high_s=rounded(interval.high) if known else None,
        at_least=now.at_least(name),
        by_cause_s={cause: rounded(value) for cause, value in by_cause.items() if value},
        replications_s=[rounded(value) for value in now.values(name)],
    )


def _check_measured(now: LazyRuns) -> None:
    if not all(run.requests for run in now.replications):
        message = "no request arrives between warm-up and horizon"
        raise ScenarioError(message, now.given.document.source)


def rounded(value: float) -> float:
    """Return a number with DIGITS significant digits."""
    return float(f"{value:.{DIGITS}g}")


def check_same(baseline: Baseline, now: LazyRuns, source: str) -> None:
    """Raise a ScenarioError where the baseline in a file is that of something else."""
    then, given = (baseline.scenario, baseline.variant), (now.given.name, now.given.variant)
    if then != given:
        message = f"is of {_titled(*then)}, and the test runs {_titled(*given)}; if that is meant, "
        message += "`pytest --cascade-update` writes it anew"
        raise ScenarioError(message, source)


def _titled(name: str, variant: str | None) -> str:
    return show(name) + (f" at the variant {show(variant)}" if variant else "")


def drift(baseline: Baseline, now: LazyRuns, tolerance: Tolerance | None = None) -> Drift:
    """Return what has changed since a baseline.

    Replications of the same seed are compared in pairs, as far as both have them; others by Welch's
    interval. The intervals of all percentiles hold together with 95 %, so that six looks are no
    more likely to see a ghost than one. With a `tolerance` the means decide and no interval does.
    Raises ScenarioError where neither can.
    """
    _check_measured(now)
    same = baseline.settings == now.settings and baseline.seed == now.seed
    fewest = min(baseline.replications, now.count)
    few = fewest if baseline.seed == now.seed else 0  # that can be paired
    if tolerance is None and not same and fewest < FEWEST:
        message = (
            f"needs {FEWEST} replications or more to tell a change from noise, then and now, and "
            f'has {baseline.replications} and {now.count}; or say what is allowed: relative="2%"'
        )
        raise ScenarioError(message, f"baseline of {baseline.test}")
    now = replace(now, number=few or now.count)
    method: Method = means_alone
    if tolerance is None and not same:
        level = 1 - (1 - LEVEL) / len(baseline.percentiles)
        method = partial(paired if few else welch, level=level)
    allowed = tolerance or NO_TOLERANCE
    allowed = replace(allowed, share=allowed.share + ROUNDING)
    changes = {
        name: contrast(name, _before(stored, few), now.bounds(name), allowed, method)
        for name, stored in baseline.percentiles.items()
    }
    return Drift(baseline, now, changes, few, same and tolerance is None)


def _before(stored: StoredPercentile, few: int) -> list[tuple[float, float]]:
    """Return the least and most of a percentile in the first `few` replications, or in all."""
    values = stored.replications_s[: few or None]
    return [(value, inf if stored.at_least else value) for value in values]


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in a file. Raises ScenarioError with file, line and column."""
    return validated(read(path), Baseline)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline into a file. Raises ScenarioError where that is not possible."""
    write_text(path, baseline_text(baseline))


def baseline_text(baseline: Baseline) -> str:
    """Return a baseline as YAML, the innermost lists and mappings in one line each."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = sys.maxsize
    stream = StringIO("# Written by `pytest --cascade-update`, which rewrites it.\n")
    stream.seek(0, 2)
    yaml.dump(baseline.model_dump(exclude_defaults=True), stream)
    return stream.getvalue()
