"""The figure of latency over time: every request where it arrived, by its outcome."""

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

import cascadesim
from cascadesim import Result
from cascadesim.plots.latency import latency
from cascadesim.plots.style import OUTCOME_LOOKS
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome


@pytest.fixture(scope="module")
def before() -> Result:
    return cascadesim.run(cascadesim.load(ROOT / "scenarios" / "incident-60s").at("before"))


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    found = [line for line in ax.lines if line.get_label() == label]
    return [(x, y) for line in found for x, y in zip(*line.get_data(), strict=True)]


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_each_request_is_drawn_once_by_its_outcome(before: Result) -> None:
    ax, frame = latency(before), before.frame
    for outcome, rows in frame.groupby("outcome", observed=True):
        expected = sorted(zip(rows["arrival_s"], rows["latency_s"], strict=True))
        assert sorted(points(ax, f"_{outcome}")) == expected
        assert f"{str(outcome).replace('_', ' ')} ({len(rows):,})" in legend(ax)
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "latency in seconds"
    assert ax.get_xlim() == (0, before.records.horizon)


def test_outcomes_are_told_apart_by_colour_and_by_marker(before: Result) -> None:
    assert len({look.colour for look in OUTCOME_LOOKS.values()}) == len(Outcome)
    assert len({look.sign for look in OUTCOME_LOOKS.values()}) == len(Outcome)
    (late,) = (line for line in latency(before).lines if line.get_label() == "_timed_out")
    assert (late.get_color(), late.get_marker()) == OUTCOME_LOOKS[Outcome.TIMED_OUT]


def test_observed_and_simulated_stand_at_the_same_arrival(before: Result) -> None:
    other = cascadesim.run(before.scenario.override({"agent.breaker.recovery_timeout": "10s"}))
    for result in (before, other):
        ax, records = latency(result), result.records
        row = int(np.flatnonzero(records.observation == 0)[0])
        (seen,) = points(ax, "observed, by the report")
        (simulated,) = points(ax, "the same request, simulated (agent work fitted)")
        assert seen == (records.arrival[row], 60.272154)
        assert simulated == (records.arrival[row], records.latency[row])


def test_fault_warm_up_and_objective_are_marked(before: Result) -> None:
    ax = latency(before)
    start = 4 * 60 + 28.0  # 23:29:28 after 23:25:00
    extents = [(p.get_x(), p.get_width()) for p in ax.patches]
    assert extents == [(start, 46), (0, 30)]
    assert [text.get_text() for text in ax.texts] == ["agent: hang"]
    (line,) = (each for each in ax.lines if each.get_label() == "objective 5 s")
    assert set(line.get_ydata()) == {5}
    assert legend(ax)[-3:] == ["objective 5 s", "fault", "warm-up, not measured"]


def test_long_runs_are_thinned_and_keep_their_extremes() -> None:
    text = "name: q\nhorizon: 2000s\nworkload: {arrivals: {poisson: {rate: 10/s}}}\n"
    work = "{lognormal: {median: 100ms, p99: 2s}}"
    result = cascadesim.run(cascadesim.loads(text + f"stages: {{a: {{work: {work}}}}}"))
    ax, seconds = latency(result), result.records.latency
    drawn = np.array(points(ax, "_ok"))
    assert 1000 < len(drawn) < len(seconds) * 0.9
    finished = seconds[result.records.outcome == Outcome.OK]
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (finished.min(), finished.max())
    (line,) = (each for each in ax.lines if each.get_label() == "_ok")
    assert line.get_rasterized()


def test_unfinished_requests_are_hollow() -> None:
    text = "name: q\nhorizon: 20s\nworkload: {arrivals: {constant: {rate: 2/s}}}\n"
    result = cascadesim.run(cascadesim.loads(text + "stages: {a: {work: {constant: 1h}}}"))
    (line,) = latency(result).lines
    assert line.get_label() == "_unfinished"
    assert line.get_markerfacecolor() == "none"
    assert len(line.get_xdata()) == len(result.records.arrival)
    assert to_rgb(line.get_color()) == to_rgb(OUTCOME_LOOKS[Outcome.UNFINISHED].colour)


def test_no_request_is_nothing_to_draw() -> None:
    text = "name: q\nhorizon: 1ms\nworkload: {arrivals: {constant: {rate: 1/h}}}\n"
    result = cascadesim.run(cascadesim.loads(text + "stages: {a: {work: {constant: 1s}}}"))
    with pytest.raises(ScenarioError, match="nothing to draw: no request arrives"):
        latency(result)
