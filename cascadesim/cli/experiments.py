"""The command that weighs variants against each other: compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cascadesim.cli.app import (
    Command,
    Format,
    Seed,
    Settings,
    Variants,
    app,
    load_scenario,
    print_json,
    split,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere


@app.command(cls=Command)
@runs_somewhere
def compare(
    scenarios: Annotated[
        list[Path],
        typer.Argument(metavar="SCENARIO", help="YAML files, or folders with scenario.yaml."),
    ],
    variants: Variants = "",
    set: Settings = None,
    seed: Seed = None,
    replications: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="How many worlds to meet; 1 if not given."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="P=SHARE",
            help="As many as it takes until half the interval is at most this share, as p99=2%; "
            "--replications is the most then, 200 if not given.",
        ),
    ] = None,
    where: Where = HERE,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Compare variants, of one scenario or of several.

    Prints percentiles, and their differences from the first variant; with replications, their
    means and intervals. Exits with 1 where any variant misses an objective.

    \b
    Examples:
      cascadesim compare scenarios/incident-60s --variants before,after
      cascadesim compare scenarios/incident-60s --variants recommended
      cascadesim compare scenarios/incident-60s --replications 20
      cascadesim compare scenarios/incident-60s --precision p99=5%
      cascadesim compare old.yaml new.yaml
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.scenario.load import parse_settings
    from cascadesim.studies.compare import compare as run_comparison
    from cascadesim.studies.precision import parse_precision
    from cascadesim.views.compare import page
    from cascadesim.views.terminal import print_page

    loaded = [load_scenario(path) for path in scenarios]
    settings = parse_settings(set or [])
    asked = None if precision is None else parse_precision(precision)
    execution = where.execution()
    label = f"comparing {', '.join(each.name for each in loaded)}"
    with progress_bar(label, total=replications) as progress:
        comparison = run_comparison(
            *loaded,
            variants=split(variants),
            seed=seed,
            progress=progress,
            settings=settings,
            replications=replications,
            precision=asked,
            execution=execution,
        )
    if format is Format.JSON:
        print_json(comparison.to_dict())
    elif format is Format.CSV:
        comparison.frame.to_csv(sys.stdout, index=False)
    else:
        print_page(page(comparison))
    if not comparison.met:
        raise typer.Exit(1)
