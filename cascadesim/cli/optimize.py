"""The command that searches for better settings."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cascadesim.cli.app import (
    Command,
    Format,
    ScenarioPath,
    Seed,
    Settings,
    Variant,
    app,
    load_scenario,
    print_json,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere
from cascadesim.values.errors import ScenarioError


@app.command(cls=Command)
@runs_somewhere
def optimize(
    scenario: ScenarioPath,
    tune: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=VALUES", help="A range (1s..60s) or values (5s,10s); may be repeated."
        ),
    ],
    minimize: Annotated[
        list[str] | None,
        typer.Option(metavar="MEASURE", help="p99, error_rate, …; several: a Pareto front."),
    ] = None,
    maximize: Annotated[
        list[str] | None, typer.Option(metavar="MEASURE", help="goodput, ok_rate, …")
    ] = None,
    subject_to: Annotated[
        list[str] | None,
        typer.Option(metavar="OBJECTIVE", help='What to keep, as "error_rate<1%".'),
    ] = None,
    budget: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="How many settings to try.")
    ] = 100,
    replications: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="Worlds for each of them.")
    ] = 3,
    confirm: Annotated[
        int, typer.Option(min=2, max=10_000, metavar="N", help="Fresh worlds for the best.")
    ] = 20,
    variant: Variant = None,
    set: Settings = None,
    seed: Seed = None,
    where: Where = HERE,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the scenario with the found variants, .yaml."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the search: .png, .svg or .pdf.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Search for better settings.

    Tries settings in the same worlds, today's among them, and compares the best with today's in
    fresh worlds. Exits with 1 where none keep what they are subject to.

    \b
    Examples:
      cascadesim optimize scenarios/incident-60s --variant recommended \\
        --tune agent.deadline.timeout=500ms..30s \\
        --tune agent.concurrency=10..100 \\
        --minimize p99 --subject-to "error_rate<1%" --out better.yaml
      cascadesim optimize scenarios/incident-60s --variant recommended \\
        --tune agent.deadline.timeout=500ms..30s \\
        --minimize p99 --minimize degraded_rate --plot front.png
      cascadesim run better.yaml --variant optimized
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.plots.files import save_figure
    from cascadesim.studies.optimize import optimize as run_optimization
    from cascadesim.studies.optimize import runs
    from cascadesim.views.optimize import page
    from cascadesim.views.terminal import print_page

    loaded = load_scenario(scenario, variant, set)
    _check_files(out, plot, len(minimize or []) + len(maximize or []))
    execution = where.execution()
    total = runs(budget, replications, confirm)
    with progress_bar(f"optimizing {loaded.name}", total=total) as progress:
        found = run_optimization(
            loaded,
            tune,
            minimize or (),
            maximize or (),
            subject_to or (),
            budget=budget,
            replications=replications,
            confirm=confirm,
            seed=seed,
            execution=execution,
            progress=progress,
        )
        if out is not None and found.proposed is not None:
            found.save(out, shlex.join(["cascadesim", *sys.argv[1:]]))
        if plot is not None:
            save_figure(found.plot, plot)
    if format is Format.JSON:
        print_json(found.to_dict())
    elif format is Format.CSV:
        found.frame.to_csv(sys.stdout, index=False)
    else:
        print_page(page(found, out))
    if not found.met:
        raise typer.Exit(1)


def _check_files(out: Path | None, plot: Path | None, goals: int) -> None:
    """Raise the errors of writing files before a long search, and not only after it."""
    from cascadesim.files import check_writable

    if out is not None:
        if out.suffix not in (".yaml", ".yml"):
            raise ScenarioError("ends in neither .yaml nor .yml", f"--out {out}")
        check_writable(out.parent, [out.name])
    if plot is not None:
        from cascadesim.plots.files import check_file
        from cascadesim.plots.optimize import check_goals

        check_file(plot)
        check_goals(goals, f"--plot {plot}")
