"""How figures and names are written, everywhere: in tables, sentences, figures and messages.

A latency has three decimals, a share is in percent with two, "-" stands where there is no value,
"> 5.000" is a lower bound, and "5.000 ± 0.100" a mean with half its 95 % interval. What depends on
the measure (a share, a latency, goodput) takes its name: "p99", "error_rate", "goodput".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNITS = "latencies in seconds, goodput in replies per second"
SECONDS = "latencies in seconds"
_LOW = 0.1  # replies per second
_NAMES = {"answered_rate": "answered in time"}
SEEN = {True: "seen", False: "not seen", None: "not known"}  # whether a difference is


class Estimate(Protocol):
    """A mean over replications, and half its interval (NaN for a single replication)."""

    @property
    def estimate(self) -> float:
        """The mean."""

    @property
    def half_width(self) -> float:
        """Half the width of its interval."""


class Bounded(Protocol):
    """Seconds, and whether unfinished requests could make them more."""

    @property
    def seconds(self) -> float:
        """The seconds."""

    @property
    def at_least(self) -> bool:
        """Whether they are a lower bound."""


def number(value: float, sign: str = "") -> str:
    """Return a number such as seconds with three decimals, "-" where there is none."""
    return "-" if math.isnan(value) else f"{round(value, 3) + 0.0:{sign}.3f}"  # no "-0.000"


def percent(value: float | None, sign: str = "") -> str:
    """Return a share in percent, "-" where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{round(value, 4) + 0.0:{sign}.2%}"


def lower_bound(text: str, at_least: bool) -> str:
    """Return the text of a value, after ">" where it is a lower bound."""
    return f"> {text}" if at_least and text != "-" else text


def seconds_text(value: Bounded) -> str:
    """Return seconds, after ">" where they are a lower bound."""
    return lower_bound(number(value.seconds), value.at_least)


def is_share(measure: str) -> bool:
    """Return whether a measure is a share of requests, such as the error rate."""
    return measure.endswith("_rate")


def amount(measure: str, value: float, sign: str = "") -> str:
    """Return a value of a measure without its unit; a low goodput with three digits that count."""
    if measure == "goodput" and 0 < abs(value) < _LOW:
        return f"{value:{sign}.3g}"
    return percent(value, sign) if is_share(measure) else number(value, sign)


def with_unit(measure: str, text: str) -> str:
    """Return the text of a value of a measure with its unit."""
    if text == "-" or is_share(measure):
        return text
    return f"{text} replies/s" if measure == "goodput" else f"{text} s"


def mean(measure: str, value: Estimate, sign: str = "") -> str:
    """Return the mean of a measure, and half its interval where there is one."""
    text, half = amount(measure, value.estimate, sign), value.half_width
    return text if math.isnan(half) else f"{text} ± {amount(measure, half)}"


def heading(measure: str) -> str:
    """Return a measure as the heading of a column."""
    return "goodput /s" if measure == "goodput" else in_words(measure)


def in_words(name: str) -> str:
    """Return a name such as "timed_out" in words; of "ok_p99", "p99 of ok replies"."""
    if name.startswith("ok_") and name != "ok_rate":
        return f"{name[3:]} of ok replies"
    return _NAMES.get(name) or name.replace("_", " ")


def answered(limit: float | None) -> str:
    """Return how the share of ok replies within a limit in seconds is headed, None for no limit."""
    return "answered" if limit is None else f"answered within {limit:g} s"


def fitted(work: Mapping[str, float], of: str = "this request") -> str:
    """Return which work of a request was fitted, in brackets; "" where none was.

    `work` is in seconds, by stage.
    """
    from cascadesim.values.units import duration_text  # pydantic is slow to import

    if not work:
        return ""
    stages = listed([f"{stage} work" for stage in work])
    return f"({stages} of {of} fitted: {listed([*map(duration_text, work.values())])})"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence: "a, b and c"."""
    return ", ".join(names[:-1]) + " and " * (len(names) > 1) + "".join(names[-1:])


def counted(n: int, what: str) -> str:
    """Return a number of things, such as "1 objective" or "2 objectives"."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def met(is_met: bool) -> str:
    """Return whether an objective is met."""
    return "met" if is_met else "missed"
