"""What wraps a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from cascadesim.scenario.schema.breakers import (
    PRESETS,
    Permits,
    PresetName,
    Window,
    check_window,
    with_preset,
)
from cascadesim.values import sources
from cascadesim.values.distributions import Work
from cascadesim.values.sources import follows
from cascadesim.values.strict import Choice, Name, Strict, problem
from cascadesim.values.units import (
    Count,
    Duration,
    Number,
    PositiveDuration,
    Rate,
    Share,
    Whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ErrorName = Literal["rejected", "timed_out", "failed"]
Errors = Annotated[list[ErrorName], Field(min_length=1)]
HEDGE_ATTEMPTS = 5  # the most that gRPC allows


class Policy(Strict):
    """What every policy has. `name` tells two of a kind apart in dotted paths."""

    name: Name | None = Field(None, description="for dotted paths, in place of the kind")
    enabled: bool = Field(True, strict=True, description="false leaves the policy out")


def _preset_or_recovery(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema that a preset brings a recovery timeout, and what else they bring."""
    del schema["required"]
    schema["anyOf"] = [{"required": ["recovery_timeout"]}, {"required": ["preset"]}]
    schema["x-defaults"] = {"preset": {name: preset.said() for name, preset in PRESETS.items()}}


class Breaker(Policy):
    """Circuit breaker that opens after consecutive failures, or by the rates of a window."""

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
    outcomes: Errors = Field(
        ["rejected", "timed_out", "failed"], description="outcomes that count as failures"
    )

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


class Codel(Strict):
    """Sheds calls from a queue that lasts too long."""

    FOLLOWS = follows(sources.FOLLY, law=(sources.FOLLY, sources.CODEL))

    target: PositiveDuration = Field(
        "5ms", validate_default=True, description="wait that a good queue does not exceed for long"
    )
    interval: PositiveDuration = Field(
        "100ms", validate_default=True, description="time for which it may be exceeded"
    )
    law: Literal["folly", "rfc8289"] = Field(
        "folly",
        description="shed all that have waited for twice the target while even the shortest wait "
        "is longer than it, as Facebook's servers do; or one after the other, as routers do",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.interval <= self.target:
            raise problem("must be more than the target", "interval")
        return self


class Bulkhead(Policy):
    """Limits the calls through it, as resilience4j's does."""

    FOLLOWS = follows(sources.BULKHEAD, name=(), enabled=())

    concurrency: Count = Field(25, description="calls let through at once")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for a place; one more is rejected"
    )
    timeout: Duration = Field(
        "0s",
        validate_default=True,
        description="longest wait for a place, after which the call is rejected; 0s rejects at "
        "once",
    )
    codel: Codel | None = Field(None, description="sheds calls that wait for a place too long")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.codel is not None and "timeout" not in self.model_fields_set:
            raise problem("codel needs a timeout, else nobody waits", "codel")
        if self.queue_limit is not None and "timeout" not in self.model_fields_set:
            raise problem("queue_limit needs a timeout, else nobody waits", "queue_limit")
        return self


# Of Netflix's concurrency-limits, by algorithm: AIMDLimit, Gradient2Limit and VegasLimit.
LIMIT_DEFAULTS: dict[str, dict[str, Any]] = {
    "aimd": {"initial": 20, "min": 20, "max": 200, "backoff_ratio": 0.9, "timeout": 5.0},
    "gradient2": {
        **{"initial": 20, "min": 20, "max": 200},
        **{"smoothing": 0.2, "queue_size": 4, "long_window": 600},
    },
    "vegas": {"initial": 20, "min": 1, "max": 1000, "smoothing": 1.0, "probe_multiplier": 30},
}
LIMIT_KEYS = tuple(dict.fromkeys(key for keys in LIMIT_DEFAULTS.values() for key in keys))


def _by_algorithm(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema what an algorithm's own defaults are."""
    said = {
        name: {key: f"{value:g}s" if key == "timeout" else value for key, value in defaults.items()}
        for name, defaults in LIMIT_DEFAULTS.items()
    }
    schema["x-defaults"] = {"algorithm": {name: {"settings": each} for name, each in said.items()}}


class AdaptiveLimit(Policy):
    """Limits the calls through it to what answer times and drops allow, as Netflix's does."""

    model_config = ConfigDict(json_schema_extra=_by_algorithm)
    FOLLOWS = follows(sources.ADAPTIVE_LIMIT, name=(), enabled=())

    algorithm: Literal["aimd", "gradient2", "vegas"] = Field(
        "gradient2", description="by drops, by how answer times change, or by how many calls queue"
    )
    initial: Count | None = Field(
        None, description="calls let through at once at first; 20 by default, or max if less"
    )
    min: Count | None = Field(
        None,
        description="the least it can come to; 20 by default, 1 of vegas, or initial if less",
    )
    max: Count | None = Field(
        None, description="the most it can come to; 200 by default, 1000 of vegas"
    )
    outcomes: list[ErrorName] = Field(
        ["rejected", "timed_out"], description="outcomes that count as drops; others are ignored"
    )
    backoff_ratio: Annotated[Number, Field(ge=0.5, lt=1)] | None = Field(
        None, description="what is left of the limit after a drop, of aimd; 0.9 by default"
    )
    timeout: PositiveDuration | None = Field(
        None, description="time after which an answer counts as a drop, of aimd; 5s by default"
    )
    smoothing: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None,
        description="weight of the newest estimate, of gradient2 (0.2 by default) and vegas (1)",
    )
    queue_size: Whole | None = Field(
        None, description="calls that may queue, of gradient2; 4 by default"
    )
    long_window: Count | None = Field(
        None, description="calls in the long-term average, of gradient2; 600 by default"
    )
    probe_multiplier: Count | None = Field(
        None,
        description="calls for each of the limit after which vegas forgets the shortest; 30 by "
        "default",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        usual = LIMIT_DEFAULTS[self.algorithm]
        for key in LIMIT_KEYS:
            if getattr(self, key) is not None and key not in usual:
                of = " and ".join(name for name, keys in LIMIT_DEFAULTS.items() if key in keys)
                raise problem(f"is a setting of algorithm: {of}", key, key=True)
        most = usual["max"] if self.max is None else self.max
        for key in ("initial", "min"):
            if (getattr(self, key) or 0) > most:
                raise problem(f"must not be more than max, which is {most}", key)
        if self.min is not None and self.min > (self.initial or min(usual["initial"], most)):
            raise problem("must not be more than initial", "min")
        return self


class RateLimit(Policy):
    """Limits how often calls go through it, by a token bucket, as Go's x/time/rate does."""

    FOLLOWS = follows(sources.RATE_LIMIT, name=(), enabled=(), queue_limit=())

    rate: Rate = Field(description="calls let through in the long run")
    burst: Count = Field(1, description="calls let through at once after a quiet time")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for their turn; one more is rejected"
    )
    timeout: Duration = Field(
        "0s",
        validate_default=True,
        description="longest wait for a turn; a call that would wait longer is rejected at once",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.queue_limit is not None and "timeout" not in self.model_fields_set:
            raise problem("queue_limit needs a timeout, else nobody waits", "queue_limit")
        return self


class Deadline(Policy):
    """Ends a call that takes too long."""

    FOLLOWS = follows(
        on_timeout=sources.CANCELLATION, propagate=(sources.DEADLINES, sources.CONTEXT)
    )

    timeout: PositiveDuration = Field(description="longest time for the call")
    on_timeout: Literal["cancel", "abandon"] = Field(
        "cancel",
        description="cancel frees what the work holds; abandon lets it run on and hold it",
    )
    propagate: bool = Field(
        False,
        strict=True,
        description="tell abandoned work of the deadline: it ends its waits then, and begins "
        "nothing more",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.propagate and self.on_timeout == "cancel":
            message = "propagate needs on_timeout: abandon, as cancel ends all work inside at once"
            raise problem(message, "propagate")
        return self


class Backoff(Strict):
    """How long the waits between attempts are."""

    FOLLOWS = follows(sources.BACKOFF)

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


class Retry(Policy, Backoff):
    """Sends a call that failed again."""

    FOLLOWS = follows(
        sources.BACKOFF, name=(), enabled=(), outcomes=(), budget=sources.RETRY_BUDGET
    )

    attempts: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        3, description="calls in all, the first one included"
    )
    budget: Share | None = Field(
        None, description="share of calls that may be retried, beyond a reserve of 10"
    )
    outcomes: Errors = Field(
        ["timed_out", "failed"], description="outcomes that earn another attempt"
    )


class Throttle(Strict):
    """Sends no call again while too many fail, as gRPC's does."""

    FOLLOWS = follows(sources.THROTTLE)

    max_tokens: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        description="tokens there are at first and at most; an error takes one"
    )
    token_ratio: Annotated[Number, Field(gt=0, le=1000)] = Field(
        description="tokens that an answer gives back; calls are sent again while more than half "
        "of max_tokens are there"
    )


class Hedge(Policy):
    """Sends a call that is slow again, and takes the first answer, as gRPC does."""

    FOLLOWS = follows(
        sources.HEDGE,
        name=(),
        enabled=(),
        after=(sources.TAIL_AT_SCALE, sources.HEDGE),
        throttle=sources.THROTTLE,
    )

    after: Duration = Field(description="time without an answer after which it is sent again")
    attempts: Annotated[int, Field(strict=True, ge=2, le=HEDGE_ATTEMPTS)] = Field(
        2, description="calls in all, the first one included"
    )
    outcomes: list[ErrorName] = Field(
        ["rejected", "timed_out", "failed"],
        description="errors after which the next call is sent at once; any other ends them all",
    )
    throttle: Throttle | None = Field(
        None, description="sends no call again while too many of all calls fail"
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

    adaptive_limit: AdaptiveLimit | None = Field(
        None, description="limits the calls through it by how they fare"
    )
    breaker: Breaker | None = Field(None, description="stops calls after failures")
    bulkhead: Bulkhead | None = Field(None, description="limits the calls through it")
    deadline: Deadline | None = Field(None, description="ends a call that takes too long")
    fallback: Fallback | None = Field(None, description="a degraded answer in place of an error")
    hedge: Hedge | None = Field(None, description="sends a call that is slow again")
    rate_limit: RateLimit | None = Field(None, description="limits how often calls go through")
    retry: Retry | None = Field(None, description="sends a call that failed again")

    @property
    def name(self) -> str:
        """Return what the policy goes by in dotted paths: its name, else its kind."""
        return self.chosen.name or self.kind
