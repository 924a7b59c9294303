"""Pages as GitHub-flavoured Markdown: what a user named is code, so that it is no markup."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from cascadesim.values.errors import cut, one_line
from cascadesim.views.page import Command, Listing, Note, Section, Table, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cascadesim.views.page import Block, Cell, Page, Words

LONGEST = 65_000  # characters of a page; GitHub takes comments of 65,536
_CELL = 200  # characters of a value that a table shows
_SIGNS = {"good": "✅ ", "bad": "❌ "}
_USERS = ("name", "setting", "value")  # kinds of cells that users write
_IN_SHORT = "In short, as GitHub takes no longer comment."


def page_markdown(page: Page, marker: str = "") -> str:
    """Return a page after a `marker`, by which a script finds it.

    Where that is too long for a comment, of what is folded there are only the titles.
    """
    title = f"### {_SIGNS.get(page.severity, '')}{_sentence(page.title)}"
    text = _paragraphs([marker, title, *map(_block, page.blocks)])
    if len(text) > LONGEST:
        text = _paragraphs([marker, title, *_in_short(page.blocks)])
    return f"{text}\n"


def _in_short(blocks: Iterable[Block]) -> Iterator[str]:
    titles: list[str] = []
    for block in blocks:
        if isinstance(block, Section) and not any(isinstance(b, Command) for b in block.blocks):
            titles.append(f"- {_summary(block.title)}")
            continue
        if titles:
            yield "\n".join(titles)
            titles.clear()
            yield _IN_SHORT
        yield _block(block)


def _paragraphs(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _block(block: Block) -> str:
    match block:
        case Table():
            return _table(block)
        case Note():
            lead = "Warning: " if block.severity == "warning" else ""
            code = f" [{block.code}]" if block.code else ""
            return f"{lead}{_sentence(block.words)}{code}"
        case Listing():
            items = "\n".join(f"- {_sentence(item)}" for item in block.items)
            return _paragraphs([block.title, items])
        case Command():
            return _command(block.text)
        case Section():
            opened = "" if block.folded else " open"
            body = _paragraphs(map(_block, block.blocks))
            summary = _summary(block.title)
            return f"<details{opened}><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _table(table: Table) -> str:
    columns = [column.heading for column in table.columns]
    rule = ["---:" if column.figures else "---" for column in table.columns]
    rows = [[_cell(cell) for cell in row] for row in (*table.rows, table.total) if row]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))
    return _paragraphs([table.title, lines])


def _cell(cell: Cell) -> str:
    return "<br>".join(_piece(line, cell.kind) if line else "" for line in (cell.text, *cell.below))


def _piece(text: str, kind: str) -> str:
    if kind in _USERS:
        return code(text)
    return f"**{text}**" if kind in ("bad", "strong") else text


def _sentence(words: Words) -> str:
    return "".join(_piece(cell.text, cell.kind) for cell in pieces(words))


def _summary(words: Words) -> str:
    """Return a sentence as HTML, as Markdown is not read in a summary."""
    return "".join(
        html_code(each.text) if each.kind in _USERS else escape(each.text, quote=False)
        for each in pieces(words)
    )


def code(text: str) -> str:
    """Return a text as code, so that nothing in it is markup, a mention or a link.

    It is HTML where Markdown has no way to write it inside a table.
    """
    text = cut(one_line(text), _CELL)
    if not text or text != text.strip() or re.search(r"[|`\\]", text):
        return html_code(text)
    return f"`{text}`"


def html_code(text: str) -> str:
    """Return a text as code in HTML, where Markdown is not read."""
    text = re.sub(r"[^\w\s,:.%/-]|_", lambda match: f"&#{ord(match[0])};", one_line(text))
    return f"<code>{text}</code>"


def _command(text: str) -> str:
    ticks = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}console\n$ {one_line(text)}\n{fence}"
