"""Adaptive limits: updates by hand from the library's formulas, and calls by hand."""

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import (
    ALWAYS,
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    Data,
    ends,
    plan_of,
    run,
    scenario,
    simulated,
    stage,
    steps,
)

from cascadesim.engine import simulate
from cascadesim.engine.simpy.adaptive_limit import Algorithm, algorithm_of
from cascadesim.policies.adaptive_limit import AdaptiveLimitPlan
from cascadesim.scenario.load import loads
from cascadesim.studies.candidates import allowed
from cascadesim.values.errors import ScenarioError


def adaptive(algorithm: str = "aimd", **settings: Any) -> Data:
    return {"adaptive_limit": {"algorithm": algorithm} | settings}


def made(algorithm: str, draw: float = 1.0, **settings: Any) -> Algorithm:
    """Return an algorithm as the schema and the compiler make it."""
    plan = plan_of(scenario(stage("1s", adaptive(algorithm, **settings)))).stages[0].policies[0]
    assert isinstance(plan, AdaptiveLimitPlan)
    return algorithm_of(plan, lambda _: draw)


def updated(algorithm: Algorithm, *samples: tuple[float, int, bool]) -> list[int]:
    """Return the limit after each sample of seconds, calls under way, and whether it is dropped."""
    limits = []
    for rtt, inflight, dropped in samples:
        algorithm.update(rtt, inflight, dropped=dropped)
        limits.append(algorithm.limit)
    return limits


def test_the_defaults_are_the_librarys() -> None:
    assert [made(name).limit for name in ("aimd", "gradient2", "vegas")] == [20, 20, 20]
    aimd, gradient2, vegas = (
        plan_of(scenario(stage("1s", adaptive(name)))).stages[0].policies[0]
        for name in ("aimd", "gradient2", "vegas")
    )
    assert (aimd.min, aimd.max, aimd.backoff_ratio, aimd.timeout) == (20, 200, 0.9, 5.0)
    settings = gradient2.min, gradient2.max, gradient2.smoothing, gradient2.queue_size
    assert (*settings, gradient2.long_window) == (20, 200, 0.2, 4, 600)
    assert (vegas.min, vegas.max, vegas.smoothing, vegas.probe_multiplier) == (1, 1000, 1.0, 30)


def test_aimd_grows_by_one_and_shrinks_by_a_share() -> None:
    limit = made("aimd", initial=10, min=2, max=12)
    assert updated(limit, (1, 5, False), (1, 5, False), (1, 6, False), (1, 6, False)) == [
        *(11, 11, 12, 12),  # half of it must be under way; up to max
    ]
    # int(12 * 0.9) = 10, int(10 * 0.9) = 9, 8, 7, 6, 5, 4, 3, 2, and no further.
    assert updated(limit, *[(1, 9, True)] * 10) == [10, 9, 8, 7, 6, 5, 4, 3, 2, 2]
    assert updated(limit, (1, 1, False), (5, 3, False), (5.1, 3, False)) == [3, 4, 3]


def test_gradient2_follows_how_times_change() -> None:
    limit = made("gradient2", initial=10, min=4, max=200, long_window=9)
    # The long-term average is a plain one at first: no change, then 1.5 of 2 s, of which 1.5
    # times as much is 2.25 s, so that 2 s are no load yet.
    grown = 10 * 0.8 + (10 + 4) * 0.2  # 10.8
    tolerated = grown * 0.8 + (grown + 4) * 0.2  # 11.6
    limits = updated(limit, (1, 10, False), (2, 10, False))
    assert limits == [int(grown), int(tolerated)] == [10, 11]
    # The average of 1, 2 and 6 is 3, of which 1.5 times as much is 3/4 of 6 s.
    slower = tolerated * 0.8 + (tolerated * 0.75 + 4) * 0.2  # 11.82
    assert updated(limit, (6, 10, False)) == [int(slower)] == [11]
    # That of 31 s more is 10, which is less than half of it: no more than half is taken.
    halved = slower * 0.8 + (slower * 0.5 + 4) * 0.2  # 11.438
    assert updated(limit, (31, 10, False)) == [int(halved)] == [11]
    assert updated(limit, (31, 5, False)) == [11]  # the callers are what limits them
    # After ten samples each new one weighs 2 / (9 + 1).
    updated(limit, *[(31.0, 1, False)] * 5)
    average = (1 + 2 + 6 + 7 * 31) / 10 * 0.8 + 100 * 0.2
    estimate = halved * 0.8 + (halved * 1.5 * average / 100 + 4) * 0.2
    assert updated(limit, (100, 10, False)) == [int(estimate)] == [11]


def test_gradient2_forgets_a_load_that_has_gone() -> None:
    limit = made("gradient2", initial=50, long_window=10**6)
    updated(limit, *[(10, 1, False)] * 10)
    # The average of 10 s shrinks by a twentieth with each sample of 1 s: after two, 1.5 times as
    # much is 13.5375 s. Were it a tenth, 12.15 s, the limit of 20 s would be 46.
    assert updated(limit, (1, 1, False), (1, 1, False)) == [50, 50]
    assert (
        updated(limit, (20, 50, False)) == [int(50 * 0.8 + (50 * 13.5375 / 20 + 4) * 0.2)] == [47]
    )


def test_vegas_keeps_few_calls_in_the_queue() -> None:
    limit = made("vegas", initial=20, max=30)
    assert updated(limit, (1, 20, False)) == [20]  # the shortest so far
    # No queue: 6 * log10(20) = 6 more, up to max.
    assert updated(limit, (1, 20, False), (1, 26, False)) == [26, 30]
    # ceil(30 * (1 - 1/1.07)) = 2: one more, were there room; 1.2: 5, and so it stays.
    assert updated(limit, (1.07, 30, False), (1.2, 30, False)) == [30, 30]
    # 1.3: 7 calls queue, one less; as for each that is dropped.
    assert updated(limit, (1.3, 30, False), (1, 1, True), (1.3, 1, False)) == [29, 28, 28]


def test_vegas_grows_by_one_while_the_queue_is_short() -> None:
    limit = made("vegas", initial=20)
    # ceil(20 * (1 - 1/1.1)) = 2, which is more than one and less than three.
    assert updated(limit, (1, 20, False), (1.1, 20, False)) == [20, 21]


@pytest.mark.parametrize(("draw", "after"), [(0.0, 15), (1.0, 30)])
def test_vegas_forgets_the_shortest_time_now_and_then(draw: float, after: int) -> None:
    # After half of 30 * 1 samples, or all of them, the latest one is the shortest.
    limit = made("vegas", draw, initial=1)
    updated(limit, (1, 0, False), *[(2, 0, False)] * (after - 2))
    assert updated(limit, (2, 0, False)) == [1]  # the probe
    # Against 1 s, ceil(1 - 1/2) = 1 is no queue; against 2 s neither is ceil(0).
    assert updated(limit, (3, 1, False)) == [7]
    sooner = made("vegas", draw, initial=20)
    updated(sooner, (1, 0, False), *[(2, 0, False)] * (after * 20 - 2))
    assert updated(sooner, (2, 20, False), (2, 20, False)) == [20, 26]
    unprobed = made("vegas", draw, initial=20)
    updated(unprobed, (1, 0, False), *[(2, 0, False)] * (after * 20 - 3))
    assert updated(unprobed, (2, 20, False)) == [19]


@given(
    st.sampled_from(["aimd", "gradient2", "vegas"]),
    st.lists(st.tuples(st.floats(1e-6, 100), st.integers(1, 60), st.booleans()), max_size=50),
)
def test_the_limit_stays_between_min_and_max(
    algorithm: str, samples: list[tuple[float, int, bool]]
) -> None:
    limit = made(algorithm, initial=10, min=5, max=40)
    limits = [10, *updated(limit, *samples)]
    assert all(5 <= each <= 40 for each in limits)
    # No sample moves it by more than its formula can.
    steps = {"aimd": (5, 1), "gradient2": (5, 1), "vegas": (1, 6)}
    down, up = steps[algorithm]
    assert all(-down <= b - a <= up for a, b in pairwise(limits))


def levels(name: str, stages: Data, n: int, **rest: Any) -> dict[float, int]:
    return steps(f"a.adaptive_limit.{name}", stages, n, **rest)


def test_calls_beyond_the_limit_are_refused_and_answers_raise_it() -> None:
    # Each takes 2.5 s. 2 finds one under way, of one allowed; at 3.5 s the limit is two.
    stages = stage("2500ms", adaptive(initial=1, max=3))
    records = simulated(stages, 6)
    assert ends(records) == [
        *((2.5, OK), (0.0, REJECTED), (0.0, REJECTED), (2.5, OK), (2.5, OK), (0.0, REJECTED)),
    ]
    assert records.ends[records.ended_by[1]] == "a.adaptive_limit.algorithm"
    assert levels("limit", stages, 6) == {0.0: 1, 3.5: 2, 6.5: 3}
    assert levels("busy", stages, 6) == {0.0: 0, 1.0: 1, 3.5: 0, 4.0: 1, 5.0: 2, 6.5: 1, 7.5: 0}


def test_how_many_are_under_way_is_counted_when_a_call_begins() -> None:
    # Of four allowed, the second was one of two, half of them; the others were alone.
    stages = stage("1500ms", adaptive(initial=4, max=9))
    assert levels("limit", stages, 2) == {0.0: 4, 3.5: 5}


def test_drops_lower_it_and_other_errors_do_not() -> None:
    timing_out = stage("9s", adaptive(initial=10, min=1), {"deadline": {"timeout": "500ms"}})
    assert levels("limit", timing_out, 2) == {0.0: 10, 1.5: 9, 2.5: 8}
    failing = stage("100ms", adaptive(initial=2, min=1), **ALWAYS)
    assert ends(simulated(failing)) == [(0.1, FAILED)]
    assert levels("limit", failing, 9) == {0.0: 2}
    counted = stage("100ms", adaptive(initial=2, min=1, outcomes=["failed"]), **ALWAYS)
    assert levels("limit", counted, 1) == {0.0: 2, 1.1: 1}


def test_a_call_that_its_caller_cancels_is_a_drop_and_frees_its_place() -> None:
    deadline = {"deadline": {"timeout": "500ms"}}
    stages = stage("9s", deadline, adaptive(initial=2, min=1))
    assert ends(simulated(stages, 2)) == [(0.5, TIMED_OUT)] * 2
    assert levels("limit", stages, 1) == {0.0: 2, 1.5: 1}
    ignored = stage("9s", deadline, adaptive(initial=2, min=1, outcomes=[]))
    assert levels("limit", ignored, 2) == {0.0: 2}
    assert levels("busy", ignored, 1) == {0.0: 0, 1.0: 1, 1.5: 0}


@pytest.mark.parametrize("algorithm", ["gradient2", "vegas"])
def test_it_keeps_the_queue_of_an_overloaded_stage_short(algorithm: str) -> None:
    """Twice as many calls as four at once can serve: without it the queue grows for a minute."""

    def latency(*policies: Data) -> Any:
        stages = stage("100ms", *policies, concurrency=4)
        workload = {"arrivals": {"poisson": {"rate": "80/s"}}}
        records = simulate(plan_of(scenario(stages, workload=workload) | {"horizon": "60s"}), 1)
        served = records.latency[records.outcome == 0]
        return np.percentile(served, 99), len(served)

    shedding, served = latency(adaptive(algorithm, initial=10, min=1))
    assert shedding < 3
    assert served == pytest.approx(60 * 40, rel=0.05)  # and it serves as many as there can be
    assert latency()[0] > 50


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"algorithm": "vegas", "timeout": "1s"}, "timeout: is a setting of algorithm: aimd"),
        (
            {"algorithm": "aimd", "smoothing": 0.5},
            "smoothing: is a setting of algorithm: gradient2 and vegas",
        ),
        ({"initial": 300}, "initial: must not be more than max, which is 200"),
        ({"min": 11, "max": 10}, "min: must not be more than max, which is 10"),
        ({"min": 9, "initial": 8}, "min: must not be more than initial"),
    ],
)
def test_settings_at_odds_are_refused(settings: Data, line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        run(scenario(stage("1s", {"adaptive_limit": settings})))
    assert str(caught.value).endswith(f"a.adaptive_limit.{line}")


def test_its_settings_can_be_changed_one_at_a_time() -> None:
    made = loads(json.dumps(scenario(stage("1s", adaptive(initial=8)))))
    changes = [("a.adaptive_limit.algorithm", "vegas"), ("a.adaptive_limit.max", 5)]
    (other,) = (each.plan.stages[0].policies[0] for each in allowed(made, changes))
    assert (other.algorithm, other.max, math.isclose(other.smoothing, 1)) == ("vegas", 1000, True)
