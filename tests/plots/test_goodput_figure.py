"""Requests per second, against counts of the same records."""

import json
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

import cascadesim
from cascadesim import Result
from cascadesim.plots.goodput import goodput
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome

CONSTANT: dict[str, Any] = {
    "name": "q",
    "horizon": "60s",
    "drain": "10s",
    "workload": {"arrivals": {"constant": {"rate": "2/s"}}},
    "stages": {
        "agent": {
            "work": {"constant": "100ms"},
            "policies": [
                {
                    "breaker": {
                        **{"failure_threshold": 3, "recovery_timeout": "10s"},
                        **{"when_open": "reject"},
                    }
                }
            ],
        }
    },
    "faults": [{"on": "agent", "from": "20s", "for": "5s", "outage": {}}],
}


def run(**more: Any) -> Result:
    return cascadesim.run(cascadesim.loads(json.dumps(CONSTANT | more)))


@pytest.fixture(scope="module")
def before() -> Result:
    return cascadesim.run(cascadesim.load(ROOT / "scenarios" / "incident-60s").at("before"))


def areas(ax: Axes) -> dict[str, list[tuple[float, float, float, float]]]:
    """Return the parts of the areas by outcome or state: start, end, bottom and top."""
    parts: dict[str, list[tuple[float, float, float, float]]] = {}
    for area in ax.collections:
        if isinstance(area, PolyCollection):
            for path in area.get_paths():
                box = path.get_extents()
                extent = (box.x0, box.x1, box.y0, box.y1)
                parts.setdefault(str(area.get_label())[1:], []).append(extent)
    return parts


def surface(ax: Axes, outcome: Outcome) -> float:
    """Return the surface of an outcome's area: per second times seconds, and so requests."""
    (area,) = (a for a in ax.collections if a.get_label() == f"_{outcome.word}")
    (path,) = area.get_paths()
    x, y = path.vertices.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def arriving(ax: Axes) -> tuple[np.ndarray, np.ndarray]:
    (line,) = (line for line in ax.lines if line.get_label() == "_arrive")
    x, y = line.get_data()
    return np.asarray(x), np.asarray(y)


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_every_request_is_in_the_line_and_in_one_area(before: Result) -> None:
    ax = goodput(before)
    x, y = arriving(ax)
    assert np.dot(y[:-1], np.diff(x)) == pytest.approx(len(before.records.arrival))
    for outcome in Outcome:
        ended = int((before.records.outcome == outcome).sum())
        if ended and outcome is not Outcome.UNFINISHED:
            assert surface(ax, outcome) == pytest.approx(ended)
            assert f"{outcome.word.replace('_', ' ')} ({ended:,})" in legend(ax)


def test_a_request_counts_when_it_ends(before: Result) -> None:
    # What waited for the breaker ends in the ten seconds after its recovery.
    ax = goodput(before)
    assert ax.get_ylabel() == "requests per second, means over 10 s"
    ends = before.records.arrival + before.records.latency
    ok = ends[before.records.outcome == Outcome.OK]
    most = np.histogram(ok, np.arange(0, 1150, 10))[0].max() / 10
    assert max(top for _, _, _, top in areas(ax)["ok"]) == pytest.approx(most)
    assert arriving(ax)[1].max() < most / 4


def test_constant_traffic_is_a_level_line() -> None:
    ax = goodput(run())
    x, y = arriving(ax)
    assert x.tolist() == [*range(0, 71, 10)]
    assert y[:-1].tolist() == [1.9, 2, 2, 2, 2, 2, 0]  # the first arrives after half a second
    assert ax.get_xlim() == (0, 70)


def test_breakers_have_rows_below_the_axis() -> None:
    result = run()
    ax = goodput(result)
    (opened,) = areas(ax)["open"]
    assert opened[:2] == pytest.approx([t.at for t in result.records.transitions][:2])
    assert opened[3] < 0  # below the axis
    assert "agent.breaker" in [text.get_text() for text in ax.get_yticklabels()]
    quiet = goodput(run(faults=[]))
    assert quiet.get_ylim()[0] == 0
    assert "breaker open" in legend(ax)
    assert "breaker open" not in legend(quiet)


def test_faults_and_the_last_arrivals_are_marked() -> None:
    ax = goodput(run())
    assert "agent: outage" in [text.get_text() for text in ax.texts]
    assert {"fault", "the last arrivals"} <= set(legend(ax))


def test_unfinished_requests_are_told() -> None:
    stages = {"a": {"work": {"constant": "1h"}}}
    ax = goodput(run(stages=stages, faults=[]))
    assert "unfinished at the end: 119" in legend(ax)
    assert not [area for area in ax.collections if isinstance(area, PolyCollection)]


def test_no_requests_are_nothing_to_draw() -> None:
    quiet = {"arrivals": {"constant": {"rate": "1/h"}}}
    with pytest.raises(ScenarioError, match="nothing to draw: no request arrives"):
        goodput(run(workload=quiet))
