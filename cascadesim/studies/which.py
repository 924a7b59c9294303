"""Which request is explained, and the limit that it is held to."""

from __future__ import annotations

from contextlib import suppress
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.percentiles import PERCENTILES, share
from cascadesim.analysis.summary import latency_limit
from cascadesim.scenario.load import Scenario
from cascadesim.values.errors import ScenarioError, show

if TYPE_CHECKING:
    from cascadesim.records import Records


def limit_of(scenario: Scenario, request_class: str | None) -> float | None:
    """Return the first latency objective of a class of requests, or else of all, in seconds."""
    own = latency_limit(scenario.objectives, request_class)
    return latency_limit(scenario.objectives) if own is None else own


def choose(
    scenario: Scenario,
    records: Records,
    request: int | None,
    observation: int | None,
    percentile: str | None,
) -> tuple[int, str]:
    """Return the row of the request that is asked for, and what it is."""
    source = scenario.document.source
    if request is not None:
        _check_number(request, len(records.arrival), "request")
        return request, f"request {request}"
    if percentile is None and scenario.model.observations:
        number = observation or 0
        return int(np.flatnonzero(records.observation == number)[0]), f"observation {number}"
    name = percentile or "p99"
    return _at(records, name, source), "the slowest" if name == "max" else f"the {name}"


def check(
    scenario: Scenario, request: int | None, observation: int | None, percentile: str | None
) -> None:
    """Raise a ScenarioError for what asks for no one request, as far as a scenario can tell."""
    if not isinstance(scenario, Scenario):
        raise ScenarioError("expected a scenario, such as cascadesim.load gives", show(scenario))
    if sum(each is not None for each in (request, observation, percentile)) > 1:
        message = "give only one of --request, --observation and --percentile"
        raise ScenarioError(message, scenario.document.source)
    if observation is not None:
        _check_number(observation, len(scenario.model.observations), "observation")
    if percentile is not None and percentile not in PERCENTILES:
        known = ", ".join(PERCENTILES)
        raise ScenarioError(f"expected one of {known}", f"--percentile {percentile}")


def whole(number: Any, what: str) -> int | None:
    """Return a number that is given as Python's own; raises a ScenarioError where it is none."""
    if number is None:
        return None
    with suppress(TypeError):
        if not isinstance(number, bool):
            return index(number)
    raise ScenarioError("expected a whole number from 0", f"--{what} {show(number)}")


def _check_number(number: int, count: int, what: str) -> None:
    if not 0 <= number < count:
        there = f"there are {what}s 0 to {count - 1}" if count else f"there is no {what}"
        raise ScenarioError(there, f"--{what} {number}")


def observed(scenario: Scenario, records: Records, row: int) -> float | None:
    """Return the observed latency of what the request in a row replays, if it replays any."""
    replayed = int(records.observation[row])
    return scenario.model.observations[replayed].latency if replayed >= 0 else None


def _at(records: Records, name: str, source: str) -> int:
    """Return the row of the request that has a percentile as its latency."""
    rows = np.flatnonzero(records.measured)
    if not len(rows):
        message = "no request arrives between warm-up and horizon; a longer horizon has more"
        raise ScenarioError(message, source)
    latency = records.latency[rows]
    wanted = np.quantile(latency, share(name), method="inverted_cdf")
    return int(rows[np.flatnonzero(latency == wanted)[0]])
