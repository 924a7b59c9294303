"""The command that checks settings before they go live: check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Replications,
    ScenarioPaths,
    Seed,
    Settings,
    TableOrJson,
    Variant,
    Variants,
    app,
    load_scenario,
    names,
    print_result,
    print_results,
    print_text,
    repeated,
    split,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere
from cascadesim.values.errors import ScenarioError

_TO_OUTPUT = "-"  # in place of a file's name


@app.command(cls=Command)
@runs_somewhere
def check(
    scenarios: ScenarioPaths,
    variant: Variant = None,
    set: Settings = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only validate the files, and print only errors.")
    ] = False,
    objectives: Annotated[
        bool, typer.Option("--objectives", help="Simulate, and exit with 1 where one is missed.")
    ] = False,
    variants: Variants = "",
    replications: Replications = None,
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
    from cascadesim.cli.progress import for_each
    from cascadesim.studies.check import check as run_check
    from cascadesim.views.check import page

    print_results(format, for_each(f"checking {names(loaded)}", loaded, run_check), page)


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
    from cascadesim.files import write_text
    from cascadesim.scenario.load import parse_settings
    from cascadesim.studies.gate import gate
    from cascadesim.views.gate import page
    from cascadesim.views.junit import junit_xml
    from cascadesim.views.markdown import page_markdown

    junit, markdown = options["--junit"], options["--markdown"]
    printed = markdown is not None and str(markdown) == _TO_OUTPUT
    if printed and format is TableOrJson.JSON:
        raise ScenarioError("prints Markdown, and --format json prints JSON", "--markdown -")
    _check_files([junit, None if printed else markdown])
    with progress_bar(f"judging {names(loaded)}") as progress:
        judged = gate(
            loaded,
            variants,
            settings=parse_settings(set),
            seed=options["--seed"],
            replications=options["--replications"] or 1,
            execution=execution,
            progress=progress,
        )
    chosen = {name: options[name] for name in ("--variants", "--replications", "--seed")}
    again = repeated(["cascadesim", "check", "--objectives"], paths, {"--set": set, **chosen})
    summary = page_markdown(page(judged, again))
    if junit is not None:
        write_text(junit, junit_xml(judged))
    if printed:
        print_text(summary)
    elif markdown is not None:
        write_text(markdown, summary)
    if not printed:
        print_result(format, judged, page)
    if not judged.met:
        raise typer.Exit(1)


def _check_files(files: list[Path | None]) -> None:
    """Raise a ScenarioError where a file cannot be written: before a long run, not after it."""
    from cascadesim.files import check_writable

    given = [file for file in files if file is not None]
    for file in given:
        check_writable(file.parent, [file.name])
    if len({file.resolve() for file in given}) < len(given):
        raise ScenarioError("is the file of --junit too; give another", "--markdown")
