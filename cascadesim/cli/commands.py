"""The commands. Each imports what it needs when it runs, so that --help and --version are quick."""

from __future__ import annotations

import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cascadesim import __version__
from cascadesim.scenario.errors import ScenarioError, one_line

app = typer.Typer(
    name="cascadesim",
    help="Simulate timeout cascades: which timeout ate the time, and what would be better.\n\n"
    "\b\nExamples:\n"
    "  cascadesim replay scenarios/incident-60s\n"
    "  cascadesim compare scenarios/incident-60s --variants before,after\n"
    "  cascadesim init my-service\n\n"
    "Exit codes: 0 fine, 1 an objective was missed, 2 bad input.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


_MOST_SEED = 10**18  # as scenario files have it


class _Command(TyperCommand):
    """A command whose usage line reads SCENARIO, where Typer writes {SCENARIO}."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class TableOrJson(StrEnum):
    """How results that are no table of numbers are printed."""

    TABLE = "table"
    JSON = "json"


ScenarioPath = Annotated[
    Path, typer.Argument(metavar="SCENARIO", help="A YAML file, or a folder with scenario.yaml.")
]
Variants = Annotated[
    str, typer.Option(metavar="V,V", help="Only these variants, separated by commas.")
]
Variant = Annotated[
    str | None, typer.Option(metavar="V", help="The variant; the scenario as it stands if none.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Another setting by its dotted path; may be repeated."
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=_MOST_SEED, metavar="N", help="Another seed than the scenario's own."),
]


def _version(asked: bool) -> None:
    if asked:
        print(f"cascadesim {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def _split(variants: str) -> list[str]:
    return [name.strip() for name in variants.split(",") if name.strip()]


def _load(path: Path, variant: str | None = None, settings: list[str] | None = None) -> Any:
    from cascadesim.scenario.load import load, parse_settings

    scenario = load(path)
    if variant is not None:
        scenario = scenario.at(variant)
    return scenario.override(parse_settings(settings), "--set") if settings else scenario


def _print_json(data: Any) -> None:
    from cascadesim.experiment.run import json_text

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is, whatever the locale
    sys.stdout.write(json_text(data))


@app.command(cls=_Command)
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
    from cascadesim.cli import tables
    from cascadesim.cli.progress import progress_bar
    from cascadesim.experiment.replay import part_of
    from cascadesim.experiment.replay import replay as run_replay

    loaded = [_load(path) for path in scenarios]
    replays = []
    with progress_bar(f"replaying {', '.join(scenario.name for scenario in loaded)}") as progress:
        for i, scenario in enumerate(loaded):
            part = None if progress is None else part_of(progress, i, len(loaded))
            replays.append(run_replay(scenario, _split(variants), seed, part))
    if format is TableOrJson.JSON:
        plain = [each.to_dict() for each in replays]
        _print_json(plain[0] if len(plain) == 1 else plain)
        return
    for each in replays:
        tables.print_replay(each)
    if len(replays) > 1:
        tables.print_replays(replays)


@app.command(cls=_Command)
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
    """
    from cascadesim.cli import tables
    from cascadesim.cli.progress import progress_bar
    from cascadesim.experiment.run import check_writable
    from cascadesim.experiment.run import run as run_scenario

    loaded = _load(scenario, variant, set)
    if out is not None:
        check_writable(out)  # before a long run, and not only after it
    with progress_bar(f"simulating {loaded.name}") as progress:
        result = run_scenario(loaded, seed, progress)
        if out is not None:
            result.save(out)
    if format is Format.JSON:
        _print_json(result.to_dict())
    elif format is Format.CSV:
        _print_measures(result)
    else:
        tables.print_run(result)


def _print_measures(result: Any) -> None:
    import csv

    summary = result.to_dict()
    rows = {f"{name}_s": value for name, value in summary["percentiles_s"].items()}
    rows |= {"mean_s": summary["mean_s"], "requests": summary["requests"], **summary["outcomes"]}
    rows |= {name: summary[name] for name in ("goodput_per_s", "error_rate")}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([("measure", "value"), *rows.items()])


@app.command(cls=_Command)
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
    jobs: Annotated[
        int, typer.Option(metavar="N", help="Processes for replications; -1: one a core.")
    ] = -1,
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

    loaded = [_load(path) for path in scenarios]
    settings = parse_settings(set or [])
    asked = parse_precision(precision) if precision else None
    with progress_bar(f"comparing {', '.join(each.name for each in loaded)}") as progress:
        comparison = run_comparison(
            *loaded,
            variants=_split(variants),
            seed=seed,
            progress=progress,
            settings=settings,
            replications=replications,
            precision=asked,
            workers=jobs,
        )
    if format is Format.JSON:
        _print_json(comparison.to_dict())
    elif format is Format.CSV:
        comparison.frame.to_csv(sys.stdout, index=False)
    else:
        tables.print_comparison(comparison)
    if not comparison.met:
        raise typer.Exit(1)


@app.command(cls=_Command)
def check(
    scenario: ScenarioPath,
    variant: Variant = None,
    set: Settings = None,
    format: Annotated[TableOrJson, typer.Option(help="How to print.")] = TableOrJson.TABLE,
) -> None:
    """Check settings before anything goes wrong.

    Validates the file and every variant of it, then prints when each breaker opens against a dead
    dependency, what each retry costs, the worst-case latency that the settings allow, and settings
    that contradict each other.

    \b
    Examples:
      cascadesim check scenarios/incident-60s --variant before
      cascadesim check scenarios/incident-60s --set agent.breaker.when_open=reject
    """
    from cascadesim.cli import tables
    from cascadesim.cli.progress import progress_bar
    from cascadesim.experiment.check import check as run_check

    loaded = _load(scenario, variant, set)
    with progress_bar(f"checking {loaded.name}") as progress:
        found = run_check(loaded, progress)
    if format is TableOrJson.JSON:
        _print_json(found.to_dict())
    else:
        tables.print_check(found)


@app.command(cls=_Command)
def plot(
    scenario: ScenarioPath,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A .png, .svg or .pdf file.")
    ],
    variants: Variants = "",
    seed: Seed = None,
) -> None:
    """Draw the latency percentiles of the variants.

    \b
    Examples:
      cascadesim plot scenarios/incident-60s --variants before,after -o out.png
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.experiment.compare import compare as run_comparison
    from cascadesim.plots.percentiles import check_file, save_percentiles

    loaded = _load(scenario)
    check_file(out)  # before a long run, and not only after it
    with progress_bar(f"simulating {loaded.name}") as progress:
        comparison = run_comparison(loaded, variants=_split(variants), seed=seed, progress=progress)
        save_percentiles(comparison, out)


@app.command(cls=_Command)
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Editors complete and check a scenario by it.

    \b
    Examples:
      cascadesim schema > scenario.schema.json
    and as the first line of a scenario:
      # yaml-language-server: $schema=scenario.schema.json
    """
    from cascadesim.scenario.json_schema import json_schema

    _print_json(json_schema())


@app.command("list", cls=_Command)
def list_scenarios(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to look.")] = Path(
        "scenarios"
    ),
) -> None:
    """List the scenarios in a folder, with their variants.

    \b
    Examples:
      cascadesim list
      cascadesim list my-scenarios
    """
    from cascadesim.scenario.load import load

    if not folder.is_dir():
        raise ScenarioError("no such folder; give one, as in `cascadesim list FOLDER`", str(folder))
    bad = False
    files = sorted(path for path in folder.rglob("*.yaml") if path.is_file())
    for path in files:
        try:
            scenario = load(path)
        except ScenarioError as error:
            bad = True
            print(error, file=sys.stderr)
            continue
        print(one_line(str(path.parent if path.name == "scenario.yaml" else path)))
        _print_indented(scenario.model.summary)
        _print_indented(f"variants: {', '.join(scenario.variants) or 'none'}")
    if not files:
        print("no scenarios here")
    if bad:
        raise typer.Exit(2)


def _print_indented(text: str) -> None:
    """Print a line below a heading, wrapped only where a terminal would wrap it otherwise."""
    import textwrap

    text, indent = one_line(text), "  "
    if sys.stdout.isatty():
        width = typer.get_terminal_size().columns - len(indent)
        wrap = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        text = wrap.fill(text)
    if text:
        print(textwrap.indent(text, indent))


@app.command(cls=_Command)
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A folder that is not there yet.")],
) -> None:
    """Write a commented scenario to start from, that runs.

    \b
    Examples:
      cascadesim init my-service
      cascadesim replay my-service
    """
    import shlex
    from importlib.resources import files

    from cascadesim.experiment.run import json_text, write_files
    from cascadesim.scenario.json_schema import json_schema
    from cascadesim.scenario.load import loads
    from cascadesim.scenario.source import Document, write

    folder = Path(name)
    if not name.strip():
        raise ScenarioError("NAME is empty; give the new folder one, such as my-service", "init")
    if os.path.lexists(folder):
        raise ScenarioError("is there already; choose another name", name)
    quoted = write(Document(name, {"name": folder.name}), comment="")
    text = files("cascadesim.cli").joinpath("starter.yaml").read_text("utf-8")
    text = text.replace("name: STARTER\n", quoted)
    text = text.replace("STARTER", one_line(shlex.quote(folder.name)))
    loads(text, f"{name}/scenario.yaml")  # no name may make a file that cannot be read
    write_files(
        folder,
        {
            "scenario.yaml": lambda path: path.write_text(text, "utf-8"),
            "scenario.schema.json": lambda path: path.write_text(json_text(json_schema()), "utf-8"),
        },
    )
    command = f"cascadesim replay {shlex.quote(name)}"
    print(one_line(f"{folder}/scenario.yaml is written; try: {command}"))
