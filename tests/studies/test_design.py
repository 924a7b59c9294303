import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascadesim
from cascadesim.scenario.vary import parse_vary
from cascadesim.studies.design import design, grid, parse_sample, sampled
from cascadesim.values.errors import ScenarioError

QUEUE = """
name: queue
horizon: 100s
workload: {arrivals: {poisson: {rate: 8/s}}}
stages: {a: {work: {exponential: {mean: 90ms}}, concurrency: 1}}
"""
BLOCK = (
    QUEUE
    + """
sweep:
  vary: {a.concurrency: 1..3:1, horizon: 50s..100s}
  sample: sobol:8
  replications: 3
"""
)


def test_a_grid_is_every_combination() -> None:
    settings = grid([parse_vary("a.b=1,2"), parse_vary("c.d=x,y,z")])
    assert settings[:2] == [{"a.b": 1, "c.d": "x"}, {"a.b": 1, "c.d": "y"}]
    assert len({tuple(each.values()) for each in settings}) == 6
    assert grid([parse_vary("a.b=2,1,2")]) == [{"a.b": 2}, {"a.b": 1}]
    with pytest.raises(ScenarioError, match=r"^--vary a.b: needs a step"):
        grid([parse_vary("a.b=1..2")])
    with pytest.raises(ScenarioError, match="makes 250000 settings"):
        grid([parse_vary("a.b=1..500:1"), parse_vary("c.d=1..500:1")])


@given(st.sampled_from(["sobol", "lhs"]), st.integers(0, 99))
def test_a_sample_fills_every_range_evenly(kind: str, seed: int) -> None:
    vary = [parse_vary("a.b=1..8"), parse_vary("c.d=0s..16s"), parse_vary("e.f=x,y")]
    settings = sampled(vary, kind, 16, seed)
    assert settings == sampled(vary, kind, 16, seed)
    # One in each of 16 equal strata of a range; so two of each whole number, eight of each word.
    # A value on the border of a stratum may be rounded into the next.
    seconds = sorted(float(each["c.d"].rstrip("s")) for each in settings)
    assert all(i - 0.006 <= s <= i + 1.006 for i, s in enumerate(seconds))
    assert sorted(each["a.b"] for each in settings) == sorted(2 * list(range(1, 9)))
    assert [each["e.f"] for each in settings].count("x") == 8


def test_a_saltelli_sample_changes_one_setting_at_a_time() -> None:
    vary = [parse_vary(f"{name}=0.0..1.0") for name in "abc"]
    settings = sampled(vary, "saltelli", 16, seed=7)
    rows = np.array([[each[name] for name in "abc"] for each in settings]).reshape(16, 5, 3)
    for a, *mixed, b in rows:
        for i, row in enumerate(mixed):
            expected = np.where(np.arange(3) == i, b, a)
            assert row.tolist() == expected.tolist()
    # Both ends of the changes fill the ranges, one in each of 16 strata.
    for ends in (rows[:, 0], rows[:, -1]):
        strata = np.sort(ends, axis=0) - np.arange(16)[:, np.newaxis] / 16
        assert (abs(strata - 1 / 32) <= 1 / 32 + 1e-4).all()
    assert settings == sampled(vary, "saltelli", 16, seed=7)
    assert settings != sampled(vary, "saltelli", 16, seed=8)


@pytest.mark.parametrize(
    "text", ["sobol", "sobol:0", "sobol:x", "random:8", "sobol:100", "saltelli:12", "lhs:1000000"]
)
def test_samples_that_cannot_be_taken(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"^--sample") as caught:
        parse_sample(text)
    assert "such as" in str(caught.value)


def test_a_sample_has_a_most() -> None:
    with pytest.raises(ScenarioError, match="makes 196608 settings, more than 100000"):
        sampled([parse_vary("a.b=1..9")], "saltelli", 65536, seed=1)


def test_a_sample_of_the_scenario_that_is_too_many_is_found_where_it_stands() -> None:
    scenario = cascadesim.loads(BLOCK.replace("sobol:8", "saltelli:65536"))
    problem = "makes 262144 settings, more than 100000"
    with pytest.raises(ScenarioError, match=f"^<text>:9:11: sweep.sample: {problem}"):
        design(scenario)
    with pytest.raises(ScenarioError, match=f"^--sample saltelli:65536: {problem}"):
        design(cascadesim.loads(BLOCK), sample="saltelli:65536")


def test_settings_that_are_alike_are_run_once() -> None:
    scenario = cascadesim.loads(QUEUE)
    found = design(scenario, ["a.concurrency=1..2"], "lhs:10", replications=3)
    assert (len(found.settings), len(found.distinct), found.runs) == (10, 2, 6)


def test_the_scenario_says_what_to_vary() -> None:
    scenario = cascadesim.loads(BLOCK)
    found = design(scenario)
    assert found.paths == ("a.concurrency", "horizon")
    assert (len(found.settings), found.kind, found.replications) == (8, "sobol", 3)
    assert found.settings == sampled(found.vary, "sobol", 8, scenario.model.seed)
    assert design(scenario, seed=5).settings == sampled(found.vary, "sobol", 8, 5)


def test_what_is_given_takes_precedence() -> None:
    scenario = cascadesim.loads(BLOCK)
    found = design(scenario, sample="lhs:5", replications=2)
    assert (len(found.settings), found.kind, found.replications) == (5, "lhs", 2)
    # What to vary replaces the block as a whole.
    found = design(scenario, ["a.concurrency=1,2"])
    assert (found.settings, found.replications) == ([{"a.concurrency": 1}, {"a.concurrency": 2}], 1)


def test_what_to_vary_is_said_in_many_ways() -> None:
    scenario = cascadesim.loads(QUEUE)
    several = ["a.concurrency=1..3:1", "horizon=50s,100s"]
    expected = design(scenario, several).settings
    assert len(expected) == 6
    mapping = {"a.concurrency": "1..3:1", "horizon": ["50s", "100s"]}
    assert design(scenario, mapping).settings == expected
    assert design(scenario, {"a.concurrency": range(1, 4)}).settings == [
        {"a.concurrency": n} for n in (1, 2, 3)
    ]
    for one in ("a.concurrency=1,2", parse_vary("a.concurrency=1,2")):
        assert design(scenario, one).settings == [{"a.concurrency": 1}, {"a.concurrency": 2}]
    sample = design(scenario, {"horizon": "50s..100s"}, "lhs:4")
    assert sample.settings == design(scenario, "horizon=50s..100s", "lhs:4").settings


@pytest.mark.parametrize(
    ("values", "got"),
    [(5, "got 5"), ("5s", 'got "5s"'), ([], "got an empty list"), (None, "got nothing")],
)
def test_values_that_are_no_list_and_no_range(values: object, got: str) -> None:
    with pytest.raises(ScenarioError, match=f"^--vary horizon: expected a list .*, {got}$"):
        design(cascadesim.loads(QUEUE), {"horizon": values})


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"replications": 0}, "--replications 0: expected a number from 1"),
        ({"replications": -2}, "--replications -2: expected a number from 1"),
        ({"seed": -1}, "--seed -1: expected a whole number from 0 to 10.18"),
        ({"seed": 10**18 + 1}, "expected a whole number from 0 to 10.18"),
    ],
)
def test_numbers_that_there_are_not(numbers: dict[str, int], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        design(cascadesim.loads(QUEUE), "a.concurrency=1,2", **numbers)


def test_nothing_to_vary() -> None:
    with pytest.raises(ScenarioError, match=r"has no sweep, so say what to vary: --vary"):
        design(cascadesim.loads(QUEUE))


def test_a_range_of_the_scenario_without_step_and_sample() -> None:
    scenario = cascadesim.loads(BLOCK.replace("  sample: sobol:8\n", ""))
    with pytest.raises(ScenarioError, match=r"^<text>:8:3: sweep.vary.horizon: needs a step"):
        design(scenario)


@pytest.mark.parametrize("path", ["seed", "name", "objectives", "sweep.sample"])
def test_what_is_the_same_for_every_setting_cannot_be_varied(path: str) -> None:
    with pytest.raises(ScenarioError, match=f"^--vary {path}: .* cannot be varied"):
        design(cascadesim.loads(QUEUE), [f"{path}=1,2"])


def test_a_path_is_varied_once() -> None:
    with pytest.raises(ScenarioError, match="is given twice"):
        design(cascadesim.loads(QUEUE), ["a.concurrency=1,2", "a.concurrency=3,4"])
