"""No worse: whether a measure of one scenario is worse than that of another, beyond the noise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cascadesim.analysis.contrast import FEWEST, Contrast
from cascadesim.scenario.objectives import RATES
from cascadesim.studies.thresholds import check_measure, parse_tolerance
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from cascadesim.studies.runs import LazyRuns, Runs


def side_by_side(before: LazyRuns, after: LazyRuns) -> tuple[LazyRuns, LazyRuns]:
    """Return both with as many replications and the same warm-up, so that they can be paired.

    Raises ScenarioError where their seeds differ.
    """
    if before.seed != after.seed:
        message = f"has seed {before.seed} and the other {after.seed}, so nothing pairs them"
        raise ScenarioError(message, before.given.document.source)
    given = {"before": before.given, "after": after.given}
    one, other = settled(given, before.seed, before.simulations.run).values()
    number = min(before.enough().count, after.enough().count)
    return replace(before, given=one, number=number), replace(after, given=other, number=number)


def more_errors(before: Runs, after: Runs, measure: str) -> Contrast | None:
    """Return the rise of the error rate that a latency hides, None where there is none.

    That is: errors have risen beyond doubt, and the measure is a latency.
    """
    if measure == "goodput" or measure in RATES:
        return None
    errors = before.contrast(after, "error_rate")
    return errors if errors.worse else None


def change(before: Runs, after: Runs, measure: str, by: str = "0%") -> Contrast:
    """Return how a measure changed between runs that are side by side, allowed to be worse `by`.

    Raises ScenarioError where there are too few replications to tell, where no requests are
    measured, and where unfinished requests hide the answer.
    """
    check_measure(measure, "on")
    source, tolerance = f"on {measure}", parse_tolerance(by, measure)
    if min(before.count, after.count) < FEWEST:
        message = f"needs {FEWEST} replications or more to tell a change from noise"
        raise ScenarioError(message, source)
    change = before.contrast(after, measure, tolerance)
    if not math.isfinite(change.known.difference.estimate):
        raise ScenarioError("no request arrives between warm-up and horizon", source)
    if change.unknown:
        message = f"requests unfinished at the end could still move {measure} up, so that nobody "
        message += "can tell; a longer `drain` lets them end"
        raise ScenarioError(message, source)
    return change
