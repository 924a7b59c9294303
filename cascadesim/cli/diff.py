"""The command that says what a change of settings does: diff."""

from __future__ import annotations

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
    print_text,
    repeated,
    replications_option,
    split,
)
from cascadesim.cli.where import HERE, Where, runs_somewhere
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
    replications: Annotated[int, replications_option("How many replications.")] = 8,
    seed: Seed = None,
    where: Where = HERE,
    format: Annotated[CommentFormat, typer.Option(help="How to print.")] = CommentFormat.MARKDOWN,
) -> None:
    """Say which settings changed, and what that does.

    Compares two versions of a scenario: runs each variant that changed on the same requests,
    old and new, and prints a comment for a pull request. Exits with 1 where an objective is missed
    that was not missed before.

    \b
    Examples:
      cascadesim diff old.yaml new.yaml
      cascadesim diff --git main...HEAD
      cascadesim diff --git main...HEAD scenarios --variants after \\
        --fail-on-worse p99=2%
    """
    from cascadesim.cli.progress import for_each
    from cascadesim.studies.diff import diff as run_diff
    from cascadesim.studies.diff import to_dict
    from cascadesim.studies.thresholds import parse_allowed_worse
    from cascadesim.views.diff import MARKER, page
    from cascadesim.views.markdown import page_markdown
    from cascadesim.views.terminal import print_page

    paths = scenarios or []
    allowed = parse_allowed_worse(fail_on_worse or [], replications)
    versions = _versions(paths, git, split(variants))
    execution = where.execution()

    def run(pair: Any, progress: Any) -> Any:
        old, new = pair
        return run_diff(old, new, split(variants), seed, replications, allowed, execution, progress)

    diffs = for_each("comparing old and new", versions, run)
    if format is CommentFormat.JSON:
        print_json(to_dict(diffs))
    elif format is CommentFormat.TABLE:
        print_page(page(diffs))
    else:
        options = {"--git": git, "--variants": variants, "--seed": seed}
        again = repeated(["cascadesim", "diff"], paths, {**options, "--replications": replications})
        print_text(page_markdown(page(diffs, again), MARKER))
    if not all(diff.passed for diff in diffs):
        raise typer.Exit(1)


def _versions(paths: list[Path], git: str | None, variants: list[str]) -> list[Any]:
    """Return pairs of scenarios, old and new."""
    if git is not None:
        from cascadesim.cli.git import changed_scenarios

        versions = list(changed_scenarios(git, paths))
        known = [name for pair in versions for side in pair if side for name in side.variants]
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
