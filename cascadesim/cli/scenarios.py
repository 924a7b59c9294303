"""Commands about scenario files: list, init, schema."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cascadesim.cli.app import (
    Command,
    app,
    print_json,
    print_text,
)
from cascadesim.values.errors import ScenarioError, one_line


@app.command("list", cls=Command)
def list_scenarios(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to look.")] = Path(
        "scenarios"
    ),
) -> None:
    """List the scenarios in a folder, with their variants.

    \b
    Examples:
      cascadesim list
      cascadesim list my-scenarios
    """
    from cascadesim.scenario.load import load

    pattern = "**/*.yaml"
    if folder == Path("scenarios") and not folder.exists():
        # Where `init` may have written some, among folders that hold anything else.
        folder, pattern = Path(), "*/scenario.yaml"
    if not folder.is_dir():
        raise ScenarioError("no such folder; give one, as in `cascadesim list FOLDER`", str(folder))
    bad = False
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    for path in files:
        try:
            scenario = load(path)
        except ScenarioError as error:
            bad = True
            print(error, file=sys.stderr)
            continue
        print(one_line(str(path.parent if path.name == "scenario.yaml" else path)))
        _print_indented(scenario.model.summary)
        _print_indented(f"variants: {', '.join(scenario.variants) or 'none'}")
    if not files:
        print("no scenarios here")
    if bad:
        raise typer.Exit(2)


def _print_indented(text: str) -> None:
    """Print a line below a heading, wrapped only where a terminal would wrap it otherwise."""
    import textwrap

    text, indent = one_line(text), "  "
    if sys.stdout.isatty():
        width = typer.get_terminal_size().columns - len(indent)
        wrap = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        text = wrap.fill(text)
    if text:
        print(textwrap.indent(text, indent))


@app.command(cls=Command)
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A folder that is not there yet.")],
) -> None:
    """Write a commented scenario to start from, that runs.

    \b
    Examples:
      cascadesim init my-service
      cascadesim replay my-service
    """
    import shlex
    from importlib.resources import files

    from cascadesim.files import json_text, write_files
    from cascadesim.scenario.json_schema import json_schema
    from cascadesim.scenario.load import loads
    from cascadesim.scenario.source import Document, write

    folder = Path(name)
    if not name.strip():
        raise ScenarioError("NAME is empty; give the new folder one, such as my-service", "init")
    if os.path.lexists(folder):
        raise ScenarioError("is there already; choose another name", name)
    quoted = write(Document(name, {"name": folder.name}), comment="")
    text = files("cascadesim.cli").joinpath("starter.yaml").read_text("utf-8")
    text = text.replace("name: STARTER\n", quoted)
    text = text.replace("STARTER", one_line(shlex.quote(folder.name)))
    loads(text, f"{name}/scenario.yaml")  # no name may make a file that cannot be read
    write_files(
        folder,
        {
            "scenario.yaml": lambda path: path.write_text(text, "utf-8"),
            "scenario.schema.json": lambda path: path.write_text(json_text(json_schema()), "utf-8"),
        },
    )
    command = f"cascadesim replay {shlex.quote(name)}"
    print(one_line(f"{folder}/scenario.yaml is written; try: {command}"))


class SchemaFormat(StrEnum):
    """For whom the schema is printed: editors, or people."""

    JSON = "json"
    MARKDOWN = "markdown"


@app.command(cls=Command)
def schema(
    form: Annotated[
        SchemaFormat, typer.Option("--format", help="JSON Schema, or a page to read.")
    ] = SchemaFormat.JSON,
) -> None:
    """Print what scenario files may say: the JSON Schema, or a page with every option.

    Editors complete and check a scenario by the JSON Schema. The page says of each option where it
    stands, its values, its default, what it means and what it follows.

    \b
    Examples:
      cascadesim schema > scenario.schema.json
      cascadesim schema --format markdown | less
    and as the first line of a scenario:
      # yaml-language-server: $schema=scenario.schema.json
    """
    from cascadesim.scenario.json_schema import json_schema

    if form is SchemaFormat.JSON:
        print_json(json_schema())
        return
    from cascadesim.scenario.reference import page

    print_text(page())
