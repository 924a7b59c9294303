"""What people read: results as tables for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import JustifyMethod


def new_console() -> Console:
    """Return a console that prints what it is given, and colours nothing by itself."""
    return Console(highlight=False, soft_wrap=False)


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Print a table whose first column is a name and whose others are figures."""
    cells = list(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for i, column in enumerate(columns):
        figure = i > 0 and column not in ("setting", "objectives missed")
        justify: JustifyMethod = "right" if figure else "left"
        # Headings are often longer than their figures, and break so that the table stays narrow.
        width = max((len(row[i]) for row in cells), default=0)
        heading = textwrap.fill(column, max(width, 1), break_long_words=False)
        table.add_column(Text(heading), justify=justify, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: what a user named is not markup
    console.print(Text(title, style="bold"))
    console.print(table)


def say(console: Console, text: str) -> None:
    """Print text as it is, wrapped at the width of the terminal."""
    console.print(Text(text))


def words(name: str) -> str:
    """Return a name such as "timed_out" in words."""
    return name.replace("_", " ")
