"""A page says the same in a terminal, in HTML and in Markdown, and runs nothing that users name."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.views.html import page_html
from cascadesim.views.markdown import LONGEST, page_markdown
from cascadesim.views.page import (
    Block,
    Cell,
    Command,
    Note,
    Page,
    Section,
    blocks,
    left,
    listing,
    name,
    setting,
    table,
)
from cascadesim.views.terminal import print_page, text

NAME = "<b>x</b> | `y` @z"
PATH = "agent.reliability_manager.recovery_timeout"
PAGE = Page(
    ("two of ", name(NAME), " missed"),
    blocks(
        table(
            "Objectives",
            ("variant", "value", left("met?"), left("setting")),
            [
                (name(NAME), Cell("> 1.000", 1.0), Cell("missed", kind="bad"), setting(PATH)),
                ("all", Cell("2.000", 2.0, below=("timed out",)), "met", ""),
            ],
            ("in all", "3.000", "", ""),
        ),
        listing("What changed:", [(name("a"), ": less")]),
        Note(("see ", setting(PATH)), "warning", "CS1"),
        Section("To repeat it", (Command("cascadesim run x"),), folded=True),
    ),
    "bad",
)
RENDERED = {
    "text": text(PAGE, 80),
    "html": str(page_html(PAGE)),
    "markdown": page_markdown(PAGE),
}


@pytest.mark.parametrize("kind", RENDERED)
def test_every_renderer_says_every_word(kind: str) -> None:
    said = unescape(RENDERED[kind])
    if kind == "html":
        said = re.sub(r"<(?!/?b>)[^>]*>", "", said)
    for word in (NAME, "two of", "missed", "Objectives", "> 1.000", "timed out", "in all", "3.000"):
        assert word in said
    for word in (PATH, "What changed:", "less", "Warning: see", "[CS1]", "To repeat it", "run x"):
        assert word in said


def test_nothing_is_left_of_an_empty_table() -> None:
    assert table("Nothing", ("a", "b"), []) is None
    assert listing("Nothing", []) is None
    assert blocks(None, [None, Note("x")]) == (Note("x"),)


def test_html_escapes_names_and_sorts_by_numbers() -> None:
    html = RENDERED["html"]
    assert "<b>" not in html
    assert 'data-sort="1.0"' in html
    assert '<span class="bad">missed</span>' in html
    assert "agent.<wbr>reliability_manager.<wbr>recovery_timeout" in html


def test_in_markdown_what_users_name_is_code() -> None:
    markdown = RENDERED["markdown"]
    title, *lines = markdown.splitlines()
    assert (
        title
        == "### ❌ two of <code>&#60;b&#62;x&#60;/b&#62; &#124; &#96;y&#96; &#64;z</code> missed"
    )
    assert f"| **missed** | `{PATH}` |" in markdown
    assert "| --- | ---: | --- | --- |" in lines
    assert "<details><summary>To repeat it</summary>" in lines
    assert "```console\n$ cascadesim run x\n```" in markdown


def test_a_page_that_is_too_long_for_a_comment_leaves_out_what_is_folded() -> None:
    long = Section(("Variant ", name("a<b")), (Note("x" * LONGEST),), folded=True)
    again = Section("To repeat it", (Command("cascadesim diff"),), folded=True)
    markdown = page_markdown(Page("t", (Note("first"), long, long, again)), "<!-- m -->")
    assert len(markdown) < 1000
    assert markdown.startswith("<!-- m -->\n\n### t\n\nfirst\n\n- Variant <code>a&#60;b</code>\n- ")
    assert markdown.count("In short, as GitHub takes no longer comment.") == 1
    assert "$ cascadesim diff" in markdown


def test_a_pipe_gets_80_columns_and_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    print_page(PAGE)
    out = capsys.readouterr().out
    assert out.strip() == RENDERED["text"]
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_table_that_is_too_wide_goes_on_below() -> None:
    columns = ("variant", *(f"p{i}" for i in range(20)))
    rows = [(name(f"v{i}"), *["1234.567"] * 20) for i in range(3)]
    said = text(Page("", blocks(table("", columns, rows))), 80)
    pieces = said.split("\n\n")
    assert [piece.split()[0] for piece in pieces] == ["variant"] * len(pieces)
    assert sum(piece.count("1234.567") for piece in pieces) == 60
    assert re.findall(r"p\d+", said) == [f"p{i}" for i in range(20)]


def test_a_path_is_folded_after_a_dot() -> None:
    rows = [(setting(PATH), *["1234.567"] * 4)]
    said = text(Page("", blocks(table("", ("setting", *"abcd"), rows))), 75)
    assert "agent.reliability_manager. " in said
    assert "\n  recovery_timeout" in said


TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=60)
CELLS = st.builds(Cell, TEXTS, kind=st.sampled_from(["", "name", "setting", "value", "bad"]))


@given(st.data(), st.integers(1, 6), st.integers(70, 120))
def test_no_line_is_longer_than_the_width(data: st.DataObject, n: int, width: int) -> None:
    columns = [left(data.draw(st.text("ab ", max_size=20))) for _ in range(n)]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4))
    found: Block | None = table("T", columns, rows)
    said = text(Page("P", blocks(found)), width)
    assert max(map(len, said.splitlines())) <= width
    squeezed = re.sub(r"\s", "", said)
    for row in rows:
        assert all(part in squeezed for part in re.split(r"\s", row[0].text) if len(part) < 10)
