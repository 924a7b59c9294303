"""Commands that weigh settings against each other: compare, sweep, optimize."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cascadesim.cli.app import (
    Command,
    Format,
    Replications,
    ScenarioPath,
    ScenarioPaths,
    Seed,
    Settings,
    Variant,
    Variants,
    app,
    load_scenario,
    names,
    print_result,
    replications_option,
    split,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere
from cascadesim.values.errors import ScenarioError


@app.command(cls=Command)
@runs_somewhere
def compare(
    scenarios: ScenarioPaths,
    variants: Variants = "",
    set: Settings = None,
    seed: Seed = None,
    replications: Replications = None,
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

    loaded = [load_scenario(path) for path in scenarios]
    settings = parse_settings(set)
    asked = None if precision is None else parse_precision(precision)
    execution = where.execution()
    with progress_bar(f"comparing {names(loaded)}", total=replications) as progress:
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
    print_result(format, comparison, page)
    if not comparison.met:
        raise typer.Exit(1)


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
    replications: Replications = None,
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

    All combinations of the values, or a sample of the ranges, each on the same requests. What
    is varied is in the scenario under `sweep`, or given by --vary.

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
    print_result(format, result, page, percentile)


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
    replications: Annotated[int, replications_option("Replications of each of them.")] = 3,
    confirm: Annotated[int, replications_option("Fresh replications of the best.", 2)] = 20,
    variant: Variant = None,
    set: Settings = None,
    seed: Seed = None,
    where: Where = HERE,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the scenario with what was found, .yaml."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the search: .png, .svg or .pdf.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Search for better settings.

    Tries settings on the same requests, today's among them, and compares the best with today's in
    fresh replications. Exits with 1 where none keep what they are subject to.

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

    loaded = load_scenario(scenario, variant, set)
    _check_files(out, plot, len(minimize or []) + len(maximize or []))
    execution = where.execution()
    total = runs(budget, replications, confirm)
    with progress_bar(f"optimizing {loaded.name}", total=total) as progress:
        optimum = run_optimization(
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
        if out is not None and optimum.proposed is not None:
            optimum.save(out, shlex.join(["cascadesim", *sys.argv[1:]]))
        if plot is not None:
            save_figure(optimum.plot, plot)
    print_result(format, optimum, lambda optimum: page(optimum, out))
    if not optimum.met:
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
