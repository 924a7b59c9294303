import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Cli

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.files import check_writable, write_files
from cascadesim.values.errors import ScenarioError

INCIDENT = ROOT / "scenarios" / "incident-60s"
FILES = {"requests.parquet", "requests.csv", "summary.json", "scenario.yaml"}


@pytest.fixture(scope="module")
def result() -> cascadesim.Result:
    return cascadesim.run(cascadesim.load(INCIDENT).at("after"), seed=3)


def test_the_frame_has_one_row_a_request_and_parts_that_add_up(result: cascadesim.Result) -> None:
    frame = result.frame
    parts = [part.column for part in result.records.parts]
    assert list(frame.columns[:7]) == [
        *("request", "arrival_s", "latency_s", "outcome", "retries", "observation", "measured")
    ]
    np.testing.assert_allclose(frame[parts].sum(axis=1), frame["latency_s"], atol=1e-9)
    background = frame.query("observation < 0")
    assert background["arrival_s"].is_monotonic_increasing
    assert len(background) == len(frame) - 1


def test_the_summary_agrees_with_the_frame(result: cascadesim.Result) -> None:
    measured = result.frame.query("measured")
    for name in PERCENTILES[:-1]:
        expected = measured["latency_s"].quantile(float(name[1:]) / 100, interpolation="higher")
        assert result.summary.percentiles[name].seconds == pytest.approx(expected, rel=0.02)
    counts = measured["outcome"].value_counts().to_dict()
    assert result.summary.outcomes == counts
    answered = (measured["outcome"] == "ok") & (measured["latency_s"] < 5)
    assert result.summary.rates["answered_rate"] == answered.mean()


def test_saved_files_hold_the_run_and_repeat_it(result: cascadesim.Result, tmp_path: Path) -> None:
    result.save(tmp_path / "first")
    assert {path.name for path in (tmp_path / "first").iterdir()} == FILES
    saved = pd.read_parquet(tmp_path / "first" / "requests.parquet")
    pd.testing.assert_frame_equal(saved, result.frame)
    with (tmp_path / "first" / "requests.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(saved.columns)
    assert [float(row["latency_s"]) for row in rows] == saved["latency_s"].tolist()
    summary = json.loads((tmp_path / "first" / "summary.json").read_text("utf-8"))
    assert (summary["seed"], summary["cascadesim"]) == (3, cascadesim.__version__)
    again = cascadesim.run(cascadesim.load(tmp_path / "first"))
    again.save(tmp_path / "again")
    for name in ("requests.parquet", "requests.csv"):
        first, second = ((tmp_path / f / name).read_bytes() for f in ("first", "again"))
        assert first == second
    one, two = (cascadesim.load(tmp_path / f).document.data for f in ("first", "again"))
    assert one == two
    assert cascadesim.__version__ in (tmp_path / "first" / "scenario.yaml").read_text("utf-8")


@pytest.mark.slow
def test_the_same_bytes_in_a_new_process(cli: Cli, tmp_path: Path) -> None:
    """The other process orders sets and such in another way, as its hash seed is another one."""
    run = ["run", str(INCIDENT), "--variant", "after", "--format", "json", "--out"]
    here, there = tmp_path / "here", tmp_path / "there"
    code, printed, _ = cli(*run, here)
    assert code == 0
    command = [sys.executable, "-m", "cascadesim", *run, str(there)]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(command, check=True, capture_output=True, env=environment, text=True)
    assert done.stdout == printed
    for name in sorted(FILES):
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_a_failed_write_leaves_nothing_half_done(
    result: cascadesim.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    other = cascadesim.run(cascadesim.load(INCIDENT).at("before"))
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(ScenarioError, match="cannot be written: No space left on device"):
        other.save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made(result: cascadesim.Result, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file" / "out", tmp_path / "file", tmp_path / "a" / ("n" * 300)):
        with pytest.raises(ScenarioError, match="cannot be written"):
            result.save(folder)
        with pytest.raises(ScenarioError, match="cannot be written"):
            check_writable(folder, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_place_of_a_file_is_seen_before_anything_is_written(
    result: cascadesim.Result, tmp_path: Path
) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(ScenarioError, match=r"cannot be written: summary\.json is a folder"):
        result.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_failed_write_leaves_no_empty_folder(
    result: cascadesim.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(ScenarioError, match="cannot be written"):
        result.save(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_numpy_is_saved_as_a_number(tmp_path: Path) -> None:
    settings = {
        "horizon": "2min",
        "agent.work.lognormal": {"median": "1s", "sigma": np.float64(0.5)},
    }
    faultless = {"faults": [], "observations": []}
    cascadesim.run(cascadesim.load(INCIDENT).override(faultless | settings)).save(tmp_path)
    saved = cascadesim.load(tmp_path).document.data["stages"]["agent"]["work"]
    assert saved == {"lognormal": {"median": "1s", "sigma": 0.5}}


def test_a_check_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b", FILES)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    check_writable(tmp_path / "a", FILES)
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize("seed", ["a", -1, 1.5, True, 10**19])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    scenario = cascadesim.load(INCIDENT)
    for function in (cascadesim.run, cascadesim.compare):
        with pytest.raises(ScenarioError, match=f"^--seed {seed}: expected a whole number from 0"):
            function(scenario, seed=seed)


def test_numpy_counts_as_a_number() -> None:
    scenario = cascadesim.load(INCIDENT).override({"horizon": "31s", "observations": []})
    found = cascadesim.run(scenario, seed=np.int64(3))
    assert found.seed == 3
    assert type(found.seed) is int


def test_what_a_link_points_to_is_written_and_a_device_is_not(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("before")
    (tmp_path / "link.txt").symlink_to("kept.txt")
    write_files(tmp_path, {"link.txt": lambda path: path.write_text("after")})
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "kept.txt").read_text() == "after"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScenarioError, match="pipe is no file that can be replaced"):
        write_files(tmp_path, {"pipe": lambda path: path.write_text("after")})
