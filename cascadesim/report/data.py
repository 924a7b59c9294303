"""What a report says, gathered as plain data from runs of a scenario's variants."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.bounds import longest_bound, path_bounds
from cascadesim.analysis.composition import Composition, composition
from cascadesim.analysis.contradictions import contradictions
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.analysis.summary import class_limits, latency_limit
from cascadesim.files import from_here
from cascadesim.report.marks import Marked, marked_values, scenario_text
from cascadesim.report.settings import SettingEffect, setting_effects
from cascadesim.report.timeline import Opened, Timeline, opened, timelines
from cascadesim.report.verdict import verdict
from cascadesim.scenario.source import flow
from cascadesim.studies.compare import Comparison, compare
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.replay import Replay, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.run import Result
    from cascadesim.values.bound import Bound
    from cascadesim.values.rules import Contradiction

REPLICATIONS = 10


@dataclass(frozen=True, repr=False)
class Report:
    """What a report says; variants are by label, the first is what others are compared with.

    `compositions` are of the runs in `replay`, which are those of the first replication, by label
    and percentile; so are timelines and breakers. `marked` are the values that the `text` of the
    scenario marks as given, assumed or fitted. `bounds` are those of any request, `paths` those of
    each class of requests. `command` makes the report again.
    """

    scenario: Scenario
    comparison: Comparison
    replay: Replay
    verdict: str
    compositions: dict[str, dict[str, Composition]]
    timelines: tuple[Timeline, ...]
    opened: tuple[Opened, ...]
    effects: tuple[SettingEffect, ...]
    bounds: dict[str, Bound]
    paths: dict[str, dict[str | None, Bound]]
    contradictions: dict[str, list[Contradiction]]
    text: str
    marked: tuple[Marked, ...]
    command: str

    @property
    def html(self) -> str:
        """Return the report as one HTML page that needs no other file."""
        from cascadesim.report.html import render  # jinja2 and matplotlib are slow to import

        return render(self)


def report(
    scenario: Scenario,
    variants: Sequence[str] = (),
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    replications: int = REPLICATIONS,
    execution: Execution = HERE,
    progress: Callable[[float], None] | None = None,
) -> Report:
    """Simulate variants of a scenario (all of them if none is named), and report on them.

    The parameters are those of `compare`. Raises ScenarioError for a variant that is not there.
    """
    parts = [part_of(progress, i, 2) for i in range(2)]
    settings = settings or {}
    comparison = compare(
        scenario,
        variants=variants,
        seed=seed,
        progress=parts[0],
        settings=settings,
        replications=replications,
        execution=execution,
    )
    results = comparison.results
    replay = Replay(scenario, results)
    text = scenario_text(scenario)
    plans = {label: result.plan for label, result in results.items()}
    return Report(
        scenario=scenario,
        comparison=comparison,
        replay=replay,
        verdict=verdict(comparison, replay),
        compositions={label: _compositions(result) for label, result in results.items()},
        timelines=timelines(results),
        opened=opened(results),
        effects=setting_effects(scenario, comparison, settings, execution, parts[1]),
        bounds={label: longest_bound(plan) for label, plan in plans.items()},
        paths={label: path_bounds(plan) for label, plan in plans.items()},
        contradictions={label: _contradictions(result) for label, result in results.items()},
        text=text,
        marked=marked_values(text),
        command=_command(scenario, variants, replay.seed, settings, replications),
    )


def _compositions(result: Result) -> dict[str, Composition]:
    return {name: composition(result.records, name) for name in PERCENTILES}


def _contradictions(result: Result) -> list[Contradiction]:
    objectives = result.scenario.objectives
    return contradictions(result.plan, latency_limit(objectives), class_limits(objectives))


def _command(
    scenario: Scenario,
    variants: Sequence[str],
    seed: int,
    settings: Mapping[str, Any],
    replications: int,
) -> str:
    words = ["cascadesim", "report", from_here(scenario.document.source)]
    if variants:
        words += ["--variants", ",".join(variants)]
    for path, value in settings.items():
        words += ["--set", f"{path}={flow(value)}"]
    words += ["--seed", str(seed), "--replications", str(replications), "-o", "report.html"]
    return shlex.join(words)
