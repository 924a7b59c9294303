"""Output that cannot be written, closed pipes, terminals without letters: as a process has them."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Cli

INCIDENT = ROOT / "scenarios" / "incident-60s"
CASCADESIM = [sys.executable, "-m", "cascadesim"]
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["replay"], ["replay", "--format", "json"], ["check"]])
def test_a_full_disk_is_one_line_and_2(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*CASCADESIM, *arguments, str(INCIDENT)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=BUFFERED,
            check=False,
        )
    line = b"cascadesim: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, line)


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "--format", "json"], ["--help"]])
def test_a_reader_that_leaves_early_is_no_error(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [*CASCADESIM, *arguments, str(INCIDENT)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=BUFFERED, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("command", "code"), [("run --format json", 0), ("run no", 2)])
def test_closed_output_is_no_error(command: str, code: int) -> None:
    line = f"{shlex.join(CASCADESIM)} {command} {shlex.quote(str(INCIDENT))} >&- 2>&-"
    assert subprocess.run(line, shell=True, check=False).returncode == code


def test_names_print_where_the_terminal_has_no_letters_for_them(cli: Cli, tmp_path: Path) -> None:
    cli("init", tmp_path / "café")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    def printed(*arguments: str) -> bytes:
        command = [*CASCADESIM, *arguments, str(tmp_path / "café")]
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    assert b"caf\\xe9" in printed("replay")
    assert json.loads(printed("run", "--format", "json"))["scenario"] == "café"
