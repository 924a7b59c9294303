"""The window of a breaker: the calls by whose failures and slowness it opens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from cascadesim.values import sources
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import Count, PositiveDuration, Share, or_infinite

if TYPE_CHECKING:
    from collections.abc import Mapping


class Window(Strict):
    """The calls whose failures and slowness open a breaker."""

    FOLLOWS = follows(sources.RESILIENCE4J, strict=sources.OPOSSUM)

    calls: Count | None = Field(None, description="the last so many calls")
    time: PositiveDuration | None = Field(None, description="the calls that ended so recently")
    minimum: Count | None = Field(
        None,
        description="calls in it before a rate counts; by default all of calls, and with preset "
        "resilience4j never more than calls",
    )
    failure_rate: Share | None = Field(None, description="share of failures that opens the breaker")
    slow_call: PositiveDuration | None = Field(None, description="a call that takes longer is slow")
    slow_rate: Share | None = Field(None, description="share of slow calls that opens the breaker")
    strict: bool = Field(
        False,
        strict=True,
        description="only a rate above its share opens the breaker, not one that is equal to it",
    )

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        super()._check_keys(data)
        sizes = [key for key in data if key in ("calls", "time") and data[key] is not None]
        if len(sizes) > 1:
            message = "keep exactly one of: calls, time"
            raise problem(message, sizes[-1], key=True, without=sizes[:-1])

    def plan(self) -> WindowPlan:
        """Return the plan."""
        calls = self.calls or 0
        return WindowPlan(
            calls=calls,
            time=or_infinite(self.time),
            minimum=self.minimum or calls,
            failure_rate=or_infinite(self.failure_rate),
            slow_call=or_infinite(self.slow_call),
            slow_rate=or_infinite(self.slow_rate),
            strict=self.strict,
        )


def check_window(window: Window) -> None:
    """Raise an error where settings are missing or contradict each other."""
    _check_size(window)
    if window.failure_rate is window.slow_call is window.slow_rate is None:
        message = "a window opens the breaker by failure_rate, or by slow_call and slow_rate"
        raise problem(message, "window")
    if (window.slow_call is None) != (window.slow_rate is None):
        given, other = ("slow_call", "slow_rate")
        if window.slow_call is None:
            given, other = other, given
        raise problem(f"{given} has no effect without {other}", "window", given)
    for key in ("failure_rate", "slow_rate"):
        if getattr(window, key) == 0:
            raise problem("must be more than 0%, which any call reaches", "window", key)


def _check_size(window: Window) -> None:
    if window.calls is None and window.time is None:
        raise problem("a window needs calls (how many) or time (how long)", "window")
    if window.minimum is None and window.time is not None:
        message = "a window of time needs a minimum of calls, or the first failure is all of them"
        raise problem(message, "window")
    if window.minimum is not None and window.calls is not None and window.minimum > window.calls:
        message = f"a window of {window.calls} calls never holds {window.minimum}"
        raise problem(message, "window", "minimum")


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Settings of a window, times in seconds; it holds `calls`, or else those of `time`.

    Rates are shares from 0 to 1; an infinite one is never reached.
    """

    calls: int
    time: float
    minimum: int  # calls in it before any rate counts
    failure_rate: float = math.inf  # share of failures that opens the breaker
    slow_call: float = math.inf  # what takes longer is slow
    slow_rate: float = math.inf  # share of slow calls that opens the breaker
    strict: bool = False  # only above these shares
