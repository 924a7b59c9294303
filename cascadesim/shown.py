"""Shown: what an object looks like at a prompt and in a notebook, a title above a table.

Where there are runs, its last row is latency over time. And how figures are written, there and by
the commands.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING

from cascadesim.values.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from cascadesim.analysis.intervals import Interval
    from cascadesim.analysis.percentiles import Percentile
    from cascadesim.analysis.summary import Summary
    from cascadesim.views.sparkline import Sparkline

WIDTH = 100  # columns of text; wider tables go on below
SECONDS = "latencies in seconds"
OVER_TIME = "latency over time"


class Shown(ABC):
    """Shows itself as text and as HTML.

    A dataclass of this kind says `repr=False`, as it would write a `__repr__` of its own.
    """

    __slots__ = ()

    @abstractmethod
    def _title(self) -> str:
        """Return what this is, in one line."""

    @abstractmethod
    def _table(self) -> pd.DataFrame:
        """Return short texts, their labels as the index."""

    def _sparklines(self) -> Mapping[str, Sparkline]:
        """Return latency over time for each column of the table that has it."""
        return {}

    def _sparklines_of(self) -> str:
        """Return the label of their row."""
        return OVER_TIME

    def __repr__(self) -> str:
        """Return the title and the table as plain text."""
        lines = {name: each.blocks for name, each in self._sparklines().items()}
        table = _with_row(self._table(), self._sparklines_of(), lines)
        title = one_line(self._title())
        return title if table.empty else f"{title}\n\n{table.to_string(line_width=WIDTH)}"

    def _repr_html_(self) -> str:
        """Return the same as HTML, for notebooks."""
        lines = {name: each.svg for name, each in self._sparklines().items()}
        return titled_html(self._title(), self._table(), self._sparklines_of(), lines)


def titled_html(
    title: str, table: pd.DataFrame, label: str = "", drawn: Mapping[str, str] | None = None
) -> str:
    """Return a title above a table of texts, as HTML; see `table_html`."""
    paragraph = f"<p>{escape(one_line(title))}</p>"
    return paragraph if table.empty else f"{paragraph}\n{table_html(table, label, drawn)}"


def table_html(table: pd.DataFrame, label: str = "", drawn: Mapping[str, str] | None = None) -> str:
    """Return a table of texts as HTML, with a last row of what is `drawn`, HTML by column."""
    import pandas as pd  # slow to import, and not every command needs it

    cells = {escape(name): each for name, each in (drawn or {}).items()}
    table = table.map(escape).rename(index=escape, columns=escape)
    with pd.option_context("display.max_colwidth", None):  # or pandas cuts texts off
        return str(_with_row(table, label, cells).to_html(escape=False))


def _with_row(table: pd.DataFrame, label: str, cells: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with a row of cells by column below it, if there are any."""
    import pandas as pd

    if not cells:
        return table
    by_column = {one_line(name): cell for name, cell in cells.items()}
    row = [by_column.get(name, "") for name in table.columns]
    return pd.concat([table, pd.DataFrame([row], index=[label], columns=table.columns)])


def table(columns: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return columns of texts by row as a table, rows in the order in which they come first."""
    import pandas as pd

    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    cells = [[column.get(row, "") for column in columns.values()] for row in rows]
    return pd.DataFrame(cells, index=[*map(one_line, rows)], columns=[*map(one_line, columns)])


def figures(summary: Summary) -> dict[str, str]:
    """Return what a run came to, in short: percentiles, goodput, error rate and objectives."""
    rows = {name: seconds_text(p) for name, p in summary.percentiles.items()}
    rows |= {"goodput /s": number(summary.goodput), "error rate": percent(summary.error_rate)}
    verdicts = {v.objective.text: "met" if v.met else "missed" for v in summary.verdicts}
    return rows | verdicts


def number(value: float, sign: str = "") -> str:
    """Return a number such as seconds with three decimals, "-" where there is none."""
    return "-" if math.isnan(value) else f"{value:{sign}.3f}"


def seconds_text(percentile: Percentile) -> str:
    """Return a percentile, after ">" where it is a lower bound."""
    return lower_bound(number(percentile.seconds), percentile.at_least)


def lower_bound(text: str, at_least: bool) -> str:
    """Return the text of a value, after ">" where it is a lower bound."""
    return f"> {text}" if at_least and text != "-" else text


def percent(value: float | None, sign: str = "") -> str:
    """Return a share in percent, "-" where there is none."""
    return "-" if value is None or not math.isfinite(value) else f"{value:{sign}.2%}"


def plus_minus(interval: Interval, sign: str = "") -> str:
    """Return an estimate and half its interval, where there is one."""
    estimate, half = number(interval.estimate, sign), interval.half_width
    return estimate if math.isnan(half) else f"{estimate} ± {half:.3f}"


def percent_plus_minus(interval: Interval) -> str:
    """Return an estimated share and half its interval, in percent."""
    estimate, half = percent(interval.estimate), interval.half_width
    return estimate if math.isnan(half) else f"{estimate} ± {half:.2%}"
