"""Baselines: what a file holds, what has changed since, and when that is worse."""

import json
import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replicated_queue import DATA, RUNS, queue, slow
from scipy import stats

import cascadesim
from cascadesim.analysis.composition import apportioned
from cascadesim.analysis.contrast import Tolerance
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plan.causes import CAUSES
from cascadesim.studies.baseline import (
    Baseline,
    Drift,
    baseline_of,
    baseline_text,
    check_same,
    drift,
    read_baseline,
    rounded,
    write_baseline,
)
from cascadesim.studies.no_worse import change, side_by_side
from cascadesim.studies.replications import MEASURES
from cascadesim.studies.runs import LazyRuns, Simulations
from cascadesim.values.errors import ScenarioError


def kept(now: LazyRuns) -> Baseline:
    return baseline_of(now, "test_x")


def test_the_file_says_what_the_run_came_to(tmp_path: Path) -> None:
    now = queue()
    write_baseline(tmp_path / "baselines" / "x.yaml", kept(now))
    stored = read_baseline(tmp_path / "baselines" / "x.yaml")
    assert stored == kept(now)
    assert (stored.scenario, stored.variant, stored.seed, stored.replications) == (
        "queue",
        None,
        1,
        6,
    )
    assert list(stored.percentiles) == list(PERCENTILES)
    for name, each in stored.percentiles.items():
        values = [float(r.summary.percentiles[name].seconds) for r in runs(now)]
        assert each.replications_s == pytest.approx(values, rel=1e-5)
        assert each.mean_s == pytest.approx(np.mean(values), rel=1e-5)
        low, high = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
        assert (each.low_s, each.high_s) == pytest.approx((low, high), rel=1e-4)
        assert sum(each.by_cause_s.values()) == pytest.approx(each.mean_s, rel=1e-5)


def runs(now: LazyRuns) -> list[cascadesim.Result]:
    """Return each replication as a run of its own, straight from the engine."""
    return [
        replace(now.result, records=cascadesim.simulate(now.plan, now.seed, i))
        for i in range(now.count)
    ]


def test_the_file_is_the_same_again_and_read_by_people(tmp_path: Path) -> None:
    text = baseline_text(kept(queue()))
    assert text == baseline_text(kept(LazyRuns(queue().given, 1, 6, Simulations(1))))
    (p99,) = [line for line in text.splitlines() if line == "  p99:"]
    assert text.index("  p50:") < text.index(p99) < text.index("  max:")
    assert "    by_cause_s: {queue_wait: " in text
    assert "    replications_s: [" in text
    longest = max(len(word.strip("[],{}")) for word in text.splitlines()[-1].split()[1:])
    assert longest <= 8  # digits that mean something, and a point


@given(st.floats(1e-6, 1e6))
def test_rounding_keeps_six_digits(value: float) -> None:
    assert math.isclose(rounded(value), value, rel_tol=5e-6)
    assert rounded(rounded(value)) == rounded(value) == float(f"{value:.5e}")


def test_the_same_settings_give_no_change() -> None:
    found = drift(kept(queue()), queue())
    assert (found.same, found.failing, found.better, found.outdated) == (True, [], [], False)
    fewer = drift(kept(queue()), queue(number=2))
    assert (fewer.failing, fewer.paired) == ([], 2)


def test_other_results_of_the_same_settings_fail_in_both_directions() -> None:
    for factor in (1.001, 0.999):
        data = kept(queue()).model_dump()
        data["percentiles"]["p90"]["replications_s"] = [
            value * factor for value in data["percentiles"]["p90"]["replications_s"]
        ]
        assert drift(Baseline.model_validate(data), queue()).failing == ["p90"]


def test_a_worse_setting_fails_in_pairs_as_the_paired_t_test_says() -> None:
    before, after = queue(), slow()
    found = drift(kept(before), after)
    assert (found.same, found.outdated, found.paired) == (False, True, 6)
    assert found.better == []
    for name in PERCENTILES:
        test = stats.ttest_rel(after.values(name), before.values(name))
        low, high = test.confidence_interval(1 - 0.05 / len(PERCENTILES))
        one = found.changes[name]
        assert (one.interval.low, one.interval.high) == pytest.approx((low, high), rel=1e-3)
        assert (name in found.failing) == (low > 1e-5 * one.before.estimate)
    assert "p50" in found.failing
    # The other way round it is better, which passes.
    back = drift(kept(after), before)
    assert (back.failing, set(back.better)) == ([], set(found.failing))


def test_another_seed_is_compared_by_welch() -> None:
    found = drift(kept(queue()), queue(seed=2))
    assert (found.paired, found.failing, found.better) == (0, [], [])
    test = stats.ttest_ind(queue(seed=2).values("p99"), queue().values("p99"), equal_var=False)
    low, high = test.confidence_interval(1 - 0.05 / len(PERCENTILES))
    one = found.changes["p99"].interval
    assert (one.low, one.high) == pytest.approx((low, high), rel=1e-3)
    far = queue(seed=2, **{"a.work": {"exponential": {"mean": "20ms"}}})
    assert set(drift(kept(far), queue(seed=1)).failing) >= {"p50", "p90", "p99"}


def test_what_is_allowed_replaces_the_interval() -> None:
    before, after = kept(queue()), slow()
    grew = {
        name: after.measure(name).estimate - before.percentiles[name].mean_s for name in PERCENTILES
    }
    for name in PERCENTILES:
        share = grew[name] / before.percentiles[name].mean_s
        below, above = Tolerance(share=share - 1e-4), Tolerance(share=share + 1e-4)
        assert name in drift(before, after, below).failing
        assert name not in drift(before, after, above).failing
        below, above = Tolerance(amount=grew[name] - 1e-3), Tolerance(amount=grew[name] + 1e-3)
        assert name in drift(before, after, below).failing
        assert name not in drift(before, after, above).failing


@pytest.mark.parametrize(("then", "now"), [(1, 1), (3, 8), (8, 3)])
def test_few_replications_need_to_be_told_what_is_allowed(then: int, now: int) -> None:
    says = f"needs 4 replications or more to tell a change from noise, .* has {then} and {now}; or"
    for seed in (1, 2):
        with pytest.raises(ScenarioError, match=says):
            drift(kept(queue(number=then)), slow(number=now, seed=seed))
    assert drift(kept(queue(number=4)), slow(number=4)).failing


def test_one_replication_is_enough_where_it_is_told() -> None:
    assert drift(kept(queue(number=1)), queue(number=1)).failing == []
    assert drift(kept(queue(number=1)), slow(number=1), Tolerance(share=0.9)).failing == []
    assert "low_s" not in baseline_text(kept(queue(number=1)))


def test_the_causes_add_up_to_the_change() -> None:
    found = drift(kept(queue()), slow())
    for name in PERCENTILES:
        one = found.changes[name]
        assert sum(found.by_cause(name).values()) == pytest.approx(one.interval.estimate)


@pytest.mark.parametrize(("then", "now"), [(4, 8), (8, 4), (8, 5)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_causes_add_up_where_not_all_replications_are_compared(
    then: int, now: int, seed: int
) -> None:
    before, after = queue(number=then), slow(number=now, seed=seed)
    found = drift(kept(before), after)
    few = min(then, now) if seed == 1 else None
    for name in PERCENTILES:
        change = np.mean(after.values(name)[:few]) - np.mean(before.values(name)[:few])
        causes = found.by_cause(name)
        assert sum(causes.values()) == pytest.approx(change, rel=1e-4)
        assert sum(apportioned(causes, round(1000 * change)).values()) == round(1000 * change)
    if then == few:  # then they are those of these replications alone
        same = drift(kept(before), slow(number=few, seed=seed))
        assert found.by_cause("p99") == pytest.approx(same.by_cause("p99"))


@given(
    st.dictionaries(st.sampled_from(tuple(CAUSES)), st.floats(-100, 100), min_size=1),
    st.floats(-0.001, 0.001),
)
def test_rounded_parts_add_up_to_their_rounded_sum(parts: dict[str, float], off: float) -> None:
    """Off by what rounding of the two means that are shown can do, too."""
    total = round(1000 * (sum(parts.values()) + off))
    found = apportioned(parts, total)
    assert sum(found.values()) == total
    # None is further from its value than two steps of the last digit that is shown.
    assert all(abs(found[name] - 1000 * value) <= 2.5 for name, value in parts.items())


def cut_off(**settings: Any) -> LazyRuns:
    """Return a queue whose last requests are unfinished at the end."""
    return queue(**{"drain": "0s"} | settings)


def test_a_plain_improvement_passes_though_some_requests_are_unfinished() -> None:
    """In the last half second of a minute nothing answers, which can move a p95 by little."""
    hang = [{"on": "a", "from": "59.5s", "for": "60s", "hang": {}}]
    quick: dict[str, Any] = {"a.work": {"exponential": {"mean": "20ms"}}}
    busy: dict[str, Any] = {"a.work": {"exponential": {"mean": "115ms"}}}
    before, after = side_by_side(queue(**busy), cut_off(faults=hang, **quick))
    assert after.at_least("p95")
    for name in ("p50", "p95"):
        assert not change(before, after, name).worse
    assert not change(before, after, "timed_out_rate", "2%").worse
    # How long the last requests would have taken, nobody knows.
    with pytest.raises(ScenarioError, match="could still move max up, so that nobody can tell"):
        change(before, after, "max")
    # And what is known to be worse fails, though it could be worse still; but not if that which
    # was before could have been as bad.
    late = cut_off(faults=hang, **busy)
    quickest = queue(**quick)
    assert change(*side_by_side(quickest, late), "max").worse
    assert not change(*side_by_side(late, quickest), "max").worse
    with pytest.raises(ScenarioError, match="could still move max up"):
        change(*side_by_side(cut_off(faults=hang, **quick), queue(**busy)), "max")


def test_a_percentile_is_bounded_by_the_requests_that_are_done() -> None:
    busy: dict[str, Any] = {"a.work": {"exponential": {"mean": "115ms"}}, "horizon": "5min"}
    now = cut_off(**busy)
    for name in PERCENTILES:
        for (low, high), result in zip(now.bounds(name), runs(now), strict=True):
            one = result.summary.percentiles[name]
            assert low == one.seconds
            assert high == (one.at_most if one.at_least else one.seconds)
    assert any(low < high < math.inf for name in PERCENTILES for low, high in now.bounds(name))


def test_a_baseline_of_unfinished_requests_claims_nothing() -> None:
    """With no drain the longest request is not known, neither then nor now."""
    slower: dict[str, Any] = {"a.work": {"exponential": {"mean": "115ms"}}}
    most = {"a.work": {"exponential": {"mean": "130ms"}}}
    then = kept(cut_off(**slower))
    assert then.percentiles["max"].at_least
    now = cut_off(**most)
    found = drift(then, now)
    assert found.changes["max"].looks_worse
    assert not found.changes["max"].worse
    assert found.verdict("max") == "unfinished"
    # The other way round it passes, and is said not to be known.
    back = drift(kept(now), cut_off(**slower))
    assert back.verdict("max") == ""
    assert "max" in back.unknown
    assert "max" not in back.better
    # What was known must stay known.
    known = drift(kept(queue(**most)), cut_off(**slower))
    assert known.verdict("max") == "unfinished"


def test_a_baseline_of_another_scenario_or_variant_is_noticed() -> None:
    data = DATA | {"variants": {"a": {}, "b": {}}}
    a, b = (LazyRuns(cascadesim.loads(json.dumps(data)).at(v), 1, 4, RUNS) for v in "ab")
    check_same(kept(a), a, "x.yaml")
    for then, now, says in (
        (a, b, 'x.yaml: is of "queue" at the variant "a", and the test runs "queue" at the '),
        (a, queue(), 'the test runs "queue"; if that is meant, `pytest --cascade-update` writes'),
        (queue(data=DATA | {"name": "other"}), queue(), 'is of "other", and the test runs "queue"'),
    ):
        with pytest.raises(ScenarioError, match=re.escape(says)):
            check_same(kept(then), now, "x.yaml")


def test_requests_that_became_unfinished_are_worse() -> None:
    data = DATA | {"drain": "0s", "horizon": "4s"}
    hang = [{"on": "a", "from": "0s", "for": "60s", "hang": {}}]
    found = drift(kept(queue(data=data)), queue(data=data, faults=hang))
    assert "p50" in found.failing


def test_nothing_measured_is_said_and_not_compared() -> None:
    late = queue(**{"warmup": "59.9999s"}, data=DATA | {"drain": "0s"})
    with pytest.raises(ScenarioError, match="no request arrives between warm-up and horizon"):
        kept(late)
    with pytest.raises(ScenarioError, match="no request arrives between warm-up and horizon"):
        drift(kept(queue()), late)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seed: 1", "seed: one", r'x.yaml:4:7: seed: expected a whole number, got "one"'),
        ("seed: 1\n", "", r'x.yaml:2:1: seed: "seed" is missing'),
        ("  p99:", "  p98:", r"x.yaml:\d+:3: percentiles.p98: expected one of p50, p90"),
        ("replications: 6", "replications: 5", r"replications_s: expected 5 values"),
        ("<<<", "", "is not YAML"),
    ],
)
def test_a_file_that_is_no_baseline_is_one_line(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = baseline_text(kept(queue()))
    broken = text.replace(old, new) if old in text else "<<<<<<< ours: [\n"
    (tmp_path / "x.yaml").write_text(broken, "utf-8")
    with pytest.raises(ScenarioError, match=says) as error:
        read_baseline(tmp_path / "x.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_nothing_is_simulated_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from cascadesim.studies import runs as module

    ran: list[int] = []

    def simulate(plan: Any, seed: int, number: int) -> Any:
        ran.append(number)
        return cascadesim.simulate(plan, seed, number)

    monkeypatch.setattr(module, "simulate", simulate)
    runs = Simulations(1)
    for number in (2, 3, 3, 1):
        now = LazyRuns(queue().given, 1, number, runs)
        assert [each.measures["p99"] for each in now.replications] == now.values("p99")
        now.result, now.percentiles, now.composition("p99")
    assert ran == [0, 1, 2]
    # Beyond the limit the oldest are let go, and only cost time.
    small = Simulations(1, limit=1)
    both = [LazyRuns(queue().given, 1, 3, each).values("p99") for each in (small, runs)]
    assert both[0] == both[1]
    assert len(ran) > 3


def test_processes_give_the_same() -> None:
    given = queue().given
    one, two = (LazyRuns(given, 1, 3, Simulations(jobs)) for jobs in (1, 2))
    for measure in MEASURES:
        assert one.values(measure) == two.values(measure)


def test_the_digest_knows_settings_and_no_seed() -> None:
    digests = {queue().settings, slow().settings, queue(horizon="61s").settings}
    assert len(digests) == 3
    assert queue(seed=5, number=1).settings == queue().settings


def test_drift_names_percentiles_in_their_order() -> None:
    found: Drift = drift(kept(queue()), slow())
    order = [PERCENTILES.index(name) for name in found.failing]
    assert all(a < b for a, b in pairwise(order))
