"""Baselines: what a file holds, what has changed since, and when that is worse."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import cascadesim
from cascadesim.analysis.intervals import Interval
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plan.causes import CAUSES
from cascadesim.pytest_plugin.messages import apportioned
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
from cascadesim.studies.replicated import Replicated, Simulations, side_by_side
from cascadesim.studies.replications import MEASURES
from cascadesim.studies.thresholds import (
    Change,
    Tolerance,
    bounded,
    bounds_of,
    change,
    paired_interval,
    parse_allowed,
    parse_thresholds,
    parse_tolerance,
    welch_interval,
)
from cascadesim.values.errors import ScenarioError

DATA: dict[str, Any] = {
    "name": "queue",
    "horizon": "60s",
    "drain": "60s",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "50ms"}}, "concurrency": 1}},
}
RUNS = Simulations(1)


def queue(
    seed: int = 1, number: int | None = 6, data: dict[str, Any] = DATA, **settings: Any
) -> Replicated:
    scenario = cascadesim.loads(json.dumps(data)).override(settings)
    return Replicated(scenario, seed, number, RUNS)


def slow(**more: Any) -> Replicated:
    return queue(**more, **{"a.work": {"exponential": {"mean": "60ms"}}})


def kept(now: Replicated) -> Baseline:
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


def runs(now: Replicated) -> list[cascadesim.Result]:
    """Return each replication as a run of its own, straight from the engine."""
    return [
        cascadesim.Result(now.scenario, now.seed, cascadesim.simulate(now.plan, now.seed, i))
        for i in range(now.count)
    ]


def test_the_file_is_the_same_again_and_read_by_people(tmp_path: Path) -> None:
    text = baseline_text(kept(queue()))
    assert text == baseline_text(kept(Replicated(queue().given, 1, 6, Simulations(1))))
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
        assert (one.difference.low, one.difference.high) == pytest.approx((low, high), rel=1e-3)
        assert (name in found.failing) == (low > 1e-5 * one.before)
    assert "p50" in found.failing
    # The other way round it is better, which passes.
    back = drift(kept(after), before)
    assert (back.failing, set(back.better)) == ([], set(found.failing))


def test_another_seed_is_compared_by_welch() -> None:
    found = drift(kept(queue()), queue(seed=2))
    assert (found.paired, found.failing, found.better) == (0, [], [])
    test = stats.ttest_ind(queue(seed=2).values("p99"), queue().values("p99"), equal_var=False)
    low, high = test.confidence_interval(1 - 0.05 / len(PERCENTILES))
    one = found.changes["p99"].difference
    assert (one.low, one.high) == pytest.approx((low, high), rel=1e-3)
    far = queue(seed=2, **{"a.work": {"exponential": {"mean": "20ms"}}})
    assert set(drift(kept(far), queue(seed=1)).failing) >= {"p50", "p90", "p99"}


@given(
    one=st.lists(st.floats(-10, 10), min_size=2, max_size=9),
    other=st.lists(st.floats(-10, 10), min_size=2, max_size=9),
)
def test_welch_is_that_of_scipy(one: list[float], other: list[float]) -> None:
    found = welch_interval(one, other, 0.9)
    if min(np.var(one), np.var(other)) < 1e-6:  # where scipy warns of its own precision
        assert found.low <= found.estimate <= found.high
        return
    low, high = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-9)


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
        assert sum(found.by_cause(name).values()) == pytest.approx(one.after - one.before)


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
    st.dictionaries(st.sampled_from(CAUSES), st.floats(-100, 100), min_size=1),
    st.floats(-0.001, 0.001),
)
def test_rounded_parts_add_up_to_their_rounded_sum(parts: dict[str, float], off: float) -> None:
    """Off by what rounding of the two means that are shown can do, too."""
    total = round(1000 * (sum(parts.values()) + off))
    found = apportioned(parts, total)
    assert sum(found.values()) == total
    # None is further from its value than two steps of the last digit that is shown.
    assert all(abs(found[name] - 1000 * value) <= 2.5 for name, value in parts.items())


OPEN = 4.0  # seconds
NEVER = math.inf
CORNERS = [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.parametrize("ends", [OPEN, NEVER])
@pytest.mark.parametrize(("old_open", "new_open"), CORNERS)
@pytest.mark.parametrize("by", [-9.0, -1.0, 1.0, 9.0])
def test_bounds_decide_only_what_they_leave_no_doubt_about(
    by: float, old_open: bool, new_open: bool, ends: float
) -> None:
    """Unfinished requests end within OPEN seconds, or never."""
    old_more, new_more = (ends if is_open else 0.0 for is_open in (old_open, new_open))
    noise = [0.0, 0.1, -0.1, 0.0]
    old = [(10.0, 10.0 + old_more)] * 4
    new = [(10.0 + by + x, 10.0 + by + x + new_more) for x in noise]
    found = bounded("p99", old, new, Tolerance(), paired_interval)
    least, most = by - old_more, by + new_more
    assert found.worse is (least > 0)
    assert found.better is (most < 0)
    assert found.unknown is (least <= 0 < most)
    # Where more is better, it is the other way round.
    goods = [[(-high, -low) for low, high in each] for each in (old, new)]
    mirrored = bounded("ok_rate", goods[0], goods[1], Tolerance(), paired_interval)
    assert (mirrored.worse, mirrored.better) == (found.worse, found.better)
    assert mirrored.unknown is found.unknown


@given(
    st.lists(
        st.tuples(*[st.floats(0, 10), st.floats(0, 10), st.floats(0, 2), st.floats(0, 2)]),
        min_size=2,
        max_size=8,
    )
)
def test_bounds_are_no_surer_than_the_truth(
    rows: list[tuple[float, float, float, float]],
) -> None:
    """A claim holds at every corner that is harsher, as all its values are further out."""
    old = [(a, a + u) for a, _, u, _ in rows]
    new = [(b, b + v) for _, b, _, v in rows]
    found = bounded("mean", old, new, Tolerance(), paired_interval)
    kindest = np.array([b - (a + u) for a, b, u, _ in rows])
    harshest = np.array([b + v - a for a, b, _, v in rows])
    reach = stats.t.ppf(0.975, len(rows) - 1) / math.sqrt(len(rows))
    if found.worse:
        assert kindest.mean() - reach * kindest.std(ddof=1) > -1e-9
    if found.better:
        assert harshest.mean() + reach * harshest.std(ddof=1) < 1e-9
    assert [found.worse, found.better, found.unknown].count(True) <= 1


def cut_off(**settings: Any) -> Replicated:
    """Return a queue whose last requests are unfinished at the end."""
    return queue(**{"drain": "0s"} | settings)


def test_a_plain_improvement_passes_though_some_requests_are_unfinished() -> None:
    """In the last half second of a minute nothing answers, which can move a p95 by little."""
    hang = [{"on": "a", "from": "59.5s", "for": "60s", "partition": {}}]
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
        for (low, high), result in zip(bounds_of(now, name), runs(now), strict=True):
            one = result.summary.percentiles[name]
            assert low == one.seconds
            assert high == (one.at_most if one.at_least else one.seconds)
    assert any(low < high < math.inf for name in PERCENTILES for low, high in bounds_of(now, name))


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
    a, b = (Replicated(cascadesim.loads(json.dumps(data)).at(v), 1, 4, RUNS) for v in "ab")
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
    hang = [{"on": "a", "from": "0s", "for": "60s", "partition": {}}]
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


def test_no_worse_is_decided_by_the_paired_interval() -> None:
    before, after = side_by_side(queue(), slow())
    found = change(before, after, "p90")
    low, _ = stats.ttest_rel(after.values("p90"), before.values("p90")).confidence_interval()
    assert found.difference.low == pytest.approx(low)
    share = low / found.before
    assert change(before, after, "p90", f"{100 * share - 0.1:.3f}%").worse
    assert not change(before, after, "p90", f"{100 * share + 0.1:.3f}%").worse
    assert change(before, after, "p90", f"{1000 * low - 1:.3f}ms").worse
    assert not change(before, after, "p90", f"{1000 * low + 1:.3f}ms").worse
    assert not change(after, before, "p90").worse
    assert not change(before, before, "p90").worse


def test_a_change_inside_the_noise_is_not_worse_however_large() -> None:
    noisy = Change("p99", 10.0, 15.0, Interval(5.0, -1.0, 11.0))
    assert not noisy.worse
    assert noisy.allowed == 16.0  # at this spread
    assert Change("p99", 10.0, 10.1, Interval(0.1, 0.05, 0.15)).worse


def test_more_goodput_is_better() -> None:
    less = Change("goodput", 10.0, 9.0, Interval(-1.0, -1.2, -0.8), 0.5)
    assert (less.worse, less.better, less.allowed) == (True, False, pytest.approx(9.3))
    more = Change("goodput", 9.0, 10.0, Interval(1.0, 0.8, 1.2), 0.5)
    assert (more.worse, more.better) == (False, True)


def test_comparisons_that_cannot_be_made_say_why() -> None:
    with pytest.raises(ScenarioError, match="has seed 1 and the other 2"):
        side_by_side(queue(), queue(seed=2))
    pair = side_by_side(queue(number=1), queue(number=1))
    with pytest.raises(ScenarioError, match="needs 4 replications or more"):
        change(*pair, "p99")
    with pytest.raises(ScenarioError, match='unknown measure "p9"; did you mean "p99"'):
        change(*side_by_side(queue(), queue()), "p9")
    data = DATA | {"drain": "0s", "horizon": "4s"}
    hang = [{"on": "a", "from": "0s", "for": "60s", "partition": {}}]
    both = side_by_side(queue(data=data, faults=hang), queue(data=data, faults=hang))
    with pytest.raises(ScenarioError, match="could still move p99 up"):
        change(*both, "p99")


def test_comparisons_take_eight_replications_where_nobody_says() -> None:
    one, other = side_by_side(queue(number=None), queue(number=None))
    assert (one.count, other.count, queue(number=None).count) == (8, 8, 1)
    assert side_by_side(queue(number=3), queue(number=None))[1].count == 3


def test_an_automatic_warmup_is_that_of_both() -> None:
    auto = DATA | {"warmup": "auto"}
    one, other = side_by_side(queue(data=auto), slow(data=auto))
    assert one.plan.warmup == other.plan.warmup
    assert one.plan.warmup == max(queue(data=auto).plan.warmup, slow(data=auto).plan.warmup)


@pytest.mark.parametrize(
    ("text", "measure", "share", "amount"),
    [
        ("2%", "p99", 0.02, 0),
        ("50ms", "mean", 0, 0.05),
        ("2%", "goodput", 0.02, 0),
        ("3/min", "goodput", 0, 0.05),
        ("1%", "error_rate", 0, 0.01),
    ],
)
def test_tolerances(text: str, measure: str, share: float, amount: float) -> None:
    assert parse_tolerance(text, measure) == Tolerance(share, pytest.approx(amount))


@pytest.mark.parametrize(
    ("text", "measure", "says"),
    [
        ("2", "p99", '"2" has no unit'),
        ("-1%", "p99", "between 0% and 100%"),
        ("50ms", "error_rate", "a percentage point"),
        ("50ms", "goodput", '"0.5/s"'),
    ],
)
def test_wrong_tolerances_say_what_is_right(text: str, measure: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse_tolerance(text, measure)


def test_absolute_and_relative_are_not_mixed_up() -> None:
    assert parse_allowed(None, None) is None
    assert parse_allowed("50ms", "2%") == Tolerance(0.02, 0.05)
    with pytest.raises(ScenarioError, match="the other way round"):
        parse_allowed("2%", None)
    with pytest.raises(ScenarioError, match=r'relative="2%", got 0\.02'):
        parse_allowed(None, 0.02)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match="expected a duration"):
        parse_allowed("", None)


def test_thresholds_are_objectives() -> None:
    found = parse_thresholds(["mean < 1s"], {"p99_9": "<5s", "error_rate": "<1%"}, "here")
    assert [(each.metric, each.bound) for each in found] == [
        ("mean", 1.0),
        ("p99.9", 5.0),
        ("error_rate", 0.01),
    ]
    for texts, named in (([], {}), (["p99 < 5"], {}), ([], {"p99_x": "<5s"})):
        with pytest.raises(ScenarioError, match=r"^here: "):
            parse_thresholds(texts, named, "here")
    with pytest.raises(ScenarioError, match='here: expected p99="<5s", with its relation and unit'):
        parse_thresholds([], {"p99": 5}, "here")  # type: ignore[dict-item]


def test_nothing_is_simulated_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from cascadesim.studies import replicated

    ran: list[int] = []

    def simulate(plan: Any, seed: int, number: int) -> Any:
        ran.append(number)
        return cascadesim.simulate(plan, seed, number)

    monkeypatch.setattr(replicated, "simulate", simulate)
    runs = Simulations(1)
    for number in (2, 3, 3, 1):
        now = Replicated(queue().given, 1, number, runs)
        assert [each.measures["p99"] for each in now.replications] == now.values("p99")
        now.result, now.percentiles, now.composition("p99")
    assert ran == [0, 1, 2]
    # Beyond the limit the oldest are let go, and only cost time.
    small = Simulations(1, limit=1)
    both = [Replicated(queue().given, 1, 3, each).values("p99") for each in (small, runs)]
    assert both[0] == both[1]
    assert len(ran) > 3


def test_processes_give_the_same() -> None:
    given = queue().given
    one, two = (Replicated(given, 1, 3, Simulations(jobs)) for jobs in (1, 2))
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
