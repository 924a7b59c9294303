"""The pytest plugin: the fixture `cascade`, tests in YAML, and options.

pytest loads it with every suite where cascadesim is installed, so that it imports nothing but
pytest until a test asks for it.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cascadesim import MOST_SEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.pytest_plugin.fixture import Cascade

NOTE = "cascadesim"  # the name of the user properties by which tests tell the summary something
_LISTED = pytest.StashKey[frozenset["Path"]]()  # scenarios that the ini file names
_SCENARIO = re.compile(rb"^stages\s*:.*^objectives\s*:|^objectives\s*:.*^stages\s*:", re.M | re.S)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini settings."""
    group = parser.getgroup("cascadesim", "simulated timeout cascades (cascadesim)")
    group.addoption(
        "--cascade-replications",
        metavar="N",
        type=_whole(1, 10**6),
        help="replications of every scenario, whatever tests and marks say",
    )
    group.addoption(
        "--cascade-seed",
        metavar="N",
        type=_whole(0, MOST_SEED),
        help="seed of every scenario, whatever tests and marks say",
    )
    group.addoption(
        "--cascade-jobs",
        metavar="N",
        type=_jobs,
        default=-1,
        help="processes for replications, -1 for one a core (the default); always 1 in a worker of "
        "pytest-xdist",
    )
    group.addoption(
        "--cascade-variants",
        metavar="V,V",
        help="variants of scenario files that must meet their objectives; all if none is named",
    )
    group.addoption(
        "--cascade-update", action="store_true", help="write the baselines anew, and compare none"
    )
    parser.addini(
        "cascade_scenarios",
        "scenario files whose objectives are tests, as globs from the root directory",
        type="args",
        default=[],
    )
    parser.addini(
        "cascade_variants",
        "their variants that must meet them; all if none is named",
        type="args",
        default=[],
    )


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


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        "cascade(replications=N, seed=N): how scenarios are run that a test gives to `cascade`",
    )


@pytest.fixture
def cascade(request: pytest.FixtureRequest) -> Cascade:
    """Run scenarios of timeout cascades, and check what they came to; see README.md."""
    from cascadesim.pytest_plugin.fixture import Cascade  # imports all of cascadesim

    return Cascade(request.node)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect tests in YAML, and scenarios that are named by the ini file or on the command."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    if file_path.name.startswith("test_") and file_path.stem.endswith(".cascade"):
        from cascadesim.pytest_plugin.items import TestsFile  # imports all of cascadesim

        return TestsFile.from_parent(parent, path=file_path)
    if _is_scenario(file_path, parent):
        from cascadesim.pytest_plugin.items import ScenarioFile

        return ScenarioFile.from_parent(parent, path=file_path)
    return None


def _is_scenario(path: Path, parent: pytest.Collector) -> bool:
    if path in _listed(parent.config):
        return True
    # On the command line may also stand the YAML of another plugin.
    return parent.session.isinitpath(path) and _SCENARIO.search(path.read_bytes()) is not None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse an ini file whose scenarios are not there, as their tests would be missing unseen."""
    _listed(session.config)


def _listed(config: pytest.Config) -> frozenset[Path]:
    if _LISTED not in config.stash:
        globs = config.getini("cascade_scenarios")
        found: set[Path] = set()
        for glob in globs:
            if Path(glob).is_absolute():
                raise pytest.UsageError(f"cascade_scenarios: {glob} is not below {config.rootpath}")
            files = {path for path in config.rootpath.glob(glob) if path.is_file()}
            if not files:
                raise pytest.UsageError(f"cascade_scenarios: no file is {glob}")
            found |= files
        config.stash[_LISTED] = frozenset(found)
    return config.stash[_LISTED]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which baselines were written, and which are out of date."""
    notes = [
        str(text)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, text in report.user_properties
        if name == NOTE
    ]
    if notes:
        terminalreporter.section("cascadesim baselines")
        for note in notes:
            terminalreporter.write_line(note)
