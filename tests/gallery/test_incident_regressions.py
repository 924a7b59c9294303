"""The team's settings of the three incidents, held against the results that are kept.

A change of scenarios/ that makes a percentile worse fails here, as it would in a team's own suite.
"""

from typing import Any

import pytest

from cascadesim.pytest_plugin.fixture import Cascade

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "60s": ("incident-60s", {}),
    "120s": ("incident-120s", {}),
    "120s-startup": ("incident-120s/startup.yaml", {}),
    "179s": ("incident-179s", {}),
    # Execution and record timeout bound the same hang, so that each matters alone only where the
    # other is as long as it was before; a session's lifetime only where many of them leak; and the
    # client's breaker only where that of auth does not open first.
    "60s-long-record": ("incident-60s", {"agent.tracker.timeout": "30s"}),
    "60s-long-execution": ("incident-60s", {"agent.deadline.timeout": "30s"}),
    "60s-leaks": ("incident-60s", {"database.session.leak": "5%"}),
    "120s-client-alone": ("incident-120s", {"auth.breaker.enabled": False}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_after(cascade: Cascade, case: str) -> None:
    name, settings = CASES[case]
    # To see what execution and record timeout do to the p99 takes more worlds than the others.
    worlds = 8 if "long" in case else 4
    cascade.baseline(cascade.run(f"scenarios/{name}", "after", settings, replications=worlds))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["60s", "120s", "179s"])
def test_after_is_no_worse_than_before(cascade: Cascade, name: str) -> None:
    for measure in ("p99", "error_rate", "goodput"):
        cascade.no_worse("before", "after", scenario=f"scenarios/incident-{name}", on=measure)


@pytest.mark.parametrize("name", ["60s", "120s", "120s-startup", "179s"])
def test_recommended_meets_the_objectives(cascade: Cascade, name: str) -> None:
    result = cascade.run(f"scenarios/{CASES[name][0]}", "recommended")
    cascade.check(result)
    cascade.check(result, p99="<5s", error_rate="<1%")
