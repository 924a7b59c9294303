"""The table of classes of requests: what each of them met in each variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.report.tables import Cell, Column, Table, bound_cell, latency_cell
from cascadesim.shown import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.summary import Summary
    from cascadesim.report.data import Report


def classes(report: Report) -> Table | None:
    """Return what the requests of each class came to, None where there are no classes."""
    rows = tuple(
        (
            Cell(label),
            Cell(name),
            Cell(str(own.requests), own.requests),
            *_cells(own),
            bound_cell(report.paths[label][name].total),
        )
        for label, result in report.comparison.results.items()
        for name, own in result.summary.classes.items()
    )
    columns = (
        *(Column("variant", False), Column("class", False), Column("requests")),
        *(Column(f"{name}, s") for name in PERCENTILES),
        *(Column("error rate"), Column("worst case, s")),
    )
    first = " in the first replication" if report.comparison.count > 1 else ""
    return Table(f"Classes of requests{first}", columns, rows) if rows else None


def _cells(own: Summary) -> Iterator[Cell]:
    for name in PERCENTILES:
        yield latency_cell(own.percentiles[name].seconds, own.percentiles[name].at_least)
    yield Cell(percent(own.error_rate), own.error_rate)
