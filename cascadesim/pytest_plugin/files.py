"""Files of tests: scenarios, by a path from the test's folder, and baselines that nothing uses."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cascadesim.analysis.figure_rules import UNUSED
from cascadesim.scenario.load import Scenario, load
from cascadesim.studies.baseline import read_baseline
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    Node = pytest.Item | pytest.Collector

_LOADED = pytest.StashKey[dict[tuple[Path, int], Scenario]]()  # by path and time of change


def load_near(node: Node, path: str | Path) -> Scenario:
    """Return the scenario in a file or folder, from the node's folder or the root directory.

    Raises ScenarioError.
    """
    file = _find(node, Path(path))
    loaded = node.config.stash.setdefault(_LOADED, {})
    key = (file, file.stat().st_mtime_ns)
    if key not in loaded:
        try:
            loaded[key] = load(file)
        except ScenarioError as error:
            raise error_from_root(node, error) from None
    return loaded[key]


def _find(node: Node, path: Path) -> Path:
    folders = list(dict.fromkeys((node.path.parent, node.config.rootpath)))
    for file in (folder / path for folder in folders):
        if (file / "scenario.yaml").is_file():
            return file / "scenario.yaml"
        if file.is_file():
            return file
    sought = " and ".join(from_root(node, folder) for folder in folders)
    raise ScenarioError(f"no such scenario, neither file nor folder; sought in {sought}", str(path))


def from_root(node: Node, path: Path) -> str:
    """Return a path as it is read from the root directory."""
    root = node.config.rootpath
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def error_from_root(node: Node, error: ScenarioError) -> ScenarioError:
    """Return an error whose file, if it is one, is read from the root directory."""
    mark = replace(error.mark, source=from_root(node, Path(error.mark.source)))
    return ScenarioError(error.problem, mark, error.path)


def file_name(test: str) -> str:
    """Return a name of a file for a test, which no other test has."""
    plain = re.sub(r"\[(.*)\]$", r"-\1", test.replace("::", "-"))
    safe = re.sub(r"[^\w.-]+", "-", plain)[:100]
    if safe == plain:
        return safe
    return f"{safe}-{hashlib.blake2b(test.encode(), digest_size=3).hexdigest()}"


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
