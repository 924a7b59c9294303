"""Scenarios as tests name them: by a path from the test's folder, and loaded once in a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cascadesim.scenario.load import Scenario, load
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
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
