"""What is particular to circuit breakers: windows, trial calls, and presets after libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cascadesim.values import sources
from cascadesim.values.errors import closest, show
from cascadesim.values.sources import follows
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import Count, PositiveDuration, Share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

    from cascadesim.values.sources import Source

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


class Window(Strict):
    """The calls whose failures and slowness open a breaker."""

    FOLLOWS = follows(sources.RESILIENCE4J)

    calls: Count | None = Field(None, description="the last so many calls")
    time: PositiveDuration | None = Field(None, description="the calls that ended so recently")
    minimum: Count | None = Field(
        None, description="calls in it before a rate counts; by default all of calls"
    )
    failure_rate: Share | None = Field(None, description="share of failures that opens the breaker")
    slow_call: PositiveDuration | None = Field(None, description="a call that takes longer is slow")
    slow_rate: Share | None = Field(None, description="share of slow calls that opens the breaker")

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        super()._check_keys(data)
        sizes = [key for key in data if key in ("calls", "time") and data[key] is not None]
        if len(sizes) > 1:
            message = "keep exactly one of: calls, time"
            raise problem(message, sizes[-1], key=True, without=sizes[:-1])


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


PresetName = Literal["pybreaker", "purgatory", "resilience4j", "polly", "envoy"]


@dataclass(frozen=True)
class Preset:
    """A library's breaker: the settings that it has, with its defaults, and what it has none for.

    Values are as they are written in a scenario.
    """

    source: Source
    settings: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def said(self) -> JsonDict:
        """Return what a JSON Schema says of it."""
        return {
            "x-source": [self.source.said()],
            "settings": dict(self.settings),
            "fixed": dict(self.fixed),
        }


_COUNT_WINDOW = {
    **{"calls": 100, "minimum": 100, "failure_rate": "50%"},
    **{"slow_call": "60s", "slow_rate": "100%"},
}
PRESETS: Mapping[str, Preset] = {
    # fail_max, reset_timeout and success_threshold of CircuitBreaker.__init__
    "pybreaker": Preset(
        sources.PYBREAKER,
        {"failure_threshold": 5, "recovery_timeout": "60s", "successes_to_close": 1},
        {"half_open_permits": "all"},
    ),
    # default_threshold and default_ttl of AsyncCircuitBreakerFactory.__init__
    "purgatory": Preset(
        sources.PURGATORY,
        {"failure_threshold": 5, "recovery_timeout": "30s"},
        {"half_open_permits": "all"},
    ),
    # The DEFAULT_ constants of CircuitBreakerConfig
    "resilience4j": Preset(
        sources.RESILIENCE4J,
        {"window": _COUNT_WINDOW, "recovery_timeout": "60s", "half_open_permits": 10},
    ),
    # SamplingDuration, MinimumThroughput, FailureRatio and BreakDuration
    "polly": Preset(
        sources.POLLY,
        {
            "window": {"time": "30s", "minimum": 100, "failure_rate": "10%"},
            "recovery_timeout": "5s",
        },
    ),
    # consecutive_5xx, base_ejection_time, max_ejection_time and interval of
    # api/envoy/config/cluster/v3/outlier_detection.proto
    "envoy": Preset(
        sources.ENVOY,
        {
            "failure_threshold": 5,
            "recovery_timeout": "30s",
            "max_recovery_timeout": None,
            "interval": "10s",
        },
    ),
}
LONGEST_EJECTION = 300.0  # seconds: max_ejection_time, where base_ejection_time is not longer
# What a breaker has whatever library it is after.
_ALWAYS = ("preset", "name", "enabled", "when_open", "max_recoveries", "outcomes")


def with_preset(given: Mapping[str, Any], known: list[str]) -> Mapping[str, Any]:
    """Return the settings of a breaker with those of its preset where none are given.

    Raises an error where the library has no such setting, of those that are `known`.
    """
    name = given.get("preset")
    if name is None:
        return given
    settings = _preset(name).settings
    for key in given:
        if key in known and key not in settings and key not in _ALWAYS:
            others = ", ".join([*settings, *_ALWAYS[3:]])
            message = f"{name} has no such setting; beside this preset are known: {others}"
            raise problem(message, key, key=True, without=(key,))
    merged = {**_preset(name).fixed, **settings, **_written(given)}
    if "window" in settings and isinstance(given.get("window") or {}, dict):
        merged["window"] = _with_window(name, settings["window"], given.get("window") or {})
    return merged


def _preset(name: Any) -> Preset:
    if isinstance(name, str) and name in PRESETS:
        return PRESETS[name]
    close = closest(name, list(PRESETS)) if isinstance(name, str) else None
    message = f"expected {' or '.join(map(show, PRESETS))}, got {show(name)}"
    raise problem(message + (f'; did you mean "{close}"?' if close else ""), "preset")


def _written(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _with_window(
    name: str, settings: Mapping[str, Any], given: Mapping[str, Any]
) -> Mapping[str, Any]:
    known = settings if name == "polly" else Window.known_keys()
    for key in given:
        if key in Window.known_keys() and key not in known:
            message = f"{name} has no such setting; its window has: {', '.join(known)}"
            raise problem(message, "window", key, key=True)
    given = _written(given)
    merged = {**settings, **given}
    if "time" in given and "calls" in settings and "calls" not in given:
        del merged["calls"]
    elif "minimum" not in given and isinstance(merged.get("calls"), int):
        merged["minimum"] = min(merged["minimum"], merged["calls"])  # as CircuitBreakerMetrics does
    return merged
