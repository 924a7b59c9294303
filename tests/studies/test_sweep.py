import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import cascadesim
from cascadesim import Execution
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.studies.design import design
from cascadesim.studies.replications import MEASURES
from cascadesim.studies.sweep import FILES, Sweep, sweep
from cascadesim.values.errors import ScenarioError
from cascadesim.views.sweep import figures

HERE = Execution(1)
TIMEOUT = "agent.deadline.timeout"
LIMIT = "agent.concurrency"
VARY = [f"{TIMEOUT}=2s,15s", f"{LIMIT}=25..50:25"]


def load() -> cascadesim.Scenario:
    return cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after")


@pytest.fixture(scope="module")
def swept() -> Sweep:
    return sweep(load(), VARY, replications=2, execution=HERE)


@pytest.mark.slow
def test_a_row_is_what_compare_says_of_that_setting(swept: Sweep) -> None:
    frame = swept.frame
    assert len(frame) == 4 * len(PERCENTILES)
    settings = {TIMEOUT: "15s", LIMIT: 25}
    alone = cascadesim.compare(
        cascadesim.load(ROOT / "scenarios" / "incident-60s"),
        variants=["after"],
        settings=settings,
        replications=2,
    )
    rows = frame[(frame[TIMEOUT] == "15s") & (frame[LIMIT] == 25)].set_index("percentile")
    for name in PERCENTILES:
        interval = alone.percentile("after", name)
        assert rows.loc[name, ["latency_s", "low_s", "high_s"]].tolist() == [
            *(interval.estimate, interval.low, interval.high)
        ]
    assert rows["met"].tolist() == [alone.met] * len(PERCENTILES)
    (place,) = rows["setting"].unique()
    told = {each.objective.text: each.value for each in alone.objectives("after")}
    assert {e.objective.text: e.value for e in swept.runs[place].objectives} == told


def test_workers_change_no_byte(swept: Sweep) -> None:
    parallel = sweep(load(), VARY, replications=2, execution=Execution(2))
    assert parallel.frame.to_csv() == swept.frame.to_csv()
    assert parallel.effects().to_csv() == swept.effects().to_csv()


def test_a_setting_that_is_refused_is_found_before_anything_runs() -> None:
    seen: list[float] = []
    with pytest.raises(ScenarioError, match=r"^--vary: agent.deadline.timeout: must be more"):
        sweep(load(), [f"{TIMEOUT}=2s,0s"], execution=HERE, progress=seen.append)
    assert seen == []


def test_saved_tables_hold_the_frame(swept: Sweep, tmp_path: Path) -> None:
    swept.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    csv, parquet = pd.read_csv(tmp_path / "sweep.csv"), pd.read_parquet(tmp_path / "sweep.parquet")
    np.testing.assert_allclose(csv["latency_s"], swept.frame["latency_s"], rtol=1e-12)
    assert (parquet["latency_s"] == swept.frame["latency_s"]).all()
    assert list(csv.columns) == list(parquet.columns) == list(swept.frame.columns)
    effects = pd.read_csv(tmp_path / "effects.csv")
    pd.testing.assert_frame_equal(effects, swept.effects(), check_exact=False)
    json.dumps(swept.to_dict(), allow_nan=False)


def test_progress_ends_at_one() -> None:
    seen: list[float] = []
    sweep(load(), [f"{TIMEOUT}=2s,15s"], execution=HERE, progress=seen.append)
    assert seen == [0.5, 1.0]


QUEUE = {
    "name": "queue",
    "horizon": "100s",
    "warmup": "auto",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "90ms"}}, "concurrency": 1}},
}


def queue(**keys: object) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(QUEUE | keys))


def test_a_warmup_is_found_for_all_settings_alike() -> None:
    scenario = queue()
    swept = sweep(scenario, ["a.concurrency=1,2"], execution=HERE)
    found = [cascadesim.run(scenario.override({"a.concurrency": n})).summary for n in (1, 2)]
    longest = max(summary.warmup for summary in found)
    assert longest > 0
    for i, n in enumerate((1, 2)):
        alone = cascadesim.run(scenario.override({"a.concurrency": n, "warmup": f"{longest}s"}))
        p50 = alone.summary.percentiles["p50"].seconds
        assert swept.runs[i].replications[0].measures["p50"] == p50


def test_lower_bounds_are_marked() -> None:
    late = queue(warmup="0s", stages={"a": {"work": {"constant": "30s"}}})
    swept = sweep(late, ["horizon=40s,100s"], execution=HERE)
    assert swept.frame.set_index(["setting", "percentile"]).loc[(0, "p90"), "at_least"]
    assert figures(swept, 0, "p90")["p90"].text.startswith("> ")


LATE = {"a.work.constant": ["600s", "30s"], "horizon": ["40s", "200s"]}


def late(**keys: object) -> cascadesim.Scenario:
    work = {"constant": "1s"}
    stages = {"a": {"work": work, "concurrency": 5000, "queue_limit": 5000, "failure_rate": 0.5}}
    return queue(warmup="0s", stages=stages, **keys)


def test_lower_bounds_rank_behind_what_is_known_and_have_no_shares() -> None:
    swept = sweep(late(), LATE, execution=HERE)
    # Nobody waits, so a latency is the work: known where most requests end before the horizon.
    assert swept.at_least("p50") == [True, True, True, False]
    assert swept.values("p50")[3, 0] > swept.values("p50")[0, 0]  # where a bound lies below it
    assert swept.ranked("p50")[0] == 3
    for measure in ("p50", "mean", "failed_rate", "ok_rate"):
        assert swept.effects(measure)["first_order"].isna().all()
        assert "settings is a lower bound" in swept.to_dict(measure)["effects"]["note"]
        assert swept.main_effects(measure)["at_least"].any()
    drained = sweep(late(drain="1000s"), LATE, execution=HERE)
    assert not any(drained.at_least("p50"))
    assert drained.values("p50").ravel() == pytest.approx([600, 600, 30, 30])
    shares = drained.effects("p50").set_index("setting")["first_order"]
    assert shares.to_dict() == pytest.approx({"a.work.constant": 1, "horizon": 0}, abs=1e-9)
    answered, p50 = (drained.values(name).ravel() for name in ("answered_rate", "p50"))
    assert drained.ranked("p50") == sorted(range(4), key=lambda i: (-answered[i], p50[i]))
    assert not drained.main_effects("failed_rate")["at_least"].any()


def test_an_error_rate_that_could_rise_is_marked() -> None:
    swept = sweep(late(), {"a.work.constant": ["600s"]}, execution=HERE)
    assert figures(swept, 0)["error rate"].text == "> 0.00%"
    drained = sweep(late(drain="1000s"), {"a.work.constant": ["600s"]}, execution=HERE)
    assert not figures(drained, 0)["error rate"].text.startswith(">")


def test_too_few_requests_beyond_a_percentile_are_told() -> None:
    steady = queue(warmup="0s", workload={"arrivals": {"constant": {"rate": "8/s"}}})
    swept = sweep(steady, {"horizon": ["100s", "200s"]}, replications=2, execution=HERE)
    requests = [run.requests for runs in swept.runs for run in runs.replications]
    assert requests == pytest.approx([800, 800, 1600, 1600], abs=1)
    told = {name: swept.too_few(name) for name in PERCENTILES}
    none: list[int] = []
    assert told == {
        **{"p50": none, "p90": none, "p95": none},
        **{"p99": [0], "p99.9": [0, 1], "max": none},
    }
    assert swept.to_dict()["too_few"] == [0]
    assert swept.too_few("error_rate") == []
    # An incident happens once, so that a longer run tells no more.
    fault = {"on": "a", "from": "10s", "for": "5s", "outage": {}}
    faulty = sweep(queue(warmup="0s", faults=[fault]), {"horizon": ["100s"]}, execution=HERE)
    assert faulty.runs[0].replications[0].requests < 1000
    assert faulty.too_few() == []


def test_settings_that_are_alike_are_run_once_and_told_each() -> None:
    seen: list[float] = []
    vary = ["a.concurrency=1..2"]
    swept = sweep(queue(), vary, "lhs:6", 2, execution=HERE, progress=seen.append)
    assert seen == pytest.approx([i / 6 for i in range(1, 7)])  # two of them find the warm-up
    assert len(swept.settings) == len(swept.runs) == 6
    alone = sweep(queue(), ["a.concurrency=1,2"], replications=2, execution=HERE)
    for settings, runs in zip(swept.settings, swept.runs, strict=True):
        assert runs.replications == alone.runs[settings["a.concurrency"] - 1].replications


def test_settings_without_measured_requests_come_last() -> None:
    rare = queue(warmup="0s", workload={"arrivals": {"constant": {"rate": "1/min"}}})
    swept = sweep(rare, ["horizon=30s,100s", "a.concurrency=1,2"], execution=HERE)
    if swept.runs[0].replications[0].requests:  # the first arrival may come at once
        swept = sweep(rare, ["warmup=90s,0s", "a.concurrency=1,2"], execution=HERE)
    assert [swept.runs[place].replications[0].requests > 0 for place in swept.ranked()] == [
        *(True, True, False, False)
    ]
    assert figures(swept, swept.ranked()[-1])["p99"].text == "-"
    assert swept.shares().note == "2 of 4 settings measure no request, so have no p99"
    json.dumps(swept.to_dict(), allow_nan=False)
    assert "-" in repr(swept)


def test_more_servers_shorten_the_queue_and_the_work_does_not_depend_on_a_limit_above() -> None:
    vary = ["a.concurrency=1,2,3", "a.queue_limit=500,1000"]
    swept = sweep(queue(warmup="0s"), vary, execution=HERE)
    effects = swept.effects("mean").set_index("setting")
    assert effects.index[0] == "a.concurrency"
    assert effects["first_order"].tolist() == pytest.approx([1, 0])
    assert effects["total_order"].tolist() == pytest.approx([1, 0])
    levels = swept.main_effects("mean")
    means = levels[levels["setting"] == "a.concurrency"]["latency_s"]
    assert means.is_monotonic_decreasing
    assert means.iloc[0] == pytest.approx(swept.values("mean")[:2].mean())


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_effects(swept: Sweep, measure: str) -> None:
    assert set(swept.effects(measure)["setting"]) == {TIMEOUT, LIMIT}
    levels = swept.main_effects(measure)
    assert levels.iloc[0, 3] == pytest.approx(swept.values(measure)[:2].mean(), nan_ok=True)


def test_an_unknown_measure(swept: Sweep) -> None:
    with pytest.raises(ScenarioError, match="measure p98: expected one of p50"):
        swept.effects("p98")


def test_the_scenario_says_what_to_vary() -> None:
    block = {"vary": {"a.concurrency": [1, 2], "horizon": "50s..100s:50s"}, "replications": 2}
    swept = cascadesim.sweep(queue(sweep=block), execution=HERE)
    assert swept.settings == design(queue(), ["a.concurrency=1,2", "horizon=50s,100s"]).settings
    assert {runs.count for runs in swept.runs} == {2}


def test_values_that_are_refused_together_are_found_where_they_stand() -> None:
    block = {"vary": {"warmup": ["40s", "auto"], "horizon": ["30s", "50s"]}}
    scenario = queue(sweep=block)
    at = json.dumps(QUEUE | {"sweep": block}).index('"vary"') + 1
    problem = "warmup must be shorter than the horizon"
    with pytest.raises(ScenarioError, match=f"^<text>:1:{at}: warmup: {problem}"):
        cascadesim.sweep(scenario, execution=HERE)


def test_it_shows_itself(swept: Sweep) -> None:
    text, html = repr(swept), swept._repr_html_()
    assert text.startswith("incident-60s, variant after: 4 settings of agent.deadline.timeout, ")
    assert "15s, 25" in text
    assert "15s, 25" in html
    assert text.index("2s, 25") < text.index("15s, 25")  # the lower p99 first


def test_python_says_it_in_the_words_of_the_command() -> None:
    swept = cascadesim.sweep(load(), [f"{TIMEOUT}=2s,15s"], execution=HERE)
    assert swept.settings == [{TIMEOUT: "2s"}, {TIMEOUT: "15s"}]
    whole = cascadesim.load(ROOT / "scenarios" / "incident-60s")
    found = cascadesim.compare(whole, variants=["after"], precision="p50=50%", replications=12)
    assert found.count == 10
