"""What people read of a diff in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.ci.comment import NOTHING, verdict
from cascadesim.ci.texts import (
    UNITS,
    blame_text,
    counted,
    judged_text,
    limits_text,
    moved_texts,
    requests_text,
    setting_texts,
)
from cascadesim.cli.tables import new_console, print_table, say, words
from cascadesim.values.errors import cut, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from cascadesim.studies.diff import Diff, Pair

_VALUE = 60  # characters of a setting


def print_diffs(diffs: Sequence[Diff]) -> None:
    """Print changed settings, and old and new side by side; the verdict comes last."""
    console = new_console()
    console.print()
    for each in diffs:
        _print_diff(console, each)
    say(console, f"{verdict(diffs)}.")


def _print_diff(console: Console, diff: Diff) -> None:
    sources = [each.document.source for each in (diff.old, diff.new) if each is not None]
    say(console, one_line(f"{diff.name}: {' → '.join(sources)}"))
    for change in diff.changes:
        old, new = (cut(text, _VALUE) or "-" for text in setting_texts(change))
        order = " (order)" * (change.kind == "order")
        say(console, one_line(f"- {change.path}{order}: {old} → {new}"))
    if diff.status != "changed":
        say(console, {"same": "The settings are the same."}.get(diff.status, diff.status))
    elif diff.left_out:
        say(console, one_line(f"Changed too, and not run: {', '.join(diff.left_out)}."))
    elif not diff.pairs:
        say(console, f"{NOTHING}, so nothing was simulated.")
    console.print()
    for pair in diff.pairs:
        _print_pair(console, pair, diff)


def _print_pair(console: Console, pair: Pair, diff: Diff) -> None:
    worlds = f"{counted(diff.replications or 1, 'replication')} from seed {diff.seed}"
    title = f"{pair.name}, {worlds}; {UNITS}"
    rows = [(words(name), *moved_texts(moved)) for name, moved in pair.moved.items()]
    print_table(console, title, ("measure", "old", "new", "difference", "seen"), rows)
    objectives = [
        (
            each.new.objective.text,
            "-" if each.old is None else judged_text(each.old),
            judged_text(each.new),
            each.verdict,
        )
        for each in pair.objectives
    ]
    if objectives:
        print_table(console, "Objectives", ("objective", "old", "new", "verdict"), objectives)
    for each in pair.objectives:
        if blame := blame_text(each.new):
            say(console, one_line(f"To blame for {each.new.objective.text}: {blame}"))
    for line in (requests_text(pair), *limits_text(pair)):
        say(console, line)
    if pair.too_short:
        say(console, "Warning: too short to tell where the warm-up ends, so it is a guess.")
    console.print()
