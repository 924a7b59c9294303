import json
import re
import string
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.lint import data
from cascadesim.lint.data import find_environment, find_json, find_toml, find_yaml
from cascadesim.lint.finds import Find, NotFound, NotReadable

Finder = Callable[[str, str, str], list[Find]]

YAML = """\
defaults: &defaults {timeout: 30s, retries: 2}
service:
  <<: *defaults
  timeout: 15s
  app.kubernetes.io/name: agent
  containers:
    - {name: a}
    - env: [{name: T, value: "60"}]
secret: !vault abc
---
service: {timeout: 5}
"""
JSON = '{\n\t"pool": {\n\t\t"size": 5,\n\t\t"urls": ["a", {"t": 1.5}]\n\t},\n\t"on": true\n}\n'
TOML = """\
title = "x"  # [not.a.table]
[pool]
size = 5
inline = { timeout = 30.5 }
[tool."a.b"]
c.d = true
[[agent]]
timeout = 1
[[agent]]
timeout = 2
[agent.breaker]
recovery = 60
"""
ENVIRONMENT = """\
# TIMEOUT=1
export TIMEOUT=30 # seconds
QUOTED='a # b'  # c
EMPTY=
TIMEOUT = "60"
"""


@pytest.mark.parametrize(
    ("finder", "text", "pattern", "expected"),
    [
        (find_yaml, YAML, "service.timeout", [(4, "15s"), (11, 5)]),
        (find_yaml, YAML, "service.retries", [(1, 2)]),
        (find_yaml, YAML, "service.app.kubernetes.io/name", [(5, "agent")]),
        (find_yaml, YAML, "service.containers.1.env.0.value", [(8, "60")]),
        (find_json, JSON, "pool.size", [(3, 5)]),
        (find_json, JSON, "pool.urls.1.t", [(4, 1.5)]),
        (find_json, JSON, "on", [(6, True)]),
        (find_toml, TOML, "title", [(1, "x")]),
        (find_toml, TOML, "pool.size", [(3, 5)]),
        (find_toml, TOML, "pool.inline.timeout", [(4, 30.5)]),
        (find_toml, TOML, "tool.a.b.c.d", [(6, True)]),
        (find_toml, TOML, "agent.0.timeout", [(8, 1)]),
        (find_toml, TOML, "agent.1.timeout", [(10, 2)]),
        (find_toml, TOML, "agent.1.breaker.recovery", [(12, 60)]),
        (find_environment, ENVIRONMENT, "TIMEOUT", [(2, "30"), (5, "60")]),
        (find_environment, ENVIRONMENT, "QUOTED", [(3, "a # b")]),
        (find_environment, ENVIRONMENT, "EMPTY", [(4, "")]),
    ],
)
def test_a_key_finds_line_and_value(
    finder: Finder, text: str, pattern: str, expected: list[tuple[int, Any]]
) -> None:
    finds = finder("file", text, pattern)
    assert [(find.mark.line, find.value) for find in finds] == expected
    assert not any(find.reason for find in finds)


@pytest.mark.parametrize(
    ("finder", "text", "pattern", "problem"),
    [
        (find_yaml, YAML, "service.timeot", 'no key "timeot"; did you mean "timeout"?'),
        (find_yaml, YAML, "service.containers.2", 'no entry "2" of a list; it has 0 to 1'),
        (find_yaml, YAML, "service.timeout.x", 'no key "x" inside a single value'),
        (find_yaml, "", "a", "the file is empty"),
        (find_json, JSON, "pol.size", 'no key "pol"; did you mean "pool"?'),
        (find_toml, TOML, "agent.2.timeout", 'no entry "2" of a list; it has 0 to 1'),
        (find_environment, ENVIRONMENT, "TIMEOUTS", 'no variable "TIMEOUTS"; did you mean "TIME'),
        (find_environment, "", "A", 'no variable "A"; there are none'),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    finder: Finder, text: str, pattern: str, problem: str
) -> None:
    with pytest.raises(NotFound) as error:
        finder("file", text, pattern)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("finder", "text", "line"),
    [
        (find_yaml, "a: 1\nb: [", 2),
        (find_yaml, "a: 1\nb: c: d", 2),
        (find_json, '{"a": 1,\n}', 2),
        (find_toml, "a = 1\nb = = 2", 2),
        (find_yaml, "a:\n" + "[" * 20_000, 2),
        (find_json, "[" * 200_000, None),
        (find_yaml, "b: 1\na: \x01", 2),
        (find_yaml, 'b: 1\na: "\\UFFFFFFFF"', 2),
    ],
)
def test_a_file_that_is_not_of_its_kind_says_where(
    finder: Finder, text: str, line: int | None
) -> None:
    with pytest.raises(NotReadable) as error:
        finder("file", text, "a")
    assert line is None or error.value.line == line


@pytest.mark.parametrize(
    ("finder", "text", "pattern", "reason"),
    [
        (find_yaml, YAML, "service", "is not a single value; name one inside"),
        (find_toml, TOML, "pool", "is not a single value; name one inside"),
        (find_json, JSON, "pool", "is not a single value; name one inside"),
        (find_json, '{"a": NaN}', "a", "is not a number of JSON; write one, or null"),
        (find_json, '{"a": -Infinity}', "a", "is not a number of JSON; write one, or null"),
        (find_yaml, YAML, "secret", "has the tag !vault; write a plain value"),
    ],
)
def test_what_is_no_plain_value_says_so(
    finder: Finder, text: str, pattern: str, reason: str
) -> None:
    assert finder("file", text, pattern)[0].reason == reason


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ('{"a": 1,\n}', (2, 1), "a comma stands before }; leave it out"),
        ('{"a": [1, 2, ]}', (1, 14), "a comma stands before ]; leave it out"),
        ('{"a": 1, // seconds\n"b": 2}', (1, 10), "which has no comments"),
        ("{'a': 1}", (1, 2), "in double quotes"),
        (" ", (1, 2), "the file is empty"),
        ('{"a": 010}', (1, 8), "Expecting ',' delimiter"),
        ('{"a": 1} x', (1, 10), "Extra data"),
        ('\ufeff{"a": 1}', (1, 1), "BOM"),
        ('{"a": 1,\n "b": 2, "a": 3}', (2, 10), '"a" stands here twice, first on line 1'),
        ('{"a": {"b": 1},\n "a": {"b": 2}}', (2, 2), '"a" stands here twice, first on line 1'),
    ],
)
def test_json_that_parsers_differ_on_says_what_would_be_right(
    text: str, place: tuple[int, int], problem: str
) -> None:
    with pytest.raises(NotReadable) as error:
        find_json("file", text, "a.b" if '"b": 1}' in text else "a")
    assert problem in str(error.value)
    assert (error.value.line, error.value.column) == place


def test_a_key_that_stands_twice_elsewhere_is_not_in_the_way() -> None:
    (find,) = find_json("file", '{"x": 1, "x": 2, "a": {"b": 3}}', "a.b")
    assert find.value == 3
    (find,) = find_yaml("file", "x: 1\nx: 2\na: {b: 3}", "a.b")
    assert find.value == 3


def test_a_key_of_yaml_stands_once_but_may_replace_what_is_merged() -> None:
    with pytest.raises(NotReadable, match='"b" stands here twice, first on line 2') as error:
        find_yaml("file", "a:\n  b: 1\n  b: 2", "a.b")
    assert (error.value.line, error.value.column) == (3, 3)
    (find,) = find_yaml("file", YAML, "service.retries")
    assert find.value == 2


def test_a_key_that_stands_twice_in_what_is_merged_is_not_taken_either_way() -> None:
    with pytest.raises(NotReadable, match='"t" stands here twice, first on line 1'):
        find_yaml("file", "x: &x {t: 1, t: 2}\na: {<<: *x}", "a.t")


def test_a_line_of_a_longer_toml_text_is_not_taken_for_a_key() -> None:
    text = 'a = """\nb = 1\n[c]\n"""\nb = [\n  2,\n]\n[c]\n-d = 3\n'
    lines = [find_toml("file", text, key)[0].mark.line for key in ("a", "b.0", "c", "c.-d")]
    assert lines == [1, 5, 8, 9]


def test_what_is_left_empty_stands_at_its_key() -> None:
    (find,) = find_yaml("file", "a:\n  b:\n\nc: 1", "a.b")
    assert (find.mark.line, find.mark.column, find.value) == (2, 3, None)


@pytest.mark.parametrize(
    ("finder", "text"),
    [(find_json, '{{"a": {}}}'), (find_toml, "a = {}"), (find_yaml, "a: {}")],
)
def test_what_python_refuses_for_its_limits_is_no_crash(finder: Finder, text: str) -> None:
    digits = text.format("9" * 5000)
    with suppress(NotReadable):
        assert "a number" in finder("file", digits, "a")[0].reason
    for depth in (50, 200) if finder is find_yaml else range(50, 1100, 10):
        with suppress(NotReadable):
            finds = finder("file", text.format("[" * depth + "]" * depth), "a" + ".0" * (depth - 1))
            assert finds[0].reason == "is not a single value; name one inside"


def test_json_has_keys_of_any_length() -> None:
    key = "k" * 5000
    (find,) = find_json("file", json.dumps({"a": 0, key: {"t": 60}}), f"{key}.t")
    assert find.value == 60


WORDS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=8)
VALUES = st.integers(-(10**9), 10**9) | st.booleans() | st.text(string.printable, max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=3), VALUES, st.integers(0, 3))
def test_json_is_read_as_pythons_module_reads_it(keys: list[str], value: Any, indent: int) -> None:
    data: Any = value
    for key in reversed(keys):
        data = {"other": 0, key: data}
    text = json.dumps(data, indent="\t" * indent)
    (find,) = find_json("file", text, ".".join(keys))
    assert (find.value, type(find.value)) == (value, type(value))
    assert json.dumps(value) in text.splitlines()[(find.mark.line or 0) - 1]


@given(st.lists(WORDS, min_size=1, max_size=3), st.integers(-(10**9), 10**9), st.integers(0, 5))
def test_toml_is_found_at_its_line(keys: list[str], value: int, before: int) -> None:
    *table, key = keys
    header = [f"[{'.'.join(table)}]"] if table else []
    lines = ["# nothing"] * before + header + [f"{key} = {value}"]
    (find,) = find_toml("file", "\n".join(lines), ".".join(keys))
    assert (find.mark.line, find.value) == (len(lines), value)


def yaml_find(text: str) -> Find:
    (find,) = find_yaml("file", f"a: {text}", "a")
    return find


AMBIGUOUS = {  # in YAML 1.1, and in 1.2, by the tables of the two specifications
    "off": (False, "off"),
    "On": (True, "On"),
    "yes": (True, "yes"),
    "NO": (False, "NO"),
    "y": (True, "y"),
    "010": (8, 10),
    "08": ("08", 8),
    "0o10": ("0o10", 8),
    "0b11": (3, "0b11"),
    "1_000": (1000, "1_000"),
    "1:30": (90, "1:30"),
    "-1:30:00": (-5400, "-1:30:00"),
    "1:30.5": (90.5, "1:30.5"),
    "1e3": ("1e3", 1000.0),
    "1.5e3": ("1.5e3", 1500.0),
    "-.5": ("-.5", -0.5),
}


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_what_two_versions_of_yaml_read_differently_is_not_taken_either_way(text: str) -> None:
    old, new = AMBIGUOUS[text]
    reason = yaml_find(text).reason
    words = [f'"{v}"' if isinstance(v, str) else json.dumps(v) for v in (old, new)]
    assert f"is {words[0]} in YAML 1.1" in reason
    assert f"and {words[1]} in YAML 1.2; write {words[0]} or {words[1]}" in reason
    if text != "y":  # text to PyYAML, a boolean in its specification
        assert yaml.safe_load(text) == old
    for word in words:  # both of what is advised can be read, and as it is meant
        assert not yaml_find(word).reason
        assert yaml_find(word).value in (old, new)


@pytest.mark.parametrize("text", ['"off"', "'010'", "!!str 1_000", "|\n  1:30", "!!str yes"])
def test_what_is_written_as_text_is_text(text: str) -> None:
    assert yaml_find(text).value == yaml.safe_load(text)


SCALARS = st.text("0123456789_:.+-eExobnyfaAF", min_size=1, max_size=7) | st.from_regex(
    r"[-+]?(0[box]?)?[0-9_]{1,4}(:[0-9]{1,2})?(\.[0-9_]{0,3})?(e[-+]?[0-9]{1,2})?", fullmatch=True
)


@given(SCALARS)
def test_what_is_taken_is_what_pyyaml_takes(text: str) -> None:
    """Dates are text to us, and y and n booleans as in YAML 1.1; both are no numbers."""
    try:
        (find,) = find_yaml("file", f"[{text}]", "0")
        (theirs,) = yaml.safe_load(f"[{text}]")
    except (NotReadable, NotFound, yaml.YAMLError, ValueError):
        return
    if not find.reason and isinstance(theirs, str | int | float | None):
        assert repr(find.value) == repr(theirs)
    if find.reason and text.lower() not in ("y", "n") and "cannot be read" not in find.reason:
        advice = re.search(r"^is (.+) in YAML 1.1, .*; write \1 or .+$", find.reason)
        assert advice is not None
        assert repr(yaml.safe_load(advice[1])) == repr(theirs)


def test_a_long_toml_file_is_parsed_once_and_once_by_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that time is linear in its length, whatever the number of places."""
    part = '[part{n}]\ntimeout = {n}\nlist = [1,\n 2]\n[[part{n}.each]]\ntext = """\na = 1\n"""\n'
    text = "".join(part.format(n=n) for n in range(500))
    parsed = []
    loads = data.tomllib.loads
    monkeypatch.setattr(data.tomllib, "loads", lambda part: parsed.append(len(part)) or loads(part))
    keys = ["part0.timeout", "part250.list.1", "part499.each.0.text"]
    marks = [find_toml("file", text, key)[0].mark.line for key in keys]
    assert marks == [2, 250 * 8 + 3, 499 * 8 + 6]
    assert sum(parsed) <= 2 * len(text)
