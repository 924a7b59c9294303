"""The command that holds a service's files against a scenario: lint-config."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cascadesim.analysis.drift_rules import MISSED_CHECK
from cascadesim.cli.app import Command, app, print_json
from cascadesim.values.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.lint import Lint
    from cascadesim.values.errors import Mark


class _Format(StrEnum):
    """How drift is printed."""

    TABLE = "table"
    JSON = "json"
    GITHUB = "github"


@app.command("lint-config", cls=Command)
def lint_config(
    mapping: Annotated[
        Path, typer.Argument(metavar="MAPPING", help="A YAML file: settings, and their places.")
    ] = Path("settings.map.yaml"),
    variant: Annotated[
        str | None, typer.Option(metavar="V", help="Another variant than the mapping's.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Another folder of the service than the mapping's."),
    ] = None,
    format: Annotated[
        _Format, typer.Option(help="How to print; github: annotations of a workflow.")
    ] = _Format.TABLE,
) -> None:
    """Hold a service's own files against a scenario.

    Reads settings where they live, in Python, YAML, TOML, JSON and environment files, without
    running any of it, and prints where they say other than the scenario. Exits with 1 if they do,
    or if a check of the mapping does not hold; a place that is not there or cannot be read without
    a guess is bad input (2).

    \b
    Examples:
      cascadesim lint-config settings.map.yaml
      cascadesim lint-config settings.map.yaml --variant after --root service
      cascadesim lint-config --format github
    """
    from cascadesim.lint import lint_config as run_lint

    lint = run_lint(mapping, variant=variant, root=root)
    if format is _Format.JSON:
        print_json(lint.to_dict())
    elif format is _Format.GITHUB:
        for line in _annotations(lint):
            print(one_line(line))
    else:
        _print(lint)
    if lint.drift:
        raise typer.Exit(1)


def _print(lint: Lint) -> None:
    from cascadesim.views.lint import page
    from cascadesim.views.terminal import print_page

    print_page(page(lint))
    print()
    for line in lint.drift:
        print(one_line(f"- {line}"))  # not wrapped, for logs are searched
    if not lint.drift:
        print("No drift." if lint.settings else "Every check holds.")


def _annotations(lint: Lint) -> Iterator[str]:
    """Yield a workflow command for every line of drift, at its place."""
    for setting in lint.settings:
        drifting = filter(setting.drifts, setting.readings)
        for reading, line in zip(drifting, setting.drift, strict=True):
            yield _annotation(reading.find.mark, f"{reading.code} {setting.path}", line)
    for check in lint.checks:
        for line in check.drift:
            yield _annotation(check.missed_by[0].find.mark, f"{MISSED_CHECK.code} check", line)


def _annotation(mark: Mark, title: str, message: str) -> str:
    path = os.path.relpath(mark.source).replace(os.sep, "/")  # from the top of the checkout
    properties = {"file": path, "line": str(mark.line), "title": title}
    given = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::warning {given}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """Return text with what would end it, or a property, as GitHub wants it escaped."""
    text = text.replace("%", "%25")
    for character in f"\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
