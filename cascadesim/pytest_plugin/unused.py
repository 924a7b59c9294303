"""Baselines that no test uses any more, as theirs was renamed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.figure_rules import UNUSED
from cascadesim.pytest_plugin.fixture import file_name
from cascadesim.pytest_plugin.loading import from_root
from cascadesim.studies.baseline import read_baseline
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    import pytest


def unused(items: Iterable[pytest.Item]) -> list[str]:
    """Return lines on the baselines of test files in which no test has their name.

    `items` are all tests of those files, also those that are not to run: a baseline is not unused
    because its test did not run.
    """
    tests: dict[Path, list[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.path, []).append(item)
    notes = []
    for path, of_file in sorted(tests.items()):
        names = {item.nodeid.partition("::")[2] for item in of_file}
        for file in sorted((path.parent / "baselines" / path.stem).glob("*.yaml")):
            if test := _lost(file, names):
                shown = from_root(of_file[0], file)
                text = f"{path.name} has no test {test} any more"
                notes.append(f"unused: {shown} [{UNUSED.code}]\n  {text}")
    return notes


def _lost(file: Path, names: Collection[str]) -> str | None:
    """Return the test of a baseline that is none of those in its test file."""
    try:
        test = read_baseline(file).test
    except ScenarioError:  # of which its test tells
        return None
    # A file that was renamed with its test still has the old name inside.
    stems = [file_name(name) for name in names]
    taken = any(file.stem == stem or file.stem.startswith(f"{stem}-") for stem in stems)
    return None if test in names or taken else test
