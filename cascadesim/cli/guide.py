"""The command that prints the guides, which are Markdown files in the package: guide."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import typer

from cascadesim.cli.app import Command, app, print_text
from cascadesim.cli.pages import print_page
from cascadesim.values.errors import ScenarioError, closest


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
        print_text(_listed(texts))
    elif name in texts:
        print_page(texts[name])
    else:
        raise ScenarioError(_no_such(name, texts), "guide", name)


def _listed(texts: dict[str, str]) -> str:
    """Return a line for each guide: its name, and its title, which is a question."""
    width = max(map(len, texts))
    lines = [f"{name:{width}}  {_title(text)}" for name, text in texts.items()]
    return "\n".join([*lines, "", "`cascadesim guide NAME` prints one of them.", ""])


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


def _no_such(name: str, texts: dict[str, str]) -> str:
    """Return what is wrong, with the guide that may be meant: by its name, or by what it is on."""
    mentions = {guide: text.lower().count(name.lower()) for guide, text in texts.items()}
    most = max(mentions, key=lambda guide: mentions[guide])
    close = closest(name, list(texts)) or (most if name.strip() and mentions[most] else None)
    hint = f'did you mean "{close}"? ' if close else ""
    return f"no such guide; {hint}known: {', '.join(texts)}"
