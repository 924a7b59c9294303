"""The command that checks settings before they go live: check."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Seed,
    Settings,
    TableOrJson,
    Variant,
    Variants,
    app,
    load_scenario,
    print_json,
    split,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere
from cascadesim.files import from_here
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable

_TO_OUTPUT = "-"  # in place of a file's name


@app.command(cls=Command)
@runs_somewhere
def check(
    scenarios: Annotated[
        list[Path],
        typer.Argument(metavar="SCENARIO", help="YAML files, or folders with scenario.yaml."),
    ],
    variant: Variant = None,
    set: Settings = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only validate the files, and print only errors.")
    ] = False,
    objectives: Annotated[
        bool, typer.Option("--objectives", help="Simulate, and exit with 1 where one is missed.")
    ] = False,
    variants: Variants = "",
    replications: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="How many worlds to meet; 1 if not given."
        ),
    ] = None,
    seed: Seed = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, for a build server.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a summary as GitHub-flavoured Markdown; - prints it in place of the table.",
        ),
    ] = None,
    where: Where = HERE,
    format: Annotated[TableOrJson, typer.Option(help="How to print.")] = TableOrJson.TABLE,
) -> None:
    """Check settings before anything goes wrong.

    Validates the files and every variant of them, then prints when each breaker opens against a
    dead dependency, what each retry costs, the worst-case latency that the settings allow, and
    settings that contradict each other.

    With --objectives it simulates instead, and judges every objective of all variants or of those
    in --variants: a variant that misses them by nature, such as one that replays an incident, is
    better left out. Options from --variants to --no-store go with it.

    \b
    Examples:
      cascadesim check scenarios/incident-60s --variant before
      cascadesim check scenarios/incident-60s --set agent.breaker.when_open=reject
      cascadesim check --quiet scenarios/*/*.yaml
      cascadesim check --objectives scenarios/incident-* --variants recommended \\
        --replications 8 --junit objectives.xml
    """
    gated = {
        "--variants": variants,
        "--replications": replications,
        "--seed": seed,
        "--junit": junit,
        "--markdown": markdown,
    }
    _check_options(objectives, gated, {"--variant": variant, "--quiet": quiet})
    loaded = _load(scenarios, variant, None if objectives else set)
    if objectives:
        execution = where.execution()
        _judge(loaded, scenarios, split(variants), set, gated, execution, format)
    elif not quiet:
        _print_settings(loaded, format)


def _check_options(objectives: bool, gated: dict[str, Any], others: dict[str, Any]) -> None:
    """Raise a ScenarioError for an option that would be of no use."""
    for name, given in (others if objectives else gated).items():
        if given not in (None, "") and given is not False:
            hint = "goes without --objectives" if objectives else "goes with --objectives"
            if name == "--variant":
                hint = f"{hint}, which takes --variants {given}"
            raise ScenarioError(hint, name)


def _load(paths: list[Path], variant: str | None, settings: list[str] | None) -> list[Any]:
    """Return the scenarios; if some are invalid, print a line for each and exit with 2."""
    loaded, invalid = [], False
    for path in paths:
        try:
            loaded.append(load_scenario(path, variant, settings))
        except ScenarioError as error:
            print(error, file=sys.stderr)
            invalid = True
    if invalid:
        raise typer.Exit(2)
    return loaded


def _print_settings(loaded: list[Any], format: TableOrJson) -> None:
    from cascadesim.cli.progress import progress_bar
    from cascadesim.studies.check import check as run_check
    from cascadesim.studies.replay import part_of
    from cascadesim.views.check import page
    from cascadesim.views.terminal import print_page

    found = []
    with progress_bar(f"checking {_names(loaded)}") as progress:
        for i, each in enumerate(loaded):
            part = None if progress is None else part_of(progress, i, len(loaded))
            found.append(run_check(each, part))
    if format is TableOrJson.JSON:
        plain = [each.to_dict() for each in found]
        print_json(plain[0] if len(plain) == 1 else plain)
        return
    for each in found:
        print_page(page(each))


def _judge(
    loaded: list[Any],
    paths: list[Path],
    variants: list[str],
    set: list[str] | None,
    options: dict[str, Any],
    execution: Any,
    format: TableOrJson,
) -> None:
    from cascadesim.cli.progress import progress_bar
    from cascadesim.scenario.load import parse_settings
    from cascadesim.studies.gate import gate
    from cascadesim.views.gate import page
    from cascadesim.views.junit import junit_xml
    from cascadesim.views.markdown import page_markdown
    from cascadesim.views.terminal import print_page

    junit, markdown = options["--junit"], options["--markdown"]
    printed = markdown is not None and str(markdown) == _TO_OUTPUT
    if printed and format is TableOrJson.JSON:
        raise ScenarioError("prints Markdown, and --format json prints JSON", "--markdown -")
    _check_files([junit, None if printed else markdown])
    with progress_bar(f"judging {_names(loaded)}") as progress:
        found = gate(
            loaded,
            variants,
            settings=parse_settings(set or []),
            seed=options["--seed"],
            replications=options["--replications"] or 1,
            execution=execution,
            progress=progress,
        )
    summary = page_markdown(page(found, _command(paths, set, options)))
    if junit is not None:
        _write(junit, junit_xml(found))
    if printed:
        print_markdown(summary)
    elif markdown is not None:
        _write(markdown, summary)
    if format is TableOrJson.JSON:
        print_json(found.to_dict())
    elif not printed:
        print_page(page(found))
    if not found.met:
        raise typer.Exit(1)


def print_markdown(text: str) -> None:
    """Print Markdown, which is UTF-8 to GitHub, whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def _names(loaded: list[Any]) -> str:
    return ", ".join(scenario.name for scenario in loaded)


def _check_files(files: list[Path | None]) -> None:
    """Raise a ScenarioError where a file cannot be written: before a long run, not after it."""
    from cascadesim.files import check_writable

    given = [file for file in files if file is not None]
    for file in given:
        check_writable(file.parent, [file.name])
    if len({file.resolve() for file in given}) < len(given):
        raise ScenarioError("is the file of --junit too; give another", "--markdown")


def _write(file: Path, text: str) -> None:
    from cascadesim.files import write_files

    write: Callable[[Path], object] = lambda path: path.write_text(text, "utf-8")  # noqa: E731
    write_files(file.parent, {file.name: write})


def _command(paths: list[Path], set: list[str] | None, options: dict[str, Any]) -> str:
    """Return the command that repeats the run; files that it writes change no figure."""
    words = ["cascadesim", "check", "--objectives", *map(from_here, paths)]
    for setting in set or []:
        words += ["--set", setting]
    for name in ("--variants", "--replications", "--seed"):
        if options[name] not in (None, ""):
            words += [name, str(options[name])]
    return shlex.join(words)
