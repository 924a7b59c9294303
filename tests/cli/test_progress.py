"""The progress bar of what takes long."""

import contextlib
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import cascadesim
from cascadesim.cli.progress import progress_bar

INCIDENT = ROOT / "scenarios" / "incident-60s"


def slow_scenario(tmp_path: Path, name: str = "slow") -> Path:
    """Return a scenario that takes several seconds."""
    file = tmp_path / "slow.yaml"
    text = (
        (INCIDENT / "scenario.yaml")
        .read_text("utf-8")
        .replace("name: incident-60s", f"name: {name}")
    )
    file.write_text(
        text.replace("rate: 4/s", "rate: 60/s").replace("horizon: 15min", "horizon: 20min")
    )
    return file


def on_terminal(out: Path, *arguments: str | Path) -> str:
    """Run a command with its errors on a terminal and its output in a file; return the errors."""
    code = (
        "import cascadesim.cli.progress; cascadesim.cli.progress.PATIENCE = 0.1\n"
        "from cascadesim.cli import main; main()"
    )
    reader, writer = pty.openpty()
    with out.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)], stdout=stdout, stderr=writer
        )
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while block := os.read(reader, 4096):
            shown += block
    os.close(reader)
    assert process.wait() == 0
    return shown.decode()


def test_a_terminal_gets_a_progress_bar_for_what_takes_long(tmp_path: Path) -> None:
    shown = on_terminal(tmp_path / "out", "run", slow_scenario(tmp_path, '"[/x] long"'))
    assert "simulating [/x] long" in shown
    assert b"\x1b" not in (tmp_path / "out").read_bytes()


def test_several_scenarios_share_one_bar(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labels, shares = [], []

    @contextlib.contextmanager
    def bar(label: str) -> Iterator[Callable[[float], None]]:
        labels.append(label)
        yield shares.append

    monkeypatch.setattr("cascadesim.cli.progress.progress_bar", bar)
    cli("init", tmp_path / "a")
    assert cli("replay", *[tmp_path / "a"] * 3)[0] == 0
    assert labels == ["replaying a, a, a"]
    assert shares == sorted(shares)
    assert (shares[0] < 0.01, shares[-1]) == (True, 1)


def test_files_are_written_under_the_bar(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = cascadesim.Result.save
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("cascadesim.cli.progress.PATIENCE", 1.0)

    def slow(result: cascadesim.Result, folder: Path) -> None:
        time.sleep(1.2)
        original(result, folder)

    monkeypatch.setattr(cascadesim.Result, "save", slow)
    cli("init", tmp_path / "a")
    assert "simulating a" in cli("run", tmp_path / "a", "--out", tmp_path / "o")[2]


def test_a_terminal_gets_no_bar_for_what_is_quick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("quick") as progress:
        assert progress is not None
        progress(0.5)
    assert capsys.readouterr().err == ""
