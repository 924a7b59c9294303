"""Being here puts tests/ on the import path, so that tests share `strategies`."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("cascadesim", deadline=None)  # machines differ; only results count
settings.load_profile("cascadesim")

ROOT = Path(__file__).parents[1]
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; the gate installs it, elsewhere tests may have to skip."""
    path = shutil.which("chromium")
    if path is None:
        absent = "needs Chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    return path


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Return a function that runs a command and returns its exit code, output and errors."""
    from cascadesim.cli import main

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CASCADESIM_STORE", str(tmp_path / "store"))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cascadesim", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return run


@pytest.fixture
def field() -> Callable[[str], Any]:
    """Return what loads a scenario of `tests/field` by name.

    They are services as people reported them, each reduced to the smallest that shows a fault.
    """
    from cascadesim.scenario.load import load

    return lambda name: load(ROOT / "tests" / "field" / f"{name}.yaml")
