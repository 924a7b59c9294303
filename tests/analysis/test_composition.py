"""What percentiles are made of: it adds up, and agrees with a band that is sorted out by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, examples, plan_of, run
from strategies import scenarios

from cascadesim.analysis.band import band
from cascadesim.analysis.composition import (
    Composition,
    composition,
    difference,
    ended,
    mean_composition,
)
from cascadesim.analysis.percentiles import PERCENTILES, percentile, share
from cascadesim.engine import simulate
from cascadesim.plan.causes import CAUSES
from cascadesim.records import Records
from cascadesim.values.outcome import ERRORS, Outcome

NAMES = (*PERCENTILES, "mean")


def value(records: Records, name: str) -> float:
    latency = records.latency[records.measured]
    if name == "mean":
        return float(latency.mean())
    return percentile(name, latency, np.zeros(len(latency), bool)).seconds


@examples(20)
@given(scenarios(), st.integers(0, 5))
def test_parts_add_up_to_the_percentile_and_differences_to_that_of_two(
    data: Data, seed: int
) -> None:
    plan = plan_of(data)
    before, after = simulate(plan, seed), simulate(plan, seed + 1)
    for name in NAMES:
        made = check_composition(before, name)
        if before.measured.any() and after.measured.any():
            grew = difference(made.by_cause, composition(after, name).by_cause)
            changed = value(after, name) - value(before, name)
            assert sum(grew.values()) == pytest.approx(changed, rel=1e-9, abs=1e-9)


def check_composition(records: Records, name: str) -> Composition:
    made = composition(records, name)
    if not records.measured.any():
        assert made == Composition({})
        return made
    total = value(records, name)
    for seconds in (made.seconds, made.by_cause, made.by_part, made.by_setting):
        assert sum(seconds.values()) == pytest.approx(total, rel=1e-9, abs=1e-12)
        assert min(seconds.values(), default=0.0) >= 0
    assert made.total == pytest.approx(total, rel=1e-9, abs=1e-12)
    assert tuple(made.by_cause) == tuple(CAUSES)
    return made


@given(
    latency=st.lists(st.floats(0, 100), min_size=1, max_size=400), q=st.sampled_from([*PERCENTILES])
)
def test_the_band_is_what_sorting_by_hand_gives(latency: list[float], q: str) -> None:
    p, n = share(q), len(latency)
    ordered = sorted(range(n), key=lambda i: latency[i])
    # The rank of the percentile, by its definition: the first that p of all do not exceed.
    rank = next(r for r in range(1, n + 1) if r >= n * p - 1e-9)
    half = int(n * (1 - p) / 2)
    target = latency[ordered[rank - 1]]
    near = ordered[max(rank - 1 - half, 0) : rank + half]
    expected = [i for i in near if abs(latency[i] - target) <= 0.1 * target]
    found = band(np.array(latency), p)
    assert list(found) == expected
    assert sorted(latency)[rank - 1] == percentile(q, np.array(latency), np.zeros(n, bool)).seconds


def test_the_p99_of_two_hundred_is_made_of_three() -> None:
    # Ranks 197 to 199 of 200: 198 is the p99, and half way to the slowest is one more.
    found = band(np.arange(200.0), 0.99)
    assert found.tolist() == [196, 197, 198]
    assert band(np.arange(200.0), 1.0).tolist() == [199]
    # Of the middle half, those within a tenth of the median, which is 99.
    assert (band(np.arange(200.0), 0.5) == np.arange(90, 109)).all()


def test_requests_of_another_kind_are_no_neighbours() -> None:
    # The p95 is the first of the slow ones; by rank, quick ones stand beside it.
    latency = np.array([1.0] * 90 + [2.0] * 4 + [30.0] * 6)
    assert (latency[band(latency, 0.95)] == 30.0).all()
    assert (latency[band(latency, 0.94)] == 2.0).all()


SERVICE: Data = {
    "name": "two",
    "horizon": "100s",
    "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
    "stages": {
        "a": {"work": {"constant": "100ms"}},
        "b": {
            "work": {"constant": "1s"},
            "policies": [{"deadline": {"timeout": "300ms"}}],
        },
    },
}


def service(**more: Any) -> Records:
    return run(SERVICE | more)


def test_a_percentile_of_constant_work_is_that_work() -> None:
    for name in NAMES:
        made = composition(service(), name)
        assert made.by_part == pytest.approx({"a.service_work": 0.1, "b.service_work": 0.3})
        assert made.by_setting["b.deadline.timeout"] == pytest.approx(0.3)


def test_what_ended_requests_is_counted_as_shares_of_all() -> None:
    assert ended(service(), ERRORS) == {"b.deadline.timeout": 1.0}
    assert ended(service(), {Outcome.OK}) == {}
    half = service(faults=[{"on": "b", "from": "0s", "for": "50s", "outage": {}}])
    shares = ended(half, ERRORS)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["b.deadline.timeout"] == pytest.approx(0.5, abs=0.02)


def test_the_mean_over_replications_is_that_of_each_part() -> None:
    one = composition(service(), "p50")
    slow = {"a": {"work": {"constant": "300ms"}}, "b": SERVICE["stages"]["b"]}
    other = composition(service(stages=slow), "p50")
    both = mean_composition([one, other])
    assert both.by_part == pytest.approx({"a.service_work": 0.2, "b.service_work": 0.3})
    assert mean_composition([]) == Composition({})


def test_a_cause_of_only_one_side_counts_as_none_on_the_other() -> None:
    assert difference({"x": 1.0, "y": 2.0}, {"y": 5.0, "z": 4.0}) == {"x": -1.0, "y": 3.0, "z": 4.0}
