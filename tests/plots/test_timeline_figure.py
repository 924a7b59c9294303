"""The Gantt chart of a request, against its row of the records and the spans of the trace."""

import itertools
import json

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.axes import Axes

import cascadesim
from cascadesim import Result
from cascadesim.plan.causes import CAUSES
from cascadesim.plots.style import CAUSE_LOOKS, STATE_LOOKS
from cascadesim.plots.timeline import timeline
from cascadesim.values.errors import ScenarioError


@pytest.fixture(scope="module")
def before() -> Result:
    return cascadesim.run(cascadesim.load(ROOT / "scenarios" / "incident-60s").at("before"))


@pytest.fixture(scope="module")
def retried() -> Result:
    return cascadesim.run(cascadesim.load(ROOT / "scenarios" / "incident-179s").at("before"))


def bars(ax: Axes, causes: bool = True) -> dict[str, list[tuple[float, float]]]:
    """Return start and end of the bars of parts (or of a breaker's states), by line and cause."""
    names = CAUSES if causes else tuple(STATE_LOOKS)
    labels = [text.get_text().partition("\n")[0] for text in ax.get_yticklabels()]
    found: dict[str, list[tuple[float, float]]] = {}
    for each in ax.collections:
        name = str(each.get_label())[1:]
        if name in names:
            boxes = [path.get_extents() for path in each.get_paths()]
            line = labels[round(boxes[0].y0 + 0.01)]
            found.setdefault(f"{line}.{name}", []).extend((box.x0, box.x1) for box in boxes)
    return found


@pytest.mark.parametrize("request_number", [0, 700, 1200, 1300, 3634])
def test_lines_add_up_to_what_the_records_say(before: Result, request_number: int) -> None:
    drawn = bars(timeline(before, request_number))
    records = before.records
    sums = {name: sum(end - start for start, end in spans) for name, spans in drawn.items()}
    expected = {
        f"{part.where}.{part.cause}": seconds
        for part, seconds in zip(records.parts, records.seconds[request_number], strict=True)
        if seconds > 0
    }
    assert sums == pytest.approx(expected)
    spans = sorted(span for each in drawn.values() for span in each)
    assert spans[0][0] == pytest.approx(0, abs=1e-9)
    assert spans[-1][1] == pytest.approx(records.latency[request_number])
    for one, other in itertools.pairwise(spans):
        assert one[1] == pytest.approx(other[0])


def test_the_observed_request_is_drawn_if_none_is_named(before: Result) -> None:
    ax = timeline(before)
    assert ax.get_title(loc="left") == "incident-60s, before: request 3634, ok after 60.272154 s"
    observed = "observed: 60.272154 s; fitted: agent work 578 ms"
    assert ax.get_xlabel() == f"seconds after 23:29:59.728 ({observed})"
    assert "59.56 s" in [text.get_text() for text in ax.texts]


def test_else_it_is_the_slowest_that_is_measured() -> None:
    text = "name: q\nhorizon: 60s\nwarmup: 20s\nworkload: {arrivals: {poisson: {rate: 2/s}}}\n"
    stage = "stages: {a: {work: {exponential: {mean: 1s}}, concurrency: 2}}"
    result = cascadesim.run(cascadesim.loads(text + stage))
    measured = result.frame.query("measured")
    slowest = measured.loc[measured["latency_s"].idxmax(), "request"]
    assert f"request {slowest}, " in timeline(result).get_title(loc="left")


def test_attempts_are_bars_on_one_line(retried: Result) -> None:
    ax = timeline(retried)
    drawn = bars(ax)
    np.testing.assert_allclose(
        drawn["auth.service_work"], [(0, 30), (32, 62), (66, 96), (104, 134), (149, 179)], atol=1e-9
    )
    np.testing.assert_allclose(
        drawn["auth.retry.retry_backoff"], [(30, 32), (62, 66), (96, 104), (134, 149)], atol=1e-9
    )
    assert [text.get_text() for text in ax.texts] == [
        *("150.00 s, 5 times", "29.00 s, 4 times", "auth: hang")
    ]


def test_waits_are_hatched_and_work_is_plain(before: Result) -> None:
    hatched = {
        str(each.get_label())[1:]: bool(each.get_hatch())
        for each in timeline(before).collections
        if str(each.get_label())[1:] in CAUSE_LOOKS
    }
    assert hatched == {
        **{"breaker_wait": True, "connect": False},
        **{"agent_execution": False, "service_work": False},
    }


def test_a_wait_for_a_breaker_has_its_states_below(before: Result) -> None:
    drawn = bars(timeline(before), causes=False)
    arrival = before.records.arrival[3634]
    at = {
        t.state: t.at - arrival
        for t in before.records.transitions
        if t.breaker == "agent.reliability_manager"
    }
    (opened,) = drawn["agent.reliability_manager.open"]
    assert opened == pytest.approx((max(0, at["open"]), at["half-open"]))
    (half,) = drawn["agent.reliability_manager.half-open"]
    assert half == pytest.approx((at["half-open"], at["closed"]))


def test_a_request_that_is_not_there_is_told(before: Result) -> None:
    with pytest.raises(ScenarioError, match="no request 3635; they go from 0 to 3634"):
        timeline(before, 3635)
    with pytest.raises(ScenarioError, match="no request -1"):
        timeline(before, -1)


def test_an_unfinished_request_says_so() -> None:
    text = "name: q\nhorizon: 20s\nworkload: {arrivals: {constant: {rate: 2/s}}}\n"
    result = cascadesim.run(cascadesim.loads(text + "stages: {a: {work: {constant: 1h}}}"))
    title = timeline(result).get_title(loc="left")
    assert title == "q: request 0, still under way after 19.500000 s"


def test_what_ran_off_the_critical_path_is_drawn_paler() -> None:
    branch = {"work": {"constant": "1s"}}
    stages = {"quick": branch, "slow": {"work": {"constant": "3s"}}}
    data = {
        "name": "fan",
        "horizon": "2s",
        "drain": "9s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"chat": {"parallel": True, "stages": stages}},
    }
    ax = timeline(cascadesim.run(cascadesim.loads(json.dumps(data))))
    assert bars(ax) == {"slow.service_work": [(0.0, pytest.approx(3.0))]}
    (pale,) = (bar for bar in ax.collections if bar.get_alpha() and bar.get_paths())
    (box,) = (path.get_extents() for path in pale.get_paths())
    assert (box.x0, box.x1) == (0.0, pytest.approx(1.0))
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels[round((box.y0 + box.y1) / 2)].startswith("quick")
    legend = ax.get_legend()
    assert legend is not None
    assert "off the critical path" in "".join(text.get_text() for text in legend.get_texts())
