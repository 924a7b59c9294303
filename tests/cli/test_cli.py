import contextlib
import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from conftest import ROOT, Cli

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.model.outcome import CAUSES

INCIDENT = ROOT / "scenarios" / "incident-60s"
COMMANDS = ("replay", "run", "compare", "check", "plot", "schema", "list", "init")


def test_version_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['cascadesim', '--version']\n"
        "from cascadesim.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == f"cascadesim {cascadesim.__version__}\n[]\n"


def test_no_command_imports_what_it_does_not_use() -> None:
    code = (
        "import sys; sys.argv = ['cascadesim', 'check', sys.argv[1]]\n"
        "from cascadesim.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('pandas', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(INCIDENT)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_fits_80_columns(cli: Cli, command: str) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"cascadesim {command}" in out.partition("Examples:")[2]
    assert max(map(len, out.splitlines())) <= 80


def test_replay_prints_observed_and_simulated_side_by_side(cli: Cli) -> None:
    code, out, err = cli("replay", INCIDENT, "--variants", "before,after,recommended")
    assert (code, err) == (0, "")
    assert "Observed at 23:31:00: 60.272154 s" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "recommended meets every objective, at the cost of" in out
    assert "agent.reliability_manager.recovery_timeout" in out.partition("To blame")[2]


def test_replay_as_json(cli: Cli) -> None:
    code, out, _ = cli("replay", INCIDENT, "--variants", "before,after", "--format", "json")
    assert code == 0
    (seen,) = json.loads(out)["observations"]
    assert (seen["at"], seen["observed_s"]) == ("23:31:00", 60.272154)
    for variant in ("before", "after"):
        one = seen["variants"][variant]
        assert set(one["attribution_s"]) == set(CAUSES)
        assert sum(one["attribution_s"].values()) == pytest.approx(one["simulated_s"], abs=1e-9)
        assert sum(one["parts_s"].values()) == pytest.approx(one["simulated_s"], abs=1e-9)
    summary = json.loads(out)["variants"]["after"]
    assert set(summary["percentiles_s"]) == set(PERCENTILES)
    assert summary["settings"]["agent.breaker.recovery_timeout"] == "10s"
    assert [t["state"] for t in summary["transitions"]].count("open") >= 2


def test_replay_of_several_ends_with_a_table_of_all(cli: Cli) -> None:
    paths = [INCIDENT, INCIDENT.with_name("incident-179s")]
    code, out, _ = cli("replay", *paths, "--variants", "before,recommended")
    assert code == 0
    last = out.partition("The observed requests")[2]
    assert "incident-179s" in last
    assert "179.000000" in last


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


def test_compare_exits_with_1_where_an_objective_is_missed(cli: Cli) -> None:
    code, out, err = cli("compare", INCIDENT, "--variants", "before,after")
    assert (code, err) == (1, "")
    assert "Difference from before in seconds" in out
    assert cli("compare", INCIDENT, "--variants", "recommended")[0] == 0


def test_compare_as_csv_is_tidy(cli: Cli) -> None:
    _, out, _ = cli("compare", INCIDENT, "--variants", "before,after", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 2 * len(PERCENTILES)
    assert set(rows[0]) == {"variant", "percentile", "latency_s", "difference_s", "at_least"}


def test_check_prints_breakers_retries_bounds_and_warnings(cli: Cli) -> None:
    code, out, _ = cli("check", INCIDENT.with_name("incident-179s"), "--variant", "recommended")
    assert code == 0
    for heading in (
        "Breakers against a dead dependency",
        "Retries of a call",
        "Worst-case latency",
    ):
        assert heading in out
    assert "Warning: database.session.lifetime, database.pool.timeout" in " ".join(out.split())
    code, out, _ = cli("check", INCIDENT, "--format", "json")
    assert json.loads(out)["worst_case_by_stage"]["agent"]["worst_case_s"] == 510


def test_schema_is_the_file_beside_the_scenarios(cli: Cli) -> None:
    code, out, _ = cli("schema")
    assert code == 0
    assert (ROOT / "scenarios" / "scenario.schema.json").read_text("utf-8") == out
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


@pytest.mark.parametrize("file", sorted((ROOT / "scenarios").glob("*/*.yaml")), ids=str)
def test_scenarios_name_their_schema_and_keep_it(cli: Cli, file: Path) -> None:
    first = file.read_text("utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../scenario.schema.json"
    schema = json.loads((file.parent / first.partition("=")[2]).read_text("utf-8"))
    jsonschema.validate(cascadesim.load(file).document.data, schema)


def test_list_shows_what_there_is(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("list", ROOT / "scenarios")
    assert code == 0
    assert "incident-120s/startup.yaml" in out
    assert "variants: before, after, recommended" in out
    (tmp_path / "bad.yaml").write_text("name: 3\n")
    code, out, err = cli("list", tmp_path)
    assert (code, out) == (0, "no scenarios here\n")
    assert err.startswith(f"{tmp_path}/bad.yaml:1:")


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


def test_plot_draws_and_refuses_what_it_cannot_draw(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "p.png"
    assert cli("plot", INCIDENT, "--variants", "before,after", "-o", out)[0] == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    code, _, err = cli("plot", INCIDENT, "-o", tmp_path / "p.gif")
    assert code == 2
    assert err.endswith("p.gif: ends in none of .png, .svg, .pdf\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "nowhere"], "nowhere: no such file"),
        (["run", INCIDENT, "--variant", "aftr"], 'no variant "aftr"; did you mean "after"?'),
        (["run", INCIDENT, "--set", "agent.braker.when_open=wait"], 'did you mean "breaker"?'),
        (["run", INCIDENT, "--set", "agent.deadline.timeout=60"], 'write "60s"'),
        (["run", INCIDENT, "--set", "agent.deadline.timeout"], "expected PATH=VALUE"),
        (["run", INCIDENT, "--out", "/dev/null/x"], "cannot be written"),
        (["compare", INCIDENT, "--variants", "befor"], 'did you mean "before"?'),
        (["list", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line_and_2(
    cli: Cli, arguments: list[str | Path], says: str
) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["nope"], ["run"], ["run", "x", "--seed", "-1"], ["--no"]])
def test_wrong_usage_is_2_without_a_traceback(cli: Cli, arguments: list[str]) -> None:
    code, _, err = cli(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_a_terminal_gets_a_progress_bar_for_what_takes_long(tmp_path: Path) -> None:
    slow = tmp_path / "slow.yaml"
    text = (INCIDENT / "scenario.yaml").read_text("utf-8")
    slow.write_text(
        text.replace("rate: 4/s", "rate: 60/s").replace("horizon: 15min", "horizon: 20min")
    )
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "cascadesim", "run", str(slow)]
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        process = subprocess.Popen(command, stdout=stdout, stderr=writer)
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while block := os.read(reader, 4096):
            shown += block
    os.close(reader)
    assert process.wait() == 0
    assert b"simulating incident-60s" in shown
    assert b"\x1b" not in out.read_bytes()
