"""Objectives, written as thresholds of load tests are: `p99 < 5s`, `error_rate < 1%`."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cascadesim.scenario.units import parse_duration, parse_rate, parse_share

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
RATES = (
    "error_rate",
    "ok_rate",
    "degraded_rate",
    "rejected_rate",
    "timed_out_rate",
    "failed_rate",
    "unfinished_rate",
)
_LATENCY = r"p\d{1,2}(?:\.\d+)?|mean|max"
_METRIC = rf"{_LATENCY}|goodput|{'|'.join(RATES)}"
PATTERN = rf"^\s*({_METRIC})\s*(<=|>=|<|>)\s*(\S.*?)\s*$"


@dataclass(frozen=True, slots=True)
class Objective:
    """One threshold: `metric` stands in `relation` to `bound` (seconds, a share or a rate)."""

    text: str
    metric: str
    relation: str
    bound: float

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
        message = (
            f'expected an objective such as "p99 < 5s", "error_rate < 1%" or "goodput > 20/s", '
            f"got {value!r}"
        )
        raise PydanticCustomError("objective", "{message}", {"message": message})
    metric, relation, bound = match.groups()
    if metric == "goodput":
        number = parse_rate(bound)
    else:
        number = parse_share(bound) if metric in RATES else parse_duration(bound)
    return Objective(" ".join(value.split()), metric, relation, number)


def _checked(value: str) -> str:
    return parse_objective(value).text


ObjectiveText = Annotated[
    str, AfterValidator(_checked), WithJsonSchema({"type": "string", "pattern": PATTERN})
]
