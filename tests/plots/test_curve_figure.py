"""The curve of percentiles and the ECDF, against numpy's percentiles of the same records."""

import json
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES, share
from cascadesim.plots.curve import curve
from cascadesim.plots.ecdf import ecdf
from cascadesim.studies.compare import Comparison
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome

VARIANTS = ("before", "after", "recommended")
SCENARIO: dict[str, Any] = {
    "name": "q",
    "horizon": "40s",
    "workload": {"arrivals": {"constant": {"rate": "5/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "1s"}}, "concurrency": 6}},
}


@pytest.fixture(scope="module")
def incident() -> Comparison:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s")
    return cascadesim.compare(scenario, variants=VARIANTS)


@pytest.fixture(scope="module")
def unfinished() -> Comparison:
    variants = {"slow": {}, "fast": {"a.work": {"constant": "20ms"}}}
    return cascadesim.compare(cascadesim.loads(json.dumps(SCENARIO | {"variants": variants})))


def lines(ax: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the data of the lines of steps, the dashed and the solid ones of a variant each."""
    found = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    return [(np.asarray(x), np.asarray(y)) for x, y in (line.get_data() for line in found)]


def markers(ax: Axes) -> list[np.ndarray]:
    found = [each for each in ax.collections if isinstance(each, PathCollection)]
    return [np.asarray(each.get_offsets()) for each in found]


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def step_value(x: np.ndarray, y: np.ndarray, at: float) -> float:
    return float(y[np.searchsorted(x, at, side="right") - 1])


def test_the_curve_is_every_percentile(incident: Comparison) -> None:
    ax = curve(incident)
    for (x, y), result in zip(lines(ax), incident.results.values(), strict=True):
        records = result.records
        latency = records.latency[records.measured]
        for q in (0.0001, 0.1, 0.503, 0.9, 0.95, 0.99, 0.999):
            # Of so many requests the line has every second rank, and it jumps at a percentile.
            lower, exact = np.quantile(latency, [max(0, q - 0.001), q], method="inverted_cdf")
            assert lower <= step_value(x, y, 1 / (1 - q) * (1 - 1e-9)) <= exact
        assert y[-1] == latency.max()
        assert (np.diff(y) >= 0).all()


@settings(max_examples=20)
@given(st.integers(2, 60), st.integers(1, 8))
def test_a_short_curve_has_each_request_as_one_step(seconds: int, workers: int) -> None:
    longer = {"horizon": f"{seconds}s", "drain": "1h"}
    stages = {"a": SCENARIO["stages"]["a"] | {"concurrency": workers}}
    drawn = cascadesim.compare(cascadesim.loads(json.dumps(SCENARIO | longer | {"stages": stages})))
    ((x, y),) = lines(curve(drawn))
    ((at, shares),) = lines(ecdf(drawn))
    latency = np.sort(drawn.results[drawn.first].records.latency)
    n = len(latency)
    np.testing.assert_allclose(x[:-1], 1 / (1 - np.arange(n) / n))
    assert y.tolist() == [*latency, latency[-1]]
    assert at.tolist() == latency.tolist()
    np.testing.assert_allclose(shares, np.arange(1, n + 1) / n)


def test_the_axis_of_percentiles_has_a_tick_for_each_nine(incident: Comparison) -> None:
    ax = curve(incident)
    assert ax.get_xticks()[:-1] == pytest.approx([1, 2, 10, 100, 1000, 10_000])
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == ["0", "50", "90", "99", "99.9", "99.99", "max"]
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "percentile of requests, in %",
        "latency in seconds",
    )
    assert legend(ax) == [*VARIANTS, "objective 5 s"]
    (objective,) = (line for line in ax.lines if line.get_label() == "objective 5 s")
    assert set(objective.get_ydata()) == {5}


def test_markers_are_the_percentiles_of_the_table(incident: Comparison) -> None:
    for points, label in zip(markers(curve(incident)), VARIANTS, strict=True):
        own = incident.frame.query(f"variant == '{label}'")["latency_s"].tolist()
        assert points[:, 1].tolist() == own
        assert points[:-1, 0] == pytest.approx([1 / (1 - share(name)) for name in PERCENTILES[:-1]])
    for points, label in zip(markers(ecdf(incident)), VARIANTS, strict=True):
        own = incident.frame.query(f"variant == '{label}'")["latency_s"].tolist()
        assert points[:, 0].tolist() == own
        assert points[:, 1].tolist() == [share(name) for name in PERCENTILES]


def test_the_share_of_requests_is_that_of_the_records(incident: Comparison) -> None:
    ax = ecdf(incident)
    for (x, y), result in zip(lines(ax), incident.results.values(), strict=True):
        latency = result.records.latency[result.records.measured]
        for seconds in (0.2, 0.5, 5, 20, 61):
            drawn = 0 if seconds < x[0] else step_value(x, y, seconds)
            assert drawn == pytest.approx((latency <= seconds).mean(), abs=0.0015)
    assert ax.get_xlabel() == "latency in seconds"
    (objective,) = (line for line in ax.lines if line.get_label() == "objective 5 s")
    assert set(objective.get_xdata()) == {5}


@pytest.mark.parametrize("draw", [curve, ecdf])
def test_lower_bounds_are_dashed_and_hollow(unfinished: Comparison, draw: Any) -> None:
    ax = draw(unfinished)
    slow_line, dashed, fast_line = lines(ax)
    assert np.isnan(slow_line[1]).any()
    assert not np.isnan(dashed[1]).all()
    assert not np.isnan(fast_line[1]).any()
    slow, quick = [each for each in ax.collections if isinstance(each, PathCollection)]
    hollow = [tuple(face[:3]) == (1, 1, 1) for face in slow.get_facecolors()]
    own = unfinished.results["slow"].summary.percentiles
    assert hollow == [own[name].at_least for name in PERCENTILES]
    assert any(hollow)
    assert not any(tuple(face[:3]) == (1, 1, 1) for face in quick.get_facecolors())
    assert legend(ax)[-1].startswith("dashed and hollow: a lower bound")


def test_the_dashes_are_where_numpy_says_that_unfinished_requests_matter() -> None:
    drawn = cascadesim.compare(cascadesim.loads(json.dumps(SCENARIO)))
    records = drawn.results[drawn.first].records
    n = len(records.latency)
    worst = np.where(records.outcome == Outcome.UNFINISHED, np.inf, records.latency)
    solid, _ = lines(curve(drawn))
    for k in range(n):
        q = (k + 0.5) / n
        low, high = (np.quantile(s, q, method="inverted_cdf") for s in (records.latency, worst))
        assert np.isnan(solid[1][k]) == (high > 1.01 * low)


def test_replications_are_means_with_intervals() -> None:
    scenario = cascadesim.loads(json.dumps(SCENARIO | {"drain": "1h"}))
    drawn = cascadesim.compare(scenario, replications=3, execution=cascadesim.Execution(1))
    ax = curve(drawn)
    (bars,) = (each for each in ax.collections if isinstance(each, LineCollection))
    found = [drawn.percentile(drawn.first, name) for name in PERCENTILES]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [
        [pytest.approx(max(each.low, 0)), pytest.approx(each.high)] for each in found
    ]
    (points,) = markers(ax)
    assert points[:, 1].tolist() == [each.estimate for each in found]
    assert "line: replication 0; markers: means of 3, with 95 % intervals" in ax.get_xlabel()
    ((_, y),) = lines(ax)
    assert y[-1] == drawn.results[drawn.first].records.latency.max()
    assert ecdf(drawn).get_xlabel() == "latency in seconds (replication 0)"


@pytest.mark.parametrize("draw", [curve, ecdf])
def test_no_requests_are_nothing_to_draw(draw: Any) -> None:
    scenario = cascadesim.loads(json.dumps(SCENARIO | {"horizon": "1ms"}))
    with pytest.raises(ScenarioError, match="nothing to draw: no request arrives between"):
        draw(cascadesim.compare(scenario))
