"""What a diff may be worse by: judged as `no_worse` judges, also where requests are unfinished."""

import json
from typing import Any

import pytest

import cascadesim
from cascadesim.analysis.contrast import Tolerance
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.load import Scenario
from cascadesim.studies.diff import Pair, diff
from cascadesim.studies.execution import Execution
from cascadesim.studies.no_worse import change
from cascadesim.studies.runs import LazyRuns, Simulations
from cascadesim.values.errors import ScenarioError

MEASURES = ("p50", "p99", "max", "mean", "goodput", "error_rate", "ok_rate", "unfinished_rate")
# In the last half second of a minute nothing answers; with a drain that is too short, never.
HANG = [{"on": "a", "from": "59.5s", "for": "60s", "hang": {}}]


def queue(work: str, drain: str) -> Scenario:
    data: dict[str, Any] = {
        "name": "queue",
        "horizon": "60s",
        "drain": drain,
        "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
        "stages": {"a": {"work": {"exponential": {"mean": work}}, "concurrency": 1}},
        "faults": HANG if drain == "0s" else [],
    }
    return cascadesim.loads(json.dumps(data))


RUNS = Simulations(1)
KNOWN, OPEN = "60s", "0s"


def verdict(pair: Pair, measure: str) -> str:
    worse = any(each.measure == measure for each in pair.worse)
    return "worse" if worse else "unknown" if measure in pair.unknown else "passes"


def told(old: Scenario, new: Scenario, measure: str) -> str:
    try:
        found = change(LazyRuns(old, 1, 4, RUNS), LazyRuns(new, 1, 4, RUNS), measure, "1%")
    except ScenarioError:
        return "unknown"
    return "worse" if found.worse else "passes"


@pytest.mark.parametrize("drains", [(a, b) for a in (KNOWN, OPEN) for b in (KNOWN, OPEN)])
@pytest.mark.parametrize("works", [("50ms", "115ms"), ("115ms", "50ms")])
def test_a_diff_says_of_a_limit_what_no_worse_says(
    drains: tuple[str, str], works: tuple[str, str]
) -> None:
    old, new = (queue(*each) for each in zip(works, drains, strict=True))
    allowed = {
        name: Tolerance(amount=0.01) if name.endswith("_rate") else Tolerance(share=0.01)
        for name in MEASURES
    }
    found = diff(old, new, replications=4, allowed=allowed, execution=Execution(1))
    (pair,) = found.pairs
    verdicts = {name: verdict(pair, name) for name in MEASURES}
    assert found.passed is (set(verdicts.values()) == {"passes"})
    for name in MEASURES:
        # A diff keeps of a percentile only that it is a lower bound, so that it may know less.
        known = {told(old, new, name)} | ({"unknown"} if name in PERCENTILES else set[str]())
        assert verdicts[name] in known
    slower = works == ("50ms", "115ms")
    if drains == (KNOWN, KNOWN):
        assert verdicts["max"] == ("worse" if slower else "passes")
        assert "unknown" not in verdicts.values()
    elif drains == (KNOWN, OPEN):  # the longest may have become any
        assert verdicts["max"] == ("worse" if slower else "unknown")
    elif drains == (OPEN, KNOWN):  # the longest may have been any
        assert verdicts["max"] == ("unknown" if slower else "passes")
    else:
        assert verdicts["max"] == "unknown"
