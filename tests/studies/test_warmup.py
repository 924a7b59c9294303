import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cascadesim
from cascadesim.analysis.intervals import mser5
from cascadesim.studies import execution, warmup
from cascadesim.studies.execution import Execution, Interrupted
from cascadesim.studies.no_worse import side_by_side
from cascadesim.studies.replications import Job, Replication, replicate
from cascadesim.studies.runs import LazyRuns, Simulations

QUEUE = {
    "name": "queue",
    "horizon": "200s",
    "drain": "60s",
    "warmup": "auto",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
    "variants": {"slow": {}, "fast": {"a.work": {"exponential": {"mean": "50ms"}}}},
}

FAST = {"a": {"work": {"exponential": {"mean": "50ms"}}, "concurrency": 1}}
FAULT = {"on": "a", "from": "60s", "for": "20s", "latency": {"multiply": 3}}


def load(**more: object) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(QUEUE | more))


def test_it_is_found_by_mser5_of_the_latencies() -> None:
    plain = cascadesim.run(load(warmup="0s").at("slow")).records
    cut = mser5(plain.latency.tolist())
    assert cut is not None
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
    found = cascadesim.run(load(faults=[FAULT]).at("slow"))
    assert found.summary.warmup < 60


def test_scenarios_that_are_compared_share_the_longest() -> None:
    old, new = load(name="old", variants={}), load(name="new", variants={}, stages=FAST)
    alone = [cascadesim.run(each).summary.warmup for each in (old, new)]
    assert alone[0] != alone[1]
    comparison = cascadesim.compare(old, new, replications=2)
    assert {each.summary.warmup for each in comparison.results.values()} == {max(alone)}
    assert len({each.summary.requests for each in comparison.results.values()}) == 1
    assert comparison.pairs("new:scenario") is not None


def test_another_horizon_has_a_warmup_of_its_own() -> None:
    old, new = load(name="old", variants={}), load(name="new", variants={}, horizon="30s")
    comparison = cascadesim.compare(old, new)
    assert comparison.results["old:scenario"].summary.warmup > 30 / 2
    assert comparison.results["new:scenario"].summary.warmup < 30


@pytest.mark.parametrize("settings", [{"horizon": "1s"}, {"faults": [FAULT | {"from": "500ms"}]}])
def test_too_few_requests_to_tell_are_half_warmup(settings: dict[str, object]) -> None:
    scenario = load(variants={}, **settings)
    result = cascadesim.run(scenario)
    records = cascadesim.run(scenario.override({"warmup": "0s"})).records
    before = records.arrival[records.arrival < (1.0 if "horizon" in settings else 0.5)]
    assert 2 <= len(before) < 10
    assert (records.arrival < result.summary.warmup).sum() == len(before) // 2
    assert result.scenario.too_short


def test_what_has_settled_is_not_too_short() -> None:
    assert not cascadesim.run(load().at("slow")).scenario.too_short
    assert not cascadesim.run(load(horizon="1s", warmup="0s").at("slow")).scenario.too_short


VARY = ["a.concurrency=1,2,3"]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Return a list that grows by each job that is run in this process."""
    ran: list[Job] = []

    def counted(job: Job) -> list[Replication]:
        ran.append(job)
        return replicate(job)

    monkeypatch.setattr(execution, "replicate", counted)
    monkeypatch.setattr(warmup, "replicate", counted)
    return ran


def test_a_repeated_sweep_finds_its_warmup_in_the_store(
    simulated: list[Job], tmp_path: Path
) -> None:
    where = Execution(1, store=tmp_path)
    first = cascadesim.sweep(load(), VARY, replications=2, execution=where)
    assert len(simulated) == 3 + 3 * 2
    seen: list[float] = []
    again = cascadesim.sweep(load(), VARY, replications=2, execution=where, progress=seen.append)
    assert len(simulated) == 3 + 3 * 2
    assert again.replications == first.replications
    assert seen == pytest.approx([3 / 9, 1.0])
    # With another seed nothing is known of it.
    cascadesim.sweep(load(), VARY, replications=2, seed=2, execution=where)
    assert {job.seed for job in simulated[9:]} == {2}


def test_an_interrupted_warmup_is_kept_too(simulated: list[Job], tmp_path: Path) -> None:
    def interrupt(share: float) -> None:
        if share == pytest.approx(2 / 9):
            raise KeyboardInterrupt

    where = Execution(1, store=tmp_path)
    with pytest.raises(Interrupted, match=r"^interrupted with 2 runs done, which are kept"):
        cascadesim.sweep(load(), VARY, replications=2, execution=where, progress=interrupt)
    cascadesim.sweep(load(), VARY, replications=2, execution=where)
    assert len(simulated) == 3 + 3 * 2


def test_comparisons_and_searches_keep_theirs(simulated: list[Job], tmp_path: Path) -> None:
    where = Execution(1, store=tmp_path)
    for _ in range(2):
        cascadesim.compare(load(), replications=2, execution=where)
        # Two to find the warm-up, and replication 1; replication 0 is run for its records.
        assert [len(job.variants) for job in simulated] == [1, 1, 2]
    del simulated[:]
    for _ in range(2):
        cascadesim.optimize(
            load(), "a.concurrency=1,2", "p99", replications=1, confirm=2, execution=where
        )
    assert len(simulated) == len(set(simulated))


def test_any_number_of_processes_finds_the_same() -> None:
    one, two = (
        cascadesim.sweep(load(), VARY, replications=2, execution=Execution(jobs)) for jobs in (1, 2)
    )
    assert one.replications == two.replications


def test_tests_of_one_session_find_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[float, int]] = []

    def simulate(plan: Any, seed: int, number: int) -> Any:
        ran.append((plan.warmup, number))
        return cascadesim.simulate(plan, seed, number)

    monkeypatch.setattr("cascadesim.studies.runs.simulate", simulate)
    runs = Simulations(1)
    slow, fast = (load().at(name) for name in ("slow", "fast"))
    for _ in range(3):
        assert LazyRuns(slow, 1, 2, runs).values("p99")
    assert [number for _, number in ran] == [0, 0, 1]
    assert ran[0][0] == 0 < ran[1][0]
    for _ in range(3):
        one, other = side_by_side(LazyRuns(slow, 1, 2, runs), LazyRuns(fast, 1, 2, runs))
        assert one.plan.warmup == other.plan.warmup
    assert len(ran) == 4  # one more for the warm-up of the other
