import json

import numpy as np
import pytest
from conftest import ROOT

import cascadesim
from cascadesim.scenario.errors import ScenarioError

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_variants_meet_the_same_world() -> None:
    replay = cascadesim.replay(cascadesim.load(INCIDENT), ["before", "after"])
    before, after = (result.records for result in replay.results.values())
    assert (before.arrival == after.arrival).all()
    # Auth comes before anything that the variants change: every request works as long in both.
    names = [[part.column for part in records.parts] for records in (before, after)]
    work = [
        records.seconds[:, columns.index("auth.service_work_s")]
        for records, columns in zip((before, after), names, strict=True)
    ]
    np.testing.assert_allclose(*work, atol=1e-9)


def test_differences_are_from_the_first_variant() -> None:
    comparison = cascadesim.compare(cascadesim.load(INCIDENT), variants=["after", "recommended"])
    frame = comparison.frame.set_index(["variant", "percentile"])
    for percentile in ("p50", "p99", "max"):
        after, recommended = (frame.loc[(v, percentile)] for v in ("after", "recommended"))
        assert after["difference_s"] == 0
        assert recommended["difference_s"] == recommended["latency_s"] - after["latency_s"]
    assert not comparison.met
    assert cascadesim.compare(cascadesim.load(INCIDENT), variants=["recommended"]).met


def test_two_scenarios_are_told_apart_by_name_or_else_by_number() -> None:
    first, second = (cascadesim.load(INCIDENT.with_name(f"incident-{s}s")) for s in (60, 179))
    both = cascadesim.compare(first, second, variants=["before", "fixed"])
    assert list(both.results) == [
        *("incident-60s:before", "incident-179s:before", "incident-179s:fixed")
    ]
    twice = cascadesim.compare(
        first, second.override({"name": "incident-60s"}), variants=["before"]
    )
    assert list(twice.results) == ["1-incident-60s:before", "2-incident-60s:before"]


def test_a_variant_of_none_of_them_is_refused() -> None:
    with pytest.raises(ScenarioError, match='no variant "befor"; did you mean "before"'):
        cascadesim.compare(cascadesim.load(INCIDENT), variants=["befor"])


def test_settings_are_applied_on_top_of_each_variant() -> None:
    scenario = cascadesim.load(INCIDENT)
    settings = {"agent.reliability_manager.recovery_timeout": "1s"}
    comparison = cascadesim.compare(scenario, variants=["after"], settings=settings)
    alone = cascadesim.run(scenario.at("after").override(settings))
    assert comparison.results["after"].summary == alone.summary
    assert alone.summary != cascadesim.run(scenario.at("after")).summary


def test_no_measured_requests_are_plain_data() -> None:
    empty = cascadesim.load(INCIDENT).override({"observations": [], "warmup": "899.999s"})
    found = cascadesim.compare(empty, variants=["before"]).to_dict()
    json.dumps(found, allow_nan=False)
    assert found["variants"]["before"]["percentiles"]["p99"]["latency_s"] is None


def test_progress_goes_from_nothing_to_all() -> None:
    seen: list[float] = []
    cascadesim.compare(
        cascadesim.load(INCIDENT), variants=["before", "after"], progress=seen.append
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
