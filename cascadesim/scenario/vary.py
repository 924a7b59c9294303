"""Settings to vary, by dotted path, over values or over a range."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import PydanticCustomError

from cascadesim.scenario.source import parse
from cascadesim.values.errors import ScenarioError, show
from cascadesim.values.units import parse_duration, parse_rate, parse_share, wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cascadesim.scenario.source import Document
    from cascadesim.values.errors import Mark

# Keys that are the same for all settings that are tried.
FIXED = ("name", "summary", "clock", "seed", "observations", "objectives", "variants", "sweep")
MOST_VALUES = 100_000  # of one setting; more is a slip, such as a step of 1ms over an hour
DIGITS = 4  # significant ones of a value that is not given but chosen from a range


@dataclass(frozen=True, slots=True)
class Vary:
    """A setting to vary, by dotted path.

    Over `values`, written as in a scenario; where there are none, between `low` and `high`, numbers
    of a `unit`: "s" (seconds), "%" (percent), "/s" (per second) or "" (plain numbers, `whole` or
    not). A range with a step has both.
    """

    path: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    whole: bool = False

    def written(self, value: float) -> Any:
        """Return a number of the range as it is written in a scenario, with few digits."""
        return self._written(round(value) if self.whole else float(f"{value:.{DIGITS}g}"))

    def at(self, share: float) -> Any:
        """Return the value at a share (0 to 1) of the way through the range or the values.

        Every value, and every whole number, has an equal part of the way.
        """
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        if self.whole:
            return self._written(math.floor(self.low + share * (self.high - self.low + 1)))
        return self.written(self.low + share * (self.high - self.low))

    def share(self, value: Any) -> float:
        """Return how far through the values or the range a value is, from 0 (first) to 1 (last)."""
        if self.low == self.high:  # a list of values
            texts = list(map(str, self.values))
            return texts.index(str(value)) / max(len(texts) - 1, 1)
        last = quantity(self.values[-1])[0] if self.values else self.high
        return (quantity(value)[0] - self.low) / ((last - self.low) or 1.0)

    def _written(self, number: float) -> Any:
        number = min(max(number, self.low), self.high)
        if self.whole:
            return int(number)
        # Never with an exponent, which no unit knows.
        return f"{np.format_float_positional(number, trim='-')}{self.unit}" if self.unit else number


def parse_vary(text: str, option: str = "--vary") -> Vary:
    """Return the setting to vary of a text: "agent.deadline.timeout=5s,10s" or "…=1s..9s:2s".

    A range without a step is for samples and searches. Raises ScenarioError with the option as its
    source.
    """
    path, _, spec = (part.strip() for part in text.partition("="))
    source = f"{option} {text}"
    if not spec or not path:
        message = 'expected PATH=VALUES such as "agent.deadline.timeout=5s,10s,30s" or "…=5..20:5"'
        raise ScenarioError(message, source)
    if ".." in spec and "../" not in spec:  # some paths of files begin so
        return parse_range(path, spec, source)
    # As a list in YAML, so that commas inside brackets belong to a value.
    return Vary(path, tuple(parse(f"[{spec}]", source).data))


def parse_range(path: str, text: str, where: Mark | str, name: str = "") -> Vary:
    """Return a setting to vary over the range of a text such as "1s..60s" or "5..20:5".

    Raises ScenarioError with this place and name.
    """
    low_text, _, rest = text.partition("..")
    high_text, colon, step_text = rest.partition(":")
    try:
        low, unit, low_whole = quantity(low_text)
        high, high_unit, high_whole = quantity(high_text)
        step, step_unit, step_whole = quantity(step_text) if colon else (math.inf, unit, True)
    except PydanticCustomError as error:
        raise ScenarioError(error.message(), where, name) from None
    if high_unit != unit or low >= high:
        message = "a range goes from a value up to a greater one of its kind"
        raise ScenarioError(message, where, name)
    if step_unit != unit or step <= 0:
        message = "the step must be more than 0 and of the range's kind"
        raise ScenarioError(message, where, name)
    span = Vary(path, (), low, high, unit, not unit and low_whole and high_whole and step_whole)
    if not colon:
        return span
    count = math.floor((high - low) / step * (1 + 1e-12)) + 1
    if count > MOST_VALUES:
        raise ScenarioError(f"makes {count} values, more than {MOST_VALUES}", where, name)
    values = (span._written(float(f"{low + i * step:.12g}")) for i in range(count))
    return Vary(path, tuple(values), low, high, unit, span.whole)


def varied(document: Document, written: Mapping[str, Any]) -> list[Vary]:
    """Return the settings that the sweep of a scenario varies.

    Raises ScenarioError with the place in the document.
    """
    settings = []
    for path, value in written.items():
        at, name = ("sweep", "vary", path), f"sweep.vary.{path}"
        check_paths([path], document.mark(at, key=True), name)
        if isinstance(value, str):
            settings.append(parse_range(path, value, document.mark(at), name))
        else:
            settings.append(Vary(path, tuple(value)))
    return settings


def is_fixed(path: str) -> bool:
    """Return whether a setting, by dotted path, is the same for all that are tried."""
    head, *rest = path.split(".")
    of_class = head == "workload" and rest[:1] == ["classes"] and rest[2:3] == ["objectives"]
    return head in FIXED or of_class


def check_paths(paths: Iterable[str], where: Mark | str = "", name: str = "") -> None:
    """Raise a ScenarioError for a path that cannot be varied or is given twice."""
    seen: set[str] = set()
    for path in paths:
        place = where or f"--vary {path}"
        if is_fixed(path):
            message = "is the same for all settings that are tried, and cannot be varied"
            raise ScenarioError(message, place, name)
        if path in seen:
            raise ScenarioError("is given twice; list all its values once", place, name)
        seen.add(path)


def quantity(value: Any) -> tuple[float, str, bool]:
    """Return a value as a number, its unit (as a Vary has it), and whether it is whole.

    Raises PydanticCustomError (a ValueError) where it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), "", isinstance(value, int)
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"-?[0-9]{1,15}(?:\.[0-9]+)?", text):
        return float(text), "", "." not in text
    if text.endswith("%"):
        parse_share(text)
        return float(text[:-1]), "%", False
    if "/" in text:
        return parse_rate(text), "/s", False
    if re.match("[0-9]", text):
        return parse_duration(text), "s", False
    raise wrong(f"expected a number such as 5, 5s, 5% or 5/s, got {show(value)}")
