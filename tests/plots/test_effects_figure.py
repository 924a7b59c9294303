import pytest
from conftest import ROOT
from matplotlib.figure import Figure

import cascadesim
from cascadesim import Execution
from cascadesim.plots.style import COLOURS, MARKERS, MOST
from cascadesim.studies.sweep import Sweep, sweep

QUICK = {"horizon": "6min", "drain": "1min"}


def swept(*vary: str, sample: str | None = None) -> Sweep:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after")
    return sweep(scenario.override(QUICK), vary, sample, execution=Execution(1))


def test_a_line_for_each_setting_from_its_first_value_to_its_last() -> None:
    result = swept(
        "agent.deadline.timeout=2s,5s,9s", "agent.concurrency=20,40", "database.pool.size=5"
    )
    figure = Figure()
    ax = figure.add_subplot()
    assert result.plot("mean", ax) is ax
    levels = result.main_effects("mean")
    for line, path in zip(ax.lines, result.vary, strict=True):
        own = levels[levels["setting"] == path]
        assert line.get_xdata().tolist() == own["along"].tolist()
        assert line.get_ydata() == pytest.approx(own["latency_s"].tolist())
    assert ax.lines[0].get_xdata().tolist() == [0, 0.5, 1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "agent.deadline.timeout (2s … 9s)",
        "agent.concurrency (20 … 40)",
        "database.pool.size (5)",
    ]
    assert ax.get_ylabel() == "mean latency in seconds, mean over the others"


def test_a_sample_is_drawn_in_bins_along_the_whole_range() -> None:
    ranges = ["agent.deadline.timeout=1s..9s", "database.pool.size=2..20"]
    ax = swept(*ranges, sample="sobol:16").plot("p99")
    for line in ax.lines:
        x = line.get_xdata()
        assert len(x) == 8
        assert all(i / 8 - 0.01 <= along <= (i + 1) / 8 + 0.01 for i, along in enumerate(x))
    assert ax.get_legend().get_texts()[0].get_text() == "agent.deadline.timeout (1s … 9s)"


def test_means_that_are_lower_bounds_are_hollow() -> None:
    text = "name: q\nhorizon: 40s\nworkload: {arrivals: {constant: {rate: 2/s}}}\n"
    scenario = cascadesim.loads(text + "stages: {a: {work: {constant: 1s}, concurrency: 90}}")
    vary = ["a.work.constant=1s,2s,600s", "a.concurrency=90,91", "a.queue_limit=8,9"]
    ax = sweep(scenario, vary, execution=Execution(1)).plot("p50")
    hollow = [each.get_offsets()[:, 0].tolist() for each in ax.collections]
    assert hollow == [[1], [0, 1], [0, 1]]  # each concurrency has also met 600 s
    assert "(hollow: a lower bound" in ax.get_xlabel()
    short = [vary[0].replace(",600s", ""), *vary[1:]]
    ax = sweep(scenario, short, execution=Execution(1)).plot("p50")
    assert not ax.collections
    assert "hollow" not in ax.get_xlabel()


def test_as_many_lines_as_promised_can_be_told_apart() -> None:
    pairs = [(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(MOST)]
    assert len(set(pairs)) == MOST
