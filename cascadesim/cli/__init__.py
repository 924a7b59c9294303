"""The command line: thin commands over the package, imported when they run."""

from __future__ import annotations

import sys

from cascadesim.cli.commands import app
from cascadesim.scenario.errors import ScenarioError


def main() -> None:
    """Run a command; what the user can cause ends as one line and exit code 2."""
    try:
        app(prog_name="cascadesim")
    except ScenarioError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
