import pytest
from conftest import ROOT
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import cascadesim
from cascadesim import Execution
from cascadesim.studies.sweep import Sweep, sweep
from cascadesim.values.errors import ScenarioError


def swept(*vary: str) -> Sweep:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after")
    quick = scenario.override({"horizon": "6min", "drain": "1min"})
    return sweep(quick, vary, replications=2, execution=Execution(1))


def test_one_setting_is_a_line_in_its_order() -> None:
    result = swept("agent.deadline.timeout=10s,2s,5s")
    ax = result.plot("p95")
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [2.0, 5.0, 10.0]
    frame = result.frame.query("percentile == 'p95'").set_index("agent.deadline.timeout")
    expected = [frame.loc[value, "latency_s"] for value in ("2s", "5s", "10s")]
    assert line.get_ydata().tolist() == expected
    assert ax.get_xlabel() == "agent.deadline.timeout in seconds"
    assert ax.get_ylabel() == "p95 in seconds"
    goodput = result.plot("goodput")
    assert goodput.get_ylabel() == "goodput in replies per second"
    frame = frame.loc[["2s", "5s", "10s"]]
    assert goodput.lines[0].get_ydata() == pytest.approx(frame["goodput_per_s"].tolist())


def test_whole_numbers_have_whole_ticks() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    assert swept("agent.concurrency=20..22:1").plot(ax=ax) is ax
    figure.canvas.draw()
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert ticks == [20, 21, 22]


def test_words_keep_their_order() -> None:
    ax = swept("agent.breaker.when_open=wait,reject").plot()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["wait", "reject"]


def test_shares_are_in_percent() -> None:
    ax = swept("database.session.leak=0%..1%:0.5%").plot()
    assert ax.get_xlabel() == "database.session.leak in percent"
    assert ax.lines[0].get_xdata().tolist() == [0, 0.5, 1]


def test_a_grid_of_two_settings_is_a_heat_map() -> None:
    result = swept("agent.deadline.timeout=2s,5s", "agent.concurrency=20,40,60")
    ax = result.plot()
    (image,) = ax.images
    assert image.get_array().shape == (2, 3)
    frame = result.frame.query("percentile == 'p99'")
    cell = frame[(frame["agent.deadline.timeout"] == "5s") & (frame["agent.concurrency"] == 40)]
    assert image.get_array()[1, 1] == cell["latency_s"].item()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["20", "40", "60"]


def test_many_rows_do_not_crowd_their_labels() -> None:
    text = "name: q\nhorizon: 5s\nworkload: {arrivals: {constant: {rate: 8/s}}}\n"
    scenario = cascadesim.loads(text + "stages: {a: {work: {constant: 90ms}, concurrency: 1}}")
    vary = ["a.concurrency=1..45:1", "a.work.constant=1ms,5ms"]
    ax = sweep(scenario, vary, execution=Execution(1)).plot()
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == [str(n) for n in range(1, 46, 3)]


def late(*vary: str) -> Sweep:
    text = "name: q\nhorizon: 40s\nworkload: {arrivals: {constant: {rate: 2/s}}}\n"
    stages = "stages: {a: {work: {constant: 1s}, concurrency: 90}}"
    return sweep(cascadesim.loads(text + stages), vary, execution=Execution(1))


NOTE = "a lower bound, as requests were unfinished at the end"


def test_lower_bounds_are_hollow_on_a_line() -> None:
    ax = late("a.work.constant=600s,30s,1s").plot("p50")
    points = [each for each in ax.collections if isinstance(each, PathCollection)]
    assert [each.get_offsets()[:, 0].tolist() for each in points] == [[30, 600]]
    assert points[0].get_facecolors().tolist() == [[1, 1, 1, 1]]
    assert NOTE in ax.get_xlabel()
    ax = late("a.work.constant=1s,2s").plot("p50")
    assert not any(isinstance(each, PathCollection) for each in ax.collections)
    assert NOTE not in ax.get_xlabel()


def test_lower_bounds_are_marked_in_a_heat_map() -> None:
    ax = late("a.work.constant=600s,1s", "a.concurrency=80,90").plot("p50")
    assert [text.get_text() for text in ax.texts] == ["> 20", "> 20", "1", "1"]
    assert f"(>: {NOTE})" in ax.get_xlabel()
    ax = late("a.work.constant=600s,1s", "a.concurrency=80..131:1").plot("p50")
    (points,) = (each for each in ax.collections if isinstance(each, PathCollection))
    assert points.get_offsets().tolist() == [[x, 0] for x in range(52)]
    assert f"(hollow: {NOTE})" in ax.get_xlabel()


def test_nothing_to_draw() -> None:
    text = "name: q\nhorizon: 5s\nworkload: {arrivals: {constant: {rate: 8/s}}}\n"
    scenario = cascadesim.loads(
        text + "warmup: 4.999s\nstages: {a: {work: {constant: 90ms}, concurrency: 1}}"
    )
    with pytest.raises(ScenarioError, match="nothing to draw: no request arrives"):
        sweep(scenario, ["a.concurrency=1,2"], execution=Execution(1)).plot()
