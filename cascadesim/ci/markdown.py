"""GitHub-flavoured Markdown: tables, code and folded details around texts of the user's."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from cascadesim.values.errors import cut, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CELL = 200  # characters of a value that a table shows


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
    text = re.sub(r"[^\w\s,:.%/-]|_", lambda found: f"&#{ord(found[0])};", one_line(text))
    return f"<code>{text}</code>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], figures: int = 0) -> str:
    """Return a table of cells that are Markdown already, its last columns `figures` or not."""
    left = len(columns) - figures
    rule = ["---" if i < left else "---:" for i in range(len(columns))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))


def details(summary: str, *parts: str, shown: bool = False) -> str:
    """Return parts folded below a summary, which is plain text or HTML."""
    opened = " open" if shown else ""
    body = "\n\n".join(part for part in parts if part)
    return f"<details{opened}><summary>{summary}</summary>\n\n{body}\n\n</details>"


def block(text: str) -> str:
    """Return a line as a block of code."""
    ticks = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}console\n$ {one_line(text)}\n{fence}"


def page(*parts: str) -> str:
    """Return parts with an empty line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


def plain_html(text: str) -> str:
    """Return a text of ours as HTML."""
    return escape(text, quote=False)
