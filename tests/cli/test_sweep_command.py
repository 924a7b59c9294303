import json
import math
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, Cli

from cascadesim.analysis.percentiles import PERCENTILES

INCIDENT = ROOT / "scenarios" / "incident-60s"
HERE = ("--jobs", "1", "--no-store")
QUICK = ("--set", "horizon=6min", "--set", "drain=1min")


def test_it_prints_writes_and_draws(cli: Cli, tmp_path: Path) -> None:
    vary = ["--vary", "agent.deadline.timeout=2s,15s", "--variant", "after", *HERE]
    files = ["--out", tmp_path / "s", "--plot", tmp_path / "s.png"]
    code, out, err = cli("sweep", INCIDENT, *vary, *files)
    assert (code, err) == (0, "")
    assert "2 settings of agent.deadline.timeout; one run each, seed 1" in " ".join(out.split())
    assert "What p99 depends on" not in out  # what else but the one setting
    assert max(map(len, out.splitlines())) <= 80
    names = {"sweep.csv", "sweep.parquet", "effects.csv"}
    assert {path.name for path in (tmp_path / "s").iterdir()} == names
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    _, out, _ = cli("sweep", INCIDENT, *vary, "--format", "json")
    assert len(json.loads(out)["rows"]) == 2 * len(PERCENTILES)
    _, out, _ = cli("sweep", INCIDENT, *vary, "--format", "csv")
    assert len(out.splitlines()) == 1 + 2 * len(PERCENTILES)


def test_the_scenario_says_what_to_vary_and_the_table_what_matters(
    cli: Cli, tmp_path: Path
) -> None:
    code, out, err = cli("sweep", INCIDENT, *HERE, "--set", "horizon=8min", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert ": 32 settings of " in out
    assert "12 more settings are left out; --format csv has them all." in out
    assert max(map(len, out.splitlines())) <= 80
    rows = pd.read_csv(tmp_path / "effects.csv")
    table = out.partition("What p99 depends on, most first")[2]
    told = [line.split() for line in table.splitlines() if line.startswith("agent.")]
    assert [words[0] for words in told] == rows["setting"].tolist()[:4]
    assert [words[1:3] for words in told] == [
        [f"{first:.1%}", f"{total:.1%}"]
        for first, total in rows[["first_order", "total_order"]].values[:4]
    ]
    assert [words[3] for words in told] == ["10s", "10s", "15s", "15s"]
    assert "database.session.lifetime" in table
    assert table.split("database.session.lifetime")[1].split()[:3] == ["0.0%", "0.0%", "any"]


@pytest.mark.slow
def test_samples_say_how_sure_they_are(cli: Cli) -> None:
    vary = ["--vary", "agent.deadline.timeout=1s..9s", "--vary", "agent.concurrency=9..50"]
    arguments = ["sweep", INCIDENT, *vary, *HERE, *QUICK]
    _, out, _ = cli(*arguments, "--sample", "saltelli:8")
    line = next(each for each in out.splitlines() if each.startswith("agent.deadline.timeout"))
    assert line.count("±") == 2
    _, out, _ = cli(*arguments, "--sample", "sobol:32", "--replications", "2")
    line = next(each for each in out.splitlines() if each.startswith("agent.deadline.timeout"))
    assert line.count("±") == 1
    assert "A total share takes a sample of the kind saltelli:N." in out
    assert "Chance between replications is" in out
    _, out, _ = cli(*arguments, "--sample", "lhs:4", "--percentile", "p50")
    assert "What p50 depends on is not known: 4 settings are too few for shares" in out


def test_json_has_the_effects(cli: Cli) -> None:
    vary = ["--vary", "agent.deadline.timeout=2s,15s", "--vary", "agent.concurrency=40,50"]
    arguments = ["--format", "json", "--percentile", "p50"]
    _, out, _ = cli("sweep", INCIDENT, *vary, *HERE, *QUICK, *arguments)
    effects = json.loads(out)["effects"]
    assert effects["measure"] == "p50"
    settings = {row["setting"] for row in effects["settings"]}
    assert settings == {"agent.deadline.timeout", "agent.concurrency"}


def test_a_warmup_that_is_a_guess_is_said(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text(
        "name: short\nhorizon: 2s\nwarmup: auto\nworkload: {arrivals: {poisson: {rate: 10/s}}}\n"
        "stages: {a: {work: {exponential: {mean: 99ms}}, concurrency: 1}}\n"
    )
    _, out, _ = cli("sweep", file, "--vary", "a.concurrency=1,2", *HERE)
    assert "too short" in out
    _, out, _ = cli("sweep", file, "--vary", "a.concurrency=1,2", "--set", "horizon=5min", *HERE)
    assert "Warning" not in out


LATE = """
name: late
horizon: 100s
workload: {arrivals: {poisson: {rate: 2/s}}}
stages:
  a:
    work: {exponential: {mean: 1s}}
    concurrency: 8
    policies: [{deadline: {timeout: 5s}}]
"""


def test_what_the_table_cannot_promise_is_said(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "late.yaml"
    file.write_text(LATE)
    vary = ["--vary", "a.deadline.timeout=10ms,20s", "--vary", "a.concurrency=2,8", *HERE]
    _, out, _ = cli("sweep", file, *vary, "--replications", "2")
    text = " ".join(out.split())
    assert (
        "Warning: fewer than 10 measured requests of a run lie beyond p99 in 4 of 4 settings"
        in text
    )
    assert "The lowest of 4 settings is the lowest partly by chance" in text
    assert "depends on is not known: the p99 of 2 of 4 settings is a lower bound" in text
    assert "best value" not in text
    assert "Most answered first, then lowest p99 in seconds; lower bounds (>) last" in text
    assert max(map(len, out.splitlines())) <= 80
    # A deadline that few requests meet makes for short latencies, and for errors.
    arguments = ["--set", "drain=10min", "--percentile", "p50"]
    _, out, _ = cli("sweep", file, *vary, *arguments)
    table = out.partition("What p50 depends on, most first")[2]
    words = next(each.split() for each in table.splitlines() if each.startswith("a.deadline"))
    assert words[3] == "10ms"
    assert float(words[4].rstrip("%")) == pytest.approx(100 * math.exp(-0.01), abs=1)
    assert "fewer than" not in out
    assert "partly by chance" not in out
    assert "lower bounds" not in out


def test_settings_that_change_nothing(cli: Cli) -> None:
    vary = ["--vary", "agent.concurrency=40,50", "--vary", "database.session.lifetime=30s,31s"]
    _, out, _ = cli("sweep", INCIDENT, *vary, *HERE, *QUICK)
    assert "What p99 depends on is not known: no setting changes p99." in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--vary", "agent.deadline.timeout"], "--vary agent.deadline.timeout: expected PATH="),
        (["--vary", "agent.deadlin.timeout=1s"], 'did you mean "deadline"?'),
        (["--vary", "agent.concurrency=1..9", "--sample", "sobol:9"], "a power of 2"),
        (["--vary", "agent.concurrency=1..9"], "needs a step"),
        (["--vary", "agent.concurrency=0,1"], "agent.concurrency: must be at least 1, got 0"),
        (["--vary", "agent.concurrency=1,2", "--percentile", "p98"], "expected one of p50"),
        (["--plot", "/tmp/never.xyz"], "/tmp/never.xyz"),
        (["--set", "sweep.replications=2"], 'no stage or setting "sweep"'),
    ],
)
def test_it_refuses_in_one_line(cli: Cli, arguments: list[str], says: str) -> None:
    code, out, err = cli("sweep", INCIDENT, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_nothing_to_vary(cli: Cli) -> None:
    code, out, err = cli("sweep", ROOT / "scenarios" / "incident-179s")
    assert (code, out) == (2, "")
    assert "scenario.yaml: has no sweep, so say what to vary: --vary" in err
    assert len(err.splitlines()) == 1
