"""Blocks of a page as HTML. Everything is escaped, whatever a user named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from cascadesim.values.errors import one_line
from cascadesim.views.page import Command, Listing, Note, Section, Table, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascadesim.views.page import Block, Cell, Column, Page, Words

_WIDE = 8  # columns of a table that stands in small print
_LEAD = {"warning": "Warning: "}


def page_html(page: Page) -> Markup:
    """Return a page: its title in a paragraph, and its blocks."""
    title = Markup("<p>{}</p>").format(sentence(page.title))
    return Markup("\n").join([title, *map(block_html, page.blocks)])


def block_html(block: Block | None) -> Markup:
    """Return one block, nothing for none."""
    match block:
        case Table():
            return _table(block)
        case Note():
            code = f" [{block.code}]" if block.code else ""
            kind = Markup(' class="{}"').format(block.severity) if block.severity else ""
            lead = _LEAD.get(block.severity, "")
            return Markup("<p{}>{}{}{}</p>").format(kind, lead, sentence(block.words), code)
        case Listing():
            items = _joined(Markup("<li>{}</li>\n").format(sentence(item)) for item in block.items)
            title = Markup("<p>{}</p>\n").format(one_line(block.title)) if block.title else ""
            return Markup("{}<ul>\n{}</ul>").format(title, items)
        case Command():
            return Markup('<pre class="command">{}</pre>').format(one_line(block.text))
        case Section():
            opened = "" if block.folded else Markup(" open")
            return Markup("<details{}><summary>{}</summary>\n{}\n</details>").format(
                opened, sentence(block.title), Markup("\n").join(map(block_html, block.blocks))
            )
        case None:
            return Markup("")


def sentence(words: Words) -> Markup:
    """Return a sentence."""
    return _joined(map(_text, pieces(words)))


def breakable(path: str) -> Markup:
    """Return a dotted path that may go on in the next line after a dot."""
    return Markup(".<wbr>").join(escape(word) for word in one_line(path).split("."))


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def _text(cell: Cell) -> Markup:
    if cell.drawn:
        return Markup(cell.drawn)  # an SVG of ours
    below = _joined(Markup("<br>{}").format(one_line(line)) for line in cell.below)
    text = one_line(cell.text)
    match cell.kind:
        case "setting":
            return Markup("<code>{}</code>{}").format(breakable(text), below)
        case "value":
            return Markup('<code class="value">{}</code>{}').format(text, below)
        case "" | "name":
            return escape(text) + below
    return Markup('<span class="{}">{}{}</span>').format(cell.kind, text, below)


def _table(table: Table) -> Markup:
    wide = Markup(' class="wide"') if len(table.columns) > _WIDE else ""
    heads = _joined(
        Markup('<th scope="col"{}>{}</th>\n').format(_class(column), one_line(column.heading))
        for column in table.columns
    )
    rows = _joined(map(_row, table.rows, [table.columns] * len(table.rows)))
    foot = _row(table.total, table.columns) if table.total else ""
    foot = foot and Markup("<tfoot>{}</tfoot>\n").format(foot)
    title = one_line(table.title)
    caption = Markup("<caption><span>{}</span></caption>\n").format(title) if title else ""
    label = Markup(' role="region" tabindex="0" aria-label="{}"').format(title) if title else ""
    return Markup(
        '<div class="scroll"{label}>\n<table{wide}>\n{caption}'
        "<thead><tr>\n{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n{foot}</table>\n</div>"
    ).format(
        label=label,
        caption=caption,
        wide=wide,
        heads=heads,
        rows=rows,
        foot=foot,
    )


def _row(row: tuple[Cell, ...], columns: tuple[Column, ...]) -> Markup:
    first, *others = row
    cells = _joined(
        Markup("<td{}{}>{}</td>\n").format(_class(column), _sort(cell), _text(cell))
        for cell, column in zip(others, columns[1:], strict=True)
    )
    head = Markup('<th scope="row"{}>{}</th>\n').format(_sort(first), _text(first))
    return Markup("<tr>\n{}{}</tr>\n").format(head, cells)


def _class(column: Column) -> str:
    return Markup(' class="figures"') if column.figures else ""


def _sort(cell: Cell) -> str:
    return "" if cell.sort is None else Markup(' data-sort="{}"').format(cell.sort)
