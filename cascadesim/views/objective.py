"""One objective in sentences, as a test's failure and a build server's report have it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.values import words
from cascadesim.views.page import setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.judged import Judged
    from cascadesim.views.page import Cell, Words


def value(judged: Judged) -> str:
    """Return the value of an objective with its unit, or why there is none."""
    if math.isnan(judged.value.estimate):
        return "not known, as no request arrives between warm-up and horizon"
    metric = judged.objective.metric
    mean = words.with_unit(metric, words.mean(metric, judged.value))
    return words.lower_bound(mean, judged.at_least)


def details(judged: Judged, replications: int) -> Iterator[Words]:
    """Yield how often an objective is met, whether its value is a bound, and what is to blame."""
    if replications > 1:
        yield f"It is met in {judged.met_in} of {replications} replications."
    if judged.at_least:
        yield "Unfinished requests could move it; a longer drain tells more."
    if blame := blamed(judged):
        yield "To blame: ", *blame, "."


def blamed(judged: Judged) -> tuple[str | Cell, ...]:
    """Return what is to blame for a missed objective, and for how much; nothing for others."""
    if judged.met or judged.blame is None:
        return ()
    objective = judged.objective
    of = f"the {objective.metric}" if objective.is_latency else "the requests that went wrong"
    return setting(judged.blame.setting), f", for {judged.blame.share:.0%} of {of}"
