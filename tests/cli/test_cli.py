import contextlib
import csv
import io
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from conftest import ROOT, Cli

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.cli.progress import progress_bar
from cascadesim.plan.causes import CAUSES

INCIDENT = ROOT / "scenarios" / "incident-60s"
COMMANDS = (
    *("replay", "run", "compare", "sweep", "optimize", "check", "diff", "plot"),
    *("lint-config", "list", "init", "schema", "store", "guide"),
)


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
    assert command == ["cascadesim", "run", f"{INCIDENT}/scenario.yaml", *run[2:]]
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], "no such command 'nope'"),
        (["--no"], "no such option: --no"),
        (["run"], "missing argument 'SCENARIO'"),
        (["run", "x", "--sed", "1"], "no such option: --sed"),
        (["run", "x", "y"], "unexpected extra argument"),
        (["run", "x", "--seed", "abc"], "invalid value for '--seed': "),
        (["run", "x", "--seed", "-1"], "invalid value for '--seed': "),
        (["run", "x", "--seed", str(10**18 + 1)], "1000000000000000000; see"),
        (["run", "x", "--format", "xml"], "'xml' is not one of 'table', 'json', 'csv'"),
        (["plot", "x"], "missing option '--out' / '-o'"),
    ],
)
def test_wrong_usage_is_one_line_and_2(cli: Cli, arguments: list[str], says: str) -> None:
    code, out, err = cli(*arguments)
    command = f"cascadesim {arguments[0]}" if arguments[0] in COMMANDS else "cascadesim"
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"{command}: ")
    assert says in err
    assert err.endswith(f"; see {command} --help\n")
    assert "Input should" not in err


def test_no_command_is_a_call_for_help(cli: Cli) -> None:
    assert cli() == cli("--help")
    assert cli("--version") == (0, f"cascadesim {cascadesim.__version__}\n", "")


def test_usage_names_arguments_plainly(cli: Cli) -> None:
    for command, line in {
        "replay": "Usage: cascadesim replay [OPTIONS] SCENARIO...",
        "run": "Usage: cascadesim run [OPTIONS] SCENARIO",
        "list": "Usage: cascadesim list [OPTIONS] [FOLDER]",
    }.items():
        assert cli(command, "--help")[1].splitlines()[0] == line


# What only a process shows -------------------------------------------------------------------

CASCADESIM = [sys.executable, "-m", "cascadesim"]
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


def slow_scenario(tmp_path: Path, name: str = "slow") -> Path:
    """Return a scenario that takes several seconds."""
    file = tmp_path / "slow.yaml"
    text = (
        (INCIDENT / "scenario.yaml")
        .read_text("utf-8")
        .replace("name: incident-60s", f"name: {name}")
    )
    file.write_text(
        text.replace("rate: 4/s", "rate: 60/s").replace("horizon: 15min", "horizon: 20min")
    )
    return file


def on_terminal(out: Path, *arguments: str | Path) -> str:
    """Run a command with its errors on a terminal and its output in a file; return the errors."""
    code = (
        "import cascadesim.cli.progress; cascadesim.cli.progress.PATIENCE = 0.1\n"
        "from cascadesim.cli import main; main()"
    )
    reader, writer = pty.openpty()
    with out.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)], stdout=stdout, stderr=writer
        )
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while block := os.read(reader, 4096):
            shown += block
    os.close(reader)
    assert process.wait() == 0
    return shown.decode()


def test_a_terminal_gets_a_progress_bar_for_what_takes_long(tmp_path: Path) -> None:
    shown = on_terminal(tmp_path / "out", "run", slow_scenario(tmp_path, '"[/x] long"'))
    assert "simulating [/x] long" in shown
    assert b"\x1b" not in (tmp_path / "out").read_bytes()


def test_several_scenarios_share_one_bar(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labels, shares = [], []

    @contextlib.contextmanager
    def bar(label: str) -> Iterator[Callable[[float], None]]:
        labels.append(label)
        yield shares.append

    monkeypatch.setattr("cascadesim.cli.progress.progress_bar", bar)
    cli("init", tmp_path / "a")
    assert cli("replay", *[tmp_path / "a"] * 3)[0] == 0
    assert labels == ["replaying a, a, a"]
    assert shares == sorted(shares)
    assert (shares[0] < 0.01, shares[-1]) == (True, 1)


def test_files_are_written_under_the_bar(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = cascadesim.Result.save
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("cascadesim.cli.progress.PATIENCE", 1.0)

    def slow(result: cascadesim.Result, folder: Path) -> None:
        time.sleep(1.2)
        original(result, folder)

    monkeypatch.setattr(cascadesim.Result, "save", slow)
    cli("init", tmp_path / "a")
    assert "simulating a" in cli("run", tmp_path / "a", "--out", tmp_path / "o")[2]


def test_a_terminal_gets_no_bar_for_what_is_quick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("quick") as progress:
        assert progress is not None
        progress(0.5)
    assert capsys.readouterr().err == ""


def test_ctrl_c_is_a_line_and_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cascadesim.studies.run.simulate", interrupt)
    assert cli("run", INCIDENT) == (130, "", "cascadesim: interrupted\n")


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
