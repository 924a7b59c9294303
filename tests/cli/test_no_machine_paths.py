"""What is published says nothing about the folders of the machine that made it."""

from pathlib import Path

import pytest
from conftest import ROOT, Cli

from cascadesim.files import from_here

SCENARIO = """\
name: small
horizon: 20s
workload: {arrivals: {constant: {rate: 1/s}}}
stages:
  svc: {work: {constant: 10ms}}
objectives: [p99 < 5ms]
variants:
  slow: {svc.work.constant: 20ms}
"""


@pytest.fixture(params=["inside", "outside"])
def scenario(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the absolute path of a scenario, in the working directory or outside of it."""
    folder = tmp_path / "machine" / "svc"
    folder.mkdir(parents=True)
    (folder / "scenario.yaml").write_text(SCENARIO)
    here = tmp_path if request.param == "inside" else ROOT
    monkeypatch.chdir(here)
    return folder / "scenario.yaml"


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (
            ["report", "{}", "-o", "{out}", "--replications", "2", "--jobs", "1"],
            "cascadesim report",
        ),
        (["run", "{}", "--out", "{out}"], "cascadesim run"),
        (["check", "--objectives", "{}", "--junit", "{out}", "--jobs", "1"], "testsuite"),
        (["check", "--objectives", "{}", "--markdown", "{out}", "--jobs", "1"], "cascadesim check"),
        (["diff", "{}", "{new}", "--replications", "2", "--jobs", "1"], "cascadesim diff"),
    ],
    ids=lambda value: value[0] + value[-1] if isinstance(value, list) else "",
)
def test_no_folder_of_the_machine(
    cli: Cli, scenario: Path, tmp_path: Path, command: list[str], names: str
) -> None:
    new, out = scenario.with_name("new.yaml"), tmp_path / "out"
    new.write_text(SCENARIO.replace("10ms", "11ms"))
    words = {"new": new, "out": out}
    _, printed, errors = cli(*(word.format(scenario, **words) for word in command))
    assert errors == ""
    files = [out, *out.glob("*.yaml")] if out.exists() else []
    text = printed + "".join(file.read_text() for file in files if file.is_file())
    assert names in text
    assert "svc" in text
    assert str(tmp_path) not in text


def test_paths_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert from_here("a/b.yaml") == "a/b.yaml"
    assert from_here("/elsewhere/svc/scenario.yaml") == "svc"
    assert from_here("/elsewhere/svc/b.yaml") == "b.yaml"
    assert from_here("main:a/b.yaml") == "main:a/b.yaml"
