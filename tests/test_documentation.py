"""What the pages show is what the commands print: every figure in them comes from a run."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import cascadesim

README = ROOT / "README.md"
GUIDES = sorted((ROOT / "cascadesim" / "guides").glob("*.md"))
SCENARIOS = sorted((ROOT / "scenarios").glob("**/README.md"))
PAGES = [README, ROOT / "CHANGELOG.md", *GUIDES, *SCENARIOS]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# The command may go on in further lines, after a backslash. What is not a command of ours, such as
# pytest's, has a test of its own; `py` and `yml` are for what cannot be run here.
CONSOLE = re.compile(r"^```console\n\$ cascadesim (.+?[^\\])\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    pytest.param(
        command.replace("\\\n", ""),
        output,
        id=f"{name(page)}: {command.split()[0]}",
        marks=[] if page == README else [pytest.mark.slow],
    )
    for page in PAGES
    for command, output in CONSOLE.findall(page.read_text("utf-8"))
]
PYTHON = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
COMPUTED = [
    pytest.param(
        code,
        output,
        id=name(page),
        marks=[pytest.mark.slow] if page in SCENARIOS else [],  # every variant of a scenario
    )
    for page in PAGES
    for code, output in PYTHON.findall(page.read_text("utf-8"))
]


def yaml(page: Path) -> str:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    return str(text)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go where the pages' commands are given: a checkout in which chat.yaml has been saved."""
    for folder in ("scenarios", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "chat.yaml").write_text(yaml(README), "utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """Return what commands have printed, so that one which two pages show is run once."""
    return {}


def check_lines(shown: str, out: str) -> None:
    """Fail unless the lines that are shown are printed, in order; "…" is what is left out."""
    lines = iter(line.rstrip() for line in out.splitlines())
    for line in shown.splitlines():
        if line != "…":
            assert line.rstrip() in lines, f"{line!r} is not printed, or not in this order"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_command_prints_the_lines_that_the_page_shows(
    cli: Cli, printed: dict[str, str], command: str, output: str
) -> None:
    if command not in printed:
        _, printed[command], _ = cli(*shlex.split(command))
    check_lines(output, printed[command])


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(("code", "output"), COMPUTED)
def test_code_prints_the_lines_that_the_page_shows_below_it(
    capsys: pytest.CaptureFixture[str], code: str, output: str
) -> None:
    exec(compile(code, "page", "exec"), {})
    check_lines(output, capsys.readouterr().out)


def test_the_pages_show_something() -> None:
    assert len(SHOWN) >= 15
    assert len(COMPUTED) >= 9


def test_code_that_is_not_run_is_python() -> None:
    texts = [page.read_text("utf-8") for page in PAGES]
    blocks = [
        code for text in texts for code in re.findall(r"^```py\n(.*?)^```$", text, re.M | re.S)
    ]
    assert blocks
    for code in blocks:
        compile(code, "page", "exec")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_pictures_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_the_scenario_of_the_readme_is_that_of_the_guides_and_runs() -> None:
    scenario, same = cascadesim.loads(yaml(README)), cascadesim.loads(yaml(guide("scenario")))
    assert scenario.document.data == same.document.data
    assert cascadesim.run(scenario).summary.requests > 0


def guide(of: str) -> Path:
    return ROOT / "cascadesim" / "guides" / f"{of}.md"


def test_the_readme_is_short_and_lists_every_guide_by_its_question() -> None:
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 200
    listed = re.findall(r"^- \[(\w+)\]\(cascadesim/guides/(\w+)\.md\): (.+)$", text, re.M)
    assert all(label == file for label, file, _ in listed)
    titles = {page.stem: page.read_text("utf-8").splitlines()[0] for page in GUIDES}
    assert {file: f"# {question}" for _, file, question in listed} == titles


def test_the_readme_shows_what_make_replay_runs() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", "")
    (incidents,) = re.findall(r"^INCIDENTS := (.+)$", makefile, re.M)
    (run,) = re.findall(r"/cascadesim (replay .+)$", makefile, re.M)
    command, _ = CONSOLE.findall(README.read_text("utf-8"))[0]
    assert command.replace("\\\n", "").split() == run.replace("$(INCIDENTS)", incidents).split()


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_a_guide_begins_with_a_question_and_fits_80_columns(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    assert re.fullmatch(r"# .+\?", lines[0])
    assert [line for line in lines if len(line) > 80] == []
