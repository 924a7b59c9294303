import math

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

import cascadesim
from cascadesim.scenario.vary import parse_vary, quantity
from cascadesim.values.errors import ScenarioError
from cascadesim.values.units import parse_duration, parse_rate, parse_share

PARSERS = {"s": parse_duration, "/s": parse_rate, "%": lambda text: 100 * parse_share(text)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=5s,10s,30s", ("5s", "10s", "30s")),
        ("a.b=5..20:5", (5, 10, 15, 20)),
        ("a.b=1s..2s:250ms", ("1s", "1.25s", "1.5s", "1.75s", "2s")),
        ("a.b=1..10:4", (1, 5, 9)),
        ("a.b=0.5..2.0:0.5", (0.5, 1.0, 1.5, 2.0)),
        ("a.b=0..1:0.5", (0.0, 0.5, 1.0)),
        ("a.b=0%..0.3%:0.1%", ("0%", "0.1%", "0.2%", "0.3%")),
        ("a.b=60/min..5/s:120/min", ("1/s", "3/s", "5/s")),
        ("a.b=1ns..3ns:1ns", ("0.000000001s", "0.000000002s", "0.000000003s")),
        ("a.b=12345..12347:1", (12345, 12346, 12347)),
        ("a.b=wait,reject", ("wait", "reject")),
        ("a.b=true,false", (True, False)),
        ("a.b=[failed],[failed, timed_out]", (["failed"], ["failed", "timed_out"])),
        ("a.b=../x.csv,../y.csv", ("../x.csv", "../y.csv")),
        ("a.b=1s..2s", ()),
    ],
)
def test_what_to_vary(text: str, values: tuple[object, ...]) -> None:
    vary = parse_vary(text)
    assert (vary.path, vary.values) == ("a.b", values)
    assert [type(value) for value in vary.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "low", "high", "unit", "whole"),
    [
        ("500ms..2min", 0.5, 120.0, "s", False),
        ("1%..10%", 1.0, 10.0, "%", False),
        ("60/min..10/s", 1.0, 10.0, "/s", False),
        ("5..20", 5.0, 20.0, "", True),
        ("5..20:5", 5.0, 20.0, "", True),
        ("-0.5..2", -0.5, 2.0, "", False),
    ],
)
def test_ends_are_in_the_unit_of_the_range(
    text: str, low: float, high: float, unit: str, whole: bool
) -> None:
    vary = parse_vary(f"a.b={text}")
    assert (vary.low, vary.high, vary.unit, vary.whole) == (low, high, unit, whole)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.b", "expected PATH=VALUES"),
        ("a.b=", "expected PATH=VALUES"),
        ("=1..2", "expected PATH=VALUES"),
        ("a.b=5..x", 'expected a number such as 5, 5s, 5% or 5/s, got "x"'),
        ("a.b=5..9m", 'unknown unit "m"'),
        ("a.b=5%..200%", "between 0% and 100%"),
        ("a.b=5..5s", "of its kind"),
        ("a.b=1%..5s", "of its kind"),
        ("a.b=9..5", "up to a greater one"),
        ("a.b=1..9:0", "the step must be more than 0"),
        ("a.b=1..9:1s", "of the range's kind"),
        ("a.b=1s..9s:", 'got ""'),
        ("a.b=0s..1h:1ms", "makes 3600001 values"),
    ],
)
def test_what_cannot_be_varied(text: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_vary(text, "--tune")
    assert str(caught.value).startswith(f"--tune {text}: ")
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@given(
    st.floats(1e-6, 1e6), st.floats(1.001, 1e3), st.floats(0, 1), st.sampled_from(["s", "/s", "%"])
)
def test_values_of_a_range_are_few_digits_within_it(
    low: float, factor: float, share: float, unit: str
) -> None:
    low, high = (float(f"{min(end, 100):.9f}") for end in (low, low * factor))
    if not 0 < low < high:
        return
    vary = parse_vary(f"a.b={low:.9f}{unit}..{high:.9f}{unit}")
    written = vary.at(share)
    value = PARSERS[unit](written)
    assert low * (1 - 1e-12) <= value <= high * (1 + 1e-12)
    exact = low + share * (high - low)
    assert math.isclose(value, exact, rel_tol=6e-4)
    assert len(written.removesuffix(unit).replace(".", "").lstrip("0").rstrip("0")) <= 4 or (
        math.isclose(value, low) or math.isclose(value, high)
    )
    assert math.isclose(vary.share(written), (value - low) / (high - low), abs_tol=1e-6)


@given(st.integers(-50, 50), st.integers(1, 60))
def test_whole_numbers_have_equal_parts_of_the_way(low: int, span: int) -> None:
    vary = parse_vary(f"a.b={low}..{low + span}")
    n = span + 1
    assert [vary.at((i + 0.5) / n) for i in range(n)] == list(range(low, low + n))
    assert (vary.at(0), vary.at(1)) == (low, low + span)
    assert all(vary.written(low + i + 0.4) == low + i for i in range(n))
    assert [vary.share(low), vary.share(low + span)] == [0, 1]


def test_steps_stand_between_the_first_and_the_last_of_them() -> None:
    vary = parse_vary("a.b=0s..10s:4s")
    assert vary.values == ("0s", "4s", "8s")
    assert [vary.share(value) for value in vary.values] == [0, 0.5, 1]
    assert parse_vary("a.b=1..3:9").share(1) == 0


def test_listed_values_stand_in_their_order() -> None:
    vary = parse_vary("a.b=10s,2s,[5s]")
    assert [vary.at(share) for share in (0, 0.34, 0.67, 1)] == ["10s", "2s", ["5s"], ["5s"]]
    assert [vary.share(value) for value in vary.values] == [0, 0.5, 1]


@pytest.mark.parametrize("value", ["wait", True, None, ["5s"], ""])
def test_words_are_no_quantities(value: object) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        quantity(value)


BLOCK = """
name: queue
horizon: 100s
workload: {arrivals: {poisson: {rate: 8/s}}}
stages: {a: {work: {exponential: {mean: 90ms}}, concurrency: 1}}
variants: {limited: {a.policies: [{deadline: {timeout: 1s}}]}}
sweep: {vary: {VARY}}
"""


def test_a_sweep_may_vary_what_only_a_variant_has() -> None:
    text = BLOCK.replace("VARY", "a.deadline.timeout: [1s, 2s]")
    scenario = cascadesim.loads(text)
    assert scenario.at("limited").model.sweep == scenario.model.sweep
    with pytest.raises(ScenarioError, match=r"<text>:7:16: sweep.vary.a.deadline.timeout"):
        cascadesim.loads(text.replace("limited: {a.policies", "limited: {b.policies").replace(
            "{b.policies: [{deadline: {timeout: 1s}}]}", "{}"
        ))  # fmt: skip


def test_a_resolved_scenario_has_no_sweep() -> None:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s")
    assert scenario.model.sweep is not None
    assert scenario.at("after").resolved().model.sweep is None
