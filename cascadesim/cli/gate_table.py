"""What people read of a gate: every objective with its value, and what is to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.ci.summary import AS_IT_STANDS
from cascadesim.ci.texts import UNITS, blame_text, counted, judged_text
from cascadesim.cli.tables import new_console, print_table, say
from cascadesim.values.errors import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from cascadesim.studies.gate import Gate, JudgedScenario, JudgedVariant

COLUMNS = ("scenario", "variant", "objective", "value", "met")


def print_gate(gate: Gate) -> None:
    """Print every objective, and for those that are missed the setting that is to blame."""
    console = new_console()
    seeds = ", ".join(dict.fromkeys(str(scenario.seed) for scenario in gate.scenarios))
    worlds = f"{counted(gate.replications, 'replication')} from seed {seeds}"
    more = ", means with 95 % intervals (Student t)" if gate.replications > 1 else ""
    say(console, f"\n{worlds}{more}; {UNITS}.\n")
    rows = [
        (
            *_names(scenario, variant),
            each.objective.text,
            judged_text(each),
            "yes" if each.met else "no",
        )
        for scenario, variant, each in gate.judged
    ]
    print_table(console, "Objectives", COLUMNS, rows)
    _print_blame(console, gate)
    if any(each.too_short for scenario in gate.scenarios for each in scenario.variants):
        text = "the run is too short to tell where the warm-up ends, so this one is a guess"
        say(console, f"Warning: {text}.\n")
    number = counted(len(gate.judged), "objective")
    say(console, f"{number} met." if gate.met else f"{gate.missed} of {number} missed.")


def _print_blame(console: Console, gate: Gate) -> None:
    blamed = [
        (" ".join(_names(scenario, variant)), each.objective.text, blame_text(each))
        for scenario, variant, each in gate.judged
        if blame_text(each)
    ]
    if blamed:
        say(console, "To blame, and its share of the time of slow requests or of the errors:")
        for name, objective, blame in blamed:
            say(console, one_line(f"- {name}, {objective}: {blame}"))
        console.print()


def _names(scenario: JudgedScenario, variant: JudgedVariant) -> tuple[str, str]:
    return scenario.name, variant.name or AS_IT_STANDS
