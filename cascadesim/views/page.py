"""What a view is made of: pages of tables, notes and lists, which every renderer knows.

It holds texts and what kind they are, never how they look: no colours, no HTML, no widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cascadesim.analysis.figure_rules import LOWER_BOUND
from cascadesim.values.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["", "name", "setting", "value", "good", "bad", "strong", "faint"]
Severity = Literal["", "warning", "good", "bad"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its kind, in a table or in a sentence.

    Kinds: "name" (that a user gave: a scenario, variant, class or objective), "setting" (a dotted
    path), "value" (as it is written in YAML), "good", "bad", "strong", "faint", or "" for a text
    of ours. What a user wrote must be of one of the first three, as Markdown would read "" as
    markup. `sort` is the number to sort a table by, None for the text. `below` are further lines.
    `drawn` is an SVG of ours that stands in place of the text where pictures can be shown.
    """

    text: str
    sort: float | None = None
    kind: Kind = ""
    below: tuple[str, ...] = ()
    drawn: str = ""


Words = str | Cell | tuple[str | Cell, ...]  # a sentence: our words, between them what users wrote


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column: of figures, which stand to the right, or of words."""

    heading: str
    figures: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the first cell of a row is its heading. Made by `table`."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()  # a last row, which stays below the others


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, or several; `code` is that of the rule it follows from, if there is one."""

    words: Words
    severity: Severity = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Sentences, one a line, below a title."""

    title: str
    items: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A line for a shell."""

    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks below a title, folded where a renderer can fold and `folded` says so."""

    title: Words
    blocks: tuple[Block, ...]
    folded: bool = False


BOUND = Note("“>”: at least, as requests are unfinished at the end.", code=LOWER_BOUND.code)
Block = Table | Note | Listing | Command | Section


@dataclass(frozen=True, slots=True)
class Page:
    """A title and blocks below it. `severity` is that of the title where it is a verdict."""

    title: Words
    blocks: tuple[Block, ...] = ()
    severity: Severity = ""


def left(heading: str) -> Column:
    """Return a column of words, which stand to the left."""
    return Column(heading, figures=False)


def name(text: str) -> Cell:
    """Return what a user has named."""
    return Cell(text, kind="name")


def setting(path: str) -> Cell:
    """Return the dotted path of a setting."""
    return Cell(path, kind="setting")


def table(
    title: str,
    columns: Sequence[str | Column],
    rows: Iterable[Sequence[str | Cell]],
    total: Sequence[str | Cell] = (),
) -> Table | None:
    """Return a table, None without rows. The first column is of words, others are of figures.

    Unless they are given as `left(heading)`. Texts are cells of ours.
    """
    cells = tuple(_cells(row) for row in rows)
    headings = tuple(
        column if isinstance(column, Column) else Column(column, figures=i > 0)
        for i, column in enumerate(columns)
    )
    return Table(title, headings, cells, _cells(total)) if cells else None


def _cells(row: Sequence[str | Cell]) -> tuple[Cell, ...]:
    return tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row)


def listing(title: str, items: Iterable[Words]) -> Listing | None:
    """Return sentences below a title, None without any."""
    said = tuple(items)
    return Listing(title, said) if said else None


def blocks(*parts: Block | Iterable[Block | None] | None) -> tuple[Block, ...]:
    """Return blocks in a row, without those that are None; what “>” is stands below the first."""
    made: list[Block] = []
    for part in parts:
        if isinstance(part, Block):
            made.append(part)
        elif part is not None:
            made += [block for block in part if block is not None]
    first = next((i for i, block in enumerate(made) if _has_bound(block)), None)
    if first is not None:
        made.insert(first + 1, BOUND)
    return tuple(made)


def _has_bound(block: Block) -> bool:
    if not isinstance(block, Table):
        return False
    cells = (cell for row in (*block.rows, block.total) for cell in row)
    return any(cell.text.startswith("> ") and not cell.kind for cell in cells)


def pieces(words: Words) -> tuple[Cell, ...]:
    """Return a sentence piece by piece."""
    return _cells(words if isinstance(words, tuple) else (words,))


def plain(words: Words) -> str:
    """Return a sentence as text of one line, whatever a user wrote."""
    return one_line("".join(piece.text for piece in pieces(words)))
