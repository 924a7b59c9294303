"""Commands that simulate a scenario: replay, run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Format,
    ScenarioPath,
    Seed,
    Settings,
    TableOrJson,
    Variant,
    Variants,
    app,
    load_scenario,
    print_json,
    split,
)
from cascadesim.values.errors import ScenarioError


@app.command(cls=Command)
def replay(
    scenarios: Annotated[
        list[Path],
        typer.Argument(metavar="SCENARIO", help="YAML files, or folders with scenario.yaml."),
    ],
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
    from cascadesim.cli.progress import progress_bar
    from cascadesim.studies.replay import part_of
    from cascadesim.studies.replay import replay as run_replay
    from cascadesim.views.replay import page, page_of_all
    from cascadesim.views.terminal import print_page

    loaded = [load_scenario(path) for path in scenarios]
    replays = []
    with progress_bar(f"replaying {', '.join(scenario.name for scenario in loaded)}") as progress:
        for i, scenario in enumerate(loaded):
            part = None if progress is None else part_of(progress, i, len(loaded))
            replays.append(run_replay(scenario, split(variants), seed, part))
    if format is TableOrJson.JSON:
        plain = [each.to_dict() for each in replays]
        print_json(plain[0] if len(plain) == 1 else plain)
        return
    for each in replays:
        print_page(page(each))
    if len(replays) > 1:
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
    from cascadesim.files import check_writable
    from cascadesim.studies.run import FILES
    from cascadesim.studies.run import run as run_scenario
    from cascadesim.views.run import page
    from cascadesim.views.terminal import print_page

    loaded = load_scenario(scenario, variant, set)
    if out is not None:
        check_writable(out, FILES)  # before a long run, and not only after it
    exports = _exports(export)
    watched = _watched(loaded, seed, watch, speed)
    with progress_bar(f"simulating {loaded.name}") as progress:
        result = watched or run_scenario(loaded, seed, progress)
        if out is not None:
            result.save(out)
        for write in exports:
            write(result)
    if format is Format.JSON:
        print_json(result.to_dict())
    elif format is Format.CSV:
        _print_measures(result)
    else:
        print_page(page(result))


def _exports(texts: list[str] | None) -> list[Callable[[Any], None]]:
    """Return what writes the files that `--export` names."""
    if not texts:
        return []
    from cascadesim.export import export, parse_exports

    return [partial(export, kind=kind, path=path) for path, kind in parse_exports(texts).items()]


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
