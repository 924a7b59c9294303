"""Output that cannot be written, closed pipes, and terminals without letters.

The commands run in this process; that its streams are flushed when it ends, too, needs a process
of its own, for which the quickest command will do.
"""

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli
from streams import command

CASCADESIM = [sys.executable, "-m", "cascadesim"]
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
NO_SPACE = "cascadesim: cannot write the output: No space left on device\n"

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@needs_full
@pytest.mark.parametrize("arguments", [["replay"], ["replay", "--format", "json"], ["check"]])
def test_a_full_disk_is_one_line_and_2(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    cli("init", tmp_path / "a")
    errors = io.StringIO()
    with Path("/dev/full").open("w") as full:
        code = command(monkeypatch, *arguments, tmp_path / "a", out=full, err=errors)
    assert (code, errors.getvalue()) == (2, NO_SPACE)


@needs_full
def test_a_process_that_ends_has_written_all_or_says_so() -> None:
    with Path("/dev/full").open("wb") as full:
        help_ = [*CASCADESIM, "--help"]
        done = subprocess.run(help_, stdout=full, stderr=subprocess.PIPE, env=BUFFERED, check=False)
    assert (done.returncode, done.stderr.decode()) == (2, NO_SPACE)


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "--format", "json"]])
def test_a_reader_that_leaves_early_is_no_error(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    cli("init", tmp_path / "a")
    reader, writer = os.pipe()
    os.close(reader)
    errors = io.StringIO()
    with os.fdopen(writer, "w") as out:
        code = command(monkeypatch, *arguments, tmp_path / "a", out=out, err=errors)
    assert (code, errors.getvalue()) == (141, "")


def test_a_process_whose_reader_leaves_early_ends_as_others_do() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    help_ = [*CASCADESIM, "--help"]
    done = subprocess.run(help_, stdout=writer, stderr=subprocess.PIPE, env=BUFFERED, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("arguments", "code"), [(["--format", "json"], 0), (["--seed", "x"], 2)])
def test_closed_output_is_no_error(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], code: int
) -> None:
    cli("init", tmp_path / "a")
    assert command(monkeypatch, "run", tmp_path / "a", *arguments, out=None, err=None) == code


@pytest.mark.parametrize(("arguments", "code"), [("--version", 0), ("nope", 2)])
def test_a_process_may_have_its_output_closed(arguments: str, code: int) -> None:
    line = f"{shlex.join(CASCADESIM)} {arguments} >&- 2>&-"
    assert subprocess.run(line, shell=True, check=False).returncode == code


def test_names_print_where_the_terminal_has_no_letters_for_them(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli("init", tmp_path / "café")

    def printed(*arguments: str) -> bytes:
        raw = io.BytesIO()
        ascii_only = io.TextIOWrapper(raw, encoding="ascii")
        code = command(monkeypatch, *arguments, tmp_path / "café", out=ascii_only, err=ascii_only)
        assert code == 0
        return raw.getvalue()

    assert b"caf\\xe9" in printed("replay")
    assert json.loads(printed("run", "--format", "json"))["scenario"] == "café"
