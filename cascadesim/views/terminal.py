"""Pages as text: for a terminal, in colour where it has any, and as plain text of any width.

Nothing is folded away; a table that is too wide goes on below.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from cascadesim.values.errors import one_line
from cascadesim.views.grid import STYLES, grids
from cascadesim.views.page import Command, Listing, Note, Section, Table, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from cascadesim.views.page import Block, Cell, Page, Words

_LEAD = {"warning": "Warning: "}


def new_console() -> Console:
    """Return a console of standard output that prints what it is given, and colours nothing."""
    return Console(highlight=False, soft_wrap=False)


def print_page(page: Page) -> None:
    """Print a page after an empty line."""
    console = new_console()
    console.print()
    if console.file.isatty():
        _print(console, page)
    else:
        print(text(page, console.width))


def text(page: Page, width: int, unfold: bool = True) -> str:
    """Return a page as plain text of lines no longer than `width`, unless a word is.

    Without what is folded, where it is not to `unfold`.
    """
    file = StringIO()
    _print(Console(file=file, width=width, color_system=None, highlight=False), page, unfold)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().splitlines())


def _print(console: Console, page: Page, unfold: bool = True) -> None:
    """Print a page, an empty line between its blocks except where one note follows another."""
    before: Block | None = Note(page.title, page.severity)
    title = _sentence(page.title)
    title.stylize(STYLES.get(page.severity, ""))
    if title:
        console.print(title)
    for block in _flat(page.blocks, unfold):
        if before is not None and not (isinstance(before, Note) and isinstance(block, Note)):
            console.print()
        for part in _rendered(block, console.width):
            console.print(part)
        before = block


def _flat(blocks: Iterable[Block], unfold: bool) -> Iterator[Block]:
    """Yield blocks in a row, those of a section after it."""
    for block in blocks:
        if not isinstance(block, Section):
            yield block
        elif unfold or not block.folded:
            yield block
            yield from _flat(block.blocks, unfold)


def _rendered(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case Table():
            if block.title:
                yield Text(one_line(block.title), style="bold")
            for i, grid in enumerate(grids(block, width)):
                if i:
                    yield ""
                yield grid
        case Listing():
            yield _sentence(block.title)
            items = Grid.grid()
            for item in block.items:
                items.add_row("- ", _sentence(item))
            yield items
        case Command():
            yield Text(f"$ {one_line(block.text)}")
        case Section():
            title = _sentence(block.title)
            title.stylize("bold")
            yield title
        case Note():
            said = _sentence(block.words)
            code = f" [{block.code}]" if block.code else ""
            yield Text.assemble(_LEAD.get(block.severity, ""), said, code)


def _sentence(words: Words) -> Text:
    return Text.assemble(*((one_line(cell.text), _style(cell)) for cell in pieces(words)))


def _style(cell: Cell) -> str:
    return STYLES.get(cell.kind, "")
