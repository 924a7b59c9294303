"""The application, and what its commands share."""

from __future__ import annotations

import io
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cascadesim import MOST_SEED, __version__

app = typer.Typer(
    name="cascadesim",
    help="Simulate timeout cascades: which timeout ate the time, and what would be better.\n\n"
    "\b\nExamples:\n"
    "  cascadesim replay scenarios/incident-60s\n"
    "  cascadesim compare scenarios/incident-60s --variants before,after\n"
    "  cascadesim init my-service\n"
    "  cascadesim guide\n\n"
    "Exit codes: 0 fine, 1 an objective was missed or a setting has drifted, 2 bad input.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


INTERRUPTED = 130  # exit code, as shells have it


class Command(TyperCommand):
    """A command whose usage line reads SCENARIO, where Typer writes {SCENARIO}."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an interrupt says what is done, which Typer would not tell."""
        before = signal.getsignal(signal.SIGINT)
        if callable(before):  # and not ignored; outside of here it ends the process at once
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one just ends it
            print(f"cascadesim: {str(stop) or 'interrupted'}", file=sys.stderr)
            raise SystemExit(INTERRUPTED) from None
        finally:
            signal.signal(signal.SIGINT, before)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the command in its usage line."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class TableOrJson(StrEnum):
    """How results that are no table of numbers are printed."""

    TABLE = "table"
    JSON = "json"


ScenarioPath = Annotated[
    Path, typer.Argument(metavar="SCENARIO", help="A YAML file, or a folder with scenario.yaml.")
]
Variants = Annotated[
    str, typer.Option(metavar="V,V", help="Only these variants, separated by commas.")
]
Variant = Annotated[
    str | None, typer.Option(metavar="V", help="The variant; the scenario as it stands if none.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Another setting by its dotted path; may be repeated."
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=MOST_SEED, metavar="N", help="Another seed than the scenario's own."),
]


def _version(asked: bool) -> None:
    if asked:
        print(f"cascadesim {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def split(variants: str) -> list[str]:
    """Return the names in a text such as "before,after"."""
    return [name.strip() for name in variants.split(",") if name.strip()]


def load_scenario(path: Path, variant: str | None = None, settings: list[str] | None = None) -> Any:
    """Return the scenario at a path, at a variant and with settings as `--set` gives them."""
    from cascadesim.scenario.load import load, parse_settings

    scenario = load(path)
    if variant is not None:
        scenario = scenario.at(variant)
    return scenario.override(parse_settings(settings), "--set") if settings else scenario


def print_json(data: Any) -> None:
    """Print plain data as JSON."""
    from cascadesim.files import json_text

    print_text(json_text(data))


def print_text(text: str) -> None:
    """Print text that is UTF-8 whatever the locale, as JSON is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
