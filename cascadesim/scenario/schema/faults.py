"""Timed changes of the world."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cascadesim.scenario.schema.base import Choice, Strict
from cascadesim.scenario.units import Duration, Instant, Number, PositiveDuration, Share, Text


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

    on: Text = Field(description="the stage")
    start: Instant = Field(alias="from", description="time after t = 0, or by the clock")
    duration: PositiveDuration = Field(alias="for", description="how long it lasts")
    outage: Outage | None = Field(None, description="calls fail")
    error_rate: ErrorRate | None = Field(None, description="a share of the calls fails")
    latency: Latency | None = Field(None, description="calls take longer")
    partition: Plain | None = Field(None, description="no answer: only a timeout ends a call")
    restart: Plain | None = Field(
        None, description="calls under way fail; the stage starts up until the fault is over"
    )
