"""Commands that print pages of Markdown, which are in the package: guide, rule."""

from __future__ import annotations

import re
from dataclasses import asdict
from importlib.resources import files
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from cascadesim.cli.app import Command, TableOrJson, app, print_json, print_text
from cascadesim.values.errors import ScenarioError, closest

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from cascadesim.values.rules import Rule

WIDTH = 80  # columns; longer lines are hard to read, however wide the terminal


def guides() -> dict[str, str]:
    """Return the Markdown text of every guide by its name, in alphabetical order."""
    folder = files("cascadesim") / "guides"
    texts = {
        file.name.removesuffix(".md"): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".md")
    }
    return dict(sorted(texts.items()))


def names_that_begin(incomplete: str) -> list[str]:
    """Return the guides whose names begin with what is typed so far, for the shell."""
    return [name for name in guides() if name.startswith(incomplete)]


@app.command(cls=Command)
def guide(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The guide; a list of all if none.",
            autocompletion=names_that_begin,
        ),
    ] = None,
) -> None:
    """Print a guide, or the list of guides.

    A guide answers a question, such as where the time went or whether a difference is luck. In a
    pipe or a file it is the Markdown text.

    \b
    Examples:
      cascadesim guide
      cascadesim guide statistics
      cascadesim guide pytest > pytest.md
    """
    texts = guides()
    if name is None:
        titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in texts.items()}
        _print_list(titles, "`cascadesim guide NAME` prints one of them.")
    elif name in texts:
        _print_page(texts[name])
    else:
        mentions = {guide: text.lower().count(name.lower()) for guide, text in texts.items()}
        most = max(mentions, key=lambda guide: mentions[guide])
        close = closest(name, list(texts)) or (most if name.strip() and mentions[most] else None)
        hint = f'did you mean "{close}"? ' if close else ""
        message = f"no such guide; {hint}known: {', '.join(texts)}"
        raise ScenarioError(message, "guide", name)


def codes_that_begin(incomplete: str) -> list[str]:
    """Return the codes and names of rules that begin with what is typed so far, for the shell."""
    from cascadesim.analysis.all_rules import all_rules

    words = [word for code, rule in all_rules().items() for word in (code, rule.name)]
    typed = incomplete.replace("_", "-")
    return [word for word in words if word.lower().startswith(typed.lower())]


@app.command(cls=Command)
def rule(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            help="The code or the name of a rule; a list of all if none.",
            autocompletion=codes_that_begin,
        ),
    ] = None,
    format: Annotated[TableOrJson, typer.Option(help="How to print.")] = TableOrJson.TABLE,
) -> None:
    """Print what a rule says, why it is bad, an example, and what to do instead.

    Rules have codes: T01 and others for settings that contradict each other, which `check` finds,
    S01 and others for figures that say less than they seem to, D01 and others for what
    `lint-config` finds, and A01 and others for the causes that a request's time goes to. In a pipe
    or a file it is Markdown.

    \b
    Examples:
      cascadesim rule
      cascadesim rule T01
      cascadesim rule pool_wait
    """
    from cascadesim.analysis.all_rules import all_rules

    rules = all_rules()
    chosen = None if code is None else _chosen(rules, code)
    if format is TableOrJson.JSON:
        print_json(asdict(chosen) if chosen else [asdict(rule) for rule in rules.values()])
    elif chosen:
        _print_page(_rule_page(chosen))
    else:
        names = {code: rule.name for code, rule in rules.items()}
        _print_list(names, "`cascadesim rule CODE` prints what one of them says.")


def _chosen(rules: dict[str, Rule], code: str) -> Rule:
    """Return the rule of a code or a name. Raises ScenarioError."""
    by_word = rules | {rule.name: rule for rule in rules.values()}
    for word in (code.upper(), code.lower().replace("_", "-")):
        if word in by_word:
            return by_word[word]
    close = closest(code, list(by_word))
    known = f'did you mean "{close}"?' if close else f"known: {', '.join(rules)}"
    raise ScenarioError(f"no such rule; {known}", "rule", code)


def _rule_page(rule: Rule) -> str:
    language = "console" if rule.example.startswith("$") else "yaml"
    sections = {
        "What it says": fill(rule.says, WIDTH),
        "Why it is bad": fill(rule.why, WIDTH),
        "Example": f"```{language}\n{rule.example.rstrip()}\n```",
        "What to do instead": fill(rule.instead, WIDTH),
    }
    body = [f"## {title}\n\n{text}\n" for title, text in sections.items()]
    return "\n".join([f"# {rule.code}: {rule.name}\n", *body])


def _print_list(lines: dict[str, str], last: str) -> None:
    width = max(map(len, lines))
    listed = [f"{name:{width}}  {title}" for name, title in lines.items()]
    print_text("\n".join([*listed, "", last, ""]))


def _print_page(text: str) -> None:
    """Print a page: set for the terminal, or as it is into a pipe or a file."""
    from rich.markdown import CodeBlock, Markdown
    from rich.syntax import Syntax

    from cascadesim.views.terminal import new_console

    class Code(CodeBlock):
        """Code without a margin, since what commands print fills 80 columns."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            code = str(self.text).rstrip()
            yield Syntax(code, self.lexer_name, theme="ansi_dark", word_wrap=True)

    class Page(Markdown):
        elements: ClassVar = {**Markdown.elements, "fence": Code, "code_block": Code}

    console = new_console()
    if not console.is_terminal:
        print_text(text)
        return
    # Links to other files lead nowhere from a terminal, so that only their text is left.
    text = re.sub(r"!?\[([^\]]*)\]\((?!https://)[^)]*\)", r"\1", text)
    console.print(Page(text), width=min(WIDTH, console.width))
