import json
import math
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats

import cascadesim
from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.judged import Judged, Judgement
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.load import Scenario, loads
from cascadesim.studies.compare import Comparison
from cascadesim.studies.replications import MEASURES
from cascadesim.values.errors import ScenarioError

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


# Replications --------------------------------------------------------------------------------

COUNT = 6


def queue(seed: int = 2, **more: Any) -> Scenario:
    work = {"exponential": {"mean": "100ms"}}
    data = {
        "name": "queue",
        "horizon": "40s",
        "warmup": "5s",
        "drain": "10min",
        "seed": seed,
        "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
        "stages": {"server": {"work": work, "concurrency": 1}, "after": {"work": work}},
        "objectives": ["p90 < 750ms", "error_rate < 1%", "p50 < 20ms"],
        "variants": {
            "base": {},
            "same": {},
            "pooled": {"server.concurrency": 2},
            "slower": {"server.work.exponential.mean": "101ms"},
            # The same in law, as the two stages change places, but not in its draws.
            "other": {"server.concurrency": None, "after.concurrency": 1},
        },
    }
    return loads(json.dumps(data | more))


@cache
def compared() -> Comparison:
    return cascadesim.compare(queue(), replications=COUNT)


def values(label: str, measure: str) -> list[float]:
    return [replication.measures[measure] for replication in compared().replications[label]]


def changes(label: str, measure: str) -> list[float]:
    pairs = zip(values(label, measure), values("base", measure), strict=True)
    return [own - base for own, base in pairs]


def t_interval(sample: list[float]) -> Any:
    low, high = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), stats.sem(sample))
    return pytest.approx((np.mean(sample), low, high), rel=1e-9)


def test_replications_are_those_of_seed_and_number() -> None:
    assert compared().count == COUNT
    fewer = cascadesim.compare(queue(), replications=2)
    alone = cascadesim.compare(queue())
    for label, replications in compared().replications.items():
        assert fewer.replications[label] == replications[:2]
        assert alone.replications[label] == replications[:1]
        assert alone.results[label].summary == compared().results[label].summary


def test_percentiles_and_differences_are_t_intervals() -> None:
    for label in compared().results:
        for name in PERCENTILES:
            own = compared().percentile(label, name)
            assert (own.estimate, own.low, own.high) == t_interval(values(label, name))
            if label in ("base", "same"):
                continue
            found = compared().differences[label][name].interval
            assert (found.estimate, found.low, found.high) == t_interval(changes(label, name))
    # In pairs: much narrower than what the two intervals would leave open.
    pair = compared().differences["slower"]["p50"].interval
    assert pair.half_width < compared().percentile("slower", "p50").half_width / 5


def test_p_values_are_of_the_paired_t_test_with_holms_correction() -> None:
    others = ["same", "pooled", "slower", "other"]
    assert list(compared().differences) == others
    for name in PERCENTILES:
        base = values("base", name)
        plain = {v: stats.ttest_rel(values(v, name), base).pvalue for v in others[1:]}
        plain["same"] = 1.0
        least = 0.0
        for rank, (label, p) in enumerate(sorted(plain.items(), key=lambda item: item[1])):
            least = max(least, min(1.0, p * (len(others) - rank)))
            found = compared().differences[label][name]
            assert found.p_value == pytest.approx(least, rel=1e-9)
            assert found.seen == (least < 0.05)
        assert not compared().differences["other"][name].seen
    assert compared().differences["pooled"]["p50"].seen
    plain = stats.ttest_rel(values("slower", "p50"), values("base", "p50")).pvalue
    assert plain < 0.05 < compared().differences["slower"]["p50"].p_value  # seen if it were alone


def test_the_same_variant_twice_shows_no_difference() -> None:
    for found in compared().differences["same"].values():
        assert (found.interval.estimate, found.interval.low, found.interval.high) == (0, 0, 0)
        assert (found.p_value, found.seen) == (1, False)
    assert compared().pairs("same") == (0, 0)
    assert compared().pairs("base") == (0, 0)


def test_rounding_is_no_difference() -> None:
    # Constant work that changes stages leaves latencies alike but for the order of a sum.
    stages = {name: {"work": {"constant": work}} for name, work in (("a", "113ms"), ("b", "17ms"))}
    variants = {
        "base": {},
        "moved": {"a.work": {"constant": "100ms"}, "b.work": {"constant": "30ms"}},
        "less": {"a.work": {"constant": "91ms"}},
    }
    scenario = queue(horizon="300s", stages=stages, variants=variants, objectives=[])
    found = cascadesim.compare(scenario, replications=4)
    assert found.pairs("moved") == (0, 0)
    assert not any(difference.seen for difference in found.differences["moved"].values())
    for difference in found.differences["less"].values():
        assert difference.seen
        assert difference.interval.estimate == pytest.approx(-0.022)


def test_pairs_are_summed_over_replications() -> None:
    each = compared().replications["slower"]
    assert compared().pairs("slower") == (0, sum(replication.worse or 0 for replication in each))
    assert min(replication.worse or 0 for replication in each) > 50
    busier = queue(
        variants={"base": {}, "busier": {"workload.arrivals": {"poisson": {"rate": "6/s"}}}}
    )
    assert cascadesim.compare(busier, replications=2).pairs("busier") is None


def test_objectives_are_met_by_the_mean_over_replications() -> None:
    for label in compared().results:
        p90, errors, p50 = compared().objectives(label)
        sample = values(label, "p90")
        assert p90.objective.text == "p90 < 750ms"
        assert (p90.value.estimate, p90.value.low, p90.value.high) == t_interval(sample)
        assert p90.met == (np.mean(sample) < 0.75)
        assert p90.met_in == sum(each < 0.75 for each in sample)
        assert (errors.value.estimate, errors.met, errors.met_in) == (0.0, True, COUNT)
        assert (p50.met, p50.met_in) == (False, 0)
    assert 0 < compared().objectives("base")[0].met_in < COUNT  # some replications meet it
    assert not compared().met
    easy = {"objectives": ["p90 < 10s", "error_rate < 1%"]}
    assert cascadesim.compare(queue(**easy), replications=3).met


def test_measures_are_t_intervals() -> None:
    for label in compared().results:
        for name, found in compared().measures(label).items():
            sample = values(label, name)
            if np.ptp(sample) > 0:
                assert (found.estimate, found.low, found.high) == t_interval(sample)
            else:
                assert (found.estimate, found.low, found.high) == (sample[0],) * 3
    assert list(compared().measures("base")) == list(MEASURES)


def test_blame_is_that_of_the_replications_that_miss() -> None:
    replications = compared().replications["base"]
    blames = [each.objectives[2].blame for each in replications]  # p50 < 20ms, which all miss
    named = Counter(blame.setting for blame in blames if blame is not None)
    assert named.total() == COUNT
    judged = compared().objectives("base")[2]
    assert judged.blame is not None
    assert (judged.blame.setting, judged.blamed_in) == named.most_common(1)[0]
    shares = [b.share for b in blames if b is not None and b.setting == judged.blame.setting]
    assert judged.blame.share == pytest.approx(np.mean(shares))
    assert compared().objectives("base")[1].blame is None  # of the error rate, which all meet


def test_the_most_blamed_setting_is_that_of_most_replications() -> None:
    objective = queue().objectives[0]

    def of(*blames: Blame | None) -> Judged:
        return Judged(objective, tuple(Judgement(1.0, 1.0, b is None, b) for b in blames))

    often = of(Blame("a", 0.25), None, Blame("b", 0.9), Blame("a", 0.5))
    assert often.blame == Blame("a", 0.375)
    assert (often.blamed_in, often.met_in) == (2, 1)
    assert of(Blame("a", 0.3), Blame("b", 0.9)).blame == Blame("b", 0.9)
    assert of(None, None).blame is None


INTERVALS = ["low_s", "high_s", "difference_low_s", "difference_high_s", "p_value"]


def test_the_frame_has_means_and_intervals() -> None:
    frame = compared().frame
    assert list(frame.columns) == [
        *("variant", "percentile", "latency_s", "low_s", "high_s", "difference_s"),
        *("difference_low_s", "difference_high_s", "p_value", "at_least", "first_at_least"),
    ]
    assert len(frame) == 5 * len(PERCENTILES)
    row = frame.set_index(["variant", "percentile"]).loc[("pooled", "p90")]
    assert tuple(row[["latency_s", "low_s", "high_s"]]) == t_interval(values("pooled", "p90"))
    columns = ["difference_s", "difference_low_s", "difference_high_s"]
    assert tuple(row[columns]) == t_interval(changes("pooled", "p90"))
    assert not frame.loc[frame["variant"] != "base", INTERVALS].isna().any(axis=None)
    assert (frame.loc[frame["variant"] == "base", "difference_s"] == 0).all()


def test_a_single_replication_has_no_intervals() -> None:
    alone = cascadesim.compare(queue(), replications=1)
    assert alone.count == 1
    assert alone.frame[INTERVALS].isna().all(axis=None)
    assert math.isnan(alone.differences["pooled"]["p50"].p_value)
    assert not alone.differences["pooled"]["p50"].seen


@pytest.mark.parametrize("count", [1, 3])
def test_plain_data_is_json(count: int) -> None:
    comparison = cascadesim.compare(queue(), variants=["base", "pooled"], replications=count)
    found = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert (found["replications"], found["level"], found["met"]) == (count, 0.95, False)
    frame = comparison.frame.set_index(["variant", "percentile"])
    for label in ("base", "pooled"):
        variant = found["variants"][label]
        assert (variant["better"], variant["worse"]) == comparison.pairs(label)
        assert list(variant["percentiles"]) == list(PERCENTILES)
        assert variant["objectives"] == [j.to_dict() for j in comparison.objectives(label)]
        for name, own in comparison.measures(label).items():
            bounds = (own.estimate, own.low, own.high) if count > 1 else (own.estimate, None, None)
            assert tuple(variant["measures"][name].values()) == bounds
        for name, row in variant["percentiles"].items():
            for key, value in row.items():
                expected = frame.loc[(label, name), key]
                assert value == (None if math.isnan(expected) else expected)


def test_replications_of_scenarios_with_different_seeds_need_one() -> None:
    scenarios = queue(seed=2), queue(seed=3)
    with pytest.raises(ScenarioError, match="the scenarios have different seeds") as error:
        cascadesim.compare(*scenarios, variants=["base"], replications=2)
    assert len(str(error.value).splitlines()) == 1
    assert cascadesim.compare(*scenarios, variants=["base"]).count == 1
    given = cascadesim.compare(*scenarios, variants=["base"], replications=2, seed=5)
    first, second = given.replications.values()
    assert first == second
    assert {result.seed for result in given.results.values()} == {5}


def test_progress_of_replications_goes_up_to_all() -> None:
    seen: list[float] = []
    cascadesim.compare(queue(), variants=["base", "pooled"], replications=3, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_unfinished_requests_keep_no_objective_by_the_mean_either() -> None:
    data = {
        "name": "late",
        "horizon": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "3s"}}},
        "objectives": ["max < 5s"],
    }
    scenario = cascadesim.loads(json.dumps(data))
    for replications in (1, 3):
        comparison = cascadesim.compare(scenario, replications=replications)
        (judged,) = comparison.objectives("scenario")
        assert judged.value.estimate <= 3.0 + 1e-9
        assert (judged.met, judged.at_least, comparison.met) == (False, True, False)
    followed = scenario.override({"drain": "10s"})
    assert cascadesim.compare(followed, replications=3).met


def recoveries(drain: str) -> cascadesim.Scenario:
    breaker = {"failure_threshold": 3, "recovery_timeout": "20s", "when_open": "wait"}
    data = {
        "name": "recoveries",
        "horizon": "60s",
        "drain": drain,
        "workload": {"arrivals": {"constant": {"rate": "2/s"}}},
        "stages": {"a": {"work": {"constant": "10ms"}, "policies": [{"breaker": breaker}]}},
        "faults": [{"on": "a", "from": "50s", "for": "5s", "outage": {}}],
        "variants": {
            "short": {},
            "long": {"a.breaker.recovery_timeout": "600s"},
            "quick": {"a.breaker.recovery_timeout": "1s"},
        },
    }
    return cascadesim.loads(json.dumps(data))


def test_two_lower_bounds_have_no_difference_and_one_has_only_a_side() -> None:
    followed, cut = (cascadesim.compare(recoveries(d), replications=3) for d in ("20min", "0s"))
    true = followed.frame.set_index(["variant", "percentile"])
    assert true.loc[("long", "max"), "difference_s"] > 500
    assert not true["first_at_least"].any()
    seen = cut.frame.set_index(["variant", "percentile"]).loc[("long", "max")]
    assert (seen["at_least"], seen["first_at_least"]) == (True, True)
    assert np.isnan([seen["difference_s"], seen["p_value"]]).all()
    quick = cut.frame.set_index(["variant", "percentile"]).loc[("quick", "max")]
    assert (quick["at_least"], quick["first_at_least"]) == (False, True)
    assert quick["difference_s"] < 0  # the first is at least that much slower
    assert quick["p_value"] < 0.05
    turned = cascadesim.compare(recoveries("0s"), variants=["quick", "short"], replications=3)
    row = turned.frame.set_index(["variant", "percentile"]).loc[("short", "max")]
    assert row["difference_s"] > 0
    assert row["p_value"] < 0.05


@pytest.mark.parametrize("replications", [0, -3])
def test_replications_are_a_number_from_1(replications: int) -> None:
    with pytest.raises(ScenarioError, match="expected a number from 1"):
        cascadesim.compare(recoveries("0s"), replications=replications)
