"""Values in a service's files as a scenario has them: seconds, shares, rates or plain values.

A bare number of a time is in the unit that stands beside its place in the mapping, else in the one
that its name ends with (`timeout_ms`, `timeoutSeconds`, `TIMEOUT_MINUTES`), else in seconds.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeGuard

from pydantic_core import PydanticCustomError

from cascadesim.lint.finds import NotReadable, Symbol
from cascadesim.values.errors import cut, show
from cascadesim.values.units import SECONDS, parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = float | int | str | bool | None


class Kind(Enum):
    """The kind of a setting; times are in seconds, rates per second."""

    TIME = "a time"
    SHARE = "a share"
    RATE = "a rate"
    PLAIN = "a plain value"


# By unit, its kind and how much one of it is.
UNITS = (
    {unit: (Kind.TIME, seconds) for unit, seconds in SECONDS.items()}
    | {"%": (Kind.SHARE, 0.01)}
    | {f"/{unit}": (Kind.RATE, 1 / seconds) for unit, seconds in SECONDS.items()}
)
_PARSERS = {Kind.TIME: parse_duration, Kind.SHARE: parse_share, Kind.RATE: parse_rate}
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
_SYMBOL = (
    "map the place where it is, or say beside this one what it stands for, as in "
    'values: {NullPool: "null"}'
)


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
    """Return the kind of a value by its unit, its type or text, or the end of its name."""
    if unit is not None:
        return UNITS[unit][0]
    if isinstance(value, timedelta) or _last_word(name) in _BY_SUFFIX:
        return Kind.TIME
    return _parsed(value)[1] if isinstance(value, str) else Kind.PLAIN


def _last_word(name: str) -> str:
    """Return the last of several words, of a name in snake_case or camelCase."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return words[-1].lower() if len(words) > 1 else ""


def convert(
    raw: Any, kind: Kind, name: str, unit: str | None, values: Mapping[str, Any] = {}
) -> Value:
    """Return the value in a file as a scenario's setting has it.

    `values` says what texts in the file stand for, as a scenario writes it. Raises NotReadable.
    """
    for spelling in _spellings(raw) if values else ():
        if spelling in values:
            value = values[spelling]
            is_plain = value is None or kind is Kind.PLAIN
            return value if is_plain else _parse(value, kind, "stands for what is wrong")
    if isinstance(raw, Symbol):
        known = f"`values` has only {', '.join(map(cut, values))}" if values else _SYMBOL
        raise NotReadable(
            f"is the name {cut(raw.name)}, which is not assigned in this file; {known}"
        )
    if unit is not None and UNITS[unit][0] is not kind:
        raise NotReadable(f'cannot have the unit "{unit}", as the setting is {kind.value}')
    if raw is None:
        return None
    converted = _converted(_number(raw), kind, name, unit)
    if isinstance(converted, float) and not math.isfinite(converted):
        hint = "where that means no limit, say so beside the place with values: {inf: null}"
        raise NotReadable(f"is {show(converted)}; {hint}")
    return converted


def _spellings(raw: Any) -> list[str]:
    if isinstance(raw, Symbol):
        return [raw.name, raw.name.rpartition(".")[2]]
    return [str(raw), show(raw)]


def _number(raw: Any) -> Any:
    """Return the number in a text that holds one, such as every text of an environment file."""
    if isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()):
        number = float(raw)
        return int(raw) if re.fullmatch(r"[-+]?[0-9_]{1,18}", raw.strip()) else number
    return raw


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _converted(value: Any, kind: Kind, name: str, unit: str | None) -> Value:
    if isinstance(value, timedelta) and kind in (Kind.TIME, Kind.PLAIN):
        return value.total_seconds()
    if isinstance(value, str) and kind is Kind.PLAIN:
        return _WORDS.get(value.strip().lower(), value.strip())
    if not _is_number(value):
        return value if kind is Kind.PLAIN else _parse(value, kind, f"is not {kind.value}")
    if unit is None and kind is Kind.TIME:
        unit = unit_of(name)
    try:
        amount = float(value) * (UNITS[unit][1] if unit else 1.0)
    except OverflowError:
        raise NotReadable("is a huge number") from None
    return value if kind is Kind.PLAIN else amount


def _parse(value: Any, kind: Kind, problem: str) -> float:
    """Return a value with its unit in the text, as scenarios have it."""
    try:
        return _PARSERS[kind](value)
    except PydanticCustomError as error:
        raise NotReadable(f"{problem}: {error.message()}") from None


def _parsed(text: str) -> tuple[float | None, Kind]:
    """Return the number and kind of a text with its unit; None and PLAIN for another text."""
    for kind in _PARSERS:
        with suppress(NotReadable):
            return _parse(text, kind, ""), kind
    return None, Kind.PLAIN


def parse_literal(text: str) -> tuple[Value, Kind]:
    """Return the value in a comparison, such as "5s", "1%", "10" or "queue", and its kind.

    Raises NotReadable for a number with an unknown unit.
    """
    amount, kind = _parsed(text)
    if amount is not None:
        return amount, kind
    number = _number(text)
    if isinstance(number, str) and number[:1].isdecimal():
        raise NotReadable(f"expected a value such as 5s, 250ms, 1%, 4/s or 10, got {show(text)}")
    return _converted(number, kind, "", None), kind


def same(a: Value, b: Value) -> bool:
    """Return whether two values are the same, but for the rounding of a unit."""
    if _is_number(a) and _is_number(b):
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)
    # A number and its text are the same value.
    return str(a) == str(b) if isinstance(a, str) or isinstance(b, str) else a is b


def as_setting(value: Value, kind: Kind) -> Any:
    """Return a value as a scenario writes it."""
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
