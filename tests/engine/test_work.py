"""Heavy tails, recorded durations and mixtures take the time that they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit import Data, plan_of, simulated
from scipy import stats

from cascadesim.analysis.bounds import worst_case
from cascadesim.analysis.contradictions import contradictions
from cascadesim.engine import simulate
from cascadesim.plan.plan import Plan
from cascadesim.values.distributions import Work


def plan(work: Any, **stage: Any) -> Plan:
    return plan_of(
        {
            "name": "work",
            "horizon": "1000s",
            "drain": "1h",
            "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
            "stages": {"a": {"work": work} | stage},
        }
    )


def latencies(work: Any) -> list[float]:
    return sorted(np.round(simulate(plan(work), 7).latency, 6).tolist())


@pytest.fixture
def recorded(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "recorded.csv"
    file.write_text("took\n1.5\n0.25\n1.5\n9\n")
    return {"empirical": {"file": str(file), "column": "took", "unit": "s"}}


def test_recorded_durations_come_in_their_shares(recorded: Any) -> None:
    found = latencies(recorded)
    assert set(found) == {0.25, 1.5, 9.0}
    assert found.count(1.5) / len(found) == pytest.approx(0.5, abs=0.05)


def test_gamma_of_no_variation_is_nearly_constant() -> None:
    found = latencies({"gamma": {"mean": "2s", "cv": 0.001}})
    assert np.std(found) == pytest.approx(0.002, rel=0.1)
    assert np.mean(found) == pytest.approx(2, rel=0.001)
    assert latencies({"gamma": {"mean": "2s", "shape": 10**6}}) == found


def test_gamma_of_shape_1_is_exponential() -> None:
    for spread in ({"shape": 1}, {"cv": 1}):
        found = latencies({"gamma": {"mean": "2s"} | spread})
        assert np.quantile(found, [0.5, 0.9]) == pytest.approx([1.39, 4.61], rel=0.1)


def test_pareto_has_the_median_and_the_percentile_that_are_given() -> None:
    found = latencies({"pareto": {"median": "100ms", "p99": "2s"}})
    assert np.quantile(found, [0.5, 0.99]) == pytest.approx([0.1, 2.0], rel=0.3)
    # A quantile q is minimum * (1 - q)^(-1 / alpha): 1 s and 16 s for alpha = 1/2.
    tail = {"pareto": {"minimum": "1s", "alpha": 0.5, "cap": "16s"}}
    found = latencies(tail)
    assert found[0] == pytest.approx(1, abs=0.02)
    assert np.quantile(found, 0.5) == pytest.approx(4, rel=0.15)
    assert found.count(16.0) / len(found) == pytest.approx(0.25, abs=0.04)


def test_one_of_a_mixture_takes_its_time() -> None:
    parts = {
        "hit": {"weight": "90%", "constant": "1ms"},
        "miss": {"weight": "10%", "constant": "300ms"},
    }
    found = latencies({"mixture": parts})
    assert set(found) == {0.001, 0.3}
    assert found.count(0.3) / len(found) == pytest.approx(0.1, abs=0.03)
    parts["miss"]["weight"] = "0%"
    assert set(latencies({"mixture": parts})) == {0.001}


def test_the_bound_is_the_longest_that_can_be_drawn(recorded: Any) -> None:
    tail = {"pareto": {"minimum": "1s", "alpha": 0.5, "cap": "16s"}}
    parts = {"again": recorded | {"weight": 1}, "tail": tail | {"weight": 1}}
    assert worst_case(plan(recorded))["a"].total == 9
    assert worst_case(plan(tail))["a"].total == 16
    assert worst_case(plan({"mixture": parts}))["a"].total == 16
    assert worst_case(plan({"gamma": {"mean": "1s", "cv": 1}}))["a"].total == np.inf


def test_contradictions_know_the_mean_of_what_was_recorded(recorded: Any) -> None:
    # Work of 3.0625 s and 5 calls at once: 1.63/s, which 2 calls of each of 1/s exceed.
    retry = {"concurrency": 5, "policies": [{"retry": {"attempts": 2}}]}
    (found,) = contradictions(plan(recorded, **retry), None)
    assert "2/s against a capacity of 1.63/s" in found.problem


@pytest.mark.parametrize(
    ("work", "law"),
    [
        ({"exponential": {"mean": "200ms"}}, stats.expon(scale=0.2)),
        ({"uniform": {"low": "1s", "high": "3s"}}, stats.uniform(1, 2)),
        ({"lognormal": {"median": "50ms", "sigma": 0.5}}, stats.lognorm(0.5, scale=0.05)),
    ],
)
def test_work_follows_its_distribution(work: Data, law: Any) -> None:
    latency = simulated({"a": {"work": work}}, 1000).latency
    assert stats.kstest(latency, law.cdf).pvalue > 0.01


@pytest.mark.parametrize("spread", ["p90", "p95", "p99"])
def test_a_lognormal_has_the_percentiles_it_is_given_by(spread: str) -> None:
    given = Work.model_validate({"lognormal": {"median": "250ms", spread: "900ms"}})
    mu, sigma = given.distribution.parameters
    law = stats.lognorm(sigma, scale=np.exp(mu))
    assert law.ppf([0.5, int(spread[1:]) / 100]) == pytest.approx([0.25, 0.9])
