"""The application, and what its commands share."""

from __future__ import annotations

import io
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cascadesim import MOST_SEED, __version__
from cascadesim.files import from_here, json_text
from cascadesim.values.stops import STOPS

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


class Command(TyperCommand):
    """A command whose usage line reads SCENARIO, where Typer writes {SCENARIO}."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what stops it says what is done, which Typer would not tell."""
        with _raised_stops() as came:
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt as stop:
                for one in STOPS:
                    signal.signal(one, signal.SIG_DFL)  # a second one just ends it
                print(f"cascadesim: {str(stop) or 'interrupted'}", file=sys.stderr)
                # The exit code is as shells have it.
                raise SystemExit(128 + (came[0] if came else signal.SIGINT)) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the command in its usage line."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]


@contextmanager
def _raised_stops() -> Iterator[list[int]]:
    """Let signals that stop a command raise KeyboardInterrupt; give the list of those that came.

    One that is ignored, as a shell lets what runs in the background do, stays so.
    """
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    handlers = {one: signal.getsignal(one) for one in STOPS}
    before = {one: handler for one, handler in handlers.items() if handler != signal.SIG_IGN}
    for one in before:
        signal.signal(one, stop)
    try:
        yield came
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class Format(StrEnum):
    """How results are printed; those that are no table of numbers never as CSV."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class TableOrJson(StrEnum):  # noqa: D101
    TABLE = "table"
    JSON = "json"


def replications_option(text: str, least: int = 1) -> Any:
    """Return the option of a number of replications."""
    return typer.Option(min=least, max=10_000, metavar="N", help=text)


Replications = Annotated[int | None, replications_option("How many replications; 1 if not given.")]
ScenarioPaths = Annotated[
    list[Path],
    typer.Argument(metavar="SCENARIO", help="YAML files, or folders with scenario.yaml."),
]
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


def names(scenarios: list[Any]) -> str:
    """Return the names of scenarios, for a progress bar."""
    return ", ".join(scenario.name for scenario in scenarios)


def load_scenario(path: Path, variant: str | None = None, settings: list[str] | None = None) -> Any:
    """Return the scenario at a path, at a variant and with settings as `--set` gives them."""
    from cascadesim.scenario.load import load, parse_settings

    scenario = load(path)
    if variant is not None:
        scenario = scenario.at(variant)
    return scenario.override(parse_settings(settings), "--set") if settings else scenario


def print_result(form: str, result: Any, page: Callable[..., Any], *options: Any) -> None:
    """Print what a study returned as JSON, as CSV, or as the page that a view makes of it.

    `options` go to its `to_dict` and to the view.
    """
    if form == Format.JSON:
        print_json(result.to_dict(*options))
    elif form == Format.CSV:
        result.frame.to_csv(sys.stdout, index=False)
    else:
        from cascadesim.views.terminal import print_page

        print_page(page(result, *options))


def print_results(form: str, results: list[Any], page: Callable[[Any], Any]) -> None:
    """Print what a study returned for each of several scenarios; of one as of one alone."""
    if form == Format.JSON:
        plain = [result.to_dict() for result in results]
        print_json(plain[0] if len(plain) == 1 else plain)
        return
    for result in results:
        print_result(form, result, page)


def repeated(command: list[str], paths: list[Path], options: dict[str, Any]) -> str:
    """Return the command that repeats a run: what is not given, and files it writes, are left out.

    The value of an option may be a list, for one that was given several times.
    """
    words = [*command, *map(from_here, paths)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [] if one in (None, "") else [name, str(one)]
    return shlex.join(words)


def print_json(data: Any) -> None:
    """Print plain data as JSON."""
    print_text(json_text(data))


def print_text(text: str) -> None:
    """Print text that is UTF-8 whatever the locale, as JSON and Markdown are."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
