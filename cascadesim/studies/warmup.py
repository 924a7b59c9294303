"""Warm-up that is not given: found by MSER-5 in a first run of each variant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cascadesim.studies.replications import Job, Variant, replicate, variant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.replications import Replication


def in_turn(jobs: Sequence[Job]) -> list[list[Replication]]:
    """Return the replications of jobs, run one after the other and kept nowhere."""
    return [replicate(job) for job in jobs]


def settled(
    chosen: dict[str, Scenario],
    seed: int | None,
    run: Callable[[Sequence[Job]], list[list[Replication]]] = in_turn,
) -> dict[str, Scenario]:
    """Return the scenarios with a warm-up in seconds where it says `auto`.

    It is the longest that one of them takes, so that all measure the same requests; of those with
    the same horizon, as others do not meet the same requests anyway. The rule looks for the
    transient of a stationary run, so only at requests that arrive before the first fault. Where
    that is too short to tell, half of those requests are taken, and the scenarios say so. `run`
    does the first runs, `Runner.run` for one.
    """
    unsettled = {name: s for name, s in chosen.items() if s.model.warmup == "auto"}
    longest: dict[float, float] = {}
    too_short: set[float] = set()
    replications = run([_first_run(scenario, seed) for scenario in unsettled.values()])
    for scenario, (replication,) in zip(unsettled.values(), replications, strict=True):
        horizon = scenario.model.horizon
        longest[horizon] = max(replication.transient.end, longest.get(horizon, 0.0))
        if not replication.transient.told:
            too_short.add(horizon)
    return chosen | {
        name: replace(
            scenario.override({"warmup": f"{longest[scenario.model.horizon]}s"}),
            too_short=scenario.model.horizon in too_short,
        )
        for name, scenario in unsettled.items()
    }


def _first_run(scenario: Scenario, seed: int | None) -> Job:
    # Without objectives, which no warm-up depends on.
    variant = Variant(variant_of(scenario).plan)
    return Job((variant,), scenario.model.seed if seed is None else seed, 0)
