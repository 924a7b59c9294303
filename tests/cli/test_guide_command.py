"""The command that prints guides."""

import re

import pytest
from conftest import ROOT, Cli

FOLDER = ROOT / "cascadesim" / "guides"
NAMES = sorted(file.stem for file in FOLDER.glob("*.md"))
KNOWN = f"known: {', '.join(NAMES)}\n"


def test_the_list_has_a_line_for_each(cli: Cli) -> None:
    code, out, err = cli("guide")
    assert (code, err) == (0, "")
    listed = re.findall(r"^(\w+) +(.+\?)$", out, re.MULTILINE)
    assert [name for name, _ in listed] == NAMES
    assert ("statistics", "Is it a real difference, or luck?") in listed
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_in_a_pipe_it_is_the_markdown(cli: Cli, name: str) -> None:
    assert cli("guide", name) == (0, (FOLDER / f"{name}.md").read_text("utf-8"), "")


@pytest.mark.parametrize("columns", [80, 60, 200])
def test_on_a_terminal_it_is_set_in_80_columns_at_most(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes the output for a terminal
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = cli("guide", "attribution")
    assert "\x1b[1" in out  # bold
    plain = re.sub(r"\x1b(\[[\d;]*m|\]8;[^\\]*\\)", "", out)
    lines = [line.rstrip() for line in plain.splitlines()]
    assert max(map(len, lines)) <= min(columns, 80)
    assert "Where did the time go?" in plain
    assert not re.search(r"\*\*|`|\]\(", plain)
    if columns >= 80:  # what a command printed is as it was
        assert "before          60.272154  59.555 0.000   0.040     0.578   0.098    0.000" in lines


def test_on_a_terminal_links_to_the_web_are_left(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, out, _ = cli("guide", "pictures")
    assert "https://ui.perfetto.dev" in out
    assert "latency.png](" not in out
    assert "Latency of every request of the 60 s incident" in out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("stats", 'did you mean "statistics"? '),
        ("sweep", 'did you mean "sensitivity"? '),  # which speaks most of it
        ("xyzzy", ""),
        ("", ""),
        ("../guides/ci", ""),
    ],
)
def test_an_unknown_name_is_one_line_with_the_guides(cli: Cli, name: str, hint: str) -> None:
    code, out, err = cli("guide", name)
    assert (code, out) == (2, "")
    assert err == f"guide: {name}{': ' if name else ''}no such guide; {hint}{KNOWN}"


def test_names_are_completed() -> None:
    from cascadesim.cli.pages import names_that_begin

    assert names_that_begin("s") == ["scenario", "sensitivity", "statistics"]
