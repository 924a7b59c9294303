"""The command that writes a report: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cascadesim.cli.app import (
    Command,
    Seed,
    Settings,
    Variants,
    app,
    load_scenario,
    replications_option,
    split,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere


@app.command(cls=Command)
@runs_somewhere
def report(
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO",
            help="A YAML file, or a folder with scenario.yaml, such as `run --out` writes.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The HTML file.")],
    variants: Variants = "",
    set: Settings = None,
    seed: Seed = None,
    replications: Annotated[int, replications_option("How many replications.")] = 10,
    where: Where = HERE,
) -> None:
    """Write a report, one HTML file that needs no other and no network.

    It says what was observed and simulated, where the time went, which settings matter, what the
    worst case is, and what is assumed. Attach it to a postmortem, or print it.

    \b
    Examples:
      cascadesim report scenarios/incident-60s -o report.html \\
        --variants before,after,recommended
      cascadesim report out/before -o report.html
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.files import check_writable, write_text
    from cascadesim.report.data import report as make_report
    from cascadesim.scenario.load import parse_settings
    from cascadesim.values.errors import one_line

    loaded = load_scenario(scenario)
    settings = parse_settings(set)
    check_writable(out.parent, [out.name])  # before a long run, and not only after it
    execution = where.execution()
    with progress_bar(f"reporting on {loaded.name}") as progress:
        made = make_report(
            loaded,
            split(variants),
            seed=seed,
            settings=settings,
            replications=replications,
            execution=execution,
            progress=progress,
        )
        write_text(out, made.html)
    print(one_line(made.verdict))
