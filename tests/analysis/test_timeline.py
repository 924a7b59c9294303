"""Timelines of single requests: steps follow each other and add up, also as they are rounded."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, examples, plan_of
from strategies import scenarios

from cascadesim.analysis.timeline import Step, rounded_steps, timeline
from cascadesim.engine import trace
from cascadesim.plan.causes import CAUSES
from cascadesim.plan.layout import Part
from cascadesim.records import Trace


def traced(data: Data) -> Trace:
    return trace(plan_of(data), 1)


@examples(15)
@given(data=scenarios(), pick=st.integers(0, 10**6))
def test_the_steps_of_a_request_add_up_to_its_latency(data: Data, pick: int) -> None:
    found = traced(data)
    records = found.records
    if not len(records.latency):
        return
    row = pick % len(records.latency)
    latency = float(records.latency[row])
    steps = timeline(found, row)
    assert sum(step.seconds for step in steps) == pytest.approx(latency, abs=1e-9)
    at = float(records.arrival[row])
    for step in steps:
        assert step.at == pytest.approx(at, abs=1e-9)
        at += step.seconds
    # By part, the steps of one part hold at most what the ledger has of it, and all is in some.
    spent = {part for part, s in zip(records.parts, records.seconds[row], strict=True) if s > 0}
    assert {part for step in steps for part in step.parts} == spent
    for part in spent:
        alone = sum(step.seconds for step in steps if step.parts == (part,))
        assert alone <= records.seconds[row][records.parts.index(part)] + 1e-9
    for one, next_one in pairwise(steps):
        assert max(one.seconds, next_one.seconds) >= latency * 0.01  # or they were one
    for digits in (1, 3):
        units = rounded_steps(steps, latency, digits)
        assert Decimal(sum(units)).scaleb(-digits) == Decimal(f"{latency:.{digits}f}")


def test_a_retry_is_told_as_it_happens() -> None:
    data: Data = {
        "name": "retries",
        "horizon": "20s",
        "drain": "20s",
        "workload": {"arrivals": {"constant": {"rate": "0.2/s"}}},
        "stages": {
            "a": {"work": {"constant": "1ms"}},
            "b": {
                "work": {"constant": "1h"},
                "policies": [
                    {"retry": {"attempts": 2, "backoff": "constant", "base": "500ms"}},
                    {"deadline": {"timeout": "2s"}},
                ],
            },
        },
    }
    found = traced(data)
    steps = timeline(found, 0)
    assert [(step.words, round(step.seconds, 9)) for step in steps] == [
        ("work of a", 0.001),
        ("work of b", 2.0),
        ("pausing before the next attempt (b.retry)", 0.5),
        ("work of b", 2.0),
    ]


def test_there_are_words_for_every_cause() -> None:
    texts = [Step(0.0, 1.0, (Part("stage.place", cause, ""),)).words for cause in CAUSES]
    assert len({*texts}) == len(CAUSES)
    assert all("stage.place" in text for text in texts)
