"""Replay: the variants of a scenario over its recorded timeline, beside what was observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim import __version__
from cascadesim.analysis.attribution import by_cause, by_part
from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.outputs import Shown
from cascadesim.studies.run import Result, run
from cascadesim.studies.warmup import settled
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import clock_text, parse_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cascadesim.scenario.load import Scenario

    Progress = Callable[[float], None] | None  # is called with the share that is done


@dataclass(frozen=True, repr=False)
class Replay(Shown):
    """One result for each variant; the scenario as it stands where it has none."""

    scenario: Scenario
    results: dict[str, Result]

    @property
    def seed(self) -> int:
        """Return the seed that every variant ran with."""
        return next(iter(self.results.values())).seed

    def observation(self, i: int) -> dict[str, Any]:
        """Return one observation beside every variant, as plain data; see `to_dict`."""
        seen = self.scenario.model.observations[i]
        return {
            "at": seen.at if isinstance(seen.at, str) else self._clock(seen.at),
            "observed_s": seen.latency,
            "fitted_s": dict(seen.work),
            **({} if seen.request_class is None else {"class": seen.request_class}),
            "variants": {
                name: _replayed(result, i, seen.latency) for name, result in self.results.items()
            },
        }

    def _clock(self, at: float) -> str:
        zero = self.scenario.model.clock
        return clock_text((parse_clock(zero) or 0.0) + at) if zero else f"{at:g}s"

    def to_dict(self) -> dict[str, Any]:
        """Return the replay as plain data.

        Keys: scenario, summary, seed, cascadesim (version), percentile_definition; observations, a
        list with `at`, `observed_s`, `fitted_s` (the request's work by stage that is fitted, not
        drawn), `class` (where there are any) and for every variant
        `simulated_s`, `change` (a share of the observed), `at_least` (still unfinished when the run
        ended), `outcome`, `attribution_s` (seconds by cause) and `parts_s` (seconds by stage or
        policy and cause); variants, for each its `settings` (what it changes, by dotted path),
        `transitions` of breakers, what `Summary.to_dict` gives, and `connections` (their
        counts, as in ConnectionCounts) where messages come over some.
        """
        n = len(self.scenario.model.observations)
        return {
            "scenario": self.scenario.name,
            "summary": self.scenario.model.summary,
            "seed": self.seed,
            "cascadesim": __version__,
            "percentile_definition": DEFINITION,
            "observations": [self.observation(i) for i in range(n)],
            "variants": {name: self._variant(name) for name in self.results},
        }

    def _variant(self, name: str) -> dict[str, Any]:
        settings = self.scenario.changed(name) if name in self.scenario.variants else {}
        result = self.results[name]
        return {
            "settings": settings,
            "transitions": self.transitions(name),
            **result.summary.to_dict(),
            **result.connections,
        }

    def transitions(self, variant: str) -> list[dict[str, Any]]:
        """Return when the breakers of a variant changed their state, in order, as plain data."""
        return [
            {"at": self._clock(t.at), "at_s": t.at, "breaker": t.breaker, "state": t.state}
            for t in self.results[variant].records.transitions
        ]


def _replayed(result: Result, i: int, observed: float) -> dict[str, Any]:
    records = result.records
    row = int(np.flatnonzero(records.observation == i)[0])
    outcome = Outcome(int(records.outcome[row]))
    beside = bool(records.beside_parts)
    return {
        "simulated_s": float(records.latency[row]),
        "change": float(records.latency[row]) / observed - 1,
        "at_least": outcome is Outcome.UNFINISHED,
        "outcome": outcome.word,
        "attribution_s": by_cause(records.parts, records.seconds[row]),
        "parts_s": by_part(records.parts, records.seconds[row]),
        **({"beside_s": by_part(records.beside_parts, records.beside[row])} if beside else {}),
    }


def replay(
    scenario: Scenario,
    variants: Sequence[str] = (),
    seed: int | None = None,
    progress: Progress = None,
    settings: Mapping[str, Any] | None = None,
) -> Replay:
    """Run the variants of a scenario (all of them if none is named), with the same random numbers.

    `settings` are applied to every variant, by dotted path, as `Scenario.override` takes them.
    `progress` is called with the share of simulated time that is done. Raises ScenarioError for a
    variant that is not there.
    """
    results = run_each(settled(at_variants(scenario, variants, settings), seed), seed, progress)
    return Replay(scenario, results)


def at_variants(
    scenario: Scenario, variants: Sequence[str] = (), settings: Mapping[str, Any] | None = None
) -> dict[str, Scenario]:
    """Return the scenario at each variant (all of them if none is named), by the variant's name.

    As it stands where it has none. `settings` are applied to each; see `replay`.
    """
    named = [variants] if isinstance(variants, str) else variants
    names = list(dict.fromkeys(named)) or list(scenario.variants)
    chosen = {name: scenario.at(name) for name in names} or {"scenario": scenario}
    if settings:
        chosen = {name: variant.override(settings, "--set") for name, variant in chosen.items()}
    return chosen


def check_named(scenarios: Sequence[Scenario], variants: Sequence[str]) -> None:
    """Raise the ScenarioError of a variant that is in none of the scenarios."""
    for name in variants:
        if not any(name in scenario.variants for scenario in scenarios):
            scenarios[0].at(name)  # raises, with what it may have meant


def titles(scenarios: Sequence[Scenario]) -> list[str]:
    """Return the names of scenarios, after their numbers where some have the same."""
    names = [scenario.name for scenario in scenarios]
    alike = len({*names}) < len(names)
    return [f"{i + 1}-{name}" if alike else name for i, name in enumerate(names)]


def run_each(
    scenarios: Mapping[str, Scenario],
    seed: int | None = None,
    progress: Progress = None,
) -> dict[str, Result]:
    """Return a run of each scenario; see `run`."""
    results = {}
    for i, (name, scenario) in enumerate(scenarios.items()):
        results[name] = run(scenario, seed, part_of(progress, i, len(scenarios)))
    return results


def part_of(progress: Progress, done: float, total: float, size: float = 1) -> Progress:
    """Return the progress of a part: of `total` steps `size`, after those that are `done`."""
    if progress is None:
        return None
    return lambda share: progress((done + share * size) / total)
