"""Objectives: which metric, on which side of which bound."""

import math

import pytest
from everything import swap
from pydantic_core import PydanticCustomError

from cascadesim.scenario.load import loads
from cascadesim.scenario.objectives import Objective, parse_objective


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("p99 < 5s", Objective("p99 < 5s", "p99", "<", 5)),
        ("  p99.9<=250ms ", Objective("p99.9<=250ms", "p99.9", "<=", 0.25)),
        ("p0.05 > 1s", Objective("p0.05 > 1s", "p0.05", ">", 1)),
        ("p05 > 1s", Objective("p05 > 1s", "p05", ">", 1)),
        ("p5 > 1min30s", Objective("p5 > 1min30s", "p5", ">", 90)),
        ("mean\t<  1s", Objective("mean < 1s", "mean", "<", 1)),
        ("max < 1h", Objective("max < 1h", "max", "<", 3600)),
        ("error_rate < 1%", Objective("error_rate < 1%", "error_rate", "<", 0.01)),
        ("ok_rate >= 99.9%", Objective("ok_rate >= 99.9%", "ok_rate", ">=", 0.999)),
        ("goodput > 240/min", Objective("goodput > 240/min", "goodput", ">", 4)),
    ],
)
def test_what_a_text_states(text: str, objective: Objective) -> None:
    parsed = parse_objective(text)
    assert (parsed.text, parsed.metric, parsed.relation) == (
        objective.text, objective.metric, objective.relation,
    )  # fmt: skip
    assert parsed.bound == pytest.approx(objective.bound)
    assert parsed.is_latency == (objective.metric[0] in "pm")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("p99", 'expected an objective such as "p99 < 5s"'),
        ("p99 <", 'expected an objective such as "p99 < 5s"'),
        ("p99 = 5s", 'expected an objective such as "p99 < 5s"'),
        (5, "got 5"),
        (None, "got nothing"),
        ("p100 < 5s", 'unknown metric "p100"; a percentile lies above 0 and below 100'),
        ("p0 < 5s", 'unknown metric "p0"; a percentile lies above 0 and below 100'),
        ("p00 < 5s", 'unknown metric "p00"; a percentile lies above 0 and below 100'),
        ("p0.0<5s", 'unknown metric "p0.0"; a percentile lies above 0 and below 100'),
        ("p99.99999999999999999 < 5s", "a percentile lies above 0 and below 100"),
        ("mena < 5s", 'unknown metric "mena"; did you mean "mean"?'),
        ("p99 < 5", '"5" has no unit'),
        ("p99 < 5%", "expected a duration"),
        ("error_rate < 5s", "expected a share"),
        ("error_rate < 0.01", "expected a share"),
        ("error_rate < 101%", "a share lies between"),
        ("goodput > 5", '"5" has no unit; write "5/s"'),
        ("p99 < -5s", "cannot be negative"),
        ("p99 < 5s < 6s", "expected a duration"),
    ],
)
def test_what_is_no_objective(value: object, says: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_objective(value)
    assert says in str(caught.value)


def test_a_bound_is_met_on_its_side_and_never_by_nan() -> None:
    relations = {"<": (4,), "<=": (4, 5), ">": (6,), ">=": (5, 6)}
    for relation, met in relations.items():
        objective = parse_objective(f"p99 {relation} 5s")
        assert tuple(value for value in (4, 5, 6) if objective.met(value)) == met
        assert not objective.met(math.nan)


def test_objectives_of_a_scenario_are_written_evenly() -> None:
    assert loads(swap("p99 < 5s", "p99  <5s")).model.objectives[0] == "p99 <5s"
