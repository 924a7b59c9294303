"""Prints pages of Markdown, which guides and rules are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from cascadesim.cli.app import print_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import Markdown

WIDTH = 80  # columns; longer lines are hard to read, however wide the terminal


def print_page(text: str) -> None:
    """Print a page: set for the terminal, or as it is into a pipe or a file."""
    from cascadesim.views.terminal import new_console

    console = new_console()
    if not console.is_terminal:
        print_text(text)
        return
    # Links to other files lead nowhere from a terminal, so that only their text is left.
    text = re.sub(r"!?\[([^\]]*)\]\((?!https://)[^)]*\)", r"\1", text)
    console.print(_page(text), width=min(WIDTH, console.width))


def _page(text: str) -> Markdown:
    """Return a Markdown text for rich to print."""
    from rich.markdown import CodeBlock, Markdown
    from rich.syntax import Syntax

    class Code(CodeBlock):
        """Code without a margin, since what commands print fills 80 columns."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            yield Syntax(
                str(self.text).rstrip(), self.lexer_name, theme="ansi_dark", word_wrap=True
            )

    class Page(Markdown):
        elements: ClassVar = {**Markdown.elements, "fence": Code, "code_block": Code}

    return Page(text)
