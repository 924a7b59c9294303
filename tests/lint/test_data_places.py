import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (find_yaml, "[" * 20_000, None),
        (find_json, "[" * 200_000, None),
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
        (find_yaml, YAML, "service", "is not a single value"),
        (find_toml, TOML, "pool", "is not a single value"),
        (find_yaml, YAML, "secret", "has the tag !vault"),
    ],
)
def test_what_is_no_plain_value_says_so(
    finder: Finder, text: str, pattern: str, reason: str
) -> None:
    assert finder("file", text, pattern)[0].reason == reason


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
