from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.lint.finds import NotReadable, Symbol
from cascadesim.lint.values import (
    Kind,
    as_setting,
    convert,
    kind_of,
    parse_literal,
    same,
    shown,
    unit_of,
)
from cascadesim.values.units import SECONDS, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("recovery_timeout", "s"),
        ("recovery_timeout_seconds", "s"),
        ("recovery_timeout_secs", "s"),
        ("TIMEOUT_MS", "ms"),
        ("timeoutMs", "ms"),
        ("timeoutMillis", "ms"),
        ("TIMEOUT_MINUTES", "min"),
        ("lifetime-hours", "h"),
        ("items", "s"),  # one word that only ends like a unit
        ("ms", "s"),
    ],
)
def test_a_bare_number_has_the_unit_that_its_name_ends_with(name: str, unit: str) -> None:
    assert unit_of(name) == unit
    assert convert(3, Kind.TIME, name, None) == pytest.approx(3 * SECONDS[unit])


def test_the_unit_in_the_mapping_comes_first() -> None:
    assert convert(1500, Kind.TIME, "timeout_seconds", "ms") == 1.5


def test_minutes_and_a_minimum_are_not_told_apart() -> None:
    with pytest.raises(NotReadable, match="minutes or a minimum"):
        convert(5, Kind.TIME, "TIMEOUT_MIN", None)
    assert convert(5, Kind.TIME, "TIMEOUT_MIN", "min") == 300


@pytest.mark.parametrize(
    ("raw", "kind", "unit", "expected"),
    [
        ("60", Kind.TIME, None, 60.0),
        ("1_000", Kind.TIME, "ms", 1.0),
        ("1m30s".replace("m", "min"), Kind.TIME, None, 90.0),
        (timedelta(minutes=1), Kind.TIME, "ms", 60.0),
        (None, Kind.TIME, None, None),
        (0.005, Kind.SHARE, None, 0.005),
        (0.5, Kind.SHARE, "%", 0.005),
        ("0.5%", Kind.SHARE, None, 0.005),
        (240, Kind.RATE, "/min", 4.0),
        ("4/s", Kind.RATE, None, 4.0),
        ("5", Kind.PLAIN, None, 5),
        ("True", Kind.PLAIN, None, True),
        (" queue ", Kind.PLAIN, None, "queue"),
    ],
)
def test_values_are_converted(raw: Any, kind: Kind, unit: str | None, expected: Any) -> None:
    value = convert(raw, kind, "x", unit)
    assert value == pytest.approx(expected)
    assert isinstance(value, bool) is isinstance(expected, bool)


@pytest.mark.parametrize(
    ("raw", "kind", "unit", "problem"),
    [
        ("soon", Kind.TIME, None, "is not a time"),
        ("5 parsecs", Kind.TIME, None, 'unknown unit "parsecs"'),
        (True, Kind.TIME, None, "is not a time"),
        (5, Kind.TIME, "%", 'cannot have the unit "%", as the setting is a time'),
        (5, Kind.PLAIN, "s", "the setting is a plain value"),
        (Symbol("NullPool"), Kind.PLAIN, None, "NullPool, which is not assigned in this file"),
        (float("nan"), Kind.TIME, None, "is .nan"),
        (10**400, Kind.TIME, None, "is a huge number"),
        (10**400, Kind.PLAIN, None, "is a huge number"),
    ],
)
def test_what_cannot_be_converted_says_why(
    raw: Any, kind: Kind, unit: str | None, problem: str
) -> None:
    with pytest.raises(NotReadable) as error:
        convert(raw, kind, "x", unit)
    assert problem in str(error.value)


def test_values_stand_for_what_the_mapping_says() -> None:
    values = {"NullPool": "null", "-1": None, "fast": "250ms"}
    assert convert(Symbol("pool.NullPool"), Kind.PLAIN, "x", None, values) == "null"
    assert convert(-1, Kind.TIME, "x", None, values) is None
    assert convert("fast", Kind.TIME, "x", None, values) == 0.25
    with pytest.raises(NotReadable, match="has only NullPool, -1, fast"):
        convert(Symbol("StaticPool"), Kind.PLAIN, "x", None, values)
    with pytest.raises(NotReadable, match="stands for what is wrong"):
        convert("fast", Kind.TIME, "x", None, {"fast": 5})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5s", (5.0, Kind.TIME)),
        ("1%", (0.01, Kind.SHARE)),
        ("4/s", (4.0, Kind.RATE)),
        ("10", (10, Kind.PLAIN)),
        ("queue", ("queue", Kind.PLAIN)),
        ("true", (True, Kind.PLAIN)),
    ],
)
def test_literals_of_comparisons(text: str, expected: tuple[Any, Kind]) -> None:
    assert parse_literal(text) == expected


@pytest.mark.parametrize("text", ["5sec", "5 s s", "10x"])
def test_a_literal_with_a_wrong_unit_is_no_text(text: str) -> None:
    with pytest.raises(NotReadable, match="expected a value such as"):
        parse_literal(text)


def test_looks_tell_the_kind() -> None:
    assert kind_of(5, "timeout_ms", None) is Kind.TIME
    assert kind_of("5s", "x", None) is Kind.TIME
    assert kind_of(5, "x", "/s") is Kind.RATE
    assert kind_of("1%", "x", None) is Kind.SHARE
    assert kind_of(5, "x", None) is Kind.PLAIN


@given(st.floats(1e-6, 1e6), st.sampled_from([*SECONDS]))
def test_a_unit_beside_the_place_is_a_unit_in_the_text(number: float, unit: str) -> None:
    text = f"{number:.9f}"
    beside = convert(float(text), Kind.TIME, "x", unit)
    assert same(beside, parse_duration(f"{text}{unit}"))


@given(st.integers(1, 10**12))
def test_a_time_and_a_rate_are_written_as_scenarios_read_them(millionths: int) -> None:
    value = millionths / 10**6
    assert same(parse_duration(as_setting(value, Kind.TIME)), value)
    assert same(parse_rate(as_setting(value, Kind.RATE)), value)


def test_values_are_shown_with_their_units() -> None:
    shows = [
        shown(60.0, Kind.TIME),
        shown(0.25, Kind.TIME),
        shown(60.272154, Kind.TIME),
        shown(0.005, Kind.SHARE),
        shown(4.0, Kind.RATE),
        shown(5, Kind.PLAIN),
        shown(True, Kind.PLAIN),
        shown(None, Kind.TIME),
    ]
    assert shows == ["60 s", "250 ms", "60.272154 s", "0.5%", "4/s", "5", "true", "none"]


def test_the_same_value_may_be_rounded_or_text() -> None:
    assert same(0.1 + 0.2, 0.3)
    assert same("5", 5)
    assert not same(True, 1)
    assert not same(None, 0)
