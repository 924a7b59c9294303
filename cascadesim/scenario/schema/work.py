"""How long work takes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from cascadesim.scenario.schema.base import Choice, Strict, problem
from cascadesim.scenario.units import Duration, Number, PositiveDuration


class Exponential(Strict):
    """Exponential, by its mean."""

    mean: PositiveDuration = Field(description="mean, a duration")


class Lognormal(Choice):
    """Lognormal, by its median and one of a percentile or sigma."""

    BESIDE = ("median",)

    median: PositiveDuration = Field(description="half of the values are shorter")
    p90: PositiveDuration | None = Field(None, description="90% of the values are shorter")
    p95: PositiveDuration | None = Field(None, description="95% of the values are shorter")
    p99: PositiveDuration | None = Field(None, description="99% of the values are shorter")
    sigma: Annotated[Number, Field(gt=0, le=5)] | None = Field(
        None, description="standard deviation of the natural logarithm"
    )

    @model_validator(mode="after")
    def _spread(self) -> Self:
        if self.kind == "sigma":
            return self
        most = {"p90": 600, "p95": 3700, "p99": 110_000}[self.kind]  # where sigma is about 5
        if not self.median < self.chosen <= most * self.median:
            message = f"{self.kind} must be more than the median and at most {most} times it"
            raise problem(message, self.kind)
        return self


class Uniform(Strict):
    """Uniform between two durations."""

    low: Duration = Field(description="the shortest")
    high: PositiveDuration = Field(description="the longest")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise problem("low must be less than high", "low")
        return self


class Work(Choice):
    """How long work takes."""

    constant: Duration | None = Field(None, description="always as long")
    exponential: Exponential | None = Field(None, description="memoryless, by its mean")
    lognormal: Lognormal | None = Field(None, description="by median and a percentile or sigma")
    uniform: Uniform | None = Field(None, description="evenly between two durations")
