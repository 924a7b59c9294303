"""Circuit breaker: refuses calls after failures, until trial calls succeed after a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from cascadesim.policies.breaker_presets import LONGEST_EJECTION, PRESETS, PresetName, with_preset
from cascadesim.policies.breaker_rules import hidden_hangs, never_ejected
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
from cascadesim.values.units import Count, Number, PositiveDuration, Share, Whole, or_infinite

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
        clear_every=sources.GOBREAKER,
        recovery_timeout=sources.BREAKER,
        recovery_growth=(sources.RESILIENCE4J, sources.BREAK_DURATION),
        max_recovery_timeout=(sources.ENVOY, sources.RESILIENCE4J),
        interval=sources.ENVOY,
        max_ejection=sources.ENVOY,
        panic_threshold=sources.PANIC,
        cancelled=(sources.CANCELLED, sources.POLLY, sources.PURGATORY, sources.PYBREAKER),
        half_open_permits=sources.RESILIENCE4J,
        half_open_limit=(sources.GOBREAKER, sources.RESILIENCE4J),
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
    clear_every: PositiveDuration | None = Field(
        None, description="time after which it forgets its failures, over and over while closed"
    )
    recovery_timeout: PositiveDuration = Field(description="how long it stays open")
    recovery_growth: Annotated[Number, Field(ge=1)] = Field(
        1,
        description="how many times as long it stays open after each failed trial, until it closes",
    )
    max_recovery_timeout: PositiveDuration | None = Field(
        None,
        description="longest recovery, where recoveries grow: by recovery_growth, or as those of "
        "preset envoy, which has 300s by default, or recovery_timeout where that is longer",
    )
    interval: PositiveDuration | None = Field(
        None,
        description="time between sweeps of preset envoy, which end the open state; 10s by default",
    )
    max_ejection: Share | None = Field(
        None,
        description="share of its hosts that preset envoy ejects at most; an only host is ejected "
        "with 100% alone",
    )
    panic_threshold: Share | None = Field(
        None,
        description="share of healthy hosts below which preset envoy sends to ejected ones too; an "
        "only host is spared with 0% alone",
    )
    cancelled: Literal["failure", "success", "ignored"] = Field(
        "ignored",
        description="how a call counts whose caller cancels it: a hedge's loser, a branch beside "
        "an error, a lost connection, a deadline outside (which hides calls that hang, where they "
        "are no failures); ignored gives a trial's permit back",
    )
    half_open_permits: Permits = Field(1, description="trial calls let through; or all")
    half_open_limit: Literal["at_once", "in_total"] = Field(
        "at_once",
        description="whether so many trials are let through at once, or in all until it closes or "
        "opens",
    )
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

    def default_of(self, key: str | int) -> Any:
        """Return what a key is where it is not written: the preset's value, or else the default."""
        preset = PRESETS.get(self.preset) if self.preset else None
        brought = {**preset.fixed, **preset.settings} if preset else {}
        return brought.get(str(key), super().default_of(key))

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
        if self.window is not None and self.clear_every is not None:
            raise problem("a window forgets by itself", "clear_every", key=True)
        self._check_recovery()
        self._check_trials()
        return self

    def _check_recovery(self) -> None:
        if self.preset != "envoy":
            for key in ("interval", "max_ejection", "panic_threshold"):
                if getattr(self, key) is not None:
                    raise problem("is a setting of preset: envoy", key, key=True)
            if self.max_recovery_timeout is not None and self.recovery_growth == 1:
                message = "has no effect without a recovery_growth above 1"
                raise problem(message, "max_recovery_timeout", key=True)
        longest = self.max_recovery_timeout
        if longest is not None and longest < self.recovery_timeout:
            message = "must not be less than recovery_timeout, which it limits"
            raise problem(message, "max_recovery_timeout")

    def _check_trials(self) -> None:
        if self.half_open_limit == "at_once":
            return
        if self.half_open_permits == "all":
            if self.preset is not None:
                raise problem(f"{self.preset} takes a number", "half_open_permits")
            raise problem("has no effect with half_open_permits: all", "half_open_limit", key=True)
        if self.half_open_permits < self.successes_to_close:
            message = "fewer trials in all than successes_to_close: it never closes"
            raise problem(message, "half_open_limit")

    def plan(self, name: str) -> BreakerPlan:
        """Return the plan of a breaker of this name."""
        window = None if self.window is None else self.window.plan()
        permits = math.inf if self.half_open_permits == "all" else self.half_open_permits
        successes = permits if self.preset == "gobreaker" else self.successes_to_close
        return BreakerPlan(
            name=name,
            failure_threshold=self.failure_threshold if window is None else window.minimum,
            recovery_timeout=self.recovery_timeout,
            half_open_permits=permits,
            in_total=self.half_open_limit == "in_total",
            successes_to_close=int(successes),
            waits=self.when_open == "wait",
            max_recoveries=self.max_recoveries,
            outcomes=outcomes_of(self.outcomes),
            cancelled=self.cancelled,
            window=window,
            preset=self.preset,
            recovery_growth=self.recovery_growth,
            max_recovery_timeout=self._longest(),
            interval=self.interval or 0.0,
            clear_every=or_infinite(self.clear_every),
            can_open=self.preset != "envoy"
            or (self.max_ejection == 1 and self.panic_threshold == 0),
        )

    def _longest(self) -> float:
        if self.preset == "envoy":
            return self.max_recovery_timeout or LONGEST_EJECTION
        return 0.0 if self.recovery_growth == 1 else or_infinite(self.max_recovery_timeout)


@dataclass(frozen=True, slots=True)
class BreakerPlan(PolicyPlan):
    """Settings of one breaker, times in seconds.

    With `waits`, callers wait for the end of an open state and are not rejected at once; a caller
    waits for `max_recoveries` recoveries at most. `preset` names the library that it behaves like.
    Recoveries that grow do so up to `max_recovery_timeout`, and end at a multiple of `interval`.
    One that cannot open is a host of Envoy that is never ejected.
    """

    kind: ClassVar[str] = "breaker"
    failure_threshold: int  # consecutive failures that open it; with a window, its minimum of calls
    recovery_timeout: float  # how long it stays open
    half_open_permits: float = 1  # trial calls let through at once, or in all
    in_total: bool = False
    successes_to_close: int = 1  # trial successes that close it
    waits: bool = False
    max_recoveries: int = 1
    outcomes: frozenset[Outcome] = frozenset(ERRORS)  # that count as failures
    cancelled: str = "ignored"  # what a call is that its caller cancels, or failure, or success
    window: WindowPlan | None = None  # opens it by rates, in place of consecutive failures
    preset: str | None = None
    recovery_growth: float = 1.0  # a recovery after a failed trial, as a multiple of the last one
    max_recovery_timeout: float = 0.0
    interval: float = 0.0
    clear_every: float = math.inf  # how often failures are forgotten while it is closed
    can_open: bool = True

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
        if not (self.waits and self.can_open):
            return inner
        trials = (self.max_recoveries + 1) * self.successes_to_close
        return inner.times(trials + 1) + self._longest_waits(where)

    def recoveries(self, where: str) -> Bound:
        """Return how long a caller can wait here for recoveries."""
        waits = self.waits and self.can_open
        return self._longest_waits(where) if waits else Bound()

    def _longest_waits(self, where: str) -> Bound:
        if not self.max_recoveries:
            return Bound()
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
        return self.can_open and not (self.waits and self.max_recoveries)

    @property
    def fills(self) -> tuple[float, int] | None:
        """Return how long its window of time is, and the minimum of calls in it."""
        if self.window is None or self.window.time == math.inf:
            return None
        return self.window.time, self.window.minimum

    def counts(self, outcome: Outcome) -> str:
        """Return how a call counts that ends so."""
        return "failure" if outcome in self.outcomes else "success"

    @property
    def states_over_time(self) -> bool:
        """Return that it opens and closes over time."""
        return True

    @property
    def trips_after(self) -> int | None:
        """Return how many failures in a row open it, None where nothing does."""
        return self.failure_threshold if self.can_open else None

    def contradictions(self, at: Position) -> Iterator[Contradiction]:
        """Yield that it never opens, or not on calls that hang, and what it does not go with."""
        yield from contradictions_of(self, at)
        if not self.can_open:
            yield never_ejected(at.path)
        elif self.cancelled != "failure" and (hidden := hidden_hangs(at, self.cancelled)):
            yield hidden

    @property
    def spans(self) -> tuple[float, ...]:
        """Return how long it stays open, and how long it looks back."""
        window = math.inf if self.window is None else self.window.time
        spans = self.recovery_timeout, self.clear_every, window
        return tuple(span for span in spans if span < math.inf)

    def keeps(self, where: str) -> Room | None:
        """Return that calls can spend time here, if they wait."""
        return Room(where, math.inf) if self.waits else None
