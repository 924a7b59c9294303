"""Warm-up that is not given: found by MSER-5 in a first run of each variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.intervals import mser5
from cascadesim.compile import compile_plan
from cascadesim.engine import simulate

if TYPE_CHECKING:
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario


def settled(chosen: dict[str, Scenario], seed: int | None) -> dict[str, Scenario]:
    """Return the variants with a warm-up in seconds where it says `auto`.

    It is the longest that one of them takes, so that all measure the same requests. The rule looks
    for the transient of a stationary run, so only at requests that arrive before the first fault.
    """
    unsettled = {name: each for name, each in chosen.items() if each.model.warmup == "auto"}
    if not unsettled:
        return chosen
    longest = max(_warmup(each, seed) for each in unsettled.values())
    found = {name: each.override({"warmup": f"{longest}s"}) for name, each in unsettled.items()}
    return chosen | found


def _warmup(scenario: Scenario, seed: int | None) -> float:
    plan = compile_plan(scenario.model)
    records = simulate(plan, scenario.model.seed if seed is None else seed)
    faults = [fault.start for stage in plan.walk() for fault in stage.faults]
    return _transient(records, min(faults, default=plan.horizon))


def _transient(records: Records, until: float) -> float:
    """Return when the transient of the latencies is over, in seconds, rounded up."""
    background = (records.observation < 0) & (records.arrival < until)
    cut = mser5(records.latency[background].tolist())
    arrivals = records.arrival[background]
    # A millisecond more, so that the text of it in decimals is not a hair below.
    return round(float(arrivals[cut - 1]) + 0.001, 3) if cut else 0.0
