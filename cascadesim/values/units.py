"""Units: text with a unit becomes a number in seconds, requests per second or a share.

Inside the package every time is in seconds, so that no other module knows a unit.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cascadesim import MOST_SEED
from cascadesim.values.errors import cut, show

SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_UNIT = f"(?:{'|'.join(SECONDS)})"
_PART = re.compile(rf"({_NUMBER})\s*({_UNIT})\s*")
DURATION_PATTERN = rf"^\s*(?:{_NUMBER}\s*{_UNIT}\s*)+$"
RATE_PATTERN = rf"^\s*{_NUMBER}\s*/\s*{_UNIT}\s*$"
SHARE_PATTERN = rf"^\s*{_NUMBER}\s*%\s*$"
CLOCK_PATTERN = r"^([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]+)?))?$"
_KNOWN = ", ".join(SECONDS)
_MEANT = {"m": "min", "mins": "min", "sec": "s", "secs": "s", "msec": "ms", "hr": "h", "hrs": "h"}


def wrong(message: str) -> PydanticCustomError:
    """Return the error of a value, which is a ValueError."""
    # Braces in the message itself would be read as placeholders.
    return PydanticCustomError("unit", "{message}", {"message": message})


def _text(value: Any) -> str:
    """Return a number or a text as text, an empty text for other values and huge numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, str) or abs(value) < 1e15:
        return str(value).strip()
    return ""


def parse_duration(value: Any) -> float:
    """Return seconds for text such as "60s", "250 ms" or "1min30s".

    Raises PydanticCustomError (a ValueError) that says what would be right.
    """
    text = _text(value)
    if isinstance(value, str) and re.fullmatch(DURATION_PATTERN, text):
        # One product rounds once: 60.272154 s stays the float that 60.272154 is.
        parts = [float(number) * SECONDS[unit] for number, unit in _PART.findall(text)]
        if math.isfinite(sum(parts)):
            return math.fsum(parts)
        raise wrong(f"a duration must be finite, got {show(value)}")
    if re.fullmatch(_NUMBER, text):
        short = cut(text)
        raise wrong(
            f'{show(value)} has no unit; write "{short}s" (seconds) or "{short}ms" (milliseconds)'
        )
    if text.startswith("-"):
        raise wrong(f"a duration cannot be negative, got {show(value)}")
    if re.fullmatch(rf"(?:{_NUMBER}\s*[^\W\d]+\s*)+", text):
        raise wrong(_unknown_unit(text, r"[^\W\d]+"))
    raise wrong(f'expected a duration such as "60s" or "250ms", got {show(value)}')


def _unknown_unit(text: str, unit: str) -> str:
    """Return which of the units of a text is unknown, and how the text may have been meant."""
    unknown = next(word for word in re.findall(unit, text) if word not in SECONDS)
    meant = re.sub(unit, lambda word: _MEANT.get(word[0], word[0]), text)
    is_known = all(word in SECONDS for word in re.findall(unit, meant))
    hint = f'write "{cut(meant)}"' if is_known else f"known are {_KNOWN}"
    return f'{show(text)} has the unknown unit "{cut(unknown)}"; {hint}'


def parse_rate(value: Any) -> float:
    """Return events per second for text such as "4/s" or "240/min"."""
    text = _text(value)
    if isinstance(value, str) and re.fullmatch(RATE_PATTERN, text):
        count, unit = (part.strip() for part in text.split("/"))
        rate = float(count) / SECONDS[unit]
        if 0 < rate < math.inf:
            return rate
        raise wrong(f"a rate must be more than 0 and finite, got {show(value)}")
    if re.fullmatch(_NUMBER, text):
        short = cut(text)
        raise wrong(f'{show(value)} has no unit; write "{short}/s" or "{short}/min"')
    if text.startswith("-"):
        raise wrong(f"a rate must be more than 0, got {show(value)}")
    if re.fullmatch(rf"{_NUMBER}\s*/\s*[^\W\d]+", text):
        raise wrong(_unknown_unit(text, r"[^\W\d]+"))
    raise wrong(f'expected a rate such as "4/s" or "240/min", got {show(value)}')


def _rate_or_none(value: Any) -> float:
    none = isinstance(value, str) and re.fullmatch(rf"\s*0(?:\.0+)?\s*/\s*{_UNIT}\s*", value)
    return 0.0 if none else parse_rate(value)


def parse_share(value: Any) -> float:
    """Return a share from 0 to 1 for text such as "1%" or a number such as 0.01."""
    if isinstance(value, str) and re.fullmatch(SHARE_PATTERN, value.strip().removeprefix("-")):
        share = -1.0 if value.strip().startswith("-") else float(value.strip().rstrip("%")) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value) if abs(value) < 2 else math.inf  # a huge int has no float
    else:
        raise wrong(f'expected a share such as "1%" or 0.01, got {show(value)}')
    if not 0 <= share <= 1:  # also refuses NaN
        raise wrong(f"a share lies between 0% and 100%, got {show(value)}")
    return share


def parse_weight(value: Any) -> float:
    """Return a weight for a number such as 3 or for text such as "5%"."""
    if isinstance(value, str):
        return parse_share(value)
    weight = float(value) if isinstance(value, int | float) and abs(value) <= 1e9 else -1.0
    if isinstance(value, bool) or not weight >= 0:
        raise wrong(f'expected a weight such as 3 or "5%", got {show(value)}')
    return weight


def parse_clock(text: str) -> float | None:
    """Return seconds since midnight for "23:31:00" or "23:31:00.5", None if it is no clock time."""
    match = re.fullmatch(CLOCK_PATTERN, text.strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds or 0)


def _clock(value: Any) -> str:
    if isinstance(value, str) and parse_clock(value) is not None:
        return value
    raise wrong(f'expected a clock time such as "23:29:00", got {show(value)}')


def _instant(value: Any) -> str | float:
    return _clock(value) if isinstance(value, str) and ":" in value else parse_duration(value)


def _positive(value: float) -> float:
    if value > 0:
        return value
    raise wrong("must be more than 0")


def clock_text(seconds: float) -> str:
    """Return seconds since midnight as "HH:MM:SS", with milliseconds where there are any."""
    millis = round(seconds * 1000) % 86_400_000
    text = f"{millis // 3_600_000:02d}:{millis // 60_000 % 60:02d}:{millis // 1000 % 60:02d}"
    return f"{text}.{millis % 1000:03d}" if millis % 1000 else text


def duration_text(seconds: float, digits: int = 3) -> str:
    """Return seconds as people write them: "250 ms", "60.3 s", "unbounded"."""
    if math.isnan(seconds):
        return "-"
    if math.isinf(seconds):
        return "unbounded"
    if seconds != 0 and abs(seconds) < 1 - 0.5 * 10**-digits:  # else it rounds to a second
        return f"{seconds * 1000:.{digits}g} ms"
    return f"{seconds:.2f} s"


# The kinds of values in the JSON Schema (`x-value`), and how people write them.
VALUES = {
    "duration": f"a number with its unit ({_KNOWN}), or several: `250ms`, `60s`, `1min30s`",
    "duration above 0": "a duration that is not `0s`",
    "instant": "a duration after t = 0, or a clock time",
    "clock time": 'hours, minutes and seconds in quotes, as the clock has them: `"23:31:00"`',
    "rate": "so many per unit of time, more than none: `4/s`, `240/min`",
    "rate or none": "a rate, or `0/s`",
    "share": "a percentage or a number from 0 to 1: `1%`, `0.01`",
    "weight": "a number or a percentage, which counts beside the others': `3`, `5%`",
    "name": "a text without spaces, dots, commas and equals signs, for dotted paths",
    "unit of time": f"one of {_KNOWN}",
}


def _value(kind: str, schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"x-value": kind} | schema)


def text_of(kind: str, pattern: str, *examples: str) -> dict[str, Any]:
    """Return the JSON Schema of texts of a kind."""
    shown = {"examples": list(examples)} if examples else {}
    return {"x-value": kind, "type": "string", "pattern": pattern} | shown


_DURATION = text_of("duration", DURATION_PATTERN, "60s", "250ms")
_CLOCK = text_of("clock time", CLOCK_PATTERN)
_SHARE = {"type": "string", "pattern": SHARE_PATTERN}

Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_DURATION)]
PositiveDuration = Annotated[
    float,
    BeforeValidator(lambda value: _positive(parse_duration(value))),
    WithJsonSchema(text_of("duration above 0", DURATION_PATTERN, "60s", "250ms")),
]
Warmup = Annotated[
    float | str,
    BeforeValidator(lambda value: value if value == "auto" else parse_duration(value)),
    WithJsonSchema({"anyOf": [_DURATION, {"const": "auto"}]}),
]
Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    WithJsonSchema(text_of("rate", RATE_PATTERN, "4/s", "240/min")),
]
RateOrNone = Annotated[
    float,
    BeforeValidator(_rate_or_none),
    WithJsonSchema(text_of("rate or none", RATE_PATTERN, "4/s", "0/s")),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    _value("share", {"anyOf": [_SHARE, {"type": "number", "minimum": 0, "maximum": 1}]}),
]
Weight = Annotated[
    float,
    BeforeValidator(parse_weight),
    _value("weight", {"anyOf": [_SHARE, {"type": "number", "minimum": 0, "maximum": 10**9}]}),
]
TimeUnit = Annotated[
    Literal["ns", "us", "ms", "s", "min", "h", "d"],
    Field(json_schema_extra={"x-value": "unit of time"}),
]
Clock = Annotated[str, BeforeValidator(_clock), WithJsonSchema(_CLOCK)]
Instant = Annotated[
    str | float,
    BeforeValidator(_instant),
    _value(
        "instant",
        {
            "anyOf": [
                {"type": "string", "pattern": DURATION_PATTERN},
                {"type": "string", "pattern": CLOCK_PATTERN},
            ]
        },
    ),
]
Count = Annotated[int, Field(strict=True, ge=1, le=10**9)]
Whole = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Seed = Annotated[int, Field(strict=True, ge=0, le=MOST_SEED)]
Number = Annotated[float, Field(strict=True)]  # strict: neither true nor "2"
Text = Annotated[str, Field(strict=True)]


def or_infinite(value: float | None) -> float:
    """Return a limit as a number: infinity where there is none."""
    return math.inf if value is None else value
