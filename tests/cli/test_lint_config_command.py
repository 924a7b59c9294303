import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Cli

from cascadesim.lint import lint_config

DATA = ROOT / "tests" / "data"
MAPPING = DATA / "settings.map.yaml"
SCENARIO = """\
name: service
horizon: 200s
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  a:
    work: {constant: 1s}
    failure_rate: 1%
    concurrency: 20
    policies: [deadline: {timeout: 10s}]
  db:
    work: {constant: 1s}
    pool: {connect_time: 40ms}
variants: {slow: {a.deadline.timeout: 20s}}
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, and work in another one."""
    elsewhere = tmp_path / "elsewhere"
    folder = tmp_path / "service"
    for path in (elsewhere, folder / "src"):
        path.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    (folder / "scenario.yaml").write_text(SCENARIO, "utf-8")
    (folder / "src" / "agent.py").write_text("TIMEOUT = 10\n\nLIMIT = 20\n", "utf-8")
    (folder / "src" / "agent.yaml").write_text("failures: 0.5%\npool: {ms: 40}\n", "utf-8")
    return folder


def mapping(
    service: Path, settings: str, top: str = "scenario: scenario.yaml\nroot: src\n"
) -> Path:
    path = service / "settings.map.yaml"
    path.write_text(f"{top}{settings}", "utf-8")
    return path


def test_help_has_examples_and_fits_80_columns(cli: Cli) -> None:
    code, out, _ = cli("lint-config", "--help")
    assert code == 0
    assert "cascadesim lint-config" in out.partition("Examples:")[2]
    assert max(map(len, out.splitlines())) <= 80
    assert "lint-config" in cli("--help")[1]


def test_no_drift_exits_with_0(cli: Cli) -> None:
    code, out, err = cli("lint-config", MAPPING)
    assert (code, err) == (0, "")
    assert out.endswith("No drift.\n")
    assert max(map(len, out.splitlines()[2:])) <= 80


def test_drift_exits_with_1_and_a_line_for_each_place(cli: Cli) -> None:
    code, out, err = cli("lint-config", MAPPING, "--root", DATA / "service-before")
    assert (code, err) == (1, "")
    assert "- .env:2 says AGENT_TIMEOUT_SECONDS = 30, the scenario 15 s\n" in out
    assert "- database.pool.timeout <= 5s does not hold: " in out
    assert "No drift" not in out


def test_each_service_is_its_variant_and_not_the_other(cli: Cli) -> None:
    settings = {}
    for variant in ("before", "after"):
        for service in ("before", "after"):
            lint = lint_config(MAPPING, variant=variant, root=DATA / f"service-{service}")
            settings[variant, service] = sum(len(each.drift) for each in lint.settings)
    assert settings["before", "before"] == settings["after", "after"] == 0
    assert settings["before", "after"] == settings["after", "before"] == 10


def test_the_places_are_relative_to_the_mapping(cli: Cli, service: Path) -> None:
    path = mapping(service, "settings: {a.deadline.timeout: agent.py:TIMEOUT}")
    assert cli("lint-config", path)[0] == 0
    code, out, _ = cli("lint-config", Path("..", "service", path.name), "--variant", "slow")
    assert code == 1
    assert out.splitlines()[-1] == "- agent.py:1 says TIMEOUT = 10, the scenario 20 s"
    assert "Settings in ../service/src against service, variant slow" in out


def test_every_kind_of_setting_is_compared_in_its_unit(cli: Cli, service: Path) -> None:
    path = mapping(
        service,
        "settings:\n"
        "  a.failure_rate: agent.yaml:failures\n"
        "  a.concurrency: agent.py:LIMIT\n"
        "  db.pool.connect_time: {at: 'agent.yaml:pool.ms', unit: ms}\n"
        "  workload.arrivals.poisson.rate: {at: 'agent.py:LIMIT', unit: /s}\n",
    )
    code, out, _ = cli("lint-config", path)
    assert (code, [line for line in out.splitlines() if line.startswith("-")]) == (
        1,
        [
            "- agent.yaml:1 says failures = 0.5%, the scenario 1%",
            "- agent.py:3 says LIMIT = 20 (20/s), the scenario 4/s",
        ],
    )


def test_json_is_plain_data(cli: Cli, service: Path) -> None:
    path = mapping(
        service, "settings: {a.deadline.timeout: agent.py:LIMIT}\nchecks: [a.deadline.timeout < 5s]"
    )
    code, out, _ = cli("lint-config", path, "--format", "json")
    assert code == 1
    data = json.loads(out)
    reading = {
        "file": "agent.py",
        "line": 3,
        "name": "LIMIT",
        "text": "20",
        "value": 20.0,
        "default": False,
    }
    assert data["settings"] == [
        {
            "setting": "a.deadline.timeout",
            "scenario": 10.0,
            "places": [reading | {"drift": True, "code": "D01"}],
        }
    ]
    assert data["checks"] == [
        {"check": "a.deadline.timeout < 5s", "holds": False, "code": "D03", "missed_by": [reading]}
    ]
    assert len(data["drift"]) == 2


def test_annotations_are_at_the_line_from_the_working_directory(
    cli: Cli, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(service)
    (service / "src" / "odd,100%.py").write_text("\nT = '9s'\n", "utf-8")
    path = mapping(service, "settings: {a.deadline.timeout: 'odd,100%.py:T'}")
    code, out, _ = cli("lint-config", path, "--format", "github")
    assert code == 1
    assert out == (
        "::warning file=src/odd%2C100%25.py,line=2,title=D01 a.deadline.timeout::"
        "odd,100%25.py:2 says T = '9s', the scenario 10 s\n"
    )


def test_without_a_scenario_the_places_are_held_against_each_other(cli: Cli, service: Path) -> None:
    path = mapping(service, "settings: {limit: [agent.py:LIMIT, agent.py:TIMEOUT]}", "root: src\n")
    code, out, _ = cli("lint-config", path)
    assert code == 1
    assert out.splitlines()[-1] == "- agent.py:1 says TIMEOUT = 10, agent.py:3 says LIMIT = 20"
    only_checks = mapping(service, "checks: [agent.py:TIMEOUT < agent.py:LIMIT]", "root: src\n")
    code, out, _ = cli("lint-config", only_checks)
    assert (code, out.splitlines()[-1]) == (0, "Every check holds.")


@pytest.mark.parametrize(
    ("check", "holds"),
    [
        ("a.deadline.timeout == 10s", True),
        ("a.deadline.timeout != 10000ms", False),
        ("a.deadline.timeout >= 10s", True),
        ("a.deadline.timeout < 10s", False),
        ("a.deadline.timeout > agent.yaml:pool.ms", True),  # 40 ms
        ("agent.py:LIMIT > agent.py:TIMEOUT", True),
        ("agent.yaml:failures <= 0.5%", True),
        ("agent.py:LIMIT == 20", True),
        ("agent.py:LIMIT != none", True),
    ],
)
def test_comparisons(service: Path, check: str, holds: bool) -> None:
    (service / "src" / "agent.yaml").write_text("failures: 0.5%\npool: {ms: 40ms}\n", "utf-8")
    text = f"settings: {{a.deadline.timeout: agent.py:TIMEOUT}}\nchecks: ['{check}']"
    (found,) = lint_config(mapping(service, text)).checks
    assert found.holds is holds


def test_a_limit_that_there_is_not_is_beyond_any_other(service: Path) -> None:
    (service / "src" / "agent.py").write_text("RECYCLE = None\n", "utf-8")
    path = mapping(service, "checks: [agent.py:RECYCLE <= 5s, agent.py:RECYCLE > 5s]")
    assert [check.holds for check in lint_config(path).checks] == [False, True]


ERRORS: list[tuple[str, str]] = [
    ("settings: {a.deadline.timeout: agent.py:TIMEOUTS}", r'map.yaml:3:\d+: a.deadline.timeout: '
     r'agent.py: no constant "TIMEOUTS"; did you mean "TIMEOUT"\?'),
    ("settings: {a.deadline.timeout: agnt.py:TIMEOUT}", r"map.yaml:3:\d+: a.deadline.timeout: no "
     r"such file: .*agnt.py"),
    ("settings: {a.deadline.timeout: agent.txt:TIMEOUT}", r"cannot read \"agent.txt\"; known are"),
    ("settings: {a.deadline.timeout: TIMEOUT}", r"expected FILE:PATTERN such as"),
    ("settings: {a.deadline.timout: agent.py:TIMEOUT}", r'map.yaml:3:12: a.deadline.timout: no '
     r'setting "timout"; did you mean "timeout"\?'),
    ("settings: {b.deadline: agent.py:TIMEOUT}", r'no stage or setting "b"'),
    ("settings: {a.deadline: agent.py:TIMEOUT}", r"is a group of settings; name one inside"),
    ("settings: {a.tracker.timeout: agent.py:TIMEOUT}", r"the scenario has none"),
    ("settings: {a.deadline.timeout: {at: agent.py:TIMEOUT, units: s}}", r'unknown key "units"; '
     r'did you mean "unit"\?'),
    ("settings: {a.deadline.timeout: {at: agent.py:TIMEOUT, unit: sec}}", r'unknown unit "sec"'),
    ("settings: {a.deadline.timeout: {unit: s}}", r"expected at: FILE:PATTERN"),
    ("settings: {a.deadline.timeout: []}", r"expected FILE:PATTERN such as .*, got a list"),
    ("settings: []", r"expected settings, checks or both"),
    ("settings: [a]", r"map.yaml:3:11: settings: expected a mapping, got a list"),
    ("checks: {a: b}", r"expected a list, got a mapping"),
    ("checks: [a is b]", r"map.yaml:3:10: checks.0: expected a comparison such as"),
    ("checks: [a.b < 5s]", r'no setting "a.b" in the mapping'),
    ("checks: [4s < 5s]", r"compares no setting of the mapping, and no place"),
    ("checks: [agent.py:TIMEOUT < 5%, agent.py:TIMEOUT < queue]", r"have no order; use =="),
    ("checks: [agent.yaml:failures < 5s]", r"compares a share with a time"),
    ("checks: [agent.py:TIMEOUT < 5sec]", r"expected a value such as 5s"),
    ("settings: {a.deadline.timeout: agent.py:BROKEN}\nvariant: fast", r"map.yaml:4:10: no variant "
     r'"fast"; known: slow'),
    ("setting: {}", r'map.yaml:3:1: unknown key "setting"; did you mean "settings"\?'),
    ("root: 5", r"stands here twice"),
    ("{", r"is not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "problem"), ERRORS, ids=[text for text, _ in ERRORS])
def test_bad_input_is_one_line_and_exit_code_2(
    cli: Cli, service: Path, settings: str, problem: str
) -> None:
    code, out, err = cli("lint-config", mapping(service, settings))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(problem, err), err


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("agent.py", "TIMEOUT = (", "agent.py:1:11: a.deadline.timeout: is not Python"),
        ("agent.py", "\nTIMEOUT = far()", "agent.py:2:11: a.deadline.timeout: TIMEOUT = far(): is"),
        ("agent.py", "from b import T\nTIMEOUT = T", "TIMEOUT = T: is the name T, which is not"),
        ("agent.py", "TIMEOUT = '\x1b[31m'", "agent.py:1:11: a.deadline.timeout: TIMEOUT = "),
        ("agent.py", b"\xff", "agent.py:1:1: a.deadline.timeout: is not UTF-8 text; save the"),
        (
            "agent.py",
            "é = 1\nB = 'é".encode() + b"\xff'",
            "agent.py:2:7: a.deadline.timeout: is not",
        ),
        ("agent.py", "x = 1\n" * 200_000, "agent.py: a.deadline.timeout: is larger than 1024 KiB"),
        ("agent.py", "TIMEOUT = float('inf')", "is .inf; where that means no limit, say so beside"),
        ("agent.py", "TIMEOUT = 'soon'", "is not a time: expected a duration such as"),
    ],
)
def test_what_cannot_be_read_is_told_where_it_stands(
    cli: Cli, service: Path, file: str, text: Any, problem: str
) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (service / "src" / file).write_bytes(content)
    path = mapping(service, "settings: {a.deadline.timeout: agent.py:TIMEOUT}")
    code, out, err = cli("lint-config", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err
    assert "\x1b" not in err


def test_what_is_no_file_is_not_waited_for(cli: Cli, service: Path) -> None:
    (service / "src" / "folder.py").mkdir()
    os.mkfifo(service / "src" / "pipe.py")
    for file in ("folder.py", "pipe.py"):
        path = mapping(service, f"settings: {{a.deadline.timeout: {file}:TIMEOUT}}")
        code, _, err = cli("lint-config", path)
        assert (code, err.count("\n")) == (2, 1)
        assert f"{file}: a.deadline.timeout: is not a file" in err


def test_values_settle_what_cannot_be_read(cli: Cli, service: Path) -> None:
    (service / "src" / "agent.yaml").write_text("t: 010\nlimit: off\n", "utf-8")
    at = "settings: {a.deadline.timeout: {at: 'agent.yaml:t'"
    code, out, err = cli("lint-config", mapping(service, f"{at}}}}}"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(r"agent.yaml:1:4: a.deadline.timeout: t = 010: is 8 in YAML 1.1", err)
    assert cli("lint-config", mapping(service, f"{at}, values: {{'010': 10s}}}}}}"))[0] == 0
    code, out, _ = cli("lint-config", mapping(service, f"{at}, values: {{'010': 8s}}}}}}"))
    assert code == 1
    assert "- agent.yaml:1 says t = 010 (8 s), the scenario 10 s\n" in out


def test_an_argument_that_is_left_out_needs_a_default(cli: Cli, service: Path) -> None:
    (service / "src" / "agent.py").write_text("run(work)\n", "utf-8")
    place = "agent.py:run(timeout)"
    code, _, err = cli(
        "lint-config", mapping(service, f"settings: {{a.deadline.timeout: {place}}}")
    )
    assert code == 2
    assert "agent.py:1:1: a.deadline.timeout: timeout: the call of run does not give it" in err
    assert err.endswith("does not give it; say beside the place what default: it has\n")
    path = mapping(service, f"settings: {{a.deadline.timeout: {{at: {place}, default: 10}}}}")
    assert cli("lint-config", path)[0] == 0
    assert lint_config(path).found == {}


def test_found_refuses_places_that_disagree(service: Path) -> None:
    from cascadesim import ScenarioError

    places = "[agent.py:TIMEOUT, agent.py:LIMIT]"
    lint = lint_config(mapping(service, f"settings: {{a.deadline.timeout: {places}}}"))
    with pytest.raises(ScenarioError, match=r"places disagree: agent.py:1 .*; agent.py:3 "):
        _ = lint.found


def test_the_mapping_in_the_guide_is_the_one_that_is_run() -> None:
    guide = (ROOT / "cascadesim" / "guides" / "lint.md").read_text("utf-8")
    text = re.findall(r"^```yml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)[0]
    lines = iter(MAPPING.read_text("utf-8").splitlines())
    for line in text.splitlines():
        if line != "…":
            assert line in lines, f"{line!r} is not in {MAPPING.name}, or not in this order"


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("settings: {a.deadline.timeout: agent.py:LIMIT}", "D01"),
        ("settings: {a.deadline.timeout: {at: agent.py:wait(timeout), default: 3}}", "D02"),
        ("checks: ['agent.py:TIMEOUT < 5s']", "D03"),
    ],
)
def test_each_finding_has_the_code_of_its_rule(
    cli: Cli, service: Path, what: str, code: str
) -> None:
    (service / "src" / "agent.py").write_text("TIMEOUT = 10\nLIMIT = 20\nwait(limit=3)\n")
    path = mapping(service, what)
    out = cli("lint-config", path)[1]
    assert re.search(rf"(drift|missed) \[{code}\]$", out, re.MULTILINE)
    data = json.loads(cli("lint-config", path, "--format", "json")[1])
    findings = data["checks"] or data["settings"][0]["places"]
    assert [finding["code"] for finding in findings] == [code]
    assert f"title={code} " in cli("lint-config", path, "--format", "github")[1]
    assert cli("rule", code)[1].startswith(f"# {code}: ")
