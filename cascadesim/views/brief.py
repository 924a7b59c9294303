"""Short pages, for a prompt and a notebook: one table, a column a variant, a row a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.objectives import ANSWERED
from cascadesim.values import words
from cascadesim.views.facts import met
from cascadesim.views.page import Cell, table
from cascadesim.views.sparkline import sparklines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.run import Result
    from cascadesim.views.page import Table

OVER_TIME = "latency over time"


def figures(
    measured: Mapping[str, Cell], judged: Iterable[Judged], replications: int = 1
) -> dict[str, Cell]:
    """Return the figures of a variant by their names: answers, errors, percentiles, objectives."""
    names = (ANSWERED, "error_rate", *PERCENTILES, "ok_p99", "goodput")
    cells = {words.heading(name): measured[name] for name in names}
    return cells | {one.objective.text: _met(one, replications) for one in judged}


def _met(judged: Judged, replications: int) -> Cell:
    cell = met(judged.met)
    if replications == 1:
        return cell
    often = judged.met_in if judged.met else replications - judged.met_in
    return Cell(f"{cell.text} in {often} of {replications}", cell.sort, cell.kind)


def in_columns(
    columns: Mapping[str, Mapping[str, Cell]],
    results: Mapping[str, Result] | None = None,
    over_time: str = OVER_TIME,
) -> Table | None:
    """Return figures of variants side by side, and below them latency over time of some runs.

    Rows are in the order in which they come first; one that a variant lacks is empty there.
    """
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    lines = sparklines({label: result.records for label, result in (results or {}).items()})
    drawn = {label: Cell(line.blocks, drawn=line.svg) for label, line in lines.items()}
    cells = [
        [Cell(row, kind="name"), *(column.get(row, Cell("")) for column in columns.values())]
        for row in rows
    ]
    if drawn:
        cells.append([Cell(over_time), *(drawn.get(label, Cell("")) for label in columns)])
    return table("", ("", *columns), cells)
