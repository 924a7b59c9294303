"""The state timelines of breakers, against the transitions of the records."""

import itertools
import json
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

import cascadesim
from cascadesim import Result
from cascadesim.analysis.breakers import breaker_paths, state_spans
from cascadesim.plots.breakers import breakers
from cascadesim.plots.style import STATE_LOOKS
from cascadesim.scenario.compile import compile_plan
from cascadesim.values.errors import ScenarioError


@pytest.fixture(scope="module")
def after() -> Result:
    return cascadesim.run(cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after"))


def bars(ax: Axes) -> dict[str, list[tuple[str, float, float]]]:
    """Return state, start and end of the bars, by the label of their line."""
    labels = [text.get_text() for text in ax.get_yticklabels()]
    found: dict[str, list[tuple[str, float, float]]] = {label: [] for label in labels}
    for each in ax.collections:
        state = str(each.get_label())[1:]
        if isinstance(each, PolyCollection) and state in STATE_LOOKS:
            (path,) = each.get_paths()
            box = path.get_extents()
            found[labels[round(box.y0)]].append((state, box.x0, box.x1))
    return found


def test_bars_are_the_time_between_transitions(after: Result) -> None:
    drawn = bars(breakers(after))
    assert list(drawn) == [
        *("client.breaker", "auth.breaker", "backend.breaker"),
        *("agent.reliability_manager", "agent.breaker"),
    ]
    end = 19 * 60
    for path, spans in drawn.items():
        own = [t for t in after.records.transitions if t.breaker == path]
        starts = [("closed", 0.0), *((t.state, t.at) for t in own)]
        assert [(state, start) for state, start, _ in spans] == starts
        assert [until for _, _, until in spans] == [*(t.at for t in own), end]
    assert len(drawn["agent.breaker"]) > 4


def test_half_open_is_seen_even_for_an_instant(after: Result) -> None:
    ax = breakers(after)
    marks = {
        (float(line.get_xdata()[0]), round(float(line.get_ydata()[0])))
        for line in ax.lines
        if line.get_label() == "_half-open since"
    }
    paths = breaker_paths(compile_plan(after.scenario.model))
    opened = [t for t in after.records.transitions if t.state == "half-open"]
    assert marks == {(t.at, paths.index(t.breaker)) for t in opened}
    assert marks


def test_states_are_told_apart_by_colour_and_in_grey(after: Result) -> None:
    for each in breakers(after).collections:
        state = str(each.get_label())[1:]
        if state in STATE_LOOKS:
            assert to_hex(each.get_facecolor()[0]).upper() == STATE_LOOKS[state].colour
            assert (each.get_hatch() or "") == STATE_LOOKS[state].sign
    box = breakers(after).get_legend()
    assert box is not None
    labels = [text.get_text() for text in box.get_texts()]
    assert labels == [*STATE_LOOKS, "becomes half-open", "callers waiting", "fault"]


def test_waiting_callers_are_the_level_of_the_trace(after: Result) -> None:
    ax = breakers(after)
    (line,) = (each for each in ax.lines if each.get_label() == "_waiting")
    level = after.trace.levels["agent.reliability_manager.waiting"]
    x, y = line.get_data()
    assert x[:-1].tolist() == level.at.tolist()
    height = (y[:-1].max() - y[:-1]) / (y.max() - y.min())
    assert height * level.value.max() == pytest.approx(level.value)
    assert f"{level.value.max()} waiting" in [text.get_text() for text in ax.texts]


def test_the_window_holds_every_change_and_every_fault(after: Result) -> None:
    left, right = breakers(after).get_xlim()
    at = [t.at for t in after.records.transitions]
    assert left < 268 < min(at)  # when the fault begins
    assert max(at) < right < after.records.horizon


POLICY = {"failure_threshold": 1, "recovery_timeout": "5s", "when_open": "wait"}


def scenario(**breaker: Any) -> dict[str, Any]:
    return {
        "name": "q",
        "horizon": "30s",
        "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
        "stages": {
            "a": {
                "work": {"exponential": {"mean": "500ms"}},
                "failure_rate": "20%",
                "policies": [{"breaker": POLICY | breaker}],
            }
        },
    }


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 5), st.sampled_from(["wait", "reject"]))
def test_states_cover_the_run_without_a_gap(seed: int, threshold: int, when: str) -> None:
    text = json.dumps(scenario(failure_threshold=threshold, when_open=when))
    records = cascadesim.run(cascadesim.loads(text), seed).records
    spans = state_spans(records, "a.breaker", 30)
    assert spans[0][:2] == ("closed", 0)
    assert spans[-1].end == 30
    for one, other in itertools.pairwise(spans):
        assert one.end == other.start
        allowed = {"closed": ["open"], "open": ["half-open"], "half-open": ["open", "closed"]}
        assert other.state in allowed[one.state]
    # No request begins its work while the breaker has been open all along from its arrival on.
    waited = records.seconds[:, [part.cause for part in records.parts].index("service_work")]
    for span in spans:
        if span.state == "open":
            inside = (records.arrival > span.start) & (records.arrival + records.latency < span.end)
            assert (waited[inside] == 0).all()


def test_a_breaker_that_stays_open_is_drawn_to_the_end() -> None:
    result = cascadesim.run(cascadesim.loads(json.dumps(scenario(recovery_timeout="1h"))))
    assert breakers(result).get_xlim()[1] == 30


def test_nothing_happens_over_the_whole_run() -> None:
    quiet = scenario()
    del quiet["stages"]["a"]["failure_rate"]
    ax = breakers(cascadesim.run(cascadesim.loads(json.dumps(quiet))))
    assert ax.get_xlim() == (0, 30)
    assert [state for state, _, _ in bars(ax)["a.breaker"]] == ["closed"]


def test_no_breaker_is_told() -> None:
    for policies in ([], [{"breaker": POLICY | {"enabled": False}}]):
        none = scenario()
        none["stages"]["a"]["policies"] = policies
        result = cascadesim.run(cascadesim.loads(json.dumps(none)))
        with pytest.raises(ScenarioError, match="no breaker to draw"):
            breakers(result)
