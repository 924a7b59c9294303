"""A gate: every objective of every variant judged, for a build to pass or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.studies.compare import compare
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.replay import check_named, part_of, titles
from cascadesim.values.errors import ScenarioError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cascadesim.analysis.judged import Judged
    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.replay import Progress
    from cascadesim.studies.runs import Runs


@dataclass(frozen=True)
class JudgedVariant:
    """One variant, None for a scenario that has none, and its runs.

    `too_short` says that its warm-up is a guess.
    """

    name: str | None
    runs: Runs
    too_short: bool


@dataclass(frozen=True)
class JudgedScenario:
    """A scenario whose objectives were judged, and how it was run.

    Its number is before its `name` where others are called alike.
    """

    name: str
    source: str
    seed: int
    variants: tuple[JudgedVariant, ...]

    @property
    def judged(self) -> Iterator[tuple[JudgedVariant, Judged]]:
        """Return every objective with its variant."""
        return (
            (variant, judged) for variant in self.variants for judged in variant.runs.objectives
        )


@dataclass(frozen=True)
class Gate:
    """Scenarios whose objectives were judged, each in as many replications."""

    scenarios: tuple[JudgedScenario, ...]
    replications: int

    @property
    def judged(self) -> list[tuple[JudgedScenario, JudgedVariant, Judged]]:
        """Return every objective with its scenario and variant."""
        return [(scenario, *judged) for scenario in self.scenarios for judged in scenario.judged]

    @property
    def missed(self) -> int:
        """Return how many objectives are missed."""
        return sum(not judged.met for *_, judged in self.judged)

    @property
    def met(self) -> bool:
        """Return whether every objective is met."""
        return not self.missed

    def to_dict(self) -> dict[str, Any]:
        """Return the gate as plain data.

        Keys: cascadesim (version), met, missed (how many), replications; scenarios, a list with
        `scenario`, `file`, `seed` and `variants`, of each its name (null for the scenario as it
        stands), its objectives (see `Judged.to_dict`) and `measures` (`mean`, `low`, `high`).
        """
        return {
            "cascadesim": __version__,
            "met": self.met,
            "missed": self.missed,
            "replications": self.replications,
            "scenarios": [
                {
                    "scenario": scenario.name,
                    "file": scenario.source,
                    "seed": scenario.seed,
                    "variants": [
                        {
                            "variant": variant.name,
                            "objectives": [judged.to_dict() for judged in variant.runs.objectives],
                            "measures": {
                                name: mean.to_dict("mean")
                                for name, mean in variant.runs.measures.items()
                            },
                        }
                        for variant in scenario.variants
                    ],
                }
                for scenario in self.scenarios
            ],
        }


def gate(
    scenarios: Sequence[Scenario],
    variants: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    replications: int = 1,
    execution: Execution = HERE,
    progress: Progress = None,
) -> Gate:
    """Judge the objectives of the variants of scenarios, all of them if none is named.

    A scenario that has no variants is judged as it stands. Raises ScenarioError where a scenario
    has no objectives, or none of the named variants, as it would pass whatever its settings.
    """
    check_named(scenarios, variants)
    chosen = [_chosen(scenario, variants) for scenario in scenarios]
    judged = []
    for i, (title, scenario, names) in enumerate(
        zip(titles(scenarios), scenarios, chosen, strict=True)
    ):
        comparison = compare(
            scenario,
            variants=names,
            seed=seed,
            progress=part_of(progress, i, len(scenarios)),
            settings=settings,
            replications=replications,
            execution=execution,
        )
        judged.append(_judged(title, scenario, comparison))
    return Gate(tuple(judged), replications)


def _judged(title: str, scenario: Scenario, comparison: Comparison) -> JudgedScenario:
    """Return a scenario with the runs of a comparison, without the records of any."""
    results = comparison.results
    variants = tuple(
        JudgedVariant(result.scenario.variant, comparison.runs[label], result.scenario.too_short)
        for label, result in results.items()
    )
    seed = results[comparison.first].seed
    return JudgedScenario(title, scenario.document.source, seed, variants)


def _chosen(scenario: Scenario, variants: Sequence[str]) -> list[str]:
    """Return the names of a scenario's variants that are to be judged."""
    names = [name for name in variants if name in scenario.variants]
    if variants and scenario.variants and not names:
        message = f"has none of the variants {', '.join(variants)}; "
        message += suggest(variants[0], list(scenario.variants))
        raise ScenarioError(message, scenario.document.source, "variants")
    taken = [scenario.at(name) for name in names or scenario.variants] or [scenario]
    if not any(one.objectives for one in taken):
        message = "has no objectives to judge; write some, such as objectives: [p99 < 5s]"
        raise ScenarioError(message, scenario.document.source)
    return names
