"""A saved run holds what its scenario has read from files, and repeats without them."""

from pathlib import Path

import pytest

import cascadesim
from cascadesim.files import write_files
from cascadesim.scenario.beside import moved
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.source import write

TEXT = """\
name: recorded
horizon: 30s
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent:
    work:
      mixture:
        fast: {weight: 80%, empirical: {file: in/a.csv, column: "took, in ms", unit: ms}}
        slow: {weight: 20%, constant: 1s}
  database:
    work: {constant: 1ms}
variants:
  other: {database.work: {empirical: {file: in/a.csv, column: id, unit: us}}}
  third: {agent.work.mixture.fast.empirical.file: in/a.csv}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text('id,"took, in ms"\n3,0.1\n7,33.3\n9,250\n')
    (tmp_path / "scenario.yaml").write_text(TEXT)
    return tmp_path


def test_a_saved_run_is_repeated_whatever_becomes_of_the_file(folder: Path) -> None:
    result = cascadesim.run(cascadesim.load(folder).at("other"), seed=3)
    (folder / "in" / "a.csv").unlink()
    result.save(folder / "out")
    names = {path.name for path in (folder / "out").iterdir()}
    assert {"data-1.csv", "data-2.csv", "scenario.yaml"} <= names
    (folder / "out").rename(folder / "elsewhere")
    again = cascadesim.run(cascadesim.load(folder / "elsewhere"))
    assert again.frame.equals(result.frame)
    again.save(folder / "elsewhere")  # into the folder that it was read from
    third = cascadesim.run(cascadesim.load(folder / "elsewhere"))
    assert third.frame.equals(result.frame)


def test_a_scenario_that_moves_still_finds_its_files(folder: Path) -> None:
    scenario = cascadesim.load(folder)
    away = folder / "a" / "b"
    text = write(moved(scenario.document, away), "")
    write_files(away, {"s.yaml": lambda path: path.write_text(text)})
    again = cascadesim.load(away / "s.yaml")
    assert text.count("../../in/a.csv") == 3
    assert compile_plan(again.model) == compile_plan(scenario.model)
    for name in scenario.variants:
        assert compile_plan(again.at(name).model) == compile_plan(scenario.at(name).model)
