"""Fronts of two goals: which settings are on one, and when that is seen."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from searched import FLAKY, LIMITS, QUEUE, TIMEOUT, load, quick, runs_of, trials_of

import cascadesim
from cascadesim.studies.aims import Aims, Goal, dominates


def test_a_front_is_that_of_all_combinations() -> None:
    scenario = load(stages=QUEUE)
    goals = ["p99", "shed_rate"]
    found = quick(scenario, *LIMITS, minimize=goals, subject_to=["p50 < 1s"])
    points = {}
    for concurrency in (1, 2, 3):
        for limit in (0, 2, 4, 6):
            settings = {"a.concurrency": concurrency, "a.queue_limit": limit}
            summary = cascadesim.run(scenario.override(settings)).summary
            if summary.percentiles["p50"].seconds < 1:
                cost = (summary.percentiles["p99"].seconds, summary.rates["shed_rate"])
                points[concurrency, limit] = cost
    front = {
        setting
        for setting, (p99, rejected) in points.items()
        if not any(
            a <= p99 and b <= rejected and (a, b) != (p99, rejected) for a, b in points.values()
        )
    }
    rows = found.frame
    rows = rows[rows["on_front"]]
    assert len(found.trials) == 12  # every combination once, today's among them
    assert set(zip(rows["a.concurrency"], rows["a.queue_limit"], strict=True)) == front
    assert 2 <= len(front) < len(points) < 12


def test_eight_of_a_front_are_confirmed_and_its_ends_among_them() -> None:
    values = ",".join(f"{100 * n}ms" for n in range(1, 13))
    found = quick(load(), f"{TIMEOUT}={values}", minimize=["error_rate", "p99"], budget=13)
    fronts = [trial for trial in found.chosen if trial.number]
    assert len(fronts) > 8
    assert found.left_out == len(fronts) - 8
    proposed = list(found.proposals.values())
    assert list(found.proposals) == [f"pareto-{i}" for i in range(1, 9)]
    assert [proposed[0], proposed[-1]] == [fronts[0], fronts[-1]]
    assert f"{found.left_out} more" in found.verdict
    # Two fresh replications show little: what is said of them agrees with the means all the same.
    values_of = {
        label: tuple(found.confirmed(label, name).estimate for name in found.measures)
        for label in found.labels
    }
    for label, on_front in found.on_front.items():
        better = [o for o in values_of.values() if dominates(o, values_of[label])]
        assert on_front in (None, not better)
    untold = [label for label, on_front in found.on_front.items() if on_front is None]
    assert untold
    assert f"{untold[-1]} are on it is not seen; a larger --confirm tells more" in found.verdict


MEASURED = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(st.lists(MEASURED, min_size=1, max_size=12))
def test_a_front_dominates_all_others_and_not_itself(values: list[tuple[int, int]]) -> None:
    aims = Aims((Goal("p50"), Goal("goodput", maximize=True)))
    front = [values[trial.number] for trial in aims.front(trials_of(values))]
    assert front == sorted(set(front))

    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[0] <= other[0] and one[1] >= other[1] and one != other

    for value in values:
        assert (value in front) == (not any(beats(other, value) for other in values))


BOTH = Aims((Goal("p50"), Goal("goodput", maximize=True)))


NOISE = (0.0, 0.3, -0.2, 0.5, -0.4)


@given(st.lists(MEASURED, min_size=1, max_size=6))
def test_a_front_is_seen_where_no_world_leaves_a_doubt(values: list[tuple[int, int]]) -> None:
    # Worlds differ, but variants differ by the same in each of them: no chance is left.
    runs = {
        str(i): runs_of([a + x for x in NOISE], [b + x for x in NOISE])
        for i, (a, b) in enumerate(values)
    }
    costs = [(a, -b) for a, b in values]
    assert list(BOTH.on_front(runs).values()) == [
        not any(dominates(other, own) for other in costs) for own in costs
    ]


def test_a_front_is_not_seen_in_noise() -> None:
    # The first is better in both means, by less than chance makes of it.
    runs = {"a": runs_of(NOISE, NOISE), "b": runs_of(NOISE[::-1], [-x for x in NOISE])}
    for goal in ("p50", "goodput"):
        pair = [run.values(goal) for run in runs.values()]
        assert stats.ttest_rel(*pair).pvalue > 0.05
    assert BOTH.on_front(runs) == {"a": None, "b": None}


def test_a_front_is_corrected_for_the_goals() -> None:
    better = (0.5, 0.1, 0.4, 0.3, 0.02)
    assert 0.025 < stats.ttest_1samp(better, 0).pvalue < 0.05
    runs = {"a": runs_of([0.0] * 5, [0.0] * 5), "b": runs_of(better, [0.0] * 5)}
    assert Aims((Goal("p50"),)).on_front(runs) == {"a": True, "b": False}
    # The difference of the other goal is as good as none, and yet one more to be wrong about.
    runs["b"] = runs_of(better, NOISE)
    assert BOTH.on_front(runs) == {"a": None, "b": None}


def test_a_front_is_not_denied_for_what_may_be_worse() -> None:
    # Faster for sure, and perhaps of fewer replies.
    runs = {"a": runs_of([1.0] * 5, NOISE), "b": runs_of([2.0] * 5, [0.1] * 5)}
    assert stats.ttest_1samp([x - 0.1 for x in NOISE], 0).pvalue > 0.05
    assert np.mean(NOISE) < 0.1
    assert BOTH.on_front(runs) == {"a": True, "b": None}
    runs["b"] = runs_of([2.0] * 5, [0.0] * 5)
    assert BOTH.on_front(runs) == {"a": True, "b": False}


def test_a_lower_bound_is_not_called_on_the_front() -> None:
    fast, slow = runs_of([1.0] * 5, [1.0] * 5), runs_of([2.0] * 5, [3.0] * 5)
    assert BOTH.on_front({"a": fast, "b": slow}) == {"a": True, "b": True}
    fast = runs_of([1.0] * 5, [1.0] * 5, at_least=[4])
    assert BOTH.on_front({"a": fast, "b": slow}) == {"a": None, "b": True}
    # What could be as slow as anything is better than nothing, however much it replies.
    rich = runs_of([1.0] * 5, [9.0] * 5, at_least=[0])
    assert BOTH.on_front({"a": rich, "b": slow}) == {"a": None, "b": None}
    # But a lower bound that is worse already is worse for sure.
    worst = runs_of([4.0] * 5, [1.0] * 5, at_least=range(5))
    assert BOTH.on_front({"a": worst, "b": slow}) == {"a": False, "b": True}


def test_a_rate_counts_by_what_unfinished_requests_can_make_of_it() -> None:
    aims = Aims((Goal("ok_rate"), Goal("goodput", maximize=True)))
    shares = runs_of([0.0] * 3, [5.0] * 3, at_least=range(3))  # 0 % to 60 %
    less, more = (runs_of([0.0] * 3, [1.0] * 3) for _ in range(2))
    for run, rate in ((less, 0.5), (more, 0.7)):
        for each in run.replications:
            each.measures["ok_rate"] = rate
    assert aims.on_front({"a": shares, "b": less})["b"] is None
    assert aims.on_front({"a": shares, "b": more})["b"] is False


def test_a_front_of_lower_bounds_says_so() -> None:
    stage = QUEUE["a"] | {"policies": [{"deadline": {"timeout": "1s"}}]}
    goals = ["rejected_rate", "timed_out_rate"]
    scenario = load(stages={"a": stage}, drain="0s")
    found = quick(scenario, "a.queue_limit=0,1,2", minimize=goals, confirm=6)
    assert {found.on_front[label] for label in found.labels} <= {None, False}
    assert None in found.on_front.values()
    assert "0 of " in found.verdict
    assert (
        "Only lower bounds are known of the rejected rate and timed out rate of " in found.verdict
    )
    proposals = found.to_dict()["proposals"]
    assert {k: each["on_front"] for k, each in proposals.items()} == found.on_front


def test_a_gain_that_breaks_the_service_says_so() -> None:
    found = quick(load(), f"{TIMEOUT}=1ms,2ms,200ms", minimize=["p99"], confirm=6)
    assert found.confirmation is not None
    means = {
        label: {
            name: np.mean([each.measures[name] for each in found.confirmation.replications[label]])
            for name in ("p99", "error_rate", "goodput")
        }
        for label in ("today", "optimized")
    }
    today, now = means["today"], means["optimized"]
    assert (today["error_rate"], now["error_rate"]) == (0, 1)
    assert found.verdict == (
        f"p99 falls from {today['p99']:.3f} s to {now['p99']:.3f} s, but the error rate rises "
        f"from 0.00% to 100.00% and goodput falls from {today['goodput']:.3f} replies/s to 0.000 "
        "replies/s."
    )
    shown = repr(found)
    assert all(f"\n{row} " in shown for row in ("error rate", "degraded rate", "goodput /s"))
    optimized = found.to_dict()["proposals"]["optimized"]
    assert optimized["worse"] == ["error_rate", "goodput"]
    assert optimized["measures"]["error_rate"]["difference"]["value"] == 1
    assert optimized["measures"]["degraded_rate"]["value"] == 0


def test_a_front_says_which_of_it_is_worse_than_today() -> None:
    found = quick(load(), f"{TIMEOUT}=1ms,600ms", minimize=["p99", "p50"], confirm=6)
    assert found.worse == {"pareto-1": ["error_rate", "goodput"]}
    assert "Seen worse than today's: the error rate of pareto-1; goodput of pareto-1." in str(found)


def test_a_goal_or_a_doubt_is_not_said_to_be_worse() -> None:
    found = quick(load(), f"{TIMEOUT}=1ms,200ms", maximize=["error_rate"], confirm=6)
    assert found.worse == {"optimized": ["goodput"]}
    near = "a.breaker.recovery_timeout=4.98s,4.99s,5.01s,5.02s"
    assert quick(load(stages=FLAKY), near, minimize=["p99"]).worse in ({}, {"optimized": []})
