import pytest
from conftest import ROOT

import cascadesim
from cascadesim.experiment.sweep import Sweep, parse_vary, sweep
from cascadesim.scenario.errors import ScenarioError


def swept(*vary: str) -> Sweep:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after")
    quick = scenario.override({"horizon": "6min", "drain": "1min"})
    return sweep(quick, [parse_vary(text) for text in vary], replications=2)


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


def test_words_keep_their_order() -> None:
    ax = swept("agent.breaker.when_open=wait,reject").plot()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["wait", "reject"]


def test_two_settings_are_a_heat_map() -> None:
    result = swept("agent.deadline.timeout=2s,5s", "agent.concurrency=20,40,60")
    ax = result.plot()
    (image,) = ax.images
    assert image.get_array().shape == (2, 3)
    frame = result.frame.query("percentile == 'p99'")
    cell = frame[(frame["agent.deadline.timeout"] == "5s") & (frame["agent.concurrency"] == 40)]
    assert image.get_array()[1, 1] == cell["latency_s"].item()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["20", "40", "60"]


def test_three_settings_cannot_be_drawn() -> None:
    result = swept("agent.deadline.timeout=2s", "agent.concurrency=20", "database.pool.size=5")
    with pytest.raises(ScenarioError, match="over one setting, or over a grid of two"):
        result.plot()
