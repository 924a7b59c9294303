import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.experiment.sweep import Sweep, grid, parse_sample, parse_vary, sample, sweep
from cascadesim.scenario.errors import ScenarioError

TIMEOUT = "agent.deadline.timeout"
LIMIT = "agent.concurrency"


def load() -> cascadesim.Scenario:
    return cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after")


@pytest.fixture(scope="module")
def swept() -> Sweep:
    vary = [parse_vary(f"{TIMEOUT}=2s,15s"), parse_vary(f"{LIMIT}=25..50:25")]
    return sweep(load(), vary, replications=2)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=5s,10s,30s", ("5s", "10s", "30s")),
        ("a.b=5..20:5", (5, 10, 15, 20)),
        ("a.b=1s..2s:250ms", ("1s", "1.25s", "1.5s", "1.75s", "2s")),
        ("a.b=1..10:4", (1, 5, 9)),
        ("a.b=wait,reject", ("wait", "reject")),
        ("a.b=true,false", (True, False)),
        ("a.b=1s..2s", ()),
    ],
)
def test_what_to_vary(text: str, values: tuple[object, ...]) -> None:
    assert parse_vary(text).values == values
    assert parse_vary(text).path == "a.b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.b", "expected PATH=VALUES"),
        ("a.b=", "expected PATH=VALUES"),
        ("a.b=5..x", 'expected a duration such as "5s" or a whole number, got "x"'),
        ("a.b=5..5s", "of its kind"),
        ("a.b=9..5", "up to a greater one"),
        ("a.b=1..9:0", "the step must be more than 0"),
        ("a.b=1..9:1s", "of the range's kind"),
        ("a.b=0s..1h:1ms", "makes 3600001 values"),
    ],
)
def test_what_cannot_be_varied(text: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=r"^--vary") as caught:
        parse_vary(text)
    assert says in str(caught.value)


def test_a_grid_is_every_combination() -> None:
    settings = grid([parse_vary("a.b=1,2"), parse_vary("c.d=x,y,z")])
    assert settings[:2] == [{"a.b": 1, "c.d": "x"}, {"a.b": 1, "c.d": "y"}]
    assert len({tuple(each.values()) for each in settings}) == 6
    with pytest.raises(ScenarioError, match="needs values, or a range with a step"):
        grid([parse_vary("a.b=1..2")])
    with pytest.raises(ScenarioError, match="makes 250000 settings"):
        grid([parse_vary("a.b=1..500:1"), parse_vary("c.d=1..500:1")])


@given(st.sampled_from(["sobol", "lhs"]), st.integers(0, 99))
def test_a_sample_fills_every_range_evenly(kind: str, seed: int) -> None:
    vary = [parse_vary("a.b=1..8"), parse_vary("c.d=0s..16s"), parse_vary("e.f=x,y")]
    settings = sample(vary, kind, 16, seed)
    assert settings == sample(vary, kind, 16, seed)
    # One in each of 16 equal strata of a range; so two of each whole number, eight of each word.
    seconds = sorted(float(each["c.d"].rstrip("s")) for each in settings)
    assert [int(s) for s in seconds] == list(range(16))
    assert sorted(each["a.b"] for each in settings) == sorted(2 * list(range(1, 9)))
    assert [each["e.f"] for each in settings].count("x") == 8


@pytest.mark.parametrize("text", ["sobol", "sobol:0", "sobol:x", "random:8", "sobol:100"])
def test_samples_that_cannot_be_taken(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"^--sample"):
        parse_sample(text, [parse_vary("a.b=1..2")], seed=1)


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


def test_workers_change_no_byte(swept: Sweep) -> None:
    vary = [parse_vary(f"{TIMEOUT}=2s,15s"), parse_vary(f"{LIMIT}=25..50:25")]
    parallel = sweep(load(), vary, replications=2, workers=2)
    assert parallel.frame.to_csv() == swept.frame.to_csv()


def test_a_setting_that_is_refused_is_found_before_anything_runs() -> None:
    with pytest.raises(ScenarioError, match="--vary"):
        sweep(load(), [parse_vary(f"{TIMEOUT}=2s,0s")])


def test_saved_tables_hold_the_frame(swept: Sweep, tmp_path: Path) -> None:
    swept.save(tmp_path)
    csv, parquet = pd.read_csv(tmp_path / "sweep.csv"), pd.read_parquet(tmp_path / "sweep.parquet")
    np.testing.assert_allclose(csv["latency_s"], swept.frame["latency_s"], rtol=1e-12)
    assert (parquet["latency_s"] == swept.frame["latency_s"]).all()
    assert list(csv.columns) == list(parquet.columns) == list(swept.frame.columns)
    json.dumps(swept.to_dict(), allow_nan=False)


def test_progress_ends_at_one() -> None:
    seen: list[float] = []
    sweep(load(), [parse_vary(f"{TIMEOUT}=2s,15s")], progress=seen.append)
    assert seen == [0.5, 1.0]


def test_lists_and_commas_in_brackets_are_values() -> None:
    vary = parse_vary("a.outcomes=[failed],[failed, timed_out]")
    assert vary.values == (["failed"], ["failed", "timed_out"])


@pytest.mark.parametrize("path", ["seed", "name", "objectives"])
def test_what_is_the_same_for_every_setting_cannot_be_varied(path: str) -> None:
    with pytest.raises(ScenarioError, match="cannot be varied"):
        sweep(load(), [parse_vary(f"{path}=1,2")])


def test_a_path_is_varied_once() -> None:
    with pytest.raises(ScenarioError, match="is given twice"):
        sweep(load(), [parse_vary(f"{LIMIT}=1,2"), parse_vary(f"{LIMIT}=3,4")])


QUEUE = {
    "name": "queue",
    "horizon": "100s",
    "warmup": "auto",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "90ms"}}, "concurrency": 1}},
}


def test_a_warmup_is_found_for_all_settings_alike() -> None:
    scenario = cascadesim.loads(json.dumps(QUEUE))
    swept = sweep(scenario, [parse_vary("a.concurrency=1,2")])
    found = [cascadesim.run(scenario.override({"a.concurrency": n})).summary for n in (1, 2)]
    longest = max(summary.warmup for summary in found)
    assert longest > 0
    for i, n in enumerate((1, 2)):
        alone = cascadesim.run(scenario.override({"a.concurrency": n, "warmup": f"{longest}s"}))
        p50 = alone.summary.percentiles["p50"].seconds
        assert swept.replications[i][0].measures["p50"] == p50


def test_lower_bounds_are_marked() -> None:
    late = QUEUE | {"warmup": "0s", "stages": {"a": {"work": {"constant": "30s"}}}}
    swept = sweep(cascadesim.loads(json.dumps(late)), [parse_vary("horizon=40s,100s")])
    assert swept.frame.set_index(["setting", "percentile"]).loc[(0, "p90"), "at_least"]


def test_python_says_it_in_the_words_of_the_command() -> None:
    swept = cascadesim.sweep(load(), [f"{TIMEOUT}=2s,15s"])
    assert swept.settings == [{TIMEOUT: "2s"}, {TIMEOUT: "15s"}]
    whole = cascadesim.load(ROOT / "scenarios" / "incident-60s")
    found = cascadesim.compare(whole, variants=["after"], precision="p50=50%", replications=6)
    assert found.count == 5
