import pytest
from conftest import ROOT
from matplotlib.figure import Figure

import cascadesim
from cascadesim import Execution
from cascadesim.experiment.sweep import Sweep, sweep
from cascadesim.scenario.errors import ScenarioError


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


def test_nothing_to_draw() -> None:
    text = "name: q\nhorizon: 5s\nworkload: {arrivals: {constant: {rate: 8/s}}}\n"
    scenario = cascadesim.loads(
        text + "warmup: 4.999s\nstages: {a: {work: {constant: 90ms}, concurrency: 1}}"
    )
    with pytest.raises(ScenarioError, match="nothing to draw: no request arrives"):
        sweep(scenario, ["a.concurrency=1,2"], execution=Execution(1)).plot()
