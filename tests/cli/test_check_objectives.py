"""`cascadesim check` in a build: objectives, the files it writes, and the pre-commit hook."""

import io
import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from conftest import ROOT, Cli
from ruamel.yaml import YAML
from streams import command

INCIDENT = ROOT / "scenarios" / "incident-60s"


def queue(folder: Path, name: str = "queue", **more: object) -> Path:
    """Return the file of an M/M/1 queue, which is slow, or fast on more servers."""
    data = {
        "name": name,
        "horizon": "60s",
        "drain": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
        "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
        "objectives": ["p99 < 600ms", "error_rate < 1%"],
        "variants": {"slow": {}, "fast": {"a.concurrency": 20}},
    }
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(data | more), "utf-8")
    return file


def gate(*more: str | Path) -> tuple[str | Path, ...]:
    return ("check", "--objectives", *more, "--jobs", "1", "--no-store")


def test_check_exits_with_1_where_an_objective_is_missed(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli(*gate(queue(tmp_path)))
    assert (code, err) == (1, "")
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith("\n1 of 4 objectives missed\n1 replication from seed 1.\n")
    rows = [line.split() for line in out.splitlines() if re.match("slow|fast", line)]
    assert [(*row[:2], row[-1]) for row in rows if row[-1] in ("met", "missed")] == [
        *[("slow", "p99", "missed"), ("slow", "error_rate", "met")],
        *[("fast", "p99", "met"), ("fast", "error_rate", "met")],
    ]
    blame = out.partition("To blame")[2]
    assert re.search(r"(?m)^slow +p99 < 600ms +\d+% a\.concurrency$", blame)
    code, out, err = cli(*gate(queue(tmp_path), "--variants", "fast"))
    assert (code, err, out.splitlines()[1]) == (0, "", "2 objectives met")
    code, out, _ = cli(*gate(queue(tmp_path), "--set", "a.concurrency=20"))
    assert code == 0


def test_check_writes_what_a_build_shows(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scenarios = (queue(tmp_path), queue(tmp_path, "plain", variants={}, seed=7))
    junit, summary = tmp_path / "out" / "junit.xml", tmp_path / "summary.md"
    files = ("--junit", junit, "--markdown", summary, "--replications", "3")
    code, out, err = cli(*gate(*scenarios, *files))
    assert (code, err) == (1, "")
    assert "3 replications from seed 1 (queue), 7 (plain); means with half" in out
    suites = {each.get("name"): each for each in ET.parse(junit).iter("testsuite")}
    assert {name: len(each.findall("testcase")) for name, each in suites.items()} == {
        "queue": 4,
        "plain": 2,
    }
    text = summary.read_text("utf-8")
    assert text.startswith("### ❌ ")
    assert "3 replications from seed 1 (`queue`), 7 (`plain`); means with half their" in text
    # The command it tells, run again on any number of workers, gives the same bytes.
    (command,) = re.findall(r"(?m)^\$ cascadesim (.*)$", text)
    options = ("--jobs", "2", "--no-store", "--markdown", "-", "--junit", tmp_path / "again.xml")
    code, out, err = cli(*shlex.split(command), *options)
    assert (code, out, err) == (1, text, "")
    assert (tmp_path / "again.xml").read_bytes() == junit.read_bytes()


def test_markdown_is_utf_8_whatever_the_locale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    raw, errors = io.BytesIO(), io.StringIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    run = gate(queue(tmp_path), "--markdown", "-")
    assert (command(monkeypatch, *run, out=out, err=errors), errors.getvalue()) == (1, "")
    assert raw.getvalue().decode("utf-8").startswith("### ❌ 1 of 4 objectives missed\n")


def test_check_objectives_as_json(cli: Cli, tmp_path: Path) -> None:
    file = queue(tmp_path)
    code, out, err = cli(*gate(file, "--seed", "0", "--format", "json"))
    found = json.loads(out)
    assert (code, err, found["missed"], found["met"]) == (1, "", 1, False)
    (scenario,) = found["scenarios"]
    assert (scenario["scenario"], scenario["file"], scenario["seed"]) == ("queue", str(file), 0)
    assert [each["variant"] for each in scenario["variants"]] == ["slow", "fast"]
    assert scenario["variants"][0]["objectives"][0]["blame"]["setting"] == "a.concurrency"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--junit", "x.xml"], "--junit: goes with --objectives"),
        (["--seed", "0"], "--seed: goes with --objectives"),
        (
            ["--objectives", "--variant", "fast"],
            "--variant: goes without --objectives, which takes --variants fast",
        ),
        (["--objectives", "--quiet"], "--quiet: goes without --objectives"),
        (
            ["--objectives", "--markdown", "-", "--format", "json"],
            "--markdown -: prints Markdown, and --format json prints JSON",
        ),
        (
            ["--objectives", "--junit", "a", "--markdown", "./a"],
            "--markdown: is the file of --junit too; give another",
        ),
        (["--objectives", "--junit", "queue.yaml/x.xml"], "queue.yaml: cannot be written: "),
        (["--objectives", "--variants", "fats"], 'no variant "fats"; did you mean "fast"?'),
        (["--objectives", "--set", "a.concurency=2"], 'did you mean "concurrency"?'),
    ],
)
def test_what_cannot_be_done_is_one_line_and_2(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    def simulate(*_: object, **__: object) -> None:
        raise AssertionError("nothing is simulated in vain")

    monkeypatch.setattr("cascadesim.studies.run.simulate", simulate)
    monkeypatch.chdir(tmp_path)
    queue(tmp_path)
    code, out, err = cli("check", "queue.yaml", *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err


def test_check_prints_the_settings_of_several_scenarios(cli: Cli, tmp_path: Path) -> None:
    files = (queue(tmp_path), queue(tmp_path, "other"))
    code, out, err = cli("check", *files)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if "valid" in line] == [
        "queue: valid",
        "other: valid",
    ]
    found = json.loads(cli("check", *files, "--format", "json")[1])
    assert [each["scenario"] for each in found] == ["queue", "other"]


@pytest.fixture
def hook() -> dict[str, str]:
    (hook,) = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    return hook  # type: ignore[no-any-return]


def test_the_hook_has_what_pre_commit_needs(hook: dict[str, str]) -> None:
    assert {"id", "name", "entry", "language"} <= hook.keys()
    files = re.compile(hook["files"])
    shipped = [path.relative_to(ROOT).as_posix() for path in INCIDENT.parent.glob("*/*.yaml")]
    assert shipped
    assert all(map(files.search, [*shipped, "scenario.yml", "a/scenario.yaml"]))
    assert not any(map(files.search, ["my-scenario.yaml", "scenarios.yaml", "scenarios/a.json"]))


def test_the_hook_passes_good_files_and_names_every_bad_one(
    cli: Cli, tmp_path: Path, hook: dict[str, str]
) -> None:
    program, *entry = shlex.split(hook["entry"])
    assert program == "cascadesim"
    good = [INCIDENT / "scenario.yaml", queue(tmp_path)]
    assert cli(*entry, *good) == (0, "", "")
    wrong = queue(tmp_path, "wrong", horizon="60")
    variant = queue(tmp_path, "variant", variants={"v": {"a.concurency": 2}})
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [", "utf-8")
    code, out, err = cli(*entry, wrong, *good, variant, broken)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(map(str, (wrong, variant, broken)))
    assert ("variants.v.a.concurency" in lines[1], "is not YAML" in lines[2]) == (True, True)
