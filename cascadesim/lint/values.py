"""What a value in a service's files amounts to: in seconds, as a share, as a rate or as it stands.

A bare number of a time is in the unit that stands beside its place in the mapping, else in the one
that its name ends with (`timeout_ms`, `timeoutSeconds`, `TIMEOUT_MINUTES`), else in seconds.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.lint.finds import NotReadable, Symbol
from cascadesim.values.errors import cut, show
from cascadesim.values.units import SECONDS, parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = float | int | str | bool | None


class Kind(Enum):
    """What a setting is; times are in seconds, rates per second."""

    TIME = "a time"
    SHARE = "a share"
    RATE = "a rate"
    PLAIN = "a plain value"


RATE_UNITS = {f"/{unit}": 1 / seconds for unit, seconds in SECONDS.items()}
UNITS = {
    **dict.fromkeys(SECONDS, Kind.TIME),
    "%": Kind.SHARE,
    **dict.fromkeys(RATE_UNITS, Kind.RATE),
}
_SUFFIXES = {
    "us": ("us", "micros", "microsecond", "microseconds"),
    "ms": ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "min": ("mins", "minute", "minutes"),
    "h": ("h", "hour", "hours"),
    "d": ("day", "days"),
}
_BY_SUFFIX = {word: unit for unit, words in _SUFFIXES.items() for word in words}
_AMBIGUOUS = ("m", "min")  # minutes, or a minimum
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False}


def unit_of(name: str) -> str:
    """Return the unit of time that a name ends with, seconds if none.

    Raises NotReadable where the end may or may not be one.
    """
    last = _last_word(name)
    if last in _AMBIGUOUS:
        raise NotReadable(
            f'"{cut(name)}" may be minutes or a minimum; say so beside the place with unit: min '
            "or unit: s"
        )
    return _BY_SUFFIX.get(last, "s")


def kind_of(value: Any, name: str, unit: str | None) -> Kind:
    """Return what a value is by its looks, its unit or the end of its name."""
    if unit is not None:
        return UNITS[unit]
    if isinstance(value, timedelta) or _last_word(name) in _BY_SUFFIX:
        return Kind.TIME
    if isinstance(value, str):
        for kind, parse in _PARSERS.items():
            if _parsed(parse, value) is not None:
                return kind
    return Kind.PLAIN


def _last_word(name: str) -> str:
    """Return the last of several words, of a name in snake_case or camelCase."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return words[-1].lower() if len(words) > 1 else ""


def convert(
    raw: Any, kind: Kind, name: str, unit: str | None, values: Mapping[str, Any] | None = None
) -> Value:
    """Return the value that stands in a file as a scenario's setting has it.

    `values` says by the text in the file what it stands for, as a scenario has it written. Raises
    NotReadable.
    """
    if values:
        for spelling in _spellings(raw):
            if spelling in values:
                return _as_written(values[spelling], kind)
    if isinstance(raw, Symbol):
        known = f"`values` has only {', '.join(map(cut, values))}" if values else _SYMBOL
        raise NotReadable(
            f"is the name {cut(raw.name)}, which is not assigned in this file; {known}"
        )
    if unit is not None and UNITS[unit] is not kind:
        raise NotReadable(f'cannot have the unit "{unit}", as the setting is {kind.value}')
    if raw is None:
        return None
    converted = _CONVERTERS[kind](_number(raw), name, unit)
    if isinstance(converted, float) and not math.isfinite(converted):
        hint = "where that means no limit, say so beside the place with values: {inf: null}"
        raise NotReadable(f"is {show(converted)}; {hint}")
    return converted


_SYMBOL = (
    "map the place where it is, or say beside this one what it stands for, as in "
    'values: {NullPool: "null"}'
)


def _spellings(raw: Any) -> list[str]:
    if isinstance(raw, Symbol):
        return [raw.name, raw.name.rpartition(".")[2]]
    return [str(raw), show(raw)]


def _as_written(value: Any, kind: Kind) -> Value:
    """Return a value as a scenario writes it."""
    if value is None or kind is Kind.PLAIN:
        return value  # type: ignore[no-any-return]
    try:
        return _PARSERS[kind](value)
    except PydanticCustomError as error:
        raise NotReadable(f"stands for what is wrong: {error.message()}") from None


def _number(raw: Any) -> Any:
    """Return a number for text that is one, as all text of environment files is."""
    if isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()):
        number = float(raw)
        return int(raw) if re.fullmatch(r"[-+]?[0-9_]{1,18}", raw.strip()) else number
    return raw


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(value: Any, name: str, unit: str | None) -> Value:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if _is_number(value):
        return _product(value, SECONDS[unit or unit_of(name)])
    return _text(value, Kind.TIME)


def _share(value: Any, name: str, unit: str | None) -> Value:
    if _is_number(value):
        return _product(value, 0.01 if unit else 1.0)
    return _text(value, Kind.SHARE)


def _rate(value: Any, name: str, unit: str | None) -> Value:
    if _is_number(value):
        return _product(value, RATE_UNITS[unit or "/s"])
    return _text(value, Kind.RATE)


def _plain(value: Any, name: str, unit: str | None) -> Value:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower(), value.strip())
    return value  # type: ignore[no-any-return]


def _product(number: float, factor: float) -> float:
    try:
        return float(number) * factor
    except OverflowError:
        raise NotReadable("is a huge number") from None


def _text(value: Any, kind: Kind) -> float:
    try:
        return _PARSERS[kind](value)
    except PydanticCustomError as error:
        raise NotReadable(f"is not {kind.value}: {error.message()}") from None


def _parsed(parse: Any, value: Any) -> float | None:
    try:
        return float(parse(value))
    except PydanticCustomError:
        return None


_PARSERS = {Kind.TIME: parse_duration, Kind.SHARE: parse_share, Kind.RATE: parse_rate}
_CONVERTERS = {
    Kind.TIME: _time,
    Kind.SHARE: _share,
    Kind.RATE: _rate,
    Kind.PLAIN: _plain,
}


def parse_literal(text: str) -> tuple[Value, Kind]:
    """Return the value of text as it stands in a comparison, such as "5s", "1%", "10" or "queue".

    Raises NotReadable where it looks like a number with a unit that there is not.
    """
    for kind, parse in _PARSERS.items():
        if (value := _parsed(parse, text)) is not None:
            return value, kind
    number = _number(text)
    if isinstance(number, str) and number[:1].isdecimal():
        raise NotReadable(f"expected a value such as 5s, 250ms, 1%, 4/s or 10, got {show(text)}")
    return _plain(number, "", None), Kind.PLAIN


def same(a: Value, b: Value) -> bool:
    """Return whether two values are the same, but for the rounding of a unit."""
    if _is_number(a) and _is_number(b):
        assert a is not None
        assert b is not None
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)
    # A number that is text in one of them is the same value.
    return str(a) == str(b) if isinstance(a, str) or isinstance(b, str) else a is b


def as_setting(value: Value, kind: Kind) -> Any:
    """Return a value as it is written in a scenario."""
    if value is None or kind in (Kind.PLAIN, Kind.SHARE):
        return value
    digits = f"{value:.9f}".rstrip("0").rstrip(".")
    return f"{digits}/s" if kind is Kind.RATE else f"{digits}s"


def shown(value: Value, kind: Kind) -> str:
    """Return a value as people write it: "10 s", "250 ms", "1%", "queue", "none"."""
    if value is None:
        return "none"
    if isinstance(value, str | bool):
        return value if isinstance(value, str) else show(value)
    if kind is Kind.TIME and 0 < abs(value) < 1:
        return f"{value * 1000:.10g} ms"
    if kind is Kind.SHARE:
        return f"{value * 100:.10g}%"
    unit = {Kind.TIME: " s", Kind.RATE: "/s"}.get(kind, "")
    return f"{value:.10g}{unit}"
