"""Presets of a breaker: the defaults of known libraries, and which settings these have."""

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

PresetName = Literal["pybreaker", "purgatory", "resilience4j", "polly", "envoy"]


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
