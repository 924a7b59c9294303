"""The command that explains one request: explain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

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
from cascadesim.values import words

if TYPE_CHECKING:
    from cascadesim.studies.explain import Cost


@app.command(cls=Command)
def explain(
    scenario: ScenarioPath,
    variant: Variant = None,
    set: Settings = None,
    request: Annotated[
        int | None,
        typer.Option(metavar="N", help="The request, by its number in requests.csv, from 0."),
    ] = None,
    observation: Annotated[
        int | None,
        typer.Option(metavar="I", help="The request of an observation, from 0; 0 if there is one."),
    ] = None,
    percentile: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="The request at a percentile; p99 if there is no observation."
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=VALUES",
            help="Try these values (5s,10s) or steps (5..20:5) alone; may be repeated.",
        ),
    ] = None,
    seed: Seed = None,
    jobs: Annotated[
        int, typer.Option(metavar="N", help="Processes, for the changes; -1: one a core.")
    ] = -1,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Explain one request: where its time went, and what would have helped it.

    Changes one setting at a time, in the same world with all other requests the same, and says
    which change would have helped this request most, and what it does to all requests. Tries
    what variants say, and else numbers halved and doubled, what can be switched on and off, and
    the faults left out. Says first, on standard error, how many runs that takes.

    \b
    Examples:
      cascadesim explain scenarios/incident-60s --variant before
      cascadesim explain scenarios/incident-60s --percentile p99
      cascadesim explain scenarios/incident-60s --request 1200 \\
        --change agent.deadline.timeout=1s,2s,5s
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.studies.execution import Execution
    from cascadesim.studies.explain import explain as run_explanation
    from cascadesim.views.explain import page
    from cascadesim.views.terminal import print_page

    loaded = load_scenario(scenario, variant, set)
    with progress_bar(f"explaining {loaded.name}", plain=True) as progress:
        explanation = run_explanation(
            loaded,
            request,
            observation=observation,
            percentile=percentile,
            changes=change,
            seed=seed,
            progress=progress,
            announce=_announce,
            execution=Execution(jobs),
        )
    if format is Format.JSON:
        print_json(explanation.to_dict())
    elif format is Format.CSV:
        explanation.frame.to_csv(sys.stdout, index=False)
    else:
        print_page(page(explanation))


def _announce(cost: Cost) -> None:
    if cost.runs:
        runs = f"{words.counted(cost.runs, 'change')} to try, a run each"
        took = f"about {cost.seconds:.0f} s in all" if cost.seconds >= 1 else "a moment"
        print(f"{runs}: {took}", file=sys.stderr)
