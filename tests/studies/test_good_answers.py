"""What is faster only because it fails is never praised: good answers lead."""

import json
from typing import Any

import pytest

import cascadesim
from cascadesim.values.words import amount
from cascadesim.views import compare as view
from cascadesim.views import sweep as sweep_view
from cascadesim.views.page import Table, plain
from cascadesim.views.terminal import text

BUSY: dict[str, Any] = {
    "name": "busy",
    "horizon": "60s",
    "drain": "10min",
    "warmup": "0s",
    "workload": {"arrivals": {"constant": {"rate": "2/s"}}},
    "stages": {"server": {"concurrency": 1, "work": {"constant": "1s"}}},
    "objectives": ["p99 < 70s"],
    "variants": {"patient": {}, "rejecting": {"server.queue_limit": 0}},
}


def scenario(**more: Any) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(BUSY | more))


@pytest.mark.parametrize("replications", [1, 3])
def test_a_fall_of_the_p99_names_the_requests_that_fail_now(replications: int) -> None:
    """Half of what arrives is refused, which makes the p99 one second."""
    made = cascadesim.compare(
        scenario(), replications=replications, execution=cascadesim.Execution(jobs=1)
    )
    changes = view.changes(made)
    assert changes is not None
    sentence = plain(changes.items[0])
    assert "p99 fell by" in sentence
    errors = made.measures("rejecting")["error_rate"].estimate
    assert errors == pytest.approx(0.5, abs=0.02)
    assert f"and {errors:.2%} of the requests now fail (0.00% in patient)" in sentence


def test_a_table_begins_with_the_share_answered_in_time() -> None:
    made = cascadesim.compare(scenario())
    first, *_ = (block for block in view.page(made).blocks if isinstance(block, Table))
    assert first.title == "How requests ended"
    headings = [column.heading for column in first.columns]
    assert headings[:3] == ["variant", "answered within 70 s", "error rate"]


def test_a_sweep_ranks_answers_before_latency() -> None:
    swept = cascadesim.sweep(scenario(), {"server.queue_limit": [0, 1000]})
    assert swept.values("p99")[0, 0] < swept.values("p99")[1, 0]
    assert swept.ranked("p99") == [1, 0]
    assert "Most answered first" in text(sweep_view.page(swept), 80)


def test_percentiles_of_ok_replies_stand_beside_those_of_all() -> None:
    result = cascadesim.run(scenario(variants={}).override({"server.failure_rate": 0.5}), 1)
    ok = result.frame.query("measured and outcome == 'ok'")["latency_s"]
    assert result.summary.of_ok["ok_max"].seconds == ok.max()
    made = cascadesim.compare(scenario())
    assert made.measures("rejecting")["ok_p50"].estimate == pytest.approx(1.0)
    assert made.measures("rejecting")["mean"].estimate < 0.6  # half of them failed at once


def test_the_goodput_of_an_hourly_load_is_not_nothing() -> None:
    assert amount("goodput", 1 / 3600) == "0.000278"
    assert amount("goodput", -0.05, "+") == "-0.05"
    assert [amount("goodput", each) for each in (0.0, 3.1234)] == ["0.000", "3.123"]
