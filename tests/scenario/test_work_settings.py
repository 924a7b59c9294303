"""Work with a heavy tail and mixtures: every part is a setting, and what cannot be is one line."""

import json
from typing import Any

import pytest
from kit import Data

from cascadesim.randomness import Distribution
from cascadesim.scenario.load import Scenario, loads
from cascadesim.values.errors import ScenarioError

MIXTURE = {
    "hit": {"weight": "90%", "constant": "1ms"},
    "miss": {"weight": 0.1, "gamma": {"mean": "300ms", "cv": 2}},
}


def scenario(work: Data) -> Scenario:
    stages = {"agent": {"work": work}}
    workload = {"arrivals": {"poisson": {"rate": "4/s"}}}
    data = {"name": "w", "horizon": "1min", "workload": workload, "stages": stages}
    return loads(json.dumps(data), "f")


def work_of(scenario: Scenario) -> Distribution:
    work = scenario.model.stages["agent"].work
    assert work is not None
    return work.distribution


def changed(work: Data, **settings: Any) -> Distribution:
    paths = {f"agent.work.{path}": value for path, value in settings.items()}
    return work_of(scenario(work).override(paths))


def test_parameters_are_those_of_the_textbook() -> None:
    gamma = {"gamma": {"mean": "2s", "cv": 0.5}}  # shape 1 / cv^2, scale mean / shape
    assert work_of(scenario(gamma)) == Distribution("gamma", (4.0, 0.5))
    assert changed(gamma, **{"gamma": {"mean": "2s", "shape": 8}}).parameters == (8.0, 0.25)
    # (1 - q)^(-1 / alpha) minima are sqrt(2) at the median, and 10 at p99, for alpha = 2.
    tail = {"pareto": {"median": "1414.2135623730951ms", "p99": "10s"}}
    assert work_of(scenario(tail)).parameters[:2] == pytest.approx((1, 2))
    assert changed(tail, **{"pareto.cap": "12s"}).upper == 12


def test_components_go_by_their_names() -> None:
    assert changed({"mixture": MIXTURE}, **{"mixture.miss.weight": 3}).parameters == (0.9, 3.0)
    slower = changed({"mixture": MIXTURE}, **{"mixture.hit.constant": "5ms"})
    assert slower.components[0] == ("hit", Distribution("constant", (0.005,)))
    third = changed({"mixture": MIXTURE}, **{"mixture.stuck": {"weight": 1, "constant": "9s"}})
    assert [name for name, _ in third.components] == ["hit", "miss", "stuck"]


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        ({"pareto": {"minimum": "1s", "alpha": 1}},
         "pareto.alpha: must be more than 1, or the mean is infinite; or give a cap"),
        ({"pareto": {"median": "1s", "p99": "50s"}},
         "pareto.p99: must be less than 50 medians, or the mean is infinite; or give a cap"),
        ({"pareto": {"median": "1s", "p99": "1s"}},
         "pareto.p99: p99 must be from 1.04 to 10^16 times the median"),
        ({"pareto": {"minimum": "1s", "alpha": 2, "cap": "1s"}},
         "pareto.cap: cap must be more than the minimum, 1.00 s"),
        ({"pareto": {"median": "1s", "p99": "9s", "cap": "8s"}},
         "pareto.cap: cap must be at least p99, 9.00 s"),
        ({"pareto": {"median": "1s", "alpha": 2}},
         "pareto: expected minimum and alpha, or median and p99; got alpha, median"),
        ({"pareto": {"cap": "9s"}},
         "pareto: expected minimum and alpha, or median and p99; got neither"),
        ({"gamma": {"mean": "1s"}}, "gamma: expected exactly one of: cv, shape; got none"),
        ({"gamma": {"mean": "0s", "cv": 1}}, "gamma.mean: must be more than 0"),
        ({"gamma": {"mean": "1s", "cv": 20}}, "gamma.cv: must be at most 10, got 20"),
        ({"mixture": {}}, "mixture: expected at least one entry"),
        ({"mixture": {"a": {"weight": 0, "constant": "1s"}}},
         "mixture: one component needs a weight above 0"),
        ({"mixture": {"a": {"weight": -1, "constant": "1s"}}},
         'mixture.a.weight: expected a weight such as 3 or "5%", got -1'),
        ({"mixture": {"a": {"weight": 1}}},
         "mixture.a: expected exactly one of: constant, exponential, lognormal, uniform, gamma, "
         "pareto, empirical, mixture; got none"),
        ({"mixture": {"a": {"constant": "1s"}}}, 'mixture.a.weight: "weight" is missing'),
        ({"mixture": {"a b": {"weight": 1, "constant": "1s"}}},
         'mixture.a b: expected a name without spaces, ".", "=" or ",", got "a b"'),
    ],
)  # fmt: skip
def test_work_that_cannot_be(work: Data, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(work)
    place, _, line = str(caught.value).partition(": agent.work.")
    assert place.startswith("f:1:")
    assert line == problem
