"""Comparison: variants, of one scenario or of two, side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.analysis.percentiles import DEFINITION, PERCENTILES
from cascadesim.experiment.replay import part_of, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from cascadesim.experiment.run import Result
    from cascadesim.scenario.load import Scenario


@dataclass(frozen=True)
class Comparison:
    """Results by label; the first is what the others are compared with."""

    results: dict[str, Result]

    @property
    def met(self) -> bool:
        """Return whether every result meets every objective of its scenario."""
        return all(result.summary.met for result in self.results.values())

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a variant and percentile.

        Columns: variant, percentile, latency_s, difference_s (from the first variant), at_least
        (whether unfinished requests make the latency a lower bound).
        """
        import pandas as pd  # slow to import, and not every command needs it

        first = next(iter(self.results.values())).summary.percentiles
        rows = [
            (label, name, p.seconds, p.seconds - first[name].seconds, p.at_least)
            for label, result in self.results.items()
            for name, p in result.summary.percentiles.items()
        ]
        columns = ["variant", "percentile", "latency_s", "difference_s", "at_least"]
        return pd.DataFrame(rows, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data: for each label its summary and differences."""
        first = next(iter(self.results.values())).summary.percentiles
        variants = {}
        for label, result in self.results.items():
            own = result.summary.percentiles
            differences = {
                name: None if math.isnan(change) else change
                for name in PERCENTILES
                for change in [own[name].seconds - first[name].seconds]
            }
            variants[label] = {**result.to_dict(), "difference_s": differences}
        return {
            "cascadesim": __version__,
            "percentile_definition": DEFINITION,
            "met": self.met,
            "variants": variants,
        }


def compare(
    *scenarios: Scenario,
    variants: Sequence[str] = (),
    seed: int | None = None,
    progress: Callable[[float], None] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Comparison:
    """Run variants (all of them if none is named) of one or more scenarios.

    `settings` are applied to every variant, by dotted path. Labels are variant names, with the
    scenario's name before where there are several scenarios, and its number where names are alike.
    Raises ScenarioError for a variant that is in none of them.
    """
    known = [name for scenario in scenarios for name in scenario.variants]
    for name in variants:
        if name not in known:
            scenarios[0].at(name)  # raises, with what it may have meant
    results: dict[str, Result] = {}
    alike = len({scenario.name for scenario in scenarios}) < len(scenarios)
    for i, scenario in enumerate(scenarios):
        names = [name for name in variants if name in scenario.variants]
        if variants and scenario.variants and not names:
            continue
        done = None if progress is None else part_of(progress, i, len(scenarios))
        prefix = f"{i + 1}-{scenario.name}" if alike else scenario.name
        for name, result in replay(scenario, names, seed, done, settings).results.items():
            results[name if len(scenarios) == 1 else f"{prefix}:{name}"] = result
    return Comparison(results)
