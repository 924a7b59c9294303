"""The command that prints what a rule says, by its code: rule."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from cascadesim.cli.app import Command, TableOrJson, app, print_json, print_text
from cascadesim.cli.pages import WIDTH, print_page
from cascadesim.values.errors import ScenarioError, closest

if TYPE_CHECKING:
    from cascadesim.values.rules import Rule


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
    if code is None and format is TableOrJson.TABLE:
        print_text(_list(rules))
        return
    if code is None:
        print_json([asdict(each) for each in rules.values()])
        return
    chosen = _chosen(rules, code)
    if format is TableOrJson.JSON:
        print_json(asdict(chosen))
    else:
        print_page(_page(chosen))


def _chosen(rules: dict[str, Rule], code: str) -> Rule:
    """Return the rule of a code or a name. Raises ScenarioError."""
    by_word = rules | {rule.name: rule for rule in rules.values()}
    for word in (code.upper(), code.lower().replace("_", "-")):
        if word in by_word:
            return by_word[word]
    close = closest(code, list(by_word))
    known = f'did you mean "{close}"?' if close else f"known: {', '.join(rules)}"
    raise ScenarioError(f"no such rule; {known}", "rule", code)


def _list(rules: dict[str, Rule]) -> str:
    """Return a line for each rule: its code and its name."""
    lines = [f"{code}  {rule.name}" for code, rule in rules.items()]
    return "\n".join([*lines, "", "`cascadesim rule CODE` prints what one of them says.", ""])


def _page(rule: Rule) -> str:
    """Return the page of a rule as Markdown."""
    language = "console" if rule.example.startswith("$") else "yaml"
    sections = (
        ("What it says", rule.says),
        ("Why it is bad", rule.why),
        ("Example", f"```{language}\n{rule.example.rstrip()}\n```"),
        ("What to do instead", rule.instead),
    )
    body = [
        f"## {title}\n\n{text if text.startswith('```') else fill(text, WIDTH)}\n"
        for title, text in sections
    ]
    return "\n".join([f"# {rule.code}: {rule.name}\n", *body])
