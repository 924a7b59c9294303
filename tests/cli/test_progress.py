"""The progress bar of what takes long."""

import contextlib
import io
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Cli
from streams import Terminal, command

import cascadesim
from cascadesim.cli.progress import progress_bar


def test_a_terminal_gets_a_progress_bar_for_what_takes_long(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli("init", tmp_path / "a")
    file = tmp_path / "a" / "scenario.yaml"
    file.write_text(re.sub("(?m)^name: .*$", 'name: "[/x] long"', file.read_text("utf-8")))
    monkeypatch.setattr("cascadesim.cli.progress.PATIENCE", 0.001)
    out = io.StringIO()
    with Terminal() as terminal:
        assert command(monkeypatch, "run", file, out=out, err=terminal.file) == 0
    assert "simulating [/x] long" in terminal.shown()
    assert "\x1b" not in out.getvalue()


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
    monkeypatch.setattr("cascadesim.cli.progress.PATIENCE", 0.5)

    def slow(result: cascadesim.Result, folder: Path) -> None:
        time.sleep(0.7)
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


def test_a_pipe_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 1.0, 5.0, 6.0, 20.0])
    monkeypatch.setattr("cascadesim.cli.progress.time.monotonic", lambda: next(now))
    with progress_bar("explaining [a]", plain=True) as progress:
        assert progress is not None
        for share in (0.1, 0.25, 0.5, 1.0):
            progress(share)
    # Of 5 s a quarter is done; the end needs no line.
    assert capsys.readouterr().err == "explaining [a]: 25%, about 15 s left\n"
    with progress_bar("silent") as progress:
        assert progress is None
