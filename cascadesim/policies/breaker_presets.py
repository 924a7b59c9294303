"""Presets of a breaker: the defaults of known libraries, and which settings these have.

Others, as to a call that its caller cancels: Hystrix counts it nowhere while closed, but a trial
that is cancelled keeps it open (`markNonSuccess` on unsubscribe). A breaker of one's own in asyncio
that catches `Exception` does not see CancelledError, and where it counts its trials it loses the
permit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cascadesim.policies.breaker_window import Window
from cascadesim.values import sources
from cascadesim.values.errors import closest, show
from cascadesim.values.strict import problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

    from cascadesim.values.sources import Source

PresetName = Literal[
    "pybreaker", "purgatory", "resilience4j", "polly", "envoy", "gobreaker", "opossum"
]


@dataclass(frozen=True)
class Preset:
    """A library's breaker: its settings with their defaults, and settings that are `fixed` in it.

    Values are as they are written in a scenario.
    """

    source: Source
    settings: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def said(self) -> JsonDict:
        """Return what the JSON Schema says about the preset."""
        return {
            "x-source": [self.source.said()],
            "settings": dict(self.settings),
            "fixed": dict(self.fixed),
        }


_COUNT_WINDOW = {
    **{"calls": 100, "minimum": 100, "failure_rate": "50%"},
    **{"slow_call": "60s", "slow_rate": "100%"},
}
# IntervalFunction (resilience4j) and BreakDurationGenerator (Polly), neither used by default
_GROWTH = {"recovery_growth": 1, "max_recovery_timeout": None}
PRESETS: Mapping[str, Preset] = {
    # fail_max, reset_timeout and success_threshold of CircuitBreaker.__init__; call() counts
    # every BaseException, and so CancelledError
    "pybreaker": Preset(
        sources.PYBREAKER,
        {
            **{"failure_threshold": 5, "recovery_timeout": "60s", "successes_to_close": 1},
            "cancelled": "failure",
        },
        {"half_open_permits": "all"},
    ),
    # default_threshold and default_ttl of AsyncCircuitBreakerFactory.__init__; __aexit__ counts
    # every exception, and so CancelledError
    "purgatory": Preset(
        sources.PURGATORY,
        {"failure_threshold": 5, "recovery_timeout": "30s", "cancelled": "failure"},
        {"half_open_permits": "all"},
    ),
    # The DEFAULT_ constants of CircuitBreakerConfig; CircuitBreakerFuture.get() releases the
    # permission of a call that was cancelled
    "resilience4j": Preset(
        sources.RESILIENCE4J,
        {
            **{"window": _COUNT_WINDOW, "recovery_timeout": "60s", **_GROWTH},
            **{"half_open_permits": 10, "cancelled": "ignored"},
        },
        {"half_open_limit": "in_total"},
    ),
    # SamplingDuration, MinimumThroughput, FailureRatio and BreakDuration; by default ShouldHandle
    # leaves out OperationCanceledException, and what is not handled is a success
    # (App-vNext/Polly, pull request 1991)
    "polly": Preset(
        sources.POLLY,
        {
            "window": {"time": "30s", "minimum": 100, "failure_rate": "10%"},
            **{"recovery_timeout": "5s", **_GROWTH, "cancelled": "success"},
        },
    ),
    # consecutive_5xx, base_ejection_time, max_ejection_time, interval and max_ejection_percent of
    # api/envoy/config/cluster/v3/outlier_detection.proto; healthy_panic_threshold of cluster.proto.
    # A request that its client resets is not reported to the detector (issue 41985).
    "envoy": Preset(
        sources.ENVOY,
        {
            **{"failure_threshold": 5, "recovery_timeout": "30s", "max_recovery_timeout": None},
            **{"interval": "10s", "max_ejection": "10%", "panic_threshold": "50%"},
            "cancelled": "ignored",
        },
    ),
    # MaxRequests, Interval and Timeout of Settings; by default ReadyToTrip asks for more than 5
    # failures in a row, and IsSuccessful takes no error, be it context.Canceled
    "gobreaker": Preset(
        sources.GOBREAKER,
        {
            **{"failure_threshold": 6, "recovery_timeout": "60s", "half_open_permits": 1},
            **{"clear_every": None, "cancelled": "failure"},
        },
        {"half_open_limit": "in_total"},
    ),
    # rollingCountTimeout, volumeThreshold (0, as good as 1), errorThresholdPercentage and
    # resetTimeout; an action that an AbortSignal ends is rejected with an error like any other
    "opossum": Preset(
        sources.OPOSSUM,
        {
            "window": {"time": "10s", "minimum": 1, "failure_rate": "50%"},
            **{"recovery_timeout": "30s", "cancelled": "failure"},
        },
        {"window": {"strict": True}},
    ),
}
LONGEST_EJECTION = 300.0  # seconds: max_ejection_time, where base_ejection_time is not longer
# The settings of a breaker that do not depend on its preset.
_ALWAYS = ("preset", "name", "enabled", "when_open", "max_recoveries", "outcomes")


def with_preset(given: Mapping[str, Any], known: list[str]) -> Mapping[str, Any]:
    """Return the given settings of a breaker, completed by those of its preset.

    Raises an error for a `known` setting that the preset's library does not have.
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
        merged["window"] = _with_window(name, given.get("window") or {})
    return merged


def _preset(name: Any) -> Preset:
    if isinstance(name, str) and name in PRESETS:
        return PRESETS[name]
    close = closest(name, list(PRESETS)) if isinstance(name, str) else None
    message = f"expected {' or '.join(map(show, PRESETS))}, got {show(name)}"
    raise problem(message + (f'; did you mean "{close}"?' if close else ""), "preset")


def _written(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _with_window(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    preset = _preset(name)
    settings = preset.settings["window"]
    known = [*settings, "time"] if "calls" in settings else settings
    for key in given:
        if key in Window.known_keys() and key not in known:
            message = f"{name} has no such setting; its window has: {', '.join(known)}"
            raise problem(message, "window", key, key=True)
    given = _written(given)
    merged = {**preset.fixed.get("window", {}), **settings, **given}
    if "time" in given and "calls" in settings and "calls" not in given:
        del merged["calls"]
    elif isinstance(merged.get("calls"), int) and isinstance(merged["minimum"], int):
        # CircuitBreakerMetrics takes the window where that is less than the minimum.
        merged["minimum"] = min(merged["minimum"], merged["calls"])
    return merged
