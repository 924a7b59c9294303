"""The summary of a gate for a build's page: the verdict, what is missed, and the rest folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.ci.markdown import block, code, details, page, table
from cascadesim.ci.texts import (
    UNITS,
    blame_text,
    counted,
    judged_text,
    mean_text,
)

if TYPE_CHECKING:
    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.gate import Gate, JudgedScenario, JudgedVariant

    Row = tuple[JudgedScenario, JudgedVariant, Judged]

_MEASURES = ("p50", "p90", "p99", "goodput", "error_rate", "degraded_rate")
AS_IT_STANDS = "as it stands"


def gate_markdown(gate: Gate, command: str) -> str:
    """Return the summary as Markdown; `command` repeats it."""
    number = len(gate.judged)
    if gate.met:
        verdict = f"### ✅ {counted(number, 'objective')} met"
    else:
        verdict = f"### ❌ {gate.missed} of {counted(number, 'objective')} missed"
    missed = [row for row in gate.judged if not row[-1].met]
    columns = ("scenario", "variant", "objective", "value", "met", "to blame")
    return page(
        verdict,
        table(columns, map(_row, missed)) if missed else "",
        details(
            f"All objectives, of {counted(_variants(gate), 'variant')}",
            table(columns, map(_row, gate.judged)),
            table(
                ("scenario", "variant", *map(_words, _MEASURES)), _measures(gate), len(_MEASURES)
            ),
            _notes(gate),
        ),
        details("To repeat it", block(command), _seeds(gate)),
    )


def _variants(gate: Gate) -> int:
    return sum(len(scenario.variants) for scenario in gate.scenarios)


def _row(row: Row) -> tuple[str, ...]:
    scenario, variant, judged = row
    blame = blame_text(judged)
    return (
        *_names(scenario, variant),
        code(judged.objective.text),
        judged_text(judged),
        "yes" if judged.met else "**no**",
        code(blame) if blame else "",
    )


def _names(scenario: JudgedScenario, variant: JudgedVariant) -> tuple[str, str]:
    return code(scenario.name), AS_IT_STANDS if variant.name is None else code(variant.name)


def _measures(gate: Gate) -> list[tuple[str, ...]]:
    return [
        (*_names(scenario, variant), *(mean_text(m, variant.measures[m]) for m in _MEASURES))
        for scenario in gate.scenarios
        for variant in scenario.variants
    ]


def _notes(gate: Gate) -> str:
    intervals = ", with half their 95 % interval (Student t)" if gate.replications > 1 else ""
    means = f"Means over {counted(gate.replications, 'replication')}{intervals}; {UNITS}."
    guess = any(each.too_short for scenario in gate.scenarios for each in scenario.variants)
    warning = " The runs are too short to tell where the warm-up ends, so it is a guess." * guess
    return f"{means} Percentiles are {DEFINITION}.{warning}"


def _seeds(gate: Gate) -> str:
    seeds = {scenario.seed for scenario in gate.scenarios}
    if len(seeds) == 1:
        return f"Seed {seeds.pop()}, {counted(gate.replications, 'replication')}."
    each = ", ".join(f"{code(scenario.name)} {scenario.seed}" for scenario in gate.scenarios)
    return f"Seeds: {each}; {counted(gate.replications, 'replication')}."


def _words(name: str) -> str:
    return name.replace("_", " ")
