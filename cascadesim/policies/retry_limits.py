"""What keeps retries to a share of all calls, as libraries do: settings and plans.

A retry needs the consent of every limit that it has. How a limit counts is in the engine's file of
the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from cascadesim.values import sources
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict
from cascadesim.values.units import Number, Share, Whole


class RetryThrottle(Strict):
    """Sends no call again while too many fail, as gRPC's does."""

    FOLLOWS = follows(sources.THROTTLE)

    max_tokens: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        description="tokens there are at first and at most; an error takes one"
    )
    token_ratio: Annotated[Number, Field(gt=0, le=1000)] = Field(
        description="tokens that an answer gives back; calls are sent again while more than half "
        "of max_tokens are there"
    )


class Quota(Strict):
    """Tokens that retries take, as in the standard mode of the AWS SDKs."""

    FOLLOWS = follows(sources.AWS_RETRIES)

    tokens: Annotated[int, Field(strict=True, ge=1, le=10**6)] = Field(
        500, description="tokens there are at first and at most"
    )
    cost: Whole = Field(5, description="tokens that a retry takes")
    timeout_cost: Whole = Field(10, description="tokens that a retry after a timeout takes")
    refund: Whole = Field(
        1,
        description="tokens that an answer at the first attempt gives; one at a retry gives back "
        "what that retry took",
    )


class ActiveBudget(Strict):
    """Allows so many retries at once, a share of the calls under way, as Envoy does."""

    FOLLOWS = follows(sources.ENVOY_BUDGET)

    share: Share = Field(
        "20%", validate_default=True, description="retries at once, as a share of calls under way"
    )
    minimum: Whole = Field(3, description="retries at once that are always allowed")


@dataclass(frozen=True, slots=True)
class ShareLimit:
    """Finagle's: `share` of the calls of the last `span` seconds, and `reserve` more per second."""

    share: float
    reserve: float
    span: float


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """gRPC's: an error takes a token, an answer gives `token_ratio` back."""

    max_tokens: float
    token_ratio: float


@dataclass(frozen=True, slots=True)
class QuotaLimit:
    """The AWS SDKs': retries take tokens, answers give some."""

    tokens: int
    cost: int
    timeout_cost: int
    refund: int


@dataclass(frozen=True, slots=True)
class ActiveLimit:
    """Envoy's: a share of the calls under way, at least `minimum`."""

    share: float
    minimum: int


RetryLimit = ShareLimit | TokenLimit | QuotaLimit | ActiveLimit
