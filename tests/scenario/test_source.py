"""What is read is written back the same, and everything keeps its place."""

from typing import Any

import pytest
from everything import EVERYTHING
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.scenario.load import loads
from cascadesim.scenario.source import Document, parse, write
from cascadesim.values.errors import Mark

TRICKY = [
    "23:29:00", "null", "~", "1e3", "1_000", "0x10", "0o17", "yes", "no", "on", "true", "60s",
    "60", "-1", "1.5", ".nan", ".inf", "1%", "4/s", "p99 < 5s", "a: b", "a # b", "# a", "- a",
    "{a}", "*a", "&a", "!a", "%a", "@a", "`a`", "'", '"', "", " a ", "a\nb", "a\n", "\n", "\ta",
    "é", "日本", "😀", "2020-01-01", "<<", "=", "---", "...", "a" * 200, "a b " * 60,
    "\x85", "\u2028", "\ufeff", "\x7f",
]  # fmt: skip
KEYS = st.text(max_size=8).filter(lambda text: text != "<<") | st.sampled_from(TRICKY)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.sampled_from(TRICKY)
    | st.text(max_size=40)
)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


def keys_in_order(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [(key, keys_in_order(value)) for key, value in data.items()]
    return [keys_in_order(value) for value in data] if isinstance(data, list) else []


@pytest.mark.parametrize("text", TRICKY)
def test_text_stays_text(text: str) -> None:
    data = {"a": text, text if text != "<<" else "b": [text]}
    assert parse(write(Document("f", data), ""), "f").data == data


@given(DATA, st.text())
def test_round_trip(data: dict[str, Any], comment: str) -> None:
    again = parse(write(Document("f", data), comment), "f").data
    assert again == data
    assert keys_in_order(again) == keys_in_order(data)


def test_a_scenario_comes_back_with_its_stages_in_order() -> None:
    scenario = loads(EVERYTHING)
    text = write(scenario.document, "Written by hand.\n\nTwice.")
    assert text.startswith("# Written by hand.\n#\n# Twice.\nname: everything\n")
    again = loads(text)
    assert again.model == scenario.model
    assert keys_in_order(again.document.data) == keys_in_order(scenario.document.data)
    assert list(again.model.stages) == ["auth", "backend", "database", "log"]


def test_an_override_is_written_without_aliases() -> None:
    work = {"constant": "1s"}
    scenario = loads(EVERYTHING).override({"auth.work": work, "log.work": work})
    text = write(scenario.document, "")
    assert "&" not in text
    assert loads(text).model == scenario.model


def test_every_value_has_its_place() -> None:
    document = parse("a: 1\nb:\n  - x\n  - c: {d: 2}\ne:\nf: null\n", "f")
    assert document.data == {"a": 1, "b": ["x", {"c": {"d": 2}}], "e": None, "f": None}
    places = {
        (): (1, 1), ("a",): (1, 4), ("b",): (3, 3), ("b", 0): (3, 5), ("b", 1): (4, 5),
        ("b", 1, "c"): (4, 8), ("b", 1, "c", "d"): (4, 12),
        ("e",): (5, 1),  # nothing is written: where its key stands
        ("f",): (6, 4), ("no", "such"): (1, 1),
    }  # fmt: skip
    for location, place in places.items():
        assert document.mark(location) == Mark("f", *place)
    assert document.mark(("b", 1, "c"), key=True) == Mark("f", 4, 5)


def test_a_part_and_a_replacement_keep_their_places() -> None:
    document, other = parse("a: {b: 1}\nc: 2\n", "f"), parse("x:\n  y: 3\n", "g")
    changed = document.replace(("a", "new", "b"), other.part(("x",)))
    assert changed.data == {"a": {"b": 1, "new": {"b": {"y": 3}}}, "c": 2}
    assert changed.mark(("a", "new", "b", "y")) == Mark("g", 2, 6)
    assert changed.mark(("a", "new", "b"), key=True) == Mark("g", 1, 1)
    assert changed.mark(("a", "new")) == Mark("g", 1, 1)  # made on the way
    assert changed.mark(("a", "b")) == Mark("f", 1, 8)
    assert document.data == {"a": {"b": 1}, "c": 2}
