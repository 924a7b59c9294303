"""Timed changes of the world."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from cascadesim.scenario.errors import show
from cascadesim.scenario.schema.base import Choice, Strict, problem
from cascadesim.scenario.units import Duration, Instant, Number, PositiveDuration, Share


def _targets(value: Any) -> str | list[str]:
    names = value if isinstance(value, list | tuple) else [value]
    if not names:
        raise problem("expected the name of a stage, or several in a list, got an empty list")
    for i, name in enumerate(names):
        at = () if names is not value else (i,)
        if not isinstance(name, str):
            hint = f'; write "{show(name)}" in quotes' if isinstance(name, int | float) else ""
            raise problem(f"expected the name of a stage, got {show(name)}{hint}", *at)
        if name in names[:i]:
            raise problem(f"{show(name)} stands twice in the list; leave one out", *at)
    return list(names) if names is value else names[0]


_NAMES = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
Targets = Annotated[
    str | list[str],
    PlainValidator(_targets),
    WithJsonSchema({"anyOf": [{"type": "string"}, _NAMES], "examples": ["a", ["a", "b"]]}),
]


class Outage(Strict):
    """Calls fail, and so do those under way when it begins."""

    fail_after: Duration = Field(
        "0s", validate_default=True, description="how long a call takes to fail"
    )


class ErrorRate(Strict):
    """A share of calls fails after its work."""

    share: Share = Field(description="share of the calls that fail")


class Latency(Strict):
    """Calls that start meanwhile take longer."""

    multiply: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        1.0, description="factor on the work's time"
    )
    add: Duration = Field("0s", validate_default=True, description="time added after the factor")


class Plain(Strict):
    """A fault without settings."""


class Fault(Choice):
    """A timed change of a stage: `{on: agent, from: 1min, for: 45s, outage: {}}`."""

    BESIDE = ("on", "from", "for")

    on: Targets = Field(description="the stage, or several that it befalls at the same times")
    start: Instant = Field(alias="from", description="time after t = 0, or by the clock")
    duration: PositiveDuration = Field(alias="for", description="how long it lasts")
    outage: Outage | None = Field(None, description="calls fail")
    error_rate: ErrorRate | None = Field(None, description="a share of the calls fails")
    latency: Latency | None = Field(None, description="calls take longer")
    partition: Plain | None = Field(None, description="no answer: only a timeout ends a call")
    restart: Plain | None = Field(
        None, description="calls under way fail; the stage starts up until the fault is over"
    )

    @property
    def stages(self) -> list[str]:
        """Return the names of the stages that it befalls."""
        return [self.on] if isinstance(self.on, str) else self.on
