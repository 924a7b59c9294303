"""The command that tries settings side by side: sweep."""

from __future__ import annotations

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
def sweep(
    scenario: ScenarioPath,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=VALUES",
            help="Values (5s,10s), steps (5..20:5) or a range (1s..60s), in place of the "
            "scenario's sweep; may be repeated.",
        ),
    ] = None,
    variant: Variant = None,
    set: Settings = None,
    sample: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:N",
            help="A sample of the ranges: sobol:256, lhs:100, or saltelli:64 for Sobol indices.",
        ),
    ] = None,
    replications: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, metavar="N", help="Worlds for each setting; 1 if none."),
    ] = None,
    where: Where = HERE,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write sweep.parquet, sweep.csv and effects.csv here."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw a line (one setting), a heat map (two) or main effects: .png, .svg or .pdf.",
        ),
    ] = None,
    percentile: Annotated[
        str, typer.Option(metavar="P", help="Which one to print, explain and draw.")
    ] = "p99",
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Try settings side by side, and say which of them matters.

    All combinations of the values, or a sample of the ranges, each in the same worlds. What is
    varied is in the scenario under `sweep`, or given by --vary.

    \b
    Examples:
      cascadesim sweep scenarios/incident-60s
      cascadesim sweep scenarios/incident-60s --variant after \\
        --vary agent.deadline.timeout=2s,15s --vary agent.concurrency=25..75:25
      cascadesim sweep scenarios/incident-60s --variant after \\
        --sample saltelli:16 --vary agent.deadline.timeout=1s..30s \\
        --vary database.pool.size=2..20
    """
    from cascadesim.analysis.percentiles import PERCENTILES
    from cascadesim.cli.progress import progress_bar
    from cascadesim.files import check_writable
    from cascadesim.plots.files import check_file, save_figure
    from cascadesim.studies.design import design
    from cascadesim.studies.sweep import FILES, run_design, runs
    from cascadesim.views.sweep import page
    from cascadesim.views.terminal import print_page

    if percentile not in PERCENTILES:
        raise ScenarioError(
            f"expected one of {', '.join(PERCENTILES)}", f"--percentile {percentile}"
        )
    loaded = load_scenario(scenario, variant, set)
    chosen = design(loaded, vary or (), sample, replications, seed)
    if out is not None:
        check_writable(out, FILES)
    if plot is not None:
        check_file(plot)
    execution = where.execution()
    with progress_bar(f"sweeping {loaded.name}", total=runs(loaded, chosen)) as progress:
        result = run_design(loaded, chosen, seed, execution, progress)
        if out is not None:
            result.save(out, percentile)
        if plot is not None:
            save_figure(lambda: result.plot(percentile), plot)
    if format is Format.JSON:
        print_json(result.to_dict(percentile))
    elif format is Format.CSV:
        result.frame.to_csv(sys.stdout, index=False)
    else:
        print_page(page(result, percentile))
