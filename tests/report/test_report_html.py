"""The report as a file: nothing in it runs, and it needs nothing beside it."""

import base64
import hashlib
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from conftest import ROOT, Cli
from reports import BREAKER, CONSTANT, HOSTILE, NAME, STAGE, VARIANT, Page, incident, report_of

import cascadesim
from cascadesim.plan.causes import CAUSES
from cascadesim.report.data import Report, report
from cascadesim.studies.execution import Execution
from cascadesim.values.outcome import Outcome

INCIDENT = ROOT / "scenarios" / "incident-60s"
LOADING = {"src", "href", "srcset", "action", "data", "poster", "formaction", "xlink:href"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    file = tmp_path_factory.mktemp("hostile") / "scenario.yaml"
    file.write_text(HOSTILE)  # from a file, as only that has comments
    return report(cascadesim.load(file), replications=1)


@pytest.fixture(scope="module")
def page_of_incident() -> str:
    return incident().html


def test_names_are_shown_and_do_not_run(hostile: Report) -> None:
    page = Page(hostile.html)
    assert page.tags.count("script") == 1
    assert set(page.tags) <= set(Page(report_of(CONSTANT).html).tags) | {
        "img",
        "circle",
    }  # a ring around an observed request
    assert all(value.startswith("data:image/svg+xml;base64,") for value in values(page, "src"))
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert ("h1", NAME) in page.texts
    for shown in (STAGE, BREAKER, VARIANT, "given: <script>alert(3)</script>"):
        assert shown in page.text
    # Line breaks and marks that turn text round are written out.
    assert "two\\nlines, <b>bold</b> & 'quotes' \\u202e </script>" in page.text
    assert "\u202e" not in page.text


def values(page: Page, *names: str) -> list[str]:
    return [value for _, name, value in page.attributes if name in names]


def test_names_in_drawings_are_escaped(hostile: Report) -> None:
    page = Page(hostile.html)
    told = [point.text for line in hostile.timelines for point in line.points]
    titles = [text for tag, text in page.texts if tag == "title" and text.startswith("arrived ")]
    assert sorted(titles) == sorted(text for text in told if text.startswith("arrived "))
    assert any(f"service work in {STAGE}" in title for title in titles)
    assert any(BREAKER in text for tag, text in page.texts if tag == "text")


def test_pictures_hold_no_script(hostile: Report) -> None:
    for source in values(Page(hostile.html), "src"):
        svg = base64.b64decode(source.partition(",")[2]).decode("utf-8")
        assert "<script" not in svg
        assert "<!ENTITY" not in svg


def test_the_page_allows_no_script_but_its_own(page_of_incident: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page_of_incident)
    (script,) = re.findall(r"<script>(.*?)</script>", page_of_incident, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in unescape(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"


def test_the_page_needs_no_other_file(page_of_incident: str) -> None:
    page = Page(page_of_incident)
    loaded = {value.partition(",")[0] for value in values(page, *LOADING)}
    assert {each for each in loaded if not each.startswith("#")} == {"data:image/svg+xml;base64"}
    targets = set(values(page, "href"))
    assert {target[1:] for target in targets} <= set(values(page, "id"))
    styles = "".join(text for tag, text in page.texts if tag == "style")
    assert "url(" not in styles
    assert "@import" not in styles
    assert "http" not in page.text


def test_the_page_is_small(page_of_incident: str) -> None:
    assert len(page_of_incident.encode()) < 3_000_000


def test_what_an_incident_is_about_is_on_the_page(page_of_incident: str) -> None:
    text = Page(page_of_incident).text
    for words in (
        "60.272154",
        "The reply of 23:31:00 took 60.27 s",
        "agent.reliability_manager.recovery_timeout",
        "agent: no answer",
        ": p99 fell by",
        "marks 14 values as given",
        "cascadesim report",
        "--seed 1",
        "# Every value is marked as given by the report or assumed by us",
    ):
        assert words in text, words
    assert "nan" not in re.findall(r"\b[a-z]+\b", text)


def test_every_part_of_the_page_goes_by_one_name(page_of_incident: str) -> None:
    page = Page(page_of_incident)
    ids = values(page, "id")
    assert len(ids) == len(set(ids))
    named = values(page, "aria-labelledby")
    assert named
    assert set(named) <= set(ids)


def test_every_outcome_has_a_mark_and_every_cause_a_colour(page_of_incident: str) -> None:
    ids = values(Page(page_of_incident), "id")
    assert {outcome.word for outcome in Outcome} <= set(ids)
    colours = re.findall(r"\.c-([a-z_]+) \{ background-color: (#[0-9A-F]{6});", page_of_incident)
    assert set(CAUSES) <= {cause for cause, _ in colours}
    assert len({colour for _, colour in colours}) == len(colours)


def test_without_intervals_none_is_told() -> None:
    text = Page(report_of(CONSTANT).html).text
    assert "±" not in text.replace("± half", "")
    assert "One replication only" in text
    assert "±" in Page(report_of(CONSTANT, replications=2).html).text


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(CONSTANT.replace("constant: {rate: 2/s}", "poisson: {rate: 2/s}"))
    file = tmp_path / "report.html"
    command = [sys.executable, "-m", "cascadesim", "report", str(scenario), "--no-store"]
    command += ["--replications", "2", "--jobs", "2", "-o", str(file)]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}  # another order of sets
    subprocess.run(command, env=environment, check=True, capture_output=True)
    page = file.read_bytes()
    here = report(cascadesim.load(scenario), replications=2, execution=Execution(jobs=1))
    assert here.html.encode() == page
    other = report(cascadesim.load(scenario), replications=2, seed=2, execution=Execution(jobs=1))
    assert other.html.encode() != page


def test_the_command_writes_the_report_and_prints_the_verdict(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(CONSTANT)
    file = tmp_path / "new" / "report.html"
    options = ("--variants", "before,faster", "--replications", "2", "--jobs", "1", "--seed", "5")
    code, out, err = cli("report", tmp_path, "-o", file, *options)
    assert (code, err) == (0, "")
    text = Page(file.read_text("utf-8")).text
    assert out.strip() in text
    assert out.startswith("Answered within 0.2 s are ")
    assert "; the p99 is 105 ms in before and 55 ms in faster; every variant meets" in out
    command = f"cascadesim report {tmp_path.name} --variants before,faster --seed 5"
    assert command in text
    assert list(file.parent.iterdir()) == [file]


def test_a_saved_run_is_reported_on(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(CONSTANT)
    saved, file = tmp_path / "saved", tmp_path / "report.html"
    assert cli("run", tmp_path, "--variant", "faster", "--out", saved)[0] == 0
    code, out, err = cli("report", saved, "-o", file, "--replications", "1")
    assert (code, err) == (0, "")
    assert "; the p99 is 55 ms, 100% of it service work; it meets p50 < 200ms." in out
    assert "Settings that differ" not in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--variants", "befor"), 'no variant "befor"; did you mean "before"?'),
        (("--set", "agent.nothing=1"), "nothing"),
        (("--replications", "0"), "replications"),
    ],
)
def test_bad_input_is_one_line(
    cli: Cli, tmp_path: Path, options: tuple[str, str], problem: str
) -> None:
    file = tmp_path / "report.html"
    code, out, err = cli("report", INCIDENT, "-o", file, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_told_before_the_run(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("report", INCIDENT, "-o", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is a folder" in err or "cannot be written" in err
