"""Changes of a percentile by cause: the parts add up, also as they are written."""

import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, examples, run
from strategies import scenarios, with_load

import cascadesim
from cascadesim.analysis.composition import Composition, composition
from cascadesim.analysis.decomposition import (
    Decomposition,
    rounded,
    seconds,
    units_of,
)
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plan.causes import CAUSES
from cascadesim.plan.layout import Part
from cascadesim.studies.compare import Comparison
from cascadesim.studies.execution import Execution

AMOUNTS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=12)


@given(amounts=AMOUNTS, digits=st.integers(0, 4))
def test_rounded_parts_add_up_to_the_rounded_whole(amounts: list[float], digits: int) -> None:
    total = sum(amounts)
    found = rounded(dict(enumerate(amounts)), total, digits)
    assert Decimal(sum(found.values())).scaleb(-digits) == Decimal(f"{total:.{digits}f}")
    for i, amount in enumerate(amounts):
        assert abs(found[i] - amount * 10**digits) < 1 + 1e-6


def test_the_largest_remainders_are_rounded_up() -> None:
    # Seats of an election of 100,000 votes and 10 seats by the method of Hare and Niemeyer.
    votes = {"a": 4.7, "b": 1.6, "c": 1.58, "d": 1.2, "e": 0.61, "f": 0.31}
    assert rounded(votes, 10.0, 0) == {"a": 5, "b": 2, "c": 1, "d": 1, "e": 1, "f": 0}


@given(value=st.floats(-1e6, 1e6), digits=st.integers(0, 4))
def test_units_are_what_is_printed(value: float, digits: int) -> None:
    assert Decimal(units_of(value, digits)).scaleb(-digits) == Decimal(f"{value:.{digits}f}")
    assert seconds(abs(units_of(value, digits)), digits) == f"{abs(value):.{digits}f} s"


def written(sentence: str) -> tuple[Decimal, Decimal]:
    """Return the change that a sentence says, and the sum of its parts."""
    headline, _, parts = sentence.partition(": ")
    change = re.search(r"(rose|fell) by ([0-9.]+) s", headline)
    total = Decimal(change[2]) * (1 if change[1] == "rose" else -1) if change else Decimal(0)
    signs = {"more": 1, "less": -1}
    found = re.findall(r"([0-9.]+) s (more|less)", parts)
    return total, sum((Decimal(n) * signs[word] for n, word in found), Decimal(0))


@given(
    before=st.lists(st.floats(0, 200), min_size=len(CAUSES), max_size=len(CAUSES)),
    after=st.lists(st.floats(0, 200), min_size=len(CAUSES), max_size=len(CAUSES)),
    scale=st.sampled_from([1e-3, 0.01, 1.0]),
)
def test_a_sentence_adds_up(before: list[float], after: list[float], scale: float) -> None:
    made = [
        Composition({Part("a", c, "a.work"): s * scale for c, s in zip(CAUSES, each, strict=True)})
        for each in (before, after)
    ]
    found = Decomposition("p99", *made)
    said, parts = written(found.sentence)
    assert said == parts


def compared(before: Data, after: Data, **options: Any) -> Comparison:
    pair = [cascadesim.loads(json.dumps(each)) for each in (before, after)]
    return cascadesim.compare(*pair, execution=Execution(1), **options)


def decomposed(before: Data, after: Data, **options: Any) -> Decomposition | None:
    comparison = compared(before, after, **options)
    return comparison.decomposition(list(comparison.results)[1])


@examples(10)
@given(
    data=scenarios(),
    name=st.sampled_from([*PERCENTILES, "mean"]),
    number=st.integers(1, 3),
)
def test_changes_of_runs_add_up(data: Data, name: str, number: int) -> None:
    data |= {"objectives": [f"{name} < 1s"]}
    other = with_load(data, {"arrivals": {"poisson": {"rate": "5/s"}}}) | {"seed": 2}
    comparison = compared(data, other, seed=1, replications=number)
    first, second = comparison.results
    found = comparison.decomposition(second)
    replications = [comparison.replications[label] for label in (first, second)]
    if not all(any(each.requests for each in own) for own in replications):
        assert found is None
        return
    assert found is not None
    # What has no requests has no latency.
    means = [np.nanmean([each.measures[name] for each in own]) for own in replications]
    assert found.change == pytest.approx(means[1] - means[0], rel=1e-9, abs=1e-9)
    assert sum(found.by_cause.values()) == pytest.approx(found.change, rel=1e-9, abs=1e-9)
    frame = found.frame
    assert frame["change_s"].sum() == pytest.approx(found.change, rel=1e-9, abs=1e-9)
    assert not frame.duplicated(["where", "cause"]).any()
    if not (found.at_least or found.first_at_least):
        said, parts = written(found.sentence)
        assert said == parts


SERVICE: Data = {
    "name": "service",
    "horizon": "100s",
    "drain": "10s",
    "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
    "stages": {
        "a": {"work": {"constant": "100ms"}},
        "b": {"work": {"constant": "2s"}, "policies": [{"deadline": {"timeout": "1500ms"}}]},
    },
}


def service(**more: Any) -> Data:
    return SERVICE | more


def test_a_change_of_constant_work_is_said_as_it_is() -> None:
    quick = service(stages=SERVICE["stages"] | {"a": {"work": {"constant": "350ms"}}})
    quick["stages"]["b"] = {"work": {"constant": "300ms"}, "kind": "agent"}
    found = decomposed(SERVICE, quick)
    assert found is not None
    assert found.sentence == (
        "p99 fell by 0.950 s: 1.250 s less service work (b), 0.300 s more agent execution (b)"
    )
    rows = found.frame.set_index(["where", "cause"])
    assert rows["change_s"].to_dict() == pytest.approx(
        {
            ("a", "service_work"): 0.25,
            ("b", "service_work"): -1.5,
            ("b", "agent_execution"): 0.3,
        }
    )
    assert rows["setting"].to_list() == ["a.work", "b.work", "b.work"]
    plain = json.loads(json.dumps(found.to_dict()))
    assert sum(plain["by_cause_s"].values()) == pytest.approx(plain["change_s"]) == -0.95
    assert plain["parts"] == found.frame.to_dict("records")
    same = decomposed(SERVICE | {"objectives": ["p50 < 1s"]}, SERVICE, seed=2)
    assert same is not None
    assert same.sentence == "p50 is the same"


def test_lower_bounds_are_said_to_be_such() -> None:
    # The work of an hour is under way at the end of every run.
    stuck = service(
        stages={"a": {"work": {"constant": "100ms"}}, "b": {"work": {"constant": "1h"}}}
    )
    quick, slow = SERVICE, stuck
    for before, after, says in (
        (quick, slow, "p99 rose by at least "),
        (slow, quick, "p99 fell by at least "),
        (slow, slow, "p99 is a lower bound in both, so that its change is not known"),
    ):
        found = decomposed(before, after)
        assert found is not None
        assert found.sentence.startswith(says)


def test_the_frame_of_a_composition_adds_up_to_it() -> None:
    made = composition(run(SERVICE), "p99")
    frame = made.frame
    assert list(frame) == ["stage", "where", "cause", "setting", "latency_s", "share"]
    assert frame["latency_s"].to_list() == pytest.approx([0.1, 1.5])
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["stage"].to_list() == ["a", "b"]
    assert Composition({}).frame.empty
