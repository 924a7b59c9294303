"""Circuit breaker: refuses calls after failures, until trial calls succeed after a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from cascadesim.policies.breaker_presets import LONGEST_EJECTION, PRESETS, PresetName, with_preset
from cascadesim.policies.breaker_waits import contradictions_of
from cascadesim.policies.breaker_window import Window, WindowPlan, check_window
from cascadesim.policies.plan import PolicyPlan, Room
from cascadesim.policies.settings import ALL_ERRORS, Errors, Policy, outcomes_of
from cascadesim.values import sources
from cascadesim.values.bound import Bound
from cascadesim.values.errors import show
from cascadesim.values.outcome import ERRORS, Outcome
from cascadesim.values.sources import follows
from cascadesim.values.strict import problem
from cascadesim.values.units import Count, PositiveDuration, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cascadesim.policies.lone import LoneCall
    from cascadesim.policies.plan import Position
    from cascadesim.values.rules import Contradiction

_MOST = 10**9


def _permits(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
    if is_count or value == "all":
        return value
    message = f'expected a whole number from 1 up, or "all", got {show(value)}'
    raise PydanticCustomError("permits", "{message}", {"message": message})


Permits = Annotated[
    int | Literal["all"],
    BeforeValidator(_permits),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": _MOST}, {"const": "all"}]}
    ),
]


def _preset_or_recovery(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema that a preset brings a recovery timeout, and what else they bring."""
    del schema["required"]
    schema["anyOf"] = [{"required": ["recovery_timeout"]}, {"required": ["preset"]}]
    schema["x-defaults"] = {"preset": {name: preset.said() for name, preset in PRESETS.items()}}


class Breaker(Policy):
    """Circuit breaker that opens after consecutive failures, or by the rates of a window."""

    KIND: ClassVar[str] = "breaker"
    SUMMARY: ClassVar[str] = "stops calls after failures"
    model_config = ConfigDict(json_schema_extra=_preset_or_recovery)
    FOLLOWS = follows(
        failure_threshold=sources.BREAKER,
        recovery_timeout=sources.BREAKER,
        max_recovery_timeout=sources.ENVOY,
        interval=sources.ENVOY,
        half_open_permits=sources.RESILIENCE4J,
        successes_to_close=sources.PYBREAKER,
        window=sources.RESILIENCE4J,
    )

    preset: PresetName | None = Field(
        None, description="library whose defaults and behaviour it has; settings beside it win"
    )
    failure_threshold: Count = Field(5, description="consecutive failures that open it")
    window: Window | None = Field(
        None, description="calls whose rates open it, in place of failure_threshold"
    )
    recovery_timeout: PositiveDuration = Field(description="how long it stays open")
    max_recovery_timeout: PositiveDuration | None = Field(
        None,
        description="longest recovery of preset envoy, whose recoveries grow; 300s by default, "
        "or recovery_timeout where that is longer",
    )
    interval: PositiveDuration | None = Field(
        None,
        description="time between sweeps of preset envoy, which end the open state; 10s by default",
    )
    half_open_permits: Permits = Field(1, description="trial calls let through at once; or all")
    successes_to_close: Count = Field(1, description="trial successes that close it")
    when_open: Literal["reject", "wait"] = Field(
        "reject", description="reject callers at once, or let them wait for the recovery"
    )
    max_recoveries: Whole = Field(
        1, description="recoveries that a waiting caller sits through before it is rejected"
    )
    outcomes: Errors = Field(ALL_ERRORS, description="outcomes that count as failures")

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        return with_preset(data, cls.known_keys()) if isinstance(data, dict) else data

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        super()._check_keys(data)
        rules = [key for key in data if key in ("failure_threshold", "window") and data[key]]
        if len(rules) > 1:
            message = "keep exactly one of: failure_threshold (failures in a row), window (rates)"
            raise problem(message, rules[-1], key=True, without=rules[:-1])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.window is not None:
            check_window(self.window)
        if self.preset == "resilience4j" and self.window and (self.window.time or 0) % 1:
            raise problem("resilience4j counts whole seconds", "window", "time")
        longest = self.max_recovery_timeout
        if self.preset != "envoy":
            for key in ("max_recovery_timeout", "interval"):
                if getattr(self, key) is not None:
                    raise problem("is a setting of preset: envoy", key, key=True)
        elif longest is not None and longest < self.recovery_timeout:
            message = "must not be less than recovery_timeout, which it limits"
            raise problem(message, "max_recovery_timeout")
        return self

    def plan(self, name: str) -> BreakerPlan:
        """Return the plan of a breaker of this name."""
        window = None if self.window is None else self.window.plan()
        longest = self.max_recovery_timeout or LONGEST_EJECTION
        permits = self.half_open_permits
        return BreakerPlan(
            name=name,
            failure_threshold=self.failure_threshold if window is None else window.minimum,
            recovery_timeout=self.recovery_timeout,
            half_open_permits=math.inf if permits == "all" else permits,
            successes_to_close=self.successes_to_close,
            waits=self.when_open == "wait",
            max_recoveries=self.max_recoveries,
            outcomes=outcomes_of(self.outcomes),
            window=window,
            preset=self.preset,
            max_recovery_timeout=longest if self.preset == "envoy" else 0.0,
            interval=self.interval or 0.0,
        )


@dataclass(frozen=True, slots=True)
class BreakerPlan(PolicyPlan):
    """Settings of one breaker, times in seconds.

    With `waits`, callers wait for the end of an open state and are not rejected at once; a caller
    waits for `max_recoveries` recoveries at most. `preset` names the library that it behaves like.
    Recoveries that grow do so up to `max_recovery_timeout`, and end at a multiple of `interval`.
    """

    kind: ClassVar[str] = "breaker"
    failure_threshold: int  # consecutive failures that open it; with a window, its minimum of calls
    recovery_timeout: float  # how long it stays open
    half_open_permits: float = 1  # trial calls let through at once
    successes_to_close: int = 1  # trial successes that close it
    waits: bool = False
    max_recoveries: int = 1
    outcomes: frozenset[Outcome] = frozenset(ERRORS)  # that count as failures
    window: WindowPlan | None = None  # opens it by rates, in place of consecutive failures
    preset: str | None = None
    max_recovery_timeout: float = 0.0
    interval: float = 0.0

    @property
    def longest_recovery(self) -> float:
        """Return the longest that it stays open, `interval` aside."""
        return max(self.recovery_timeout, self.max_recovery_timeout)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what time goes to: waiting for the recovery, where callers wait."""
        return (("breaker_wait", "recovery_timeout"),) if self.waits else ()

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the setting that makes it reject a call."""
        return ("recovery_timeout" if self.waits else "when_open",)

    def bound(self, where: str, inner: Bound) -> Bound:
        """Return the worst case of a call through it, which may wait.

        Before, between and after recoveries a caller may wait for trial calls: up to
        `successes_to_close` of them in a row, until the breaker closes or one fails. A trial takes
        at most as long as the caller's own call.
        """
        if not self.waits:
            return inner
        trials = (self.max_recoveries + 1) * self.successes_to_close
        return inner.times(trials + 1) + self._longest_waits(where)

    def recoveries(self, where: str) -> Bound:
        """Return how long a caller can wait here for recoveries."""
        waits = self.waits and self.max_recoveries
        return self._longest_waits(where) if waits else Bound()

    def _longest_waits(self, where: str) -> Bound:
        longest = self.longest_recovery
        grows = longest > self.recovery_timeout
        setting = "max_recovery_timeout" if grows else "recovery_timeout"
        bound = Bound({f"{where}.{setting}": self.max_recoveries * longest})
        if self.interval:
            bound += Bound({f"{where}.interval": self.max_recoveries * self.interval})
        return bound

    def lone(self, call: LoneCall) -> LoneCall | None:
        """Return the call if nothing in it could open the breaker."""
        slow = math.inf if self.window is None else self.window.slow_call
        opens = call.outcome in self.outcomes or call.seconds >= slow
        return None if opens else replace(call, entangled=True)

    @property
    def rejects_open(self) -> bool:
        """Return whether it rejects calls while it is open."""
        return not (self.waits and self.max_recoveries)

    @property
    def fills(self) -> tuple[float, int] | None:
        """Return how long its window of time is, and the minimum of calls in it."""
        if self.window is None or self.window.time == math.inf:
            return None
        return self.window.time, self.window.minimum

    @property
    def cancelled(self) -> str:
        """Return how a call counts that its caller cancels."""
        return "success" if self.preset == "polly" else self.counts(Outcome.TIMED_OUT)

    def counts(self, outcome: Outcome) -> str:
        """Return how a call counts that ends so."""
        return "failure" if outcome in self.outcomes else "success"

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield timeouts and retries that it does not go with."""
        yield from contradictions_of(self, at)

    @property
    def states_over_time(self) -> bool:
        """Return that it opens and closes over time."""
        return True

    @property
    def trips_after(self) -> int:
        """Return how many failures in a row open it."""
        return self.failure_threshold

    @property
    def spans(self) -> tuple[float, ...]:
        """Return how long it stays open, and what time its window covers."""
        window = math.inf if self.window is None else self.window.time
        return tuple(span for span in (self.recovery_timeout, window) if span < math.inf)

    def keeps(self, where: str) -> Room | None:
        """Return that calls can spend time here, if they wait."""
        return Room(where, math.inf) if self.waits else None
