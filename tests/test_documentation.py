"""What the pages show is what the commands print: every figure in them comes from a run."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import cascadesim

PAGES = [ROOT / "README.md", *sorted((ROOT / "scenarios").glob("**/README.md"))]
CONSOLE = re.compile(r"^```console\n\$ cascadesim (.+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    pytest.param(command, output, id=f"{page.parent.name}: {command}")
    for page in PAGES
    for command, output in CONSOLE.findall(page.read_text("utf-8"))
]
PYTHON = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMPUTED = [
    pytest.param(code, output, id=page.parent.name)
    for page in PAGES
    for code, output in PYTHON.findall(page.read_text("utf-8"))
]


def check_lines(shown: str, out: str) -> None:
    """Fail unless the lines that are shown are printed, in order; "…" is what is left out."""
    printed = iter(line.rstrip() for line in out.splitlines())
    for line in shown.splitlines():
        if line != "…":
            assert line.rstrip() in printed, f"{line!r} is not printed, or not in this order"


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_command_prints_the_lines_that_the_page_shows(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, output: str
) -> None:
    monkeypatch.chdir(ROOT)
    _, out, _ = cli(*shlex.split(command))
    check_lines(output, out)


@pytest.mark.slow  # every variant of a scenario
@pytest.mark.parametrize(("code", "output"), COMPUTED)
def test_code_prints_the_lines_that_the_page_shows_below_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, output: str
) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    check_lines(output, capsys.readouterr().out)


def test_the_pages_show_something() -> None:
    assert len(SHOWN) >= 5
    assert len(COMPUTED) >= 6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_the_scenario_in_the_readme_runs() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGES[0].read_text("utf-8"), re.M | re.S)
    assert cascadesim.run(cascadesim.loads(text)).summary.requests > 0
