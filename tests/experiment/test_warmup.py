import json

import numpy as np
import pytest

import cascadesim
from cascadesim.analysis.intervals import mser5

QUEUE = {
    "name": "queue",
    "horizon": "200s",
    "drain": "60s",
    "warmup": "auto",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
    "variants": {"slow": {}, "fast": {"a.work": {"exponential": {"mean": "50ms"}}}},
}


def load(**more: object) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(QUEUE | more))


def test_it_is_found_by_mser5_of_the_latencies() -> None:
    plain = cascadesim.run(load(warmup="0s").at("slow")).records
    cut = mser5(plain.latency.tolist())
    found = cascadesim.run(load().at("slow"))
    assert found.summary.requests == len(plain.latency) - cut
    assert 0 < cut < len(plain.latency) / 2
    assert found.to_dict()["warmup_s"] == pytest.approx(plain.arrival[cut - 1], abs=0.002)


def test_variants_share_the_longest() -> None:
    results = cascadesim.replay(load()).results
    alone = [cascadesim.run(load().at(name)).summary.warmup for name in ("slow", "fast")]
    assert {result.summary.warmup for result in results.values()} == {max(alone)}
    assert len(set(alone)) == 2


def test_a_saved_run_has_it_in_seconds() -> None:
    result = cascadesim.run(load().at("slow"))
    assert result.scenario.model.warmup == result.summary.warmup
    again = cascadesim.run(result.scenario)
    np.testing.assert_array_equal(again.records.latency, result.records.latency)
    assert again.summary == result.summary


def test_replications_measure_from_it_too() -> None:
    comparison = cascadesim.compare(load(), replications=2)
    assert comparison.percentile("slow", "p50").estimate > 0
    assert comparison.results["fast"].summary.warmup == comparison.results["slow"].summary.warmup


def test_a_fault_is_no_warmup() -> None:
    fault = {"on": "a", "from": "60s", "for": "20s", "latency": {"multiply": 3}}
    found = cascadesim.run(load(faults=[fault]).at("slow"))
    assert found.summary.warmup < 60
