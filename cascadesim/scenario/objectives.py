"""Objectives, written as thresholds of load tests are: `p99 < 5s`, `error_rate < 1%`."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cascadesim.values.errors import show, suggest
from cascadesim.values.units import Text, parse_duration, parse_rate, parse_share, text_of

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
ANSWERED = "answered_rate"  # ok replies within the limit of the first latency objective, if any
RATES = (
    ANSWERED,
    "error_rate",
    "ok_rate",
    "degraded_rate",
    "rejected_rate",
    "shed_rate",
    "timed_out_rate",
    "failed_rate",
    "disconnected_rate",
    "unfinished_rate",
)
# Above 0 and below 100, with no more decimals than a float can tell apart.
_PERCENTILE = r"p(?!0+(?:\.0+)?(?![0-9.]))[0-9]{1,2}(?:\.[0-9]{1,10})?"
_LATENCY = rf"{_PERCENTILE}|mean|max"
_METRIC = rf"{_LATENCY}|goodput|{'|'.join(RATES)}"
_KNOWN = ("p50", "p95", "p99", "p99.9", "mean", "max", "goodput", *RATES)  # any percentile is
_CLASS = r"(?:([^\s.=,]+):\s*)?"  # whose requests it is of
PATTERN = rf"^\s*{_CLASS}({_METRIC})\s*(<=|>=|<|>)\s*(\S.*?)\s*$"


@dataclass(frozen=True, slots=True)
class Objective:
    """One threshold: `metric` stands in `relation` to `bound` (seconds, a share or a rate).

    It is of the requests of one class, such as "chat: p99 < 5s", or of all.
    """

    text: str
    metric: str
    relation: str
    bound: float
    request_class: str | None = None

    @property
    def measure(self) -> str:
        """Return what is measured: the metric, after the class, such as "chat: p99"."""
        return self.metric if self.request_class is None else f"{self.request_class}: {self.metric}"

    @property
    def limit(self) -> tuple[str, str, float]:
        """Return what it asks, however it is written."""
        return self.measure, self.relation, self.bound

    @property
    def is_latency(self) -> bool:
        """Return whether the metric is a latency."""
        return re.fullmatch(_LATENCY, self.metric) is not None

    def met(self, value: float) -> bool:
        """Return whether the value keeps the threshold; NaN does not."""
        return bool(OPERATORS[self.relation](value, self.bound))


def parse_objective(value: Any) -> Objective:
    """Return the objective that the text states.

    Raises PydanticCustomError (a ValueError) saying what would be right.
    """
    match = re.fullmatch(PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("objective", "{message}", {"message": _wrong(value)})
    request_class, metric, relation, bound = match.groups()
    if metric == "goodput":
        number = parse_rate(bound)
    else:
        number = parse_share(bound) if metric in RATES else parse_duration(bound)
    text = " ".join(value.split())
    if request_class is not None:
        text = f"{request_class}: {text.removeprefix(f'{request_class}:').lstrip()}"
    return Objective(text, metric, relation, number, request_class)


def _wrong(value: Any) -> str:
    stated = rf"\s*{_CLASS}(\w[\w.]*)\s*[<>]=?\s*\S"
    match = re.match(stated, value) if isinstance(value, str) else None
    word = match[2] if match else ""
    if re.fullmatch(r"p[0-9.]+", word) and not re.fullmatch(_METRIC, word):
        return f"unknown metric {show(word)}; a percentile lies above 0 and below 100"
    if word and not re.fullmatch(_METRIC, word):
        return f"unknown metric {show(word)}; {suggest(word, list(_KNOWN))}"
    example = '"p99 < 5s", "error_rate < 1%" or "goodput > 20/s"'
    return f"expected an objective such as {example}, got {show(value)}"


def _checked(value: str) -> str:
    return parse_objective(value).text


ObjectiveText = Annotated[
    Text, AfterValidator(_checked), WithJsonSchema(text_of("objective", PATTERN))
]
VALUES = {
    "objective": "a measure, one of `<`, `<=`, `>`, `>=`, and a bound: a percentile such as `p99` "
    "or `p99.9`, `mean` or `max` with a duration, `goodput` with a rate, or with a share "
    + ", ".join(f"`{rate}`" for rate in RATES)
}
