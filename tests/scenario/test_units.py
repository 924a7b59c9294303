import pytest

from cascadesim.values.units import (
    clock_text,
    parse_clock,
    parse_duration,
    parse_rate,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("250 ms", 0.25), ("1min30s", 90), ("60.272154s", 60.272154), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("60", 'write "60s"'),
        (60, 'write "60s"'),
        ("-3s", "negative"),
        ("3 parsecs", "unknown unit"),
        (float("nan"), "expected a duration"),
        (True, "expected a duration"),
        (None, "expected a duration"),
    ],
)
def test_wrong_durations_say_what_is_right(value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_duration(value)


def test_rates_and_shares() -> None:
    assert parse_rate("240/min") == 4
    assert parse_share("1%") == parse_share(0.01) == 0.01
    for wrong in ("4", "0/s", "-1/s", 4):
        with pytest.raises(ValueError, match=r"rate|unit"):
            parse_rate(wrong)
    for wrong in ("101%", float("nan"), -0.1, "1", True):
        with pytest.raises(ValueError, match="share"):
            parse_share(wrong)


def test_clock() -> None:
    assert parse_clock("23:31:00") == 84660
    assert parse_clock("24:00:00") is None
    assert clock_text(84660.25) == "23:31:00.250"
