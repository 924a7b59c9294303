"""Baselines: what a scenario came to once, in a file that people read, and what has changed since.

The file holds each replication's percentiles, so that later ones of the same seed are paired with
them. pytest-regressions and syrupy compare what they store number by number or letter by letter,
and write a missing file by themselves; here an interval decides, and nobody writes unasked.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import StringIO
from itertools import starmap
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from cascadesim import __version__
from cascadesim.analysis.composition import difference
from cascadesim.analysis.intervals import LEVEL, Interval, mean_interval
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.experiment.run import write_files
from cascadesim.experiment.thresholds import FEWEST, Change, Tolerance, welch_interval
from cascadesim.scenario.errors import ScenarioError
from cascadesim.scenario.schema import Strict
from cascadesim.scenario.source import read
from cascadesim.scenario.units import Count, Seed
from cascadesim.scenario.validate import validated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cascadesim.experiment.replicated import Replicated

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


@dataclass(frozen=True)
class Drift:
    """What has changed since a baseline: each percentile, and by cause what it is made of.

    `paired` is the number of replications that were compared one by one, 0 where none could be.
    `same` says that settings and seed are those of the baseline, so that nothing may change at all:
    what does is brought by another version of cascadesim, or of what it rests on.
    """

    baseline: Baseline
    now: Replicated
    changes: dict[str, Change]
    paired: int
    same: bool

    @property
    def worse(self) -> list[str]:
        """Return the percentiles that fail."""
        return [name for name in self.changes if self.fails(name)]

    def fails(self, name: str) -> bool:
        """Return whether a percentile is worse, or other than the same settings gave before."""
        one = self.changes[name]
        if self.now.at_least(name) and not self.baseline.percentiles[name].at_least:
            return True  # nobody knows how slow the unfinished requests would have become
        if self.same:
            return abs(one.after - one.before) > one.tolerated
        return one.worse

    @property
    def better(self) -> list[str]:
        """Return the percentiles that are better beyond doubt."""
        return [name for name, one in self.changes.items() if one.better and not self.same]

    @property
    def outdated(self) -> bool:
        """Return whether the settings are other ones than the baseline's."""
        return self.now.settings != self.baseline.settings

    def by_cause(self, name: str) -> dict[str, float]:
        """Return by how many seconds each cause of a percentile grew; adds up to its change."""
        return difference(
            self.baseline.percentiles[name].by_cause_s, self.now.composition(name).by_cause
        )


def baseline_of(now: Replicated, test: str) -> Baseline:
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


def _stored(now: Replicated, name: str) -> StoredPercentile:
    interval = now.measure(name)
    bounds = {"low_s": interval.low, "high_s": interval.high} if now.count >= FEWEST else {}
    made = now.composition(name).by_cause
    return StoredPercentile(
        mean_s=rounded(interval.estimate),
        **{key: rounded(value) for key, value in bounds.items()},
        at_least=now.at_least(name),
        by_cause_s={cause: rounded(value) for cause, value in made.items() if value},
        replications_s=[rounded(value) for value in now.values(name)],
    )


def _check_measured(now: Replicated) -> None:
    if not all(each.requests for each in now.replications):
        message = "no request arrives between warm-up and horizon"
        raise ScenarioError(message, now.given.document.source)


def rounded(value: float) -> float:
    """Return a number with DIGITS significant digits."""
    return float(f"{value:.{DIGITS}g}")


def drift(baseline: Baseline, now: Replicated, tolerance: Tolerance | None = None) -> Drift:
    """Return what has changed since a baseline.

    Replications of the same seed are compared in pairs, as far as both have them; others by Welch's
    interval. The intervals of all percentiles hold together with 95 %, so that six looks are no
    more likely to see a ghost than one. With a `tolerance` the means decide and no interval does.
    Raises ScenarioError where neither can.
    """
    _check_measured(now)
    same = baseline.settings == now.settings and baseline.seed == now.seed
    paired = min(baseline.replications, now.count) if baseline.seed == now.seed else 0
    fewest = paired if baseline.seed == now.seed else min(baseline.replications, now.count)
    if tolerance is None and not same and fewest < FEWEST:
        message = (
            f"needs {FEWEST} replications or more to tell a change from noise; or say what is "
            'allowed, such as relative="2%"'
        )
        raise ScenarioError(message, f"baseline of {baseline.test}")
    level = 1 - (1 - LEVEL) / len(baseline.percentiles)
    changes = {
        name: _change(name, stored.replications_s, now.values(name), paired, level)
        for name, stored in baseline.percentiles.items()
    }
    if same or tolerance is not None:
        allowed = tolerance or Tolerance()
        changes = dict(starmap(_plain(allowed), changes.items()))
    return Drift(baseline, now, changes, paired, same and tolerance is None)


def _change(
    name: str, before: Sequence[float], after: Sequence[float], paired: int, level: float
) -> Change:
    if paired:
        before, after = before[:paired], after[:paired]
        pairs = zip(before, after, strict=True)
        interval = mean_interval([new - old for old, new in pairs], level)
    else:
        interval = welch_interval(before, after, level)
    old, new = (mean_interval(values).estimate for values in (before, after))
    return Change(name, old, new, interval, ROUNDING * old)


def _plain(tolerance: Tolerance) -> Any:
    """Return a function that takes the noise out of a change, so that its means decide."""

    def plain(name: str, one: Change) -> tuple[str, Change]:
        by = one.after - one.before
        allowed = one.tolerated + tolerance.of(one.before)
        return name, Change(name, one.before, one.after, Interval(by, by, by), allowed)

    return plain


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in a file. Raises ScenarioError with file, line and column."""
    document = read(path)
    found = validated(document, Baseline)
    for name, stored in found.percentiles.items():
        at = ("percentiles", name)
        if name not in PERCENTILES:
            message = f"expected one of {', '.join(PERCENTILES)}"
            raise ScenarioError(message, document.mark(at, key=True), ".".join(at))
        if len(stored.replications_s) != found.replications:
            message = f"expected {found.replications} values, one a replication"
            place = document.mark((*at, "replications_s"))
            raise ScenarioError(message, place, ".".join((*at, "replications_s")))
    for name in PERCENTILES:
        if name not in found.percentiles:
            message = f"{name} is missing; `pytest --cascade-update` writes all of them"
            raise ScenarioError(message, document.mark(("percentiles",), key=True), "percentiles")
    return found


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline into a file. Raises ScenarioError where that is not possible."""
    text = baseline_text(baseline)
    write_files(path.parent, {path.name: lambda file: file.write_text(text, "utf-8")})


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
