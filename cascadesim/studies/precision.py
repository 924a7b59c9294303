"""Precision: as many replications as it takes until an interval is narrow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.studies.replications import MEASURES, Job
from cascadesim.studies.runs import KeptRuns, Runs
from cascadesim.values.errors import ScenarioError
from cascadesim.values.units import parse_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cascadesim.studies.execution import Runner
    from cascadesim.studies.replications import Replication, Variant

MOST = 200  # replications that a precision may ask for, unless told otherwise
# Before a precision is judged: intervals of fewer are often narrow by chance, and to stop there
# would leave too few of them with the true value (Law, "Simulation Modeling and Analysis", 9.4.1).
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Precision:
    """Replicate until the interval of a measure is narrow: half of it at most `share` of it."""

    measure: str
    share: float

    def reached(self, runs: Runs) -> float:
        """Return half the interval as a share of the estimate.

        Infinite where it is not known, as requests that are unfinished could move the measure.
        """
        return math.inf if runs.at_least(self.measure) else runs.measure(self.measure).relative

    def ends(self, runs: Runs) -> bool:
        """Return whether these replications are enough, or more would tell no more."""
        return runs.at_least(self.measure) or self.reached(runs) <= self.share


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


def until_precise(
    variants: tuple[Variant, ...],
    seed: int,
    precision: Precision,
    runner: Runner,
    done: Sequence[list[Replication]] = (),
    most: int = MOST,
    progress: Callable[[float], None] | None = None,
) -> list[list[Replication]]:
    """Return as many replications as the precision takes for every variant, `most` at most.

    `done` are the first of them, where they are there already. They are judged in the order of
    their numbers, so that the same ones are kept with any number of workers.
    """
    ran = list(done)
    judged = min(FEWEST, most)
    while True:
        if len(ran) < judged:
            # Some more than are judged next, so that no worker is idle.
            numbers = range(len(ran), min(most, max(judged, len(ran) + runner.ahead)))
            ran += runner.run([Job(variants, seed, number) for number in numbers])
        kept = ran[:judged]
        enough = judged >= FEWEST and all(
            precision.ends(KeptRuns(variant, seed, runs))
            for variant, runs in zip(variants, zip(*kept, strict=True), strict=True)
        )
        if progress is not None:
            progress(1.0 if enough else judged / most)
        if enough or judged == most:
            return kept
        judged += 1
