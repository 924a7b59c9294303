"""The page of a gate: which objectives are missed, what is to blame, and the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.scenario.objectives import ANSWERED
from cascadesim.values import words
from cascadesim.views import facts, measures
from cascadesim.views.page import Command, Note, Page, Section, blocks, name, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.gate import Gate, JudgedScenario, JudgedVariant
    from cascadesim.views.page import Block, Cell, Table

_MEASURES = (ANSWERED, "error_rate", "degraded_rate", "p50", "p99", "ok_p99", "goodput")


def page(gate: Gate, command: str = "") -> Page:
    """Return what is missed and, folded, all the rest; `command` repeats it."""
    missed = measures.objectives(_judged(gate, met=False), gate.replications)
    met = blocks(measures.objectives(_judged(gate, met=True), gate.replications, title=""))
    title = "Objectives that are met (latencies in seconds)"
    return Page(
        _verdict(gate),
        blocks(
            Note(_runs(gate)),
            missed,
            Section(title, met, folded=True) if met else None,
            Section("Figures of each variant", blocks(_figures(gate)), folded=True),
            Section("To repeat it", (Command(command),), folded=True) if command else None,
        ),
        "good" if gate.met else "bad",
    )


def _verdict(gate: Gate) -> str:
    number = words.counted(len(gate.judged), "objective")
    return f"{number} met" if gate.met else f"{gate.missed} of {number} missed"


def _runs(gate: Gate) -> tuple[str | Cell, ...]:
    """Return the replications and their seeds, by scenario where these differ."""
    seeds = {scenario.seed for scenario in gate.scenarios}
    said: list[str | Cell] = [words.counted(gate.replications, "replication"), " from seed "]
    for i, scenario in enumerate(gate.scenarios if len(seeds) > 1 else gate.scenarios[:1]):
        said.append(f"{', ' if i else ''}{scenario.seed}")
        if len(seeds) > 1:
            said += [" (", name(scenario.name), ")"]
    return *said, f"; {facts.INTERVALS}." if gate.replications > 1 else "."


def _label(gate: Gate, scenario: JudgedScenario, variant: JudgedVariant) -> str:
    if variant.name is None:
        return scenario.name
    return variant.name if len(gate.scenarios) == 1 else f"{scenario.name}, {variant.name}"


def _judged(gate: Gate, met: bool) -> dict[str, list[Judged]]:
    judged: dict[str, list[Judged]] = {}
    for scenario, variant, one in gate.judged:
        if one.met is met:
            judged.setdefault(_label(gate, scenario, variant), []).append(one)
    return judged


def _figures(gate: Gate) -> Iterator[Block | None]:
    yield _means(gate)
    yield Note(f"{words.UNITS[0].upper()}{words.UNITS[1:]}. Percentiles are {DEFINITION}.")
    if any(variant.too_short for scenario in gate.scenarios for variant in scenario.variants):
        yield facts.GUESS


def _means(gate: Gate) -> Table | None:
    rows = (
        (
            name(_label(gate, scenario, variant)),
            *(facts.mean(m, variant.runs.measure(m), variant.runs.at_least(m)) for m in _MEASURES),
        )
        for scenario in gate.scenarios
        for variant in scenario.variants
    )
    return table("", ("variant", *map(words.heading, _MEASURES)), rows)
