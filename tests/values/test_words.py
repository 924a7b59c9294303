"""How figures and names are written."""

import math

import pytest

from cascadesim.analysis.intervals import Interval
from cascadesim.values import words


def test_an_interval_that_is_not_known_is_not_shown() -> None:
    assert words.mean("p99", Interval(1.0, math.nan, math.nan)) == "1.000"
    assert words.mean("p99", Interval(math.nan, math.nan, math.nan)) == "-"
    assert words.mean("p99", Interval(1.0, 0.5, 1.5), sign="+") == "+1.000 ± 0.500"
    assert words.mean("error_rate", Interval(0.02, 0.01, 0.03)) == "2.00% ± 1.00%"


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        ("p99", 1.23456, "1.235 s"),
        ("goodput", 4.0, "4.000 replies/s"),
        ("error_rate", 0.01234, "1.23%"),
        ("mean", math.nan, "-"),
        ("error_rate", math.nan, "-"),
    ],
)
def test_a_measure_says_how_its_value_is_written(measure: str, value: float, text: str) -> None:
    assert words.with_unit(measure, words.amount(measure, value)) == text


def test_what_rounds_to_nothing_has_no_minus() -> None:
    assert words.number(-0.0001) == "0.000"
    assert words.number(-0.0001, "+") == "+0.000"
    assert words.percent(-0.00001, "+") == "+0.00%"


def test_only_a_value_that_is_known_is_a_lower_bound() -> None:
    assert words.lower_bound("5.000", at_least=True) == "> 5.000"
    assert words.lower_bound("5.000", at_least=False) == "5.000"
    assert words.lower_bound("-", at_least=True) == "-"


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [words.listed(["a", "b", "c"][:n]) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert (words.counted(1, "objective"), words.counted(0, "objective")) == (
        "1 objective",
        "0 objectives",
    )
    assert words.in_words("timed_out") == "timed out"
