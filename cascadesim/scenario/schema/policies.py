"""What wraps a stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cascadesim.scenario.schema.base import Choice, Name, Strict
from cascadesim.scenario.schema.work import Work
from cascadesim.scenario.units import Count, Duration, Number, PositiveDuration, Share, Whole

ErrorName = Literal["rejected", "timed_out", "failed"]
Errors = Annotated[list[ErrorName], Field(min_length=1)]


class Policy(Strict):
    """What every policy has. `name` tells two of a kind apart in dotted paths."""

    name: Name | None = Field(None, description="for dotted paths, in place of the kind")
    enabled: bool = Field(True, strict=True, description="false leaves the policy out")


class Breaker(Policy):
    """Circuit breaker that opens after consecutive failures."""

    failure_threshold: Count = Field(5, description="consecutive failures that open it")
    recovery_timeout: PositiveDuration = Field(description="how long it stays open")
    half_open_permits: Count = Field(1, description="trial calls let through at once")
    successes_to_close: Count = Field(1, description="trial successes that close it")
    when_open: Literal["reject", "wait"] = Field(
        "reject", description="reject callers at once, or let them wait for the recovery"
    )
    max_recoveries: Whole = Field(
        1, description="recoveries that a waiting caller sits through before it is rejected"
    )
    outcomes: Errors = Field(
        ["rejected", "timed_out", "failed"], description="outcomes that count as failures"
    )


class Deadline(Policy):
    """Ends a call that takes too long."""

    timeout: PositiveDuration = Field(description="longest time for the call")
    on_timeout: Literal["cancel", "abandon"] = Field(
        "cancel",
        description="cancel frees what the work holds; abandon lets it run on and hold it",
    )


class Retry(Policy):
    """Sends a call that failed again."""

    attempts: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        3, description="calls in all, the first one included"
    )
    backoff: Literal["constant", "linear", "exponential"] = Field(
        "exponential", description="how waits grow from one attempt to the next"
    )
    base: Duration = Field("100ms", validate_default=True, description="the first wait")
    multiplier: Annotated[Number, Field(ge=1)] = Field(
        2.0, description="growth of an exponential backoff"
    )
    cap: PositiveDuration | None = Field(None, description="longest single wait")
    jitter: Literal["none", "full", "equal", "decorrelated"] = Field(
        "none", description="what part of a wait is random"
    )
    budget: Share | None = Field(
        None, description="share of calls that may be retried, beyond a reserve of 10"
    )
    outcomes: Errors = Field(
        ["timed_out", "failed"], description="outcomes that earn another attempt"
    )


class Fallback(Policy):
    """Gives a degraded answer in place of an error."""

    work: Work = Field(
        {"constant": "0s"},
        validate_default=True,
        description="how long the degraded answer takes",
    )
    outcomes: Errors = Field(
        ["rejected", "timed_out", "failed"], description="outcomes that it answers for"
    )


class PolicyChoice(Choice):
    """One policy, by its kind."""

    breaker: Breaker | None = Field(None, description="stops calls after failures")
    deadline: Deadline | None = Field(None, description="ends a call that takes too long")
    fallback: Fallback | None = Field(None, description="a degraded answer in place of an error")
    retry: Retry | None = Field(None, description="sends a call that failed again")

    @property
    def name(self) -> str:
        """Return what the policy goes by in dotted paths: its name, else its kind."""
        return self.chosen.name or self.kind
