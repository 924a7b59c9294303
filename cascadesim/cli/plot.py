"""The command that draws figures: plot."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Seed,
    Settings,
    Variant,
    Variants,
    app,
    load_scenario,
    split,
)
from cascadesim.cli.where import Jobs
from cascadesim.values.errors import ScenarioError


class Figure(StrEnum):
    """The figures, as `plots.kinds.KINDS` has them."""

    DUMBBELL = "dumbbell"
    CURVE = "curve"
    ECDF = "ecdf"
    ATTRIBUTION = "attribution"
    LATENCY = "latency"
    BREAKERS = "breakers"
    POOL = "pool"
    CONNECTIONS = "connections"
    TIMELINE = "timeline"


@app.command(cls=Command)
def plot(
    result: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="A YAML file, or a folder with scenario.yaml."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A .png, .svg or .pdf file.")
    ],
    kind: Annotated[
        Figure, typer.Argument(metavar="KIND", show_choices=False, help="The figure, see above.")
    ] = Figure.DUMBBELL,
    variants: Variants = "",
    variant: Variant = None,
    set: Settings = None,
    seed: Seed = None,
    replications: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, metavar="N", help="For dumbbell and curve: how many."),
    ] = None,
    request: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="For timeline: the number of the request."),
    ] = None,
    pool: Annotated[
        str | None, typer.Option(metavar="NAME", help="For pool: the stage that has it.")
    ] = None,
    jobs: Jobs = -1,
) -> None:
    """Draw a figure of a scenario, or of a saved run.

    Of variants, side by side:

    \b
      dumbbell     their percentiles (the figure if none is named)
      curve        latency by percentile, up to the slowest request
      ecdf         the share of requests that took at most so long
      attribution  what percentiles are made of, by cause
      connections  WebSocket clients that are connected, connect, or wait to

    Of one run, the scenario as it stands or at a --variant:

    \b
      latency      each request, with faults and what was observed
      attribution, connections  as above, where --variant names one
      breakers     the states of the breakers, and who waits for them
      pool         how full a connection pool is
      timeline     where one request spent its time

    \b
    Examples:
      cascadesim plot scenarios/incident-60s --variants before,after -o out.png
      cascadesim plot scenarios/incident-60s curve --replications 20 -o out.svg
      cascadesim plot scenarios/incident-60s breakers --variant after -o out.png
      cascadesim plot out/before timeline --request 1200 -o out.pdf
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.plots.files import check_file, save_figure
    from cascadesim.plots.kinds import draw

    _check(kind, variants, variant, replications, request, pool)
    check_file(out)  # before a long run, and not only after it
    options: dict[str, Any] = {"request": request} if kind is Figure.TIMELINE else {}
    if kind is Figure.POOL:
        options["name"] = pool
    side_by_side = _side_by_side(kind, variant)
    loaded = load_scenario(result, None if side_by_side else variant, None if side_by_side else set)
    with progress_bar(f"simulating {loaded.name}", total=replications) as progress:
        if side_by_side:
            names = split(variants) if variant is None else [variant]
            drawn = _compare(loaded, names, set, seed, replications, jobs, progress)
        else:
            drawn = _run(loaded, seed, progress)
        save_figure(lambda: draw(kind.value, drawn, **options), out)


def _side_by_side(kind: Figure, variant: str | None) -> bool:
    """Return whether variants are drawn side by side; what draws both draws one if it is named."""
    from cascadesim.plots.kinds import KINDS

    found = KINDS[kind.value]
    return found.of_variants and not (found.of_run and variant is not None)


def _check(
    kind: Figure,
    variants: str,
    variant: str | None,
    replications: int | None,
    request: int | None,
    pool: str | None,
) -> None:
    """Raise ScenarioError for an option that the figure has no use for."""
    from cascadesim.plots.kinds import KINDS

    if variants and variant is not None:
        raise ScenarioError("name one variant, or several by --variants", "--variant")
    if variants and not KINDS[kind.value].of_variants:
        raise ScenarioError(f"{kind.value} draws one run; choose it by --variant", "--variants")
    replicated = tuple(name for name, each in KINDS.items() if each.replicated)
    for option, value, kinds in (
        ("--replications", replications, replicated),
        ("--request", request, ("timeline",)),
        ("--pool", pool, ("pool",)),
    ):
        if value is not None and kind.value not in kinds:
            message = f"is for {' and '.join(kinds)}; {kind.value} has no use for it"
            raise ScenarioError(message, option)


def _compare(
    scenario: Any,
    variants: list[str],
    settings: list[str] | None,
    seed: int | None,
    replications: int | None,
    jobs: int,
    progress: Any,
) -> Any:
    from cascadesim.scenario.load import parse_settings
    from cascadesim.studies.compare import compare
    from cascadesim.studies.execution import Execution

    return compare(
        scenario,
        variants=variants,
        seed=seed,
        progress=progress,
        settings=parse_settings(settings or []),
        replications=replications,
        execution=Execution(jobs),
    )


def _run(scenario: Any, seed: int | None, progress: Any) -> Any:
    from cascadesim.studies.run import run

    return run(scenario, seed, progress)
