"""`cascadesim init`."""

import json
from pathlib import Path

import jsonschema
import pytest
from conftest import Cli

import cascadesim


def test_init_writes_a_scenario_that_runs(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("init", "mine")[0] == 0
    assert cli("replay", "mine")[0] == 0
    assert cli("check", "mine")[0] == 0
    schema = json.loads(Path("mine/scenario.schema.json").read_text("utf-8"))
    jsonschema.validate(cascadesim.load("mine").document.data, schema)
    code, _, err = cli("init", "mine")
    assert (code, err) == (2, "mine: is there already; choose another name\n")
    for empty in ("", " "):
        code, _, err = cli("init", empty)
        assert (code, err) == (
            2,
            "init: NAME is empty; give the new folder one, such as my-service\n",
        )


@pytest.mark.parametrize(
    "name",
    ["123", "null", "a: b", "#x", "1e3", "*a", "{a}", "a #b", "a\nb", "café", "'", '"', "n" * 200],
)
def test_init_takes_any_name(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("init", name)
    assert (code, err, len(out.splitlines())) == (0, "", 1)
    assert cascadesim.load(name).name == name


@pytest.mark.parametrize("name", ["a\udcff", "n" * 300, "file/x"])
def test_init_that_cannot_be_leaves_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    code, out, err = cli("init", name)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
