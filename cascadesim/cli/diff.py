"""The command that says what a change of settings does: diff."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cascadesim.cli.app import (
    Command,
    Seed,
    app,
    load_scenario,
    print_json,
    split,
)
from cascadesim.cli.check import print_markdown
from cascadesim.cli.where import HERE, Where, runs_somewhere
from cascadesim.files import from_here
from cascadesim.values.errors import ScenarioError, show, suggest


class CommentFormat(StrEnum):
    """How a diff is printed."""

    MARKDOWN = "markdown"
    TABLE = "table"
    JSON = "json"


@app.command(cls=Command)
@runs_somewhere
def diff(
    scenarios: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="OLD NEW",
            show_default=False,
            help="Two YAML files, or folders with scenario.yaml; with --git, where to look alone.",
        ),
    ] = None,
    git: Annotated[
        str | None,
        typer.Option(
            metavar="OLD..NEW",
            help="Every scenario file that differs between two revisions; OLD...NEW: since they "
            "parted.",
        ),
    ] = None,
    variants: Annotated[
        str,
        typer.Option(
            "--variants",
            "--variant",
            metavar="V,V",
            help="Only these variants, separated by commas.",
        ),
    ] = "",
    fail_on_worse: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE=TOLERANCE",
            help="Exit with 1 also where a measure gets worse by more than this beyond doubt, as "
            "p99=2%; may be repeated.",
        ),
    ] = None,
    replications: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="How many worlds to meet.")
    ] = 8,
    seed: Seed = None,
    where: Where = HERE,
    format: Annotated[CommentFormat, typer.Option(help="How to print.")] = CommentFormat.MARKDOWN,
) -> None:
    """Say which settings changed, and what that does.

    Compares two versions of a scenario: runs each variant that changed in the same worlds, old
    and new, and prints a comment for a pull request. Exits with 1 where an objective is missed
    that was not missed before.

    \b
    Examples:
      cascadesim diff old.yaml new.yaml
      cascadesim diff --git main...HEAD
      cascadesim diff --git main...HEAD scenarios --variants after \\
        --fail-on-worse p99=2%
    """
    from cascadesim.cli.progress import progress_bar
    from cascadesim.studies.diff import diff as run_diff
    from cascadesim.studies.diff import to_dict
    from cascadesim.studies.replay import part_of
    from cascadesim.studies.thresholds import parse_allowed_worse
    from cascadesim.views.diff import MARKER, page
    from cascadesim.views.markdown import page_markdown
    from cascadesim.views.terminal import print_page

    paths = scenarios or []
    allowed = parse_allowed_worse(fail_on_worse or [], replications)
    versions = _versions(paths, git, split(variants))
    execution = where.execution()
    found = []
    with progress_bar("comparing old and new") as progress:
        for i, (old, new) in enumerate(versions):
            part = None if progress is None else part_of(progress, i, len(versions))
            found.append(
                run_diff(old, new, split(variants), seed, replications, allowed, execution, part)
            )
    if format is CommentFormat.JSON:
        print_json(to_dict(found))
    elif format is CommentFormat.TABLE:
        print_page(page(found))
    else:
        options = {"--git": git, "--variants": variants, "--seed": seed}
        repeated = page(found, _command(paths, options, replications))
        print_markdown(page_markdown(repeated, MARKER))
    if not all(each.passed for each in found):
        raise typer.Exit(1)


def _versions(paths: list[Path], git: str | None, variants: list[str]) -> list[Any]:
    """Return pairs of scenarios, old and new."""
    if git is not None:
        from cascadesim.cli.git import changed_scenarios

        versions = list(changed_scenarios(git, paths))
        known = [name for pair in versions for each in pair if each for name in each.variants]
        for name in variants:
            if versions and name not in known:  # some files may be without it, but not all
                message = f"no variant {show(name)}; {suggest(name, list(dict.fromkeys(known)))}"
                raise ScenarioError(message, f"--variants {name}")
        return versions
    if len(paths) != 2:
        message = f"expected two scenarios, OLD and NEW, or --git main..HEAD; got {len(paths)}"
        raise ScenarioError(message, "cascadesim diff")
    from cascadesim.studies.diff import check_variants

    old, new = map(load_scenario, paths)
    check_variants(old, new, variants)
    return [(old, new)]


def _command(paths: list[Path], options: dict[str, Any], replications: int) -> str:
    """Return the command that repeats the run; limits change no figure."""
    words = ["cascadesim", "diff"]
    for name, value in options.items():
        if value not in (None, ""):
            words += [name, str(value)]
    return shlex.join([*words, "--replications", str(replications), *map(from_here, paths)])
