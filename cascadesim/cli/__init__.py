"""The command line: thin commands, which import what they need when they run.

So `--help` and `--version` are quick.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer

from cascadesim.cli.app import app
from cascadesim.values.errors import ScenarioError, one_line

if TYPE_CHECKING:
    from typing import NoReturn

# In the order in which --help lists them.
for _module in (
    *("runs", "plot", "experiments", "check", "diff", "lint_config", "report", "scenarios"),
    *("where", "pages"),
):
    import_module(f"cascadesim.cli.{_module}")

BAD_INPUT, BROKEN_PIPE = 2, 141  # exit codes, the last as shells have it
_UsageError: Any = typer.BadParameter.__base__  # which Typer does not export


def main() -> None:
    """Run a command; what the user can cause ends as one line and exit code 2."""
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()  # closed
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may hold what this cannot
    try:
        # Without standalone mode it returns the code of typer.Exit, and raises usage errors.
        code = app(sys.argv[1:] or ["--help"], prog_name="cascadesim", standalone_mode=False)
        sys.stdout.flush()
    except ScenarioError as error:
        _end(str(error))
    except _UsageError as error:
        _end(_usage(error))
    except MemoryError:
        _end("cascadesim: not enough memory; shorten the horizon or lower the rate")
    except (SystemExit, OSError) as error:
        # Rich and Typer turn a broken pipe into an exit; all other files are written elsewhere.
        cause = error.__context__ if isinstance(error, SystemExit) else error
        if not isinstance(cause, OSError):
            raise
        _discard_output()
        if isinstance(cause, BrokenPipeError):
            raise SystemExit(BROKEN_PIPE) from None
        _end(f"cascadesim: cannot write the output: {cause.strerror or cause}")
    raise SystemExit(code or 0)


def _end(line: str) -> NoReturn:
    print(line, file=sys.stderr)
    raise SystemExit(BAD_INPUT) from None


def _usage(error: Any) -> str:
    command = error.ctx.command_path if error.ctx else "cascadesim"
    message = " ".join(error.format_message().split()).rstrip(".")
    for jargon, plain in (("Value error, ", ""), ("Input should be", "must be")):  # pydantic's
        message = message.replace(jargon, plain)
    return one_line(f"{command}: {message[:1].lower()}{message[1:]}; see {command} --help")


def _discard_output() -> None:
    """Point standard output at nothing, so that what it still holds does not fail once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
