"""The pytest plugin: the fixture `cascade`, tests in YAML, and options.

pytest loads it with every suite where cascadesim is installed, so that it imports nothing but
pytest until a test asks for it.
"""

from __future__ import annotations

import argparse
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest

from cascadesim import MOST_SEED
from cascadesim.pytest_plugin.named import NOTE, SUFFIXES, listed, named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cascadesim.pytest_plugin.fixture import Cascade

_COLLECTED = pytest.StashKey[list[pytest.Item]]()


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text!r}")

    return parse


def _jobs(text: str) -> int:
    if text == "-1" or (text.isdecimal() and int(text) >= 1):
        return int(text)
    raise argparse.ArgumentTypeError(f"expected -1 or a whole number from 1, got {text!r}")


_OPTIONS: dict[str, dict[str, Any]] = {
    "replications": {
        "metavar": "N",
        "type": _whole(1, 10**6),
        "help": "replications of every scenario, whatever tests and marks say",
    },
    "seed": {
        "metavar": "N",
        "type": _whole(0, MOST_SEED),
        "help": "seed of every scenario, whatever tests and marks say",
    },
    "jobs": {
        "metavar": "N",
        "type": _jobs,
        "default": -1,
        "help": "processes for replications, -1 for one a core (the default); always 1 in a worker "
        "of pytest-xdist",
    },
    "variants": {
        "metavar": "V,V",
        "help": "variants of scenario files that must meet their objectives; all if none is named",
    },
    "update": {"action": "store_true", "help": "write the baselines anew, and compare none"},
}
_INI = {
    "scenarios": "scenarios whose objectives are tests, files or folders, as globs from the root "
    "directory",
    "variants": "their variants that must meet them; all if none is named",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini settings."""
    group = parser.getgroup("cascadesim", "simulated timeout cascades (cascadesim)")
    for name, attributes in _OPTIONS.items():
        group.addoption(f"--cascade-{name}", **attributes)
    for name, text in _INI.items():
        parser.addini(f"cascade_{name}", text, type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        "cascade(replications=N, seed=N): how scenarios are run that a test gives to `cascade`",
    )


@pytest.fixture
def cascade(request: pytest.FixtureRequest) -> Cascade:
    """Run scenarios, and check their results; see `cascadesim guide pytest`."""
    from cascadesim.pytest_plugin.fixture import Cascade  # imports all of cascadesim

    return Cascade(request.node)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect tests in YAML, and scenarios that are named by the ini file or on the command."""
    if file_path.suffix not in SUFFIXES:
        return None
    is_test = file_path.name.startswith("test_") or parent.session.isinitpath(file_path)
    if is_test and file_path.stem.endswith(".cascade"):
        from cascadesim.pytest_plugin.items import TestsFile  # imports all of cascadesim

        return TestsFile.from_parent(parent, path=file_path)
    if file_path in named(parent.config):
        from cascadesim.pytest_plugin.items import ScenarioFile

        return ScenarioFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist starts its workers
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a plain `pytest` collect the scenarios of the ini file, wherever they stand.

    An ini file whose scenarios are not there is refused, as their tests would be missing unseen.
    """
    config = session.config
    kept = [path for path in sorted(listed(config)) if not _ignored(path, config)]
    paths = [path.relative_to(config.rootpath) for path in kept]
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args += map(str, paths)
    elif (
        config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR
        and config.invocation_params.dir == config.rootpath
    ):
        _check_seen(paths, config.getini("norecursedirs"))


def _check_seen(paths: list[Path], closed: list[str]) -> None:
    """Refuse scenarios that pytest does not come across on its way through all folders."""
    for path in paths:
        for part in path.parts[:-1]:
            if any(fnmatch(part, glob) for glob in closed):
                raise pytest.UsageError(
                    f"cascade_scenarios: {path} is in {part}, into which pytest does not look "
                    "(see norecursedirs); name the folders of tests in testpaths, and it is tested"
                )


def _ignored(path: Path, config: pytest.Config) -> bool:
    """Return whether options ignore a path or a folder around it: pytest asks only on its way."""
    folder = config.invocation_params.dir
    ignored = {folder / name for name in config.getoption("ignore") or ()}
    globs = [str(folder / glob) for glob in config.getoption("ignore_glob") or ()]
    return any(
        part in ignored or any(fnmatch(str(part), glob) for glob in globs)
        for part in (path, *path.parents)
    )


@pytest.hookimpl(tryfirst=True)  # before any is deselected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep all tests that were collected."""
    config.stash[_COLLECTED] = list(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which baselines were written, which are out of date, and which no test uses."""
    told = [
        str(text)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, text in report.user_properties
        if name == NOTE
    ]
    # Reports of a test that was run again, or has subtests, all have its notes.
    notes = [*dict.fromkeys(told), *_unused(terminalreporter)]
    if notes:
        terminalreporter.section("cascadesim baselines")
        for note in notes:
            terminalreporter.write_line(note)


def _unused(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """Return notes on baselines that no test uses, where all tests of their files are known.

    They are not where the command line names single tests, nor where pytest collects only what
    failed last; and with pytest-xdist only the workers know.
    """
    config = terminalreporter.config
    items = config.stash.get(_COLLECTED, [])
    folders = {item.path.parent / "baselines" / item.path.stem for item in items}
    if not any(folder.is_dir() for folder in folders):
        return []
    if any("::" in arg for arg in config.args) or config.getoption("lf", False):
        return []
    if "error" in terminalreporter.stats:  # perhaps of a class that could not be collected
        return []
    from cascadesim.pytest_plugin.files import unused  # imports all of cascadesim

    return unused(items)
