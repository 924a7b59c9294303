"""Finals: which of the best settings keep the constraints in more worlds than the search has met.

The best of a search lie where a constraint only just holds, in the few worlds of a trial, and half
of such settings would miss it in others. So they meet more worlds, from the best on and in growing
steps, until some keep the constraints with their whole interval.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cascadesim.analysis.intervals import mean_interval
from cascadesim.studies.replications import Job
from cascadesim.studies.search import variant_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.aims import Aims, Trial
    from cascadesim.studies.execution import Runner
    from cascadesim.studies.replications import Judgement


def finals(
    scenario: Scenario, aims: Aims, trials: Sequence[Trial], worlds: int, seed: int, runner: Runner
) -> tuple[Trial | None, list[Trial]]:
    """Return the best trial, and those that have met so many more worlds, with all that they met.

    The best is the first that surely keeps the constraints, else the first that keeps them in the
    mean, else today's settings if they keep them, and else the best of the search alone.
    """
    best = aims.best(trials)
    if best is None or best.number == 0 or not aims.constraints:
        return best, []
    met = []
    for trial in _finalists(aims, trials):
        variant = variant_of(scenario, trial.settings, aims)
        assert variant is not None  # it ran before
        first = len(trial.replications)
        jobs = [Job((variant,), seed, number) for number in range(first, first + worlds)]
        more = [replication for (replication,) in runner.run(jobs)]
        met.append(replace(trial, replications=(*trial.replications, *more)))
        if aims.feasible(met[-1]) and _surely(aims, met[-1]):
            return met[-1], met
    left = trials[0] if aims.feasible(trials[0]) else best
    return next((trial for trial in met if aims.feasible(trial)), left), met


def _finalists(aims: Aims, trials: Sequence[Trial]) -> list[Trial]:
    """Return feasible trials that are better than today's: of the best the 1st, 2nd, 3rd, 5th, 9th…

    The search looks more and more closely at where a constraint only just holds, so that steps
    which grow lead away from there.
    """
    today = aims.costs(trials[0].replications) if aims.feasible(trials[0]) else None
    costs = {trial.number: aims.costs(trial.replications) for trial in trials}
    better = [
        trial
        for trial in trials
        if aims.feasible(trial) and (today is None or costs[trial.number] < today)
    ]
    better.sort(key=lambda trial: costs[trial.number])
    places = [0, *(2**i for i in range(len(better).bit_length()))]
    return [better[place] for place in places if place < len(better)]


def _surely(aims: Aims, trial: Trial) -> bool:
    judgements = zip(*(each.objectives for each in trial.replications), strict=True)
    return all(_kept(*both) for both in zip(aims.constraints, judgements, strict=True))


def _kept(constraint: Objective, judgements: Sequence[Judgement]) -> bool:
    """Return whether both bounds of the interval keep a constraint."""
    found = mean_interval([each.value for each in judgements])
    return constraint.met(found.low) and constraint.met(found.high)
