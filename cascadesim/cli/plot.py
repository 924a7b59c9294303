"""The command that draws figures: plot. Figures and their options are those of `plots.kinds`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Seed,
    Settings,
    Variant,
    Variants,
    app,
    load_scenario,
    replications_option,
    split,
)
from cascadesim.cli.where import Jobs
from cascadesim.plots.kinds import KINDS, figure_of
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.plots.kinds import Option

USUAL = "dumbbell"  # the figure if none is named
_HELP = """\
Draw a figure of a scenario, or of a saved run.

Of variants, side by side:

\b
{variants}

Of one run, the scenario as it stands or at a --variant:

\b
{run}
  {either}  as above, where --variant names one

\b
Examples:
  cascadesim plot scenarios/incident-60s --variants before,after -o out.png
  cascadesim plot scenarios/incident-60s curve --replications 20 -o out.svg
  cascadesim plot scenarios/incident-60s breakers --variant after -o out.png
  cascadesim plot out/before timeline --request 1200 -o out.pdf
"""
_REPLICATED = [kind for kind, figure in KINDS.items() if figure.replicated]
# The options that only some figures have, by flag; and the figures that have them.
_OPTIONS = {option.flag: option for figure in KINDS.values() for option in figure.options}
_HAVING = {
    flag: [kind for kind, figure in KINDS.items() if flag in [o.flag for o in figure.options]]
    for flag in _OPTIONS
}


def _help() -> str:
    """Return what --help says, with every figure."""
    width = max(map(len, KINDS))
    lines: dict[str, list[str]] = {"variants": [], "either": [], "run": []}
    for kind, figure in KINDS.items():
        usual = " (if none is named)" * (kind == USUAL)
        lines[figure.of].append(f"  {kind:{width}}  {figure.draws}{usual}")
    return _HELP.format(
        variants="\n".join(lines["variants"] + lines["either"]),
        run="\n".join(lines["run"]),
        either=", ".join(kind for kind, figure in KINDS.items() if figure.of == "either"),
    )


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that only some figures have, in the place of its `options`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = list(signature.parameters.values())[:-1]
    parameters += [_parameter(option) for option in _OPTIONS.values()]
    vars(command)["__signature__"] = signature.replace(parameters=parameters)  # Typer reads it
    return command


def _parameter(option: Option) -> inspect.Parameter:
    kinds = " and ".join(_HAVING[option.flag])
    least = 0 if option.is_number else None
    told = typer.Option(
        option.flag, metavar=option.metavar, min=least, help=f"For {kinds}: {option.help}."
    )
    annotation: Any = Annotated[int, told] if option.is_number else Annotated[str, told]
    name = option.flag.lstrip("-").replace("-", "_")
    usual = {"default": None, "annotation": annotation}
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, **usual)


@app.command(cls=Command, help=_help())
@_with_options
def plot(
    result: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="A YAML file, or a folder with scenario.yaml."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A .png, .svg or .pdf file.")
    ],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="The figure, see above.", autocompletion=lambda: list(KINDS)
        ),
    ] = USUAL,
    variants: Variants = "",
    variant: Variant = None,
    set: Settings = None,
    seed: Seed = None,
    replications: Annotated[
        int | None,
        replications_option(f"For {' and '.join(_REPLICATED)}: how many."),
    ] = None,
    jobs: Jobs = -1,
    **options: Any,
) -> None:
    """Draw a figure of a scenario, or of a saved run."""
    from cascadesim.cli.progress import progress_bar
    from cascadesim.plots.files import check_file, save_figure
    from cascadesim.plots.kinds import draw
    from cascadesim.scenario.load import parse_settings
    from cascadesim.studies.compare import compare
    from cascadesim.studies.execution import Execution
    from cascadesim.studies.run import run

    given = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    _check(kind, variants, variant, {"--replications": replications, **given})
    check_file(out)  # before a long run, and not only after it
    figure = KINDS[kind]
    side_by_side = figure.of_variants and not (figure.of_run and variant is not None)
    loaded = load_scenario(result, None if side_by_side else variant, None if side_by_side else set)
    with progress_bar(f"simulating {loaded.name}", total=replications) as progress:
        if side_by_side:
            drawn: Any = compare(
                loaded,
                variants=split(variants) if variant is None else [variant],
                seed=seed,
                progress=progress,
                settings=parse_settings(set),
                replications=replications,
                execution=Execution(jobs),
            )
        else:
            drawn = run(loaded, seed, progress)
        chosen = {option.parameter: given[option.flag] for option in figure.options}
        save_figure(lambda: draw(kind, drawn, **chosen), out)


def _check(kind: str, variants: str, variant: str | None, options: dict[str, Any]) -> None:
    """Raise ScenarioError for a figure that is not there, and an option it has no use for."""
    figure = figure_of(kind, "KIND")
    if variants and variant is not None:
        raise ScenarioError("name one variant, or several by --variants", "--variant")
    if variants and not figure.of_variants:
        raise ScenarioError(f"{kind} draws one run; choose it by --variant", "--variants")
    having = {"--replications": _REPLICATED, **_HAVING}
    for flag, value in options.items():
        if value is not None and kind not in having[flag]:
            message = f"is for {' and '.join(having[flag])}; {kind} has no use for it"
            raise ScenarioError(message, flag)
