"""`cascadesim run`: settings, what it prints, and the folder that it writes."""

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from cascadesim.files import from_here

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_run_takes_settings_and_seed(cli: Cli) -> None:
    def p99(*more: str) -> float:
        code, out, _ = cli("run", INCIDENT, "--format", "json", *more)
        assert code == 0
        value = json.loads(out)["percentiles_s"]["p99"]
        assert isinstance(value, float)
        return value

    base = p99()
    quick = "agent.reliability_manager.recovery_timeout=1s"
    assert p99("--set", "agent.breaker.recovery_timeout=1s", "--set", quick) < base
    assert p99("--seed", "8") != base
    assert p99("--variant", "recommended") < 5


def test_run_out_repeats(cli: Cli, tmp_path: Path) -> None:
    code, _, _ = cli("run", INCIDENT, "--variant", "after", "--seed", "5", "--out", tmp_path / "o")
    assert code == 0
    again = cli("run", tmp_path / "o", "--out", tmp_path / "p")
    assert again[0] == 0
    files = [(tmp_path / folder / "requests.csv").read_bytes() for folder in ("o", "p")]
    assert files[0] == files[1]
    first, again = (json.loads((tmp_path / f / "summary.json").read_text()) for f in ("o", "p"))
    own = {"variant": "after", "overrides": {}}, {"variant": None, "overrides": {}}
    assert tuple({key: summary.pop(key) for key in own[0]} for summary in (first, again)) == own
    assert first == again


def test_run_out_records_the_command_that_made_it(cli: Cli, tmp_path: Path) -> None:
    settings = ["agent.deadline.timeout=15s", "agent.work={constant: 1s}"]
    sets = [word for text in settings for word in ("--set", text)]
    run = ["run", str(INCIDENT), "--variant", "after", *sets, "--seed", "5"]
    assert cli(*run, "--out", tmp_path / "o")[0] == 0
    line = (tmp_path / "o" / "scenario.yaml").read_text("utf-8").splitlines()[1]
    command = shlex.split(line.removeprefix("# "))
    assert command == ["cascadesim", "run", from_here(INCIDENT / "scenario.yaml"), *run[2:]]
    summary = json.loads((tmp_path / "o" / "summary.json").read_text("utf-8"))
    assert summary["variant"] == "after"
    assert summary["overrides"] == {
        "agent.deadline.timeout": "15s",
        "agent.work": {"constant": "1s"},
    }
    assert cli(*command[1:], "--out", tmp_path / "p")[0] == 0
    for name in ("requests.csv", "summary.json", "scenario.yaml"):
        assert (tmp_path / "o" / name).read_bytes() == (tmp_path / "p" / name).read_bytes()


def test_run_as_csv_is_measures_and_values(cli: Cli) -> None:
    _, out, _ = cli("run", INCIDENT, "--variant", "after", "--format", "csv")
    rows = list(csv.reader(io.StringIO(out)))
    summary = json.loads(cli("run", INCIDENT, "--variant", "after", "--format", "json")[1])
    assert rows[0] == ["measure", "value"]
    values = {measure: float(value) for measure, value in rows[1:]}
    assert values == {
        **{f"{name}_s": value for name, value in summary["percentiles_s"].items()},
        **summary["outcomes"],
        **{key: summary[key] for key in ("mean_s", "requests", "goodput_per_s", "error_rate")},
    }


def test_out_that_cannot_be_written_is_told_before_the_run(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*_: object, **__: object) -> None:
        raise AssertionError("it was simulated first")

    monkeypatch.setattr("cascadesim.studies.run.simulate", no)
    (tmp_path / "file").touch()
    (tmp_path / "od" / "summary.json").mkdir(parents=True)
    (tmp_path / "p.png").mkdir()
    for arguments, says in (
        (["run", INCIDENT, "--out", tmp_path / "file" / "x"], "file/x: cannot be written: Not a"),
        (["run", INCIDENT, "--out", tmp_path / "od"], "od: cannot be written: summary.json is a f"),
        (["plot", INCIDENT, "-o", tmp_path / "p.png"], "cannot be written: p.png is a folder"),
        (["plot", INCIDENT, "-o", tmp_path / "p.gif"], "p.gif: ends in none of .png, .svg, .pdf"),
    ):
        code, _, err = cli(*arguments)
        assert (code, len(err.splitlines())) == (2, 1)
        assert says in err
    assert [path.name for path in (tmp_path / "od").iterdir()] == ["summary.json"]


def test_too_many_requests_are_refused_before_any_is_drawn(cli: Cli, tmp_path: Path) -> None:
    cli("init", tmp_path / "a")
    code, out, err = cli("run", tmp_path / "a", "--set", "workload.arrivals.poisson.rate=9999999/s")
    assert (code, out) == (2, "")
    assert err == (
        "--set: workload.arrivals.poisson.rate: sends about 6e+09 requests within the horizon, and "
        "a run holds at most 20 million; lower the rate or shorten the horizon\n"
    )
    assert cli("run", tmp_path / "a", "--set", "horizon=99999d")[0] == 2


def test_percentiles_that_rest_on_few_requests_are_warned_of(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "queue.yaml"
    text = (
        "name: queue\nhorizon: 100s\ndrain: 60s\nwarmup: auto\n"
        "workload: {arrivals: {poisson: {rate: 8/s}}}\n"
        "stages: {a: {work: {exponential: {mean: 90ms}}, concurrency: 1}}\n"
    )
    file.write_text(text)
    _, out, _ = cli("run", file)
    assert "measured requests lie beyond p99, p99.9; a longer horizon" in " ".join(out.split())
    assert "warm-up" in out
    # A passing fault is not stationary: more of its time would be another incident.
    file.write_text(text + "faults: [{on: a, from: 10s, for: 1s, outage: {}}]\n")
    assert "Warning" not in cli("run", file)[1]
