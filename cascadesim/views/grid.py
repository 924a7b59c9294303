"""Tables as text of a given width: what has to be folded is, and what is left goes on below."""

from __future__ import annotations

import re
import textwrap
from functools import cached_property
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table as Grid
from rich.text import Text

from cascadesim.values.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import JustifyMethod

    from cascadesim.views.page import Cell, Column, Table

STYLES = {"good": "green", "bad": "red", "strong": "bold", "faint": "dim"}
_WORDS, _PATHS = 20, 36  # characters to which columns of words and of dotted paths may be folded
_INDENT = "  "
_SPACE = re.compile(r"(?<=\s)")  # where text may go on in the next line
_PATH = re.compile(r"(?<=[\s.])")


def grids(table: Table, width: int) -> Iterator[Grid]:
    """Yield a table in as many pieces as it takes, the first column in each of them."""
    rows = [*table.rows, table.total] if table.total else table.rows
    parts = [_Part(column, [row[i] for row in rows]) for i, column in enumerate(table.columns)]
    for beside in _side_by_side(parts, width):
        grid = Grid(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
        spare = width - sum(part.least for part in beside) - len(beside) + 1
        widths = []
        for part in beside:
            widths.append(min(part.natural, part.least + max(spare, 0)))
            spare -= widths[-1] - part.least
            justify: JustifyMethod = "right" if part.column.figures else "left"
            grid.add_column(part.heading, justify=justify, no_wrap=True, overflow="fold")
        for i in range(len(rows)):
            grid.add_row(*(part.text(i, wide) for part, wide in zip(beside, widths, strict=True)))
        yield grid


def _side_by_side(parts: Sequence[_Part], width: int) -> Iterator[list[_Part]]:
    """Yield columns that fit beside each other, the first one and at least one more."""
    first, *others = parts
    shown, left = [first], width - first.least
    for part in others:
        if part.least + 1 > left and len(shown) > 1:
            yield shown
            shown, left = [first], width - first.least
        shown.append(part)
        left -= part.least + 1
    yield shown


class _Part:
    """A column: its heading and cells, and how wide they are at least and at most."""

    def __init__(self, column: Column, cells: Sequence[Cell]) -> None:
        self.column = column
        self._cells = cells
        self._are_paths = any(cell.kind == "setting" for cell in cells)

    @cached_property
    def natural(self) -> int:
        """Return the width at which nothing is folded."""
        lines = [line for cell in self._cells for line in _lines(cell, _INDENT)]
        heading = self.column.heading
        headings = heading.split() if self.column.figures else [heading]
        return max(map(len, [*lines, *headings]))

    @cached_property
    def least(self) -> int:
        """Return the width to which it may be folded; figures are not."""
        if self.column.figures:
            return self.natural
        words = map(len, self.column.heading.split())
        return max([min(self.natural, _PATHS if self._are_paths else _WORDS), *words])

    @property
    def heading(self) -> Text:
        # It is often longer than the figures, and breaks so that the table stays narrow.
        return Text("\n".join(textwrap.wrap(self.column.heading, max(self.least, 1))))

    def text(self, i: int, width: int) -> Text:
        """Return the cell of a row, folded to a width."""
        cell = self._cells[i]
        indent = "" if self.column.figures else _INDENT
        lines = [folded for line in _lines(cell, indent) for folded in self._folded(line, width)]
        # Text, as what a user named is not markup.
        return Text("\n".join(lines), style=STYLES.get(cell.kind, ""))

    def _folded(self, line: str, width: int) -> list[str]:
        if len(line) <= width:
            return [line]
        pieces = [  # a word that is too long is folded at its dots, as a dotted path is
            piece
            for word in _SPACE.split(line)
            for piece in (_PATH.split(word) if self._are_paths or len(word) > width else [word])
        ]
        indent = line[: len(line) - len(line.lstrip())] or (_INDENT if self._are_paths else "")
        lines = [""]
        for piece in pieces:
            if len(lines[-1] + piece.rstrip()) > width:
                lines.append(indent)
            lines[-1] += piece
            while len(lines[-1].rstrip()) > width:  # a word that is longer than all that
                lines[-1:] = [lines[-1][:width], indent + lines[-1][width:]]
        return [line for line in lines if line.strip()]


def _lines(cell: Cell, indent: str) -> list[str]:
    return [one_line(cell.text), *(f"{indent}{one_line(line)}" for line in cell.below)]
