"""A gate: every objective of every variant judged, for a build to pass or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.studies.compare import compare
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.replay import part_of
from cascadesim.studies.replications import MEASURES
from cascadesim.values.errors import ScenarioError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cascadesim.analysis.intervals import Interval
    from cascadesim.analysis.judged import Judged
    from cascadesim.scenario.load import Scenario


@dataclass(frozen=True)
class JudgedVariant:
    """The objectives of one variant, judged, and its measures; see `Comparison.measures`.

    `name` is None for a scenario that has no variants. `at_least` are the measures that unfinished
    requests could move up. `too_short` says that its warm-up is a guess.
    """

    name: str | None
    objectives: tuple[Judged, ...]
    measures: dict[str, Interval]
    at_least: frozenset[str]
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
        return ((variant, judged) for variant in self.variants for judged in variant.objectives)


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
                    "variants": [_plain(variant) for variant in scenario.variants],
                }
                for scenario in self.scenarios
            ],
        }


def _plain(variant: JudgedVariant) -> dict[str, Any]:
    return {
        "variant": variant.name,
        "objectives": [judged.to_dict() for judged in variant.objectives],
        "measures": {name: mean.to_dict("mean") for name, mean in variant.measures.items()},
    }


def gate(
    scenarios: Sequence[Scenario],
    variants: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    replications: int = 1,
    execution: Execution = HERE,
    progress: Callable[[float], None] | None = None,
) -> Gate:
    """Judge the objectives of the variants of scenarios, all of them if none is named.

    A scenario that has no variants is judged as it stands. Raises ScenarioError where a scenario
    has no objectives, or none of the named variants, as it would pass whatever its settings.
    """
    chosen = [_chosen(scenario, variants, scenarios) for scenario in scenarios]
    labels = [scenario.name for scenario in scenarios]
    if len({*labels}) < len(labels):
        labels = [f"{i + 1}-{name}" for i, name in enumerate(labels)]
    judged = []
    for i, (scenario, names) in enumerate(zip(scenarios, chosen, strict=True)):
        part = None if progress is None else part_of(progress, i, len(scenarios))
        one = _judge(scenario, names, settings, seed, replications, execution, part)
        judged.append(replace(one, name=labels[i]))
    return Gate(tuple(judged), replications)


def _chosen(
    scenario: Scenario, variants: Sequence[str], scenarios: Sequence[Scenario]
) -> list[str]:
    """Return the names of a scenario's variants that are to be judged."""
    known = [name for other in scenarios for name in other.variants]
    for name in variants:
        if name not in known:
            scenarios[0].at(name)  # raises, with what it may have meant
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


def _judge(
    scenario: Scenario,
    names: Sequence[str],
    settings: Mapping[str, Any] | None,
    seed: int | None,
    replications: int,
    execution: Execution,
    progress: Callable[[float], None] | None,
) -> JudgedScenario:
    comparison = compare(
        scenario,
        variants=names,
        seed=seed,
        progress=progress,
        settings=settings,
        replications=replications,
        execution=execution,
    )
    judged = tuple(
        JudgedVariant(
            result.scenario.variant,
            tuple(comparison.objectives(label)),
            comparison.measures(label),
            frozenset(name for name in MEASURES if comparison.at_least(label, name)),
            result.scenario.too_short,
        )
        for label, result in comparison.results.items()
    )
    first = comparison.results[comparison.first]
    return JudgedScenario(scenario.name, scenario.document.source, first.seed, judged)
