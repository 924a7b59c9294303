import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from searched import ALONE, FLAKY, QUEUE, TIMEOUT, load, quick, trials_of

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.studies.aims import Aims, Goal
from cascadesim.studies.execution import Execution
from cascadesim.studies.optimization import Optimization
from cascadesim.studies.optimize import optimize, parse_tune
from cascadesim.studies.search import Tunable
from cascadesim.values.errors import ScenarioError


@pytest.fixture(scope="module")
def found() -> Optimization:
    return optimize(
        load(),
        [f"{TIMEOUT}=50ms..20s"],
        minimize=["p99"],
        subject_to=["error_rate <= 5%"],
        budget=48,
        replications=2,
        confirm=6,
        seed=2,
        execution=ALONE,
    )


def seconds(text: object) -> float:
    return float(str(text).removesuffix("s"))


@pytest.mark.slow
def test_the_timeout_that_a_share_of_errors_allows_is_found(found: Optimization) -> None:
    # Nothing queues, so a call fails if its work takes longer than the timeout, and the p99 is the
    # timeout: the best is the least that 95 % of the work stays below.
    work = [cascadesim.simulate(found_plan(), 2, n).latency for n in range(2)]
    limits = np.unique(np.concatenate(work))
    errors = np.mean([[(each > limit).mean() for limit in limits] for each in work], axis=0)
    least = limits[errors <= 0.05][0]
    best = found.aims.best(found.trials)
    assert best is not None
    assert least <= seconds(best.settings[TIMEOUT]) < 1.1 * least
    assert found.confirmed("optimized", "p99").estimate < found.confirmed("today", "p99").estimate
    assert found.differences("p99")["optimized"].seen


def found_plan() -> object:
    from cascadesim.scenario.compile import compile_plan

    return compile_plan(load().model)


def test_a_row_is_what_a_run_of_those_settings_gives(found: Optimization) -> None:
    frame = found.frame
    assert list(frame.columns) == [
        *("trial", TIMEOUT, "p99_s", "error_rate", "at_least", "feasible", "best")
    ]
    assert frame["trial"].tolist() == list(range(48))
    assert frame.loc[0, TIMEOUT] == "10s"
    for row in (0, 7, 40):
        settings = {TIMEOUT: frame.loc[row, TIMEOUT]}
        again = cascadesim.compare(
            load(), settings=settings, replications=2, seed=2, execution=ALONE
        )
        (label,) = again.results
        assert frame.loc[row, "p99_s"] == again.percentile(label, "p99").estimate
    assert frame["feasible"].equals(frame["error_rate"] <= 0.05)
    assert frame.index[frame["best"]].tolist() == [trial.number for trial in found.chosen]


def test_the_best_surely_keeps_the_constraint_in_more_worlds(found: Optimization) -> None:
    *others, best = found.finalists
    assert others
    assert found.chosen == [best]
    frame = found.frame[found.frame["feasible"]].sort_values("p99_s")
    places = [frame.index.get_loc(trial.number) for trial in found.finalists]
    assert places == [0, 1, 2, 4, 8, 16][: len(places)]
    for trial in found.finalists:
        errors = [each.measures["error_rate"] for each in trial.replications]
        assert len(errors) == 2 + 6
        half = stats.t.ppf(0.975, 7) * np.std(errors, ddof=1) / np.sqrt(8)
        assert (np.mean(errors) + half <= 0.05) == (trial is best)


def test_settings_are_confirmed_in_fresh_worlds(found: Optimization) -> None:
    (best,) = found.chosen
    assert found.confirmation is not None
    assert found.proposed is not None
    confirmed = found.confirmation.replications["optimized"]
    searched = {each.measures["mean"] for each in best.replications}
    assert len(confirmed) == 6
    assert not searched & {each.measures["mean"] for each in confirmed}
    again = cascadesim.compare(found.proposed, replications=6, seed=3, execution=ALONE)
    assert again.replications == found.confirmation.replications


def test_the_written_variant_runs_to_the_confirmed_figures(
    found: Optimization, tmp_path: Path
) -> None:
    found.save(tmp_path / "better.yaml")
    written = cascadesim.load(tmp_path / "better.yaml")
    assert written.variants == ("today", "optimized")
    assert written.model.objectives == ["error_rate <= 5%"]
    assert found.confirmation is not None
    for label in written.variants:
        summary = cascadesim.run(written.at(label), seed=3).summary
        measures = found.confirmation.replications[label][0].measures
        assert {p: summary.percentiles[p].seconds for p in PERCENTILES} == {
            p: measures[p] for p in PERCENTILES
        }


@pytest.mark.slow
def test_workers_change_nothing(found: Optimization) -> None:
    again = optimize(
        load(),
        [f"{TIMEOUT}=50ms..20s"],
        minimize=["p99"],
        subject_to=["error_rate <= 5%"],
        budget=48,
        replications=2,
        confirm=6,
        seed=2,
        execution=Execution(jobs=2),
    )
    assert again.frame.to_csv() == found.frame.to_csv()
    assert json.dumps(again.to_dict()) == json.dumps(found.to_dict())


def test_another_seed_tries_others() -> None:
    frames = [
        quick(load(), f"{TIMEOUT}=1s..20s", minimize=["p99"], seed=seed).frame for seed in (1, 1, 2)
    ]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert frames[0][TIMEOUT].tolist() != frames[2][TIMEOUT].tolist()


def test_no_settings_are_tried_twice() -> None:
    for step in ("", ":1"):  # a range, and one in the order of its steps
        found = quick(load(stages=QUEUE), f"a.concurrency=1..20{step}", minimize=["p99"])
        assert found.frame["a.concurrency"].is_unique
        assert found.frame["a.concurrency"].isin(range(1, 21)).all()
        assert found.frame["p99_s"].min() < found.frame["p99_s"].max()


def test_a_mean_with_unfinished_requests_is_not_called_small() -> None:
    found = quick(load(drain="0s"), f"{TIMEOUT}=5s,20s", minimize=["mean"])
    assert found.frame["at_least"].all()
    assert "could still move the mean" in found.verdict


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.booleans())
def test_the_earliest_of_equals_is_the_best(values: list[int], maximize: bool) -> None:
    aims = Aims((Goal("goodput", maximize),))
    best = aims.best(trials_of([(0, value) for value in values]))
    assert best is not None
    assert best.number == values.index(max(values) if maximize else min(values))


def test_nothing_that_keeps_a_constraint() -> None:
    found = quick(load(), f"{TIMEOUT}=1s..5s", minimize=["p99"], subject_to=["p97.5 < 50ms"])
    assert not found.met
    assert found.confirmation is None
    assert found.proposals == {}
    lowest = found.frame["p97.5_s"].min()
    assert f"No settings keep p97.5 < 50ms; the nearest come to p97.5 {lowest:.3f} s" in str(found)
    with pytest.raises(ScenarioError, match="is not written"):
        found.save("x.yaml")


def test_todays_settings_are_kept_where_nothing_is_better() -> None:
    found = quick(load(), f"{TIMEOUT}=11s..30s", minimize=["p99"])
    assert found.chosen == [found.trials[0]]
    assert found.labels == ["today"]
    assert found.verdict == "No better settings found: keep today's."
    assert found.met


def test_a_gain_that_fresh_worlds_do_not_show_is_none() -> None:
    # A hundredth of a second more or less of recovery: which is the best is chance.
    near = "a.breaker.recovery_timeout=4.98s,4.99s,5.01s,5.02s"
    found = quick(load(stages=FLAKY), near, minimize=["error_rate"])
    assert found.labels == ["today", "optimized"]
    searched = found.frame.set_index("best")["error_rate"]
    assert searched[True] < searched.iloc[0]
    assert not found.differences("error_rate")["optimized"].seen
    assert "did not hold in fresh replications: no difference seen" in found.verdict


HANGS = {"horizon": "60s", "drain": "0s"}
DEAD = [{"on": "a", "from": "30s", "for": "30s", "hang": {}}]


def test_a_lower_bound_is_never_the_best() -> None:
    # With 100s nothing ends before the horizon: the latencies known so far are at most 30 s.
    scenario = load(**HANGS, faults=DEAD).override({TIMEOUT: "100s"})
    found = quick(scenario, f"{TIMEOUT}=5s,29s,100s", minimize=["p50"])
    by_timeout = found.frame.set_index(TIMEOUT)
    assert by_timeout["at_least"].to_dict() == {"100s": True, "5s": True, "29s": True}
    judged = quick(scenario.override({"drain": "40s"}), f"{TIMEOUT}=5s,29s", minimize=["p99"])
    frame = judged.frame.set_index(TIMEOUT)
    assert frame["feasible"].to_dict() == {"100s": False, "5s": True, "29s": True}
    assert frame.index[frame["best"]].tolist() == ["5s"]
    assert judged.at_least("today", "p99")
    assert "from > " in judged.verdict
    hopeless = quick(scenario, f"{TIMEOUT}=50s,100s", minimize=["p99"])
    assert "a longer drain tells more" in hopeless.verdict
    assert not hopeless.met


def test_a_scenario_without_measured_requests_cannot_be_judged() -> None:
    never = {"arrivals": {"constant": {"rate": "1/h"}}}
    found = quick(load(workload=never, warmup="190s"), f"{TIMEOUT}=1s,2s", minimize=["p99"])
    assert "no request arrives between warm-up and horizon" in found.verdict
    assert not found.met


def test_values_that_do_not_go_together_are_a_trial_without_value() -> None:
    scenario = load(stages=QUEUE)
    found = quick(scenario, "a.concurrency=null,2", "a.queue_limit=null,3", minimize=["p99"])
    refused = found.frame[found.frame["p99_s"].isna()]
    assert len(found.trials) == 5
    assert len(refused) == 1
    assert refused["a.queue_limit"].tolist() == [3]
    assert not refused["feasible"].any()


def test_a_warmup_is_found_once() -> None:
    stages = {"a": {"work": {"exponential": {"mean": "180ms"}}, "concurrency": 1}}
    scenario = load(stages=stages, warmup="auto")
    found = quick(scenario, "a.concurrency=2,3", minimize=["p99"])
    expected = cascadesim.run(scenario).summary.warmup
    assert found.scenario.model.warmup == expected > 0
    assert found.proposed is not None
    assert found.proposed.model.warmup == expected


def test_a_scenario_at_a_variant_is_searched_from_there() -> None:
    scenario = load(variants={"slow": {TIMEOUT: "5s"}, "other": {}}, objectives=["p99 < 2s"])
    found = quick(
        scenario.at("slow"), f"{TIMEOUT}=350ms,400ms", minimize=["p99"], subject_to=["p99<2s"]
    )
    assert found.trials[0].settings == {TIMEOUT: "5s"}
    assert found.proposed is not None
    assert found.proposed.variants == ("today", "optimized")
    assert found.proposed.model.objectives == ["p99 < 2s"]
    assert found.proposed.at("today").model.stages == scenario.at("slow").model.stages


@pytest.mark.parametrize(
    ("text", "standing", "number"),
    [
        (f"{TIMEOUT}=1s..20s", "10s", 10),
        (f"{TIMEOUT}=1s..5s", "10s", None),
        (f"{TIMEOUT}=1s,10000ms", "10s", 1),
        (f"{TIMEOUT}=5s..20s:5s", "10s", 1),
        ("a.failure_rate=0%..50%", "0%", 0),
        ("a.failure_rate=0.1..0.5", 0.0, None),
        ("workload.arrivals.poisson.rate=60/min..600/min", "4/s", 4),
        ("a.concurrency=1..50", None, None),
        ("a.deadline.on_timeout=abandon,cancel", "cancel", 1),
    ],
)
def test_where_a_setting_stands(text: str, standing: object, number: float | None) -> None:
    (vary,) = parse_tune([text])
    tunable = Tunable(vary, load())
    assert tunable.standing == standing
    assert tunable.today(load()) == number


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"minimize": ["p98"]}, '--minimize p98: is no measure; did you mean "p9'),
        ({"minimize": ["p99", "p99"]}, "--minimize p99: is given twice"),
        ({"minimize": ["p99"], "maximize": ["p99"]}, "p99: is given twice"),
        ({}, "give a measure, such as --minimize p99"),
        ({"tune": ["seed=1..9"]}, "--tune seed: "),
        ({"tune": ["horizon=1s..9s"]}, "--tune horizon: decides what is measured"),
        ({"tune": [f"{TIMEOUT}=1s,2s", f"{TIMEOUT}=1s..2s"]}, "is given twice"),
        ({"tune": ["b.deadline.timeout=1s..9s"]}, "--tune b.deadline.timeout: no stage or set"),
        ({"tune": [f"{TIMEOUT}=0s..9s"]}, "--tune: a.deadline.timeout: must be more than 0"),
        ({"tune": [f"{TIMEOUT}=1..9"]}, "--tune: a.deadline.timeout: 1 has no unit"),
        ({"tune": []}, "give what to tune"),
        ({"subject_to": ["errors<1%"]}, "--subject-to errors<1%: unknown metric"),
        ({"budget": 0}, "--budget 0: expected a number from 1"),
        ({"confirm": 1}, "--confirm 1: expected a number from 2"),
        ({"seed": -1}, "--seed -1: expected a whole number from 0 to 10^18"),
        ({"seed": 10**18 + 1}, "000001: expected a whole number from 0 to 10^18"),
        ({"seed": 1.5}, "--seed 1.5: expected a whole number"),
        ({"minimize": "p98"}, "--minimize p98: is no measure"),
        ({"subject_to": "errors<1%"}, "--subject-to errors<1%: unknown metric"),
    ],
)
def test_what_cannot_be_searched(options: dict[str, object], says: str) -> None:
    given_options = {"tune": [f"{TIMEOUT}=1s..9s"]} | ({"minimize": ["p99"]} if options else {})
    with pytest.raises(ScenarioError) as caught:
        optimize(load(), **given_options | options)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_alone_is_the_only_one_of_its_kind() -> None:
    few = {"budget": 3, "replications": 1, "confirm": 2, "execution": ALONE, "seed": 10**18}
    tune = f"{TIMEOUT}=1s,2s"
    alone = optimize(load(), tune, "p99", "goodput", "error_rate<1%", **few)
    listed = optimize(load(), [tune], ["p99"], ["goodput"], ["error_rate<1%"], **few)
    assert alone.to_dict() == listed.to_dict()
    assert alone.measures == ("p99", "goodput")
    (vary,) = parse_tune(tune)
    assert optimize(load(), vary, "p99", **few).tune == (vary,)


def test_without_optuna_only_all_combinations_can_be_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ScenarioError, match=r"pip install 'cascadesim\[search\]'"):
        quick(load(), f"{TIMEOUT}=1s..9s", minimize=["p99"])
    assert len(quick(load(), f"{TIMEOUT}=1s,9s", minimize=["p99"]).trials) == 3


def test_progress_ends_at_one_and_never_falls() -> None:
    seen: list[float] = []
    quick(load(), f"{TIMEOUT}=1s..9s", minimize=["p99"], progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_it_shows_itself(found: Optimization) -> None:
    (best,) = found.chosen
    shown = repr(found)
    assert found.verdict in " ".join(shown.split())
    assert best.settings[TIMEOUT] in shown
    assert f"{found.confirmed('optimized', 'p99').estimate:.3f} ± " in shown
    assert "<table" in found._repr_html_()
    json.dumps(found.to_dict(), allow_nan=False)
