"""What every command shares: help, wrong usage, errors and interrupts."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import cascadesim

INCIDENT = ROOT / "scenarios" / "incident-60s"
COMMANDS = (
    *("replay", "run", "compare", "sweep", "optimize", "check", "diff", "plot"),
    *("lint-config", "list", "init", "schema", "store"),
)


def test_version_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['cascadesim', '--version']\n"
        "from cascadesim.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pydantic', 'pandas', 'scipy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
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


def test_ctrl_c_is_a_line_and_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cascadesim.studies.run.simulate", interrupt)
    assert cli("run", INCIDENT) == (130, "", "cascadesim: interrupted\n")
