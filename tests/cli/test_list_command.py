"""`cascadesim list`."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Cli

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_list_shows_what_there_is(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("list", ROOT / "scenarios")
    assert code == 0
    assert "incident-120s/startup.yaml" in out
    assert "variants: before, after, recommended" in out
    (tmp_path / "bad.yaml").write_text("name: 3\n")
    (tmp_path / "dir.yaml").mkdir()
    shutil.copy(INCIDENT / "scenario.yaml", tmp_path / "good.yaml")
    code, out, err = cli("list", tmp_path)
    assert code == 2
    assert out.splitlines()[0] == f"{tmp_path}/good.yaml"
    assert err.startswith(f"{tmp_path}/bad.yaml:1:")
    assert len(err.splitlines()) == 1
    (tmp_path / "empty").mkdir()
    assert cli("list", tmp_path / "empty") == (0, "no scenarios here\n", "")


def test_list_wraps_for_a_terminal_only(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("init", tmp_path / "mine")
    names = [f"variant-with-a-name-{i}" for i in range(9)]
    file = tmp_path / "mine" / "scenario.yaml"
    file.write_text(file.read_text() + "".join(f"  {name}: {{}}\n" for name in names))
    line = f"  variants: before, shorter, recommended, {', '.join(names)}"
    assert line in cli("list", tmp_path)[1].splitlines()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = cli("list", tmp_path)[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("  ") for line in lines[1:])
    assert names == [word for word in re.findall(r"[^\s,]+", "".join(lines)) if word in names]


def test_list_shows_what_init_wrote(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli("init", "mine")
    other = tmp_path / ".venv" / "lib" / "package.yaml"
    other.parent.mkdir(parents=True)
    other.write_text("- of something else\n")
    code, out, err = cli("list")
    assert (code, out.splitlines()[0], err) == (0, "mine", "")
