"""How long work takes."""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationInfo, model_validator

from cascadesim.randomness import Distribution
from cascadesim.values import sources
from cascadesim.values.columns import Column, numbers
from cascadesim.values.errors import show
from cascadesim.values.sources import follows
from cascadesim.values.strict import NO_OTHERS, Choice, Name, Strict, problem
from cascadesim.values.units import (
    SECONDS,
    Duration,
    Number,
    PositiveDuration,
    TimeUnit,
    Weight,
    duration_text,
    or_infinite,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SAMPLES = 100_000  # of one file; every replication is sent with them


class Exponential(Strict):
    """Exponential, by its mean."""

    FOLLOWS = follows(sources.CONTINUOUS)

    mean: PositiveDuration = Field(description="mean, a duration")


class Lognormal(Choice):
    """Lognormal, by its median and one of a percentile or sigma."""

    BESIDE = ("median",)
    FOLLOWS = follows(sources.CONTINUOUS)

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


class Gamma(Choice):
    """Gamma, by its mean and one of the coefficient of variation or the shape."""

    BESIDE = ("mean",)
    FOLLOWS = follows(sources.CONTINUOUS)

    mean: PositiveDuration = Field(description="mean, a duration")
    cv: Annotated[Number, Field(ge=0.001, le=10)] | None = Field(
        None, description="coefficient of variation: the standard deviation in means"
    )
    shape: Annotated[Number, Field(ge=0.01, le=10**6)] | None = Field(
        None, description="of the density; 1 is exponential, and an integer k is Erlang's"
    )


_FORMS = (("minimum", "alpha"), ("median", "p99"))


def _one_form(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema that the settings of exactly one form are given, and not null."""
    for key in itertools.chain(*_FORMS):
        settings = schema["properties"][key]
        del settings["default"]
        settings |= settings.pop("anyOf")[0]
    schema["oneOf"] = [
        {"required": list(form), "not": {"anyOf": [{"required": [key]} for key in other]}}
        for form, other in itertools.permutations(_FORMS)
    ]


class Pareto(Strict):
    """Pareto, by minimum and alpha or by median and p99: a tail without a typical size.

    Its mean is infinite where alpha is at most 1, which is where p99 is 50 medians or more; then it
    needs a cap.
    """

    model_config = ConfigDict(json_schema_extra=_one_form)
    FOLLOWS = follows(sources.CONTINUOUS)

    minimum: PositiveDuration | None = Field(None, description="the shortest")
    alpha: Annotated[Number, Field(ge=0.1, le=100)] | None = Field(
        None, description="tail index: a share of (minimum / x)^alpha is longer than x"
    )
    median: PositiveDuration | None = Field(None, description="half of the values are shorter")
    p99: PositiveDuration | None = Field(None, description="99% of the values are shorter")
    cap: PositiveDuration | None = Field(None, description="longer values are cut to this one")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        given = tuple(key for key in itertools.chain(*_FORMS) if getattr(self, key) is not None)
        if given not in _FORMS:
            got = ", ".join(given) or "neither"
            raise problem(f"expected minimum and alpha, or median and p99; got {got}")
        # So that alpha is within its limits.
        if self.p99 and self.median and not 1.04 <= self.p99 / self.median <= 1e16:
            raise problem("p99 must be from 1.04 to 10^16 times the median", "p99")
        self._check_tail()
        return self

    def _check_tail(self) -> None:
        minimum, alpha = self.parameters
        if self.cap is None:
            if alpha <= 1:
                at = "alpha" if self.p99 is None else "p99"
                right = "more than 1" if self.p99 is None else "less than 50 medians"
                raise problem(f"must be {right}, or the mean is infinite; or give a cap", at)
        elif self.p99 is not None and self.cap < self.p99:
            raise problem(f"cap must be at least p99, {duration_text(self.p99)}", "cap")
        elif self.cap <= minimum:
            raise problem(f"cap must be more than the minimum, {duration_text(minimum)}", "cap")

    @property
    def parameters(self) -> tuple[float, float]:
        """Return minimum and alpha; a quantile q is minimum * (1 - q)^(-1 / alpha)."""
        if self.minimum is not None and self.alpha is not None:
            return self.minimum, self.alpha
        assert self.median is not None
        assert self.p99 is not None
        alpha = math.log(50) / math.log(self.p99 / self.median)
        return self.median / 2 ** (1 / alpha), alpha


class Empirical(Column):
    """Recorded durations, drawn at random: each is as likely as it is frequent in the file."""

    unit: TimeUnit = Field(description="of the recorded numbers")

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        path = self.path(info.context)
        self._seconds = numbers(path, self.column, SECONDS[self.unit])
        n = len(self._seconds)
        if n > MOST_SAMPLES:
            right = f"at most {MOST_SAMPLES}; keep every {-(-n // MOST_SAMPLES)}th"
            raise problem(f"{show(path.name)} has {n} rows, and work is drawn from {right}", "file")
        return self


class Work(Choice):
    """How long work takes."""

    constant: Duration | None = Field(None, description="always as long")
    exponential: Exponential | None = Field(None, description="memoryless, by its mean")
    lognormal: Lognormal | None = Field(None, description="by median and a percentile or sigma")
    uniform: Uniform | None = Field(None, description="evenly between two durations")
    gamma: Gamma | None = Field(None, description="by mean and variation, or shape")
    pareto: Pareto | None = Field(None, description="with a heavy tail")
    empirical: Empirical | None = Field(None, description="recorded durations from a file")
    mixture: Annotated[dict[Name, Component], Field(min_length=1)] | None = Field(
        None,
        description="one of several, by name, each with a weight and a distribution",
        json_schema_extra=NO_OTHERS,
    )

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.mixture and not any(part.weight for part in self.mixture.values()):
            raise problem("one component needs a weight above 0", "mixture")
        return self

    @property
    def distribution(self) -> Distribution:
        """Return the distribution that is described, in seconds."""
        if self.mixture is None:
            return Distribution(self.kind, _PARAMETERS[self.kind](self.chosen))
        weights = tuple(part.weight for part in self.mixture.values())
        parts = tuple((name, part.distribution) for name, part in self.mixture.items())
        return Distribution("mixture", weights, parts)


class Component(Work):
    """One distribution of a mixture: `{weight: 5%, lognormal: {median: 2s, p99: 9s}}`."""

    BESIDE = ("weight",)

    weight: Weight = Field(description="how often it is drawn, beside the others' weights")


def _lognormal(settings: Lognormal) -> tuple[float, float]:
    """Return mu and sigma.

    A quantile q of a lognormal is median * exp(sigma * z(q)), z that of the standard normal.
    """
    mu = math.log(settings.median)
    if settings.kind == "sigma":
        return mu, settings.chosen
    z = NormalDist().inv_cdf(float(settings.kind[1:]) / 100)
    return mu, math.log(settings.chosen / settings.median) / z


def _gamma(settings: Gamma) -> tuple[float, float]:
    """Return shape and scale; the mean is their product, the variation 1 / sqrt(shape)."""
    shape = settings.chosen if settings.kind == "shape" else settings.chosen**-2
    return shape, settings.mean / shape


_PARAMETERS: dict[str, Callable[[Any], tuple[float, ...]]] = {
    "constant": lambda seconds: (seconds,),
    "exponential": lambda settings: (settings.mean,),
    "lognormal": _lognormal,
    "uniform": lambda settings: (settings.low, settings.high),
    "gamma": _gamma,
    "pareto": lambda settings: (*settings.parameters, or_infinite(settings.cap)),
    "empirical": lambda settings: tuple(sorted(settings.seconds)),
}
