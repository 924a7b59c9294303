"""Commands that weigh settings against each other: compare, sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cascadesim.cli.app import (
    Command,
    Format,
    Jobs,
    ScenarioPath,
    Seed,
    Settings,
    Variant,
    Variants,
    app,
    load_scenario,
    print_json,
    split,
)
from cascadesim.scenario.errors import ScenarioError


@app.command(cls=Command)
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
    jobs: Jobs = -1,
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
    from cascadesim.cli import tables
    from cascadesim.cli.progress import progress_bar
    from cascadesim.experiment.compare import compare as run_comparison
    from cascadesim.experiment.replications import parse_precision
    from cascadesim.scenario.load import parse_settings

    loaded = [load_scenario(path) for path in scenarios]
    settings = parse_settings(set or [])
    asked = None if precision is None else parse_precision(precision)
    with progress_bar(f"comparing {', '.join(each.name for each in loaded)}") as progress:
        comparison = run_comparison(
            *loaded,
            variants=split(variants),
            seed=seed,
            progress=progress,
            settings=settings,
            replications=replications,
            precision=asked,
            workers=jobs,
        )
    if format is Format.JSON:
        print_json(comparison.to_dict())
    elif format is Format.CSV:
        comparison.frame.to_csv(sys.stdout, index=False)
    else:
        tables.print_comparison(comparison)
    if not comparison.met:
        raise typer.Exit(1)


@app.command(cls=Command)
def sweep(
    scenario: ScenarioPath,
    vary: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=VALUES", help="Values (5s,10s), steps (5..20:5) or a range (1s..60s)."
        ),
    ],
    variant: Variant = None,
    set: Settings = None,
    sample: Annotated[
        str | None,
        typer.Option(metavar="KIND:N", help="A sample of the ranges: sobol:256 or lhs:100."),
    ] = None,
    replications: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="Worlds for each setting.")
    ] = 1,
    jobs: Jobs = -1,
    seed: Seed = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write sweep.parquet and sweep.csv here.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the percentile: .png, .svg or .pdf."),
    ] = None,
    percentile: Annotated[
        str, typer.Option(metavar="P", help="Which one to print and draw.")
    ] = "p99",
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Run a scenario with many settings, each in the same worlds.

    All combinations of the values, or a sample of the ranges.

    \b
    Examples:
      cascadesim sweep scenarios/incident-60s --variant after \\
        --vary agent.deadline.timeout=2s,15s --vary agent.concurrency=25..75:25
      cascadesim sweep scenarios/incident-60s --variant after --sample sobol:64 \\
        --vary agent.deadline.timeout=1s..30s --vary database.pool.size=2..20
    """
    from cascadesim.analysis.percentiles import PERCENTILES
    from cascadesim.cli import tables
    from cascadesim.cli.progress import progress_bar
    from cascadesim.experiment.run import check_writable
    from cascadesim.experiment.sweep import grid, parse_sample, parse_vary
    from cascadesim.experiment.sweep import sweep as run_sweep
    from cascadesim.plots.files import check_file, save_figure

    if percentile not in PERCENTILES:
        raise ScenarioError(
            f"expected one of {', '.join(PERCENTILES)}", f"--percentile {percentile}"
        )
    loaded = load_scenario(scenario, variant, set)
    varied = [parse_vary(text) for text in vary]
    if seed is None:
        seed = loaded.model.seed
    settings = parse_sample(sample, varied, seed) if sample else grid(varied)
    if out is not None:
        check_writable(out, ("sweep.parquet", "sweep.csv"))
    if plot is not None:
        check_file(plot)
        if len(varied) > 2 or (sample and len(varied) == 2):
            message = "a sweep can be drawn over one setting, or over a grid of two"
            raise ScenarioError(message, f"--plot {plot}")
    with progress_bar(f"sweeping {loaded.name}") as progress:
        result = run_sweep(loaded, varied, settings, replications, seed, jobs, progress)
        if out is not None:
            result.save(out)
        if plot is not None:
            save_figure(lambda: result.plot(percentile), plot)
    if format is Format.JSON:
        print_json(result.to_dict())
    elif format is Format.CSV:
        result.frame.to_csv(sys.stdout, index=False)
    else:
        tables.print_sweep(result, percentile)
