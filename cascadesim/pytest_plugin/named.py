"""The scenarios that a suite names, and what tests and the summary share. Imports pytest alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

NOTE = "cascadesim"  # the name of the user properties in which tests leave notes for the summary
SUFFIXES = (".yaml", ".yml")
_LISTED = pytest.StashKey[frozenset["Path"]]()  # scenarios that the ini file names
_NAMED = pytest.StashKey[frozenset["Path"]]()  # and those that the command line names
_STAGES = re.compile(rb"^stages\s*:", re.M)
_OURS = re.compile(rb"^(objectives|horizon|workload)\s*:", re.M)


def listed(config: pytest.Config) -> frozenset[Path]:
    """Return the scenarios that the ini file names."""
    if _LISTED not in config.stash:
        files = [_matched(glob, config.rootpath) for glob in config.getini("cascade_scenarios")]
        config.stash[_LISTED] = frozenset().union(*files)
    return config.stash[_LISTED]


def _matched(glob: str, root: Path) -> set[Path]:
    if Path(glob).is_absolute() or ".." in Path(glob).parts:
        raise pytest.UsageError(f"cascade_scenarios: {glob} is not below {root}")
    paths = [path / "scenario.yaml" if path.is_dir() else path for path in root.glob(glob)]
    files = {path for path in paths if path.suffix in SUFFIXES and path.is_file()}
    if not files:
        raise pytest.UsageError(
            f"cascade_scenarios: no scenario is {glob}, neither a file *.yaml or *.yml nor a "
            f"folder with scenario.yaml; sought from {root}"
        )
    return files


def named(config: pytest.Config) -> frozenset[Path]:
    """Return the scenarios that the ini file or the command line names."""
    if _NAMED not in config.stash:
        folder = config.invocation_params.dir
        given = [folder / arg.partition("::")[0] for arg in config.args]
        # As pytest does, without following links.
        paths = [Path(os.path.abspath(path)) for path in given if _is_scenario(path)]  # noqa: PTH100
        config.stash[_NAMED] = listed(config).union(paths)
    return config.stash[_NAMED]


def _is_scenario(path: Path) -> bool:
    # On the command line may also stand the YAML of another plugin.
    if path.suffix not in SUFFIXES or not path.is_file():
        return False
    text = path.read_bytes()
    return _STAGES.search(text) is not None and _OURS.search(text) is not None
