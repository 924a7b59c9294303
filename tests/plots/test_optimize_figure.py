import json

import numpy as np
import pytest
from matplotlib.collections import PathCollection

import cascadesim
from cascadesim.studies.execution import Execution
from cascadesim.studies.optimization import Optimization
from cascadesim.studies.optimize import optimize
from cascadesim.values.errors import ScenarioError

SCENARIO = {
    "name": "costs $1 and $2",
    "horizon": "100s",
    "drain": "20s",
    "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
    "stages": {
        "a": {
            "work": {"lognormal": {"median": "250ms", "p99": "900ms"}},
            "policies": [{"deadline": {"timeout": "10s"}}],
        }
    },
}
VALUES = "a.deadline.timeout=200ms,300ms,400ms,500ms,600ms,700ms"


def found(minimize: list[str], maximize: list[str], subject_to: str) -> Optimization:
    scenario = cascadesim.loads(json.dumps(SCENARIO))
    few = {"budget": 7, "replications": 1, "confirm": 3}
    where = Execution(jobs=1)
    return optimize(scenario, [VALUES], minimize, maximize, [subject_to], **few, execution=where)


def points(collection: PathCollection) -> list[list[float]]:
    return np.asarray(collection.get_offsets()).tolist()


def test_one_goal_is_a_history() -> None:
    result = found(["p99"], [], "error_rate < 15%")
    frame = result.frame
    ax = result.plot()
    kept, missed = ax.collections[:2]
    drawn = {True: points(kept), False: points(missed)}
    for feasible, rows in frame.groupby("feasible"):
        assert drawn[bool(feasible)] == rows[["trial", "p99_s"]].values.tolist()
    assert len(missed.get_facecolors()) == 0
    best, today = ax.lines[:2]
    assert best.get_ydata()[-1] == frame.loc[frame["best"], "p99_s"].item()
    assert (np.diff(best.get_ydata()) <= 0).all()
    assert set(today.get_ydata()) == {frame.loc[0, "p99_s"]}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("trial", "p99 in seconds")
    assert ax.get_title(loc="left") == "costs $1 and $2"
    assert not ax._left_title.get_parse_math()


def test_a_goal_to_maximize_never_falls() -> None:
    ax = found([], ["goodput"], "p99 < 650ms").plot()
    best = ax.lines[0].get_ydata()
    known = best[np.isfinite(best)]
    assert len(known)
    assert (np.diff(known) >= 0).all()
    assert ax.get_ylabel() == "goodput in replies per second"


def test_two_goals_are_one_against_the_other() -> None:
    result = found(["p99", "error_rate"], [], "error_rate < 30%")
    ax = result.plot()
    frame = result.frame[result.frame["on_front"]].sort_values("p99_s")
    front = ax.lines[0]
    assert front.get_xdata().tolist() == frame["p99_s"].tolist()
    assert front.get_ydata().tolist() == frame["error_rate"].tolist()
    confirmed = {
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() in ("D", "s")
    }
    assert confirmed == {
        tuple(result.confirmed(label, name).estimate for name in result.measures)
        for label in result.labels
    }
    numbers = [text.get_text() for text in ax.texts]
    assert numbers == [label.removeprefix("pareto-") for label in result.proposals]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("p99 in seconds", "error rate")


def test_nothing_feasible_is_drawn_hollow() -> None:
    for goals in (["p99"], ["p99", "error_rate"]):
        result = found(goals, [], "p50 < 1ms")
        trials = result.plot().collections[0]
        assert len(points(trials)) == 7
        assert len(trials.get_facecolors()) == 0


def test_lower_bounds_are_hollow() -> None:
    queue = {"a.concurrency": 1, "a.queue_limit": 9, "a.deadline.timeout": "1s"}
    for drain, hollow in (("20s", False), ("0s", True)):
        scenario = cascadesim.loads(json.dumps(SCENARIO)).override(queue | {"drain": drain})
        goals = ["rejected_rate", "timed_out_rate"]
        few = {"budget": 7, "replications": 1, "confirm": 3, "execution": Execution(jobs=1)}
        result = optimize(scenario, "a.queue_limit=0,2,4", goals, **few)
        assert result.proposals
        ax = result.plot()
        points_of = [line for line in ax.lines if line.get_marker() in ("D", "s")]
        assert {
            line.get_markerfacecolor() == "white" for line in points_of if line.get_marker() == "D"
        } == {hollow}
        assert all(result.aims.feasible(trial) for trial in result.trials)
        drawn = [c for c in ax.collections if isinstance(c, PathCollection)]
        empty = [point for c in drawn if len(c.get_facecolors()) == 0 for point in points(c)]
        bounds = result.frame[result.frame["at_least"]]
        assert empty == bounds[["rejected_rate", "timed_out_rate"]].values.tolist()
        assert (len(bounds) > 0) == hollow
        words = ax.get_legend_handles_labels()[1]
        assert ("confirmed in fresh replications, a lower bound" in words) == hollow
        assert len(words) == len(set(words))


def test_three_goals_cannot_be_drawn() -> None:
    result = found(["p99", "error_rate"], ["goodput"], "error_rate < 30%")
    with pytest.raises(ScenarioError, match="one goal or for two, got 3"):
        result.plot()
