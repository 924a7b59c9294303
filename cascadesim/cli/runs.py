"""Commands on single runs: replay, run, explain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Format,
    ScenarioPath,
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
    split,
)
from cascadesim.cli.where import Jobs
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from cascadesim.studies.explain import Cost


@app.command(cls=Command)
def replay(
    scenarios: ScenarioPaths,
    variants: Variants = "",
    seed: Seed = None,
    format: Annotated[TableOrJson, typer.Option(help="How to print.")] = TableOrJson.TABLE,
) -> None:
    """Replay an incident: observed and simulated, side by side.

    Runs every variant over the recorded timeline and prints, for each observation, the observed
    and the simulated latency and where the time went; then percentiles, outcomes, goodput and
    objectives for each variant. With several scenarios, one table of all of them comes last.

    \b
    Examples:
      cascadesim replay scenarios/incident-60s
      cascadesim replay scenarios/incident-60s --variants before,after
      cascadesim replay scenarios/incident-60s --format json
    """
    from cascadesim.cli.progress import for_each
    from cascadesim.studies.replay import replay as run_replay
    from cascadesim.views.replay import page, page_of_all
    from cascadesim.views.terminal import print_page

    loaded = [load_scenario(path) for path in scenarios]
    replays = for_each(
        f"replaying {names(loaded)}",
        loaded,
        lambda scenario, progress: run_replay(scenario, split(variants), seed, progress),
    )
    print_results(format, replays, page)
    if format is TableOrJson.TABLE and len(replays) > 1:
        print_page(page_of_all(replays))


@app.command(cls=Command)
def run(
    scenario: ScenarioPath,
    variant: Variant = None,
    set: Settings = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write requests.parquet, requests.csv, summary.json and scenario.yaml here.",
        ),
    ] = None,
    export: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=FILE",
            help="Write the requests as a trace: otlp-json (OpenTelemetry spans) or chrome-trace "
            "(for ui.perfetto.dev); may be repeated.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the run on the terminal while it goes.")
    ] = False,
    speed: Annotated[
        str | None,
        typer.Option(
            metavar="60x|max",
            help="How much faster than time --watch goes; 40x if not given, more for a long run.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the summary.")] = Format.TABLE,
) -> None:
    """Simulate one variant, with other settings if given.

    As csv it prints two columns, measure and value: the percentiles (p50_s to max_s) and mean_s
    in seconds, the number of requests and of each outcome, goodput_per_s, and error_rate as a
    share. An unfinished request counts with its age, so that a percentile may be a lower bound.

    \b
    Examples:
      cascadesim run scenarios/incident-60s --variant after
      cascadesim run scenarios/incident-60s --set agent.deadline.timeout=15s
      cascadesim run scenarios/incident-60s --variant before --out out/before
      cascadesim run out/before            (repeats that run)
      cascadesim run scenarios/incident-60s --variant before --watch
      cascadesim run scenarios/incident-60s --export chrome-trace=trace.json
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.export import parse_exports
    from cascadesim.files import check_writable
    from cascadesim.studies.run import FILES
    from cascadesim.studies.run import run as run_scenario
    from cascadesim.views.run import page

    loaded = load_scenario(scenario, variant, set)
    if out is not None:
        check_writable(out, FILES)  # before a long run, and not only after it
    exports = parse_exports(export)
    watched = _watched(loaded, seed, watch, speed)
    with progress_bar(f"simulating {loaded.name}") as progress:
        result = watched or run_scenario(loaded, seed, progress)
        if out is not None:
            result.save(out)
        for path, kind in exports.items():
            result.export(kind, path)
    if format is Format.CSV:
        _print_measures(result)
    else:
        print_result(format, result, page)


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
    jobs: Jobs = -1,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.TABLE,
) -> None:
    """Explain one request: where its time went, and what would have helped it.

    Changes one setting at a time, with all other requests the same, and says
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
            execution=Execution(jobs),
            announce=_announce,
        )
    print_result(format, explanation, page)


def _announce(cost: Cost) -> None:
    from cascadesim.values import words

    if cost.runs:
        changes = f"{words.counted(cost.runs, 'change')} to try, a run each"
        took = f"about {cost.seconds:.0f} s in all" if cost.seconds >= 1 else "a moment"
        print(f"{changes}: {took}", file=sys.stderr)


def _watched(loaded: Any, seed: int | None, watch: bool, speed: str | None) -> Any:
    """Return the result of a run that was watched, None where it is to run plainly."""
    if speed is not None and not watch:
        raise ScenarioError("goes with --watch only", "--speed")
    if not watch:
        return None
    from cascadesim.cli.watch import parse_speed, terminal, watch_run

    pace = None if speed is None else parse_speed(speed)
    console = terminal()
    return None if console is None else watch_run(loaded, seed, pace, console)


def _print_measures(result: Any) -> None:
    import csv

    summary = result.to_dict()
    rows = {f"{name}_s": value for name, value in summary["percentiles_s"].items()}
    rows |= {"mean_s": summary["mean_s"], "requests": summary["requests"], **summary["outcomes"]}
    rows |= {name: summary[name] for name in ("goodput_per_s", "error_rate")}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([("measure", "value"), *rows.items()])
