import io
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import Cli

import cascadesim

SCENARIO = """\
name: service
horizon: 200s
drain: 20s
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  a:
    work: {lognormal: {median: 250ms, p99: 900ms}}
    policies: [deadline: {timeout: 10s}]
objectives: [p99 < 2s]
variants: {slow: {a.deadline.timeout: 20s}}
"""
TUNE = ("--tune", "a.deadline.timeout=100ms..20s")
THREE = ("--minimize", "p99", "--minimize", "p50", "--minimize", "max")
FEW = ("--budget", "24", "--replications", "2", "--confirm", "5", "--jobs", "1", "--no-store")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "service.yaml"
    path.write_text(SCENARIO, "utf-8")
    return path


def test_help_has_examples_and_fits_80_columns(cli: Cli) -> None:
    code, out, _ = cli("optimize", "--help")
    assert code == 0
    assert "cascadesim optimize" in out.partition("Examples:")[2]
    assert max(map(len, out.splitlines())) <= 80
    _, commands, _ = cli("--help")
    assert "optimize" in commands


def test_the_best_settings_are_printed_written_and_run(
    cli: Cli, scenario: Path, tmp_path: Path
) -> None:
    file, picture = tmp_path / "out" / "better.yaml", tmp_path / "search.svg"
    goal = ("--minimize", "p99", "--subject-to", "error_rate<5%")
    command = ("optimize", scenario, *TUNE, *goal, *FEW, "--out", file, "--plot", picture)
    code, out, err = cli(*command)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "24 settings tried, 2 replications each from seed 1" in out
    assert "a.deadline.timeout" in out
    assert "p99 falls from " in out
    assert "of the requests get better and " in out
    assert "Warning: fewer than 10 of " in out  # 8 of 800
    (row,) = [
        line
        for line in out.partition("Outcomes in")[2].splitlines()
        if line.startswith("optimized ")
    ]
    assert row.count("±") == 3
    assert picture.read_text("utf-8").startswith("<?xml")

    code, compared, _ = cli(
        *("compare", file, "--seed", "2", "--replications", "5", "--no-store", "--format", "json")
    )
    assert code == 0
    variants = json.loads(compared)["variants"]
    for label in ("today", "optimized"):
        p99 = variants[label]["percentiles"]["p99"]["latency_s"]
        assert f"{label}".ljust(9) + f" {p99:.3f} ± " in out
    code, _, _ = cli("run", file, "--variant", "optimized")
    assert code == 0
    assert f"cascadesim optimize {scenario}" in file.read_text("utf-8")


def test_plain_data(cli: Cli, scenario: Path) -> None:
    command = ("optimize", scenario, "--variant", "slow", *TUNE, "--minimize", "p99", *FEW)
    code, out, _ = cli(*command, "--format", "json")
    assert code == 0
    data = json.loads(out)
    assert data["variant"] == "slow"
    assert data["trials"][0]["a.deadline.timeout"] == "20s"
    assert set(data["proposals"]) == {"today", "optimized"}
    assert data["proposals"]["optimized"]["measures"]["p99_s"]["difference"]["value"] < 0
    code, out, _ = cli(*command, "--format", "csv")
    frame = pd.read_csv(io.StringIO(out))
    assert len(frame) == 24
    values = [trial["p99_s"] for trial in data["trials"]]
    # Reading CSV, older pandas may be off by a last digit.
    assert frame["p99_s"].tolist() == pytest.approx(values, rel=1e-12)


def test_several_goals_print_a_front(cli: Cli, scenario: Path) -> None:
    goals = ("--minimize", "p99", "--maximize", "ok_rate")
    code, out, _ = cli("optimize", scenario, *TUNE, *goals, *FEW)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "- pareto-1: a.deadline.timeout=" in out
    assert "no where another is seen better in one goal and has a worse mean in none" in " ".join(
        out.split()
    )
    assert "variant error rate degraded rate goodput /s" in " ".join(out.split())
    assert "confirmed settings are on the Pareto front in fresh replications" in " ".join(
        out.split()
    )


def test_few_requests_beyond_a_percentile_are_a_warning(cli: Cli, scenario: Path) -> None:
    command = ("optimize", scenario, "--tune", "a.deadline.timeout=5s,6s", *FEW)
    for goal, warned in (
        (("--minimize", "p95"), ""),
        (("--minimize", "p99"), "lie beyond p99; a longer horizon tells more."),
        (("--maximize", "ok_rate", "--subject-to", "p99.9<9s"), "lie beyond p99.9; a longer"),
        (("--minimize", "max"), ""),
    ):
        _, out, _ = cli(*command, *goal)
        said = " ".join(out.split())
        assert ("Warning: fewer than 10 of" in said) == bool(warned)
        assert warned in said
    # A fault is there once, so a longer horizon would not tell more of it.
    fault = "faults: [{on: a, from: 50s, for: 5s, hang: {}}]\n"
    scenario.write_text(SCENARIO + fault, "utf-8")
    _, out, _ = cli(*command, "--minimize", "p99")
    assert "Warning" not in out


def test_a_front_of_lower_bounds_is_a_question(cli: Cli, scenario: Path) -> None:
    queue = ("--set", "a.concurrency=2", "--set", "a.deadline.timeout=1s", "--set", "drain=0s")
    tune = ("--set", "a.queue_limit=9", "--tune", "a.queue_limit=0,4")
    goals = ("--minimize", "rejected_rate", "--minimize", "timed_out_rate")
    code, out, _ = cli("optimize", scenario, *queue, *tune, *goals, *FEW)
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("pareto-1 "))
    assert "> " in row
    assert " ? " in row


def test_exit_code_1_where_nothing_keeps_a_constraint(
    cli: Cli, scenario: Path, tmp_path: Path
) -> None:
    file = tmp_path / "better.yaml"
    goal = ("--minimize", "p99", "--subject-to", "p50<1ms")
    code, out, err = cli("optimize", scenario, *TUNE, *goal, *FEW, "--out", file)
    assert (code, err) == (1, "")
    assert "No settings keep p50<1ms; the nearest come to p50 " in out
    assert "so --out is not written" in " ".join(out.split())
    assert not file.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "cascadesim optimize: missing option '--tune'"),
        (TUNE, "cascadesim optimize: give a measure, such as --minimize p99"),
        ((*TUNE, "--minimize", "p98"), "--minimize p98: is no measure"),
        (("--tune", "a.deadline.timeout", "--minimize", "p99"), "expected PATH=VALUES"),
        ((*TUNE, "--minimize", "p99", "--out", "x.json"), "ends in neither .yaml nor .yml"),
        ((*TUNE, "--minimize", "p99", "--plot", "x.gif"), "ends in none of .png"),
        (
            (*TUNE, *THREE, "--plot", "x.png"),
            "--plot x.png: can be drawn for one goal or for two, got 3",
        ),
        ((*TUNE, "--minimize", "p99", "--confirm", "1"), "must be greater than or equal to 2"),
    ],
)
def test_errors_are_one_line(cli: Cli, scenario: Path, options: tuple[str, ...], says: str) -> None:
    code, out, err = cli("optimize", scenario, *options)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_without_optuna_a_line_says_how_to_install_it(
    cli: Cli, scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = cli("optimize", scenario, *TUNE, "--minimize", "p99", *FEW)
    assert code == 2
    assert "pip install 'cascadesim[search]'" in err
    assert err.count("\n") == 1


def test_it_is_part_of_the_package() -> None:
    assert callable(cascadesim.optimize)
