"""Warm-up that is not given: found by MSER-5 in a first run of each variant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cascadesim.analysis.intervals import mser5
from cascadesim.compile import compile_plan
from cascadesim.engine import simulate

if TYPE_CHECKING:
    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario


def settled(chosen: dict[str, Scenario], seed: int | None) -> dict[str, Scenario]:
    """Return the scenarios with a warm-up in seconds where it says `auto`.

    It is the longest that one of them takes, so that all measure the same requests; of those with
    the same horizon, as others do not meet the same requests anyway. The rule looks for the
    transient of a stationary run, so only at requests that arrive before the first fault. Where
    that is too short to tell, half of those requests are taken, and the scenarios say so.
    """
    unsettled = {name: each for name, each in chosen.items() if each.model.warmup == "auto"}
    longest: dict[float, float] = {}
    too_short: set[float] = set()
    for each in unsettled.values():
        horizon = each.model.horizon
        seconds, told = _warmup(each, seed)
        longest[horizon] = max(seconds, longest.get(horizon, 0.0))
        if not told:
            too_short.add(horizon)
    return chosen | {
        name: replace(
            each.override({"warmup": f"{longest[each.model.horizon]}s"}),
            too_short=each.model.horizon in too_short,
        )
        for name, each in unsettled.items()
    }


def _warmup(scenario: Scenario, seed: int | None) -> tuple[float, bool]:
    plan = compile_plan(scenario.model)
    records = simulate(plan, scenario.model.seed if seed is None else seed)
    faults = [fault.start for stage in plan.walk() for fault in stage.faults]
    return _transient(records, min(faults, default=plan.horizon))


def _transient(records: Records, until: float) -> tuple[float, bool]:
    """Return when the transient of the latencies is over, in seconds, and whether that is told.

    The seconds are rounded up.
    """
    background = (records.observation < 0) & (records.arrival < until)
    cut = mser5(records.latency[background].tolist())
    arrivals = records.arrival[background]
    first = len(arrivals) // 2 if cut is None else cut
    # A millisecond more, so that the text of it in decimals is not a hair below.
    seconds = round(float(arrivals[first - 1]) + 0.001, 3) if first else 0.0
    return seconds, cut is not None
