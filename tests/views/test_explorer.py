"""Sliders show what a plain run with the same settings gives, once they rest."""

import asyncio
import json
import shlex
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascadesim
from cascadesim.scenario.load import parse_settings
from cascadesim.scenario.source import parse
from cascadesim.scenario.vary import Vary
from cascadesim.studies.positions import MOST, positions
from cascadesim.views import explorer
from cascadesim.views.explorer import NOW, TODAY, Explorer, explore

pytest.importorskip("ipywidgets")

POOL = {"size": 1, "connect_time": "9ms"}
DEADLINE, CONCURRENCY = "agent.deadline.timeout", "agent.concurrency"


def load(**more: object) -> cascadesim.Scenario:
    data = {
        "name": "<b>bold</b>",
        "horizon": "20s",
        "drain": "5s",
        "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
        "stages": {
            "agent": {
                "work": {"exponential": {"mean": "200ms"}},
                "concurrency": 2,
                "policies": [{"deadline": {"timeout": "3s"}}],
            }
        },
        "objectives": ["p99 < 1s"],
        "variants": {
            "base": {},
            "short": {DEADLINE: "1s", CONCURRENCY: 5, "seed": 2},
            "pooled": {"agent.pool": POOL, "agent.pool.timeout": "2s"},
        },
    }
    return cascadesim.loads(json.dumps(data | more))


@pytest.fixture
def drawn() -> None:
    """Figures are drawn, which takes its time; see `undrawn`."""


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(explorer, "_drawn", lambda _: "")


def settle(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run in an event loop, as a kernel has one, with sliders that need not rest for long."""
    before, explorer.DELAY = explorer.DELAY, 0.001
    try:
        return asyncio.run(work())  # type: ignore[arg-type]
    finally:
        explorer.DELAY = before


def moved(scenario: cascadesim.Scenario, *vary: str, **to: Any) -> Explorer:
    """Return an explorer with sliders moved to labels, which `to` has by the path's last word."""

    async def work() -> Explorer:
        found = Explorer(scenario, *vary)
        for path, slider in found.sliders.items():
            if (word := path.rpartition(".")[2]) in to:
                slider.label = to[word]
        await found.settled()
        return found

    found: Explorer = settle(work)
    return found


def html(found: Explorer) -> str:
    return "".join(getattr(each, "value", "") for each in found.widget.children[-5:-2])


# What is shown ------------------------------------------------------------------------------


@pytest.mark.usefixtures("drawn")
def test_figures_are_those_of_a_plain_run() -> None:
    scenario = load()
    found = moved(scenario, f"{DEADLINE}=100ms..5s", f"{CONCURRENCY}=1..5", timeout="0.5s")
    assert found.settings == {DEADLINE: "0.5s"}
    plain = cascadesim.run(scenario.override({DEADLINE: "0.5s"}))
    assert found.result.summary == plain.summary
    np.testing.assert_array_equal(found.result.records.latency, plain.records.latency)
    today = cascadesim.run(scenario)
    assert found.comparison.results[TODAY].summary == today.summary
    after, before = (r.summary.percentiles["p99"].seconds for r in (plain, today))
    assert after != before
    for cell in (f"{after:.3f}", f"{before:.3f}", f"{after - before:+.3f}"):
        assert f">{cell}</td>" in html(found)
    assert f"{after:.3f}" in repr(found)
    assert html(found).count('src="data:image/png;base64,') == 2


def test_today_is_marked_beside_each_slider() -> None:
    found = moved(load(), f"{DEADLINE}=1s,3s", f"{CONCURRENCY}=1..5", timeout="1s")
    marks = [row.children[1].value for row in found.widget.children[:2]]
    assert marks == ["1s (today: 3s)", "2 (today)"]
    slider = found.sliders[DEADLINE]
    assert found.widget.children[0].children[0] is slider
    assert slider.description == DEADLINE


def test_another_seed_is_another_world_for_both() -> None:
    found = Explorer(load(), f"{DEADLINE}=1s,3s", seed=5)
    assert found.result.summary == cascadesim.run(load(), 5).summary
    assert found.comparison.results[TODAY].seed == 5


def test_back_to_today() -> None:
    async def work() -> Explorer:
        found = Explorer(load(), f"{DEADLINE}=1s,3s")
        found.sliders[DEADLINE].label = "1s"
        await found.settled()
        assert found.settings
        found.back()
        await found.settled()
        return found

    found = settle(work)
    assert found.settings == {}
    assert found.result.summary == found.comparison.results[TODAY].summary


def test_a_difference_from_a_lower_bound_is_an_upper_bound() -> None:
    late = load(drain="0s", variants={}, stages={"agent": {"work": {"constant": "19s"}}})
    found = moved(late, "agent.work.constant=100ms,19s", constant="100ms")
    now, before = (found.comparison.results[label].summary for label in (NOW, TODAY))
    assert before.percentiles["max"].at_least
    change = now.percentiles["max"].seconds - before.percentiles["max"].seconds
    assert f">&lt; {change:+.3f}</td>" in html(found)


def test_what_a_user_named_is_text() -> None:
    found = moved(load(), f"{DEADLINE}=1s,3s", timeout="1s")
    assert "<b>" not in html(found)
    assert "&lt;b&gt;bold" in html(found)


def test_settings_are_there_to_copy() -> None:
    work = "agent.work={exponential: {mean: 90ms}}"
    scenario = load()
    found = moved(
        scenario, work, f"{DEADLINE}=1s,3s", timeout="1s", work="{exponential: {mean: 90ms}}"
    )
    variant, options = (each.value for each in found.widget.children[-2:])
    assert len(found.settings) == 2
    data = scenario.document.data | parse(variant, "copied").data
    again = cascadesim.run(cascadesim.loads(json.dumps(data)).at("explored"))
    assert again.summary == found.result.summary
    words = shlex.split(options)
    assert words[::2] == ["--set", "--set"]
    assert parse_settings(words[1::2]) == found.settings


@pytest.mark.usefixtures("drawn")
def test_a_run_without_requests_says_so_in_place_of_figures() -> None:
    empty = load(workload={"arrivals": {"constant": {"rate": "1/min"}}}, horizon="10s", warmup="5s")
    found = moved(empty, f"{DEADLINE}=1s,3s", timeout="1s")
    assert "nothing to draw" in html(found)
    assert ">-</td>" in html(found)


# Errors -------------------------------------------------------------------------------------


def test_settings_that_are_refused_are_one_line_and_the_next_ones_are_shown() -> None:
    async def work() -> Explorer:
        found = Explorer(load(), f"{CONCURRENCY}=0,2,3")
        found.sliders[CONCURRENCY].label = "0"
        await found.settled()
        assert "agent.concurrency: must be at least 1, got 0" in found.error
        assert "\n" not in found.error
        assert "Traceback" not in html(found)
        assert html(found).startswith('<p role="alert">')
        assert repr(found) == found.error
        found.sliders[CONCURRENCY].label = "3"
        assert "simulating" in html(found)
        await found.settled()
        return found

    found = settle(work)
    assert found.error == ""
    assert "simulating" not in html(found)
    assert found.result.summary == cascadesim.run(load().override({CONCURRENCY: 3})).summary


def test_any_other_error_is_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> str:
        found = Explorer(load(), f"{CONCURRENCY}=2,3")
        monkeypatch.setattr(explorer, "side_by_side", None)
        found.sliders[CONCURRENCY].label = "3"
        await found.settled()
        return found.error

    assert settle(work).startswith("TypeError: ")


@pytest.mark.parametrize(
    ("vary", "problem"),
    [
        (["agent.nope=1,2"], 'cascadesim.explore agent.nope: the stage "agent" has no "nope"'),
        (["seed=1,2"], "cascadesim.explore seed: is the same for all settings"),
        (["agent.concurrency=1,2"] * 2, "cascadesim.explore agent.concurrency: is given twice"),
        (["agent.concurrency"], "expected PATH=VALUES"),
        (["agent.concurrency=a,b"], "agent.concurrency: expected a whole number"),
    ],
)
def test_what_cannot_be_varied_is_refused_at_once(vary: list[str], problem: str) -> None:
    with pytest.raises(cascadesim.ScenarioError) as error:
        Explorer(load(), *vary)
    assert problem in str(error.value)


def test_outside_of_a_notebook() -> None:
    with pytest.raises(cascadesim.ScenarioError, match="needs a Jupyter notebook"):
        explore(load())


def test_without_ipywidgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(cascadesim.ScenarioError, match="pip install 'cascadesim\\[notebook\\]'"):
        Explorer(load())


# What is varied -----------------------------------------------------------------------------


def labels(found: Explorer) -> dict[str, list[str]]:
    """Return the texts of each slider that has not moved, today's marked."""
    return {
        path: [f"{text}{' (today)' if i == slider.value else ''}" for text, i in slider.options]
        for path, slider in found.sliders.items()
    }


def test_a_sweep_says_what_to_explore() -> None:
    sweep = {"vary": {DEADLINE: ["1s", "3000ms"], CONCURRENCY: "1..4"}}
    found = Explorer(load(sweep=sweep))
    assert labels(found) == {
        DEADLINE: ["1s", "3000ms (today)"],
        CONCURRENCY: ["1", "2 (today)", "3", "4"],
    }


def test_or_else_what_variants_change_and_the_scenario_accepts() -> None:
    found = labels(Explorer(load()))
    assert [*found] == [DEADLINE, CONCURRENCY, "agent.pool"]
    assert (found[DEADLINE][0], found[DEADLINE][-1]) == ("1s", "3s (today)")
    assert found[CONCURRENCY] == ["2 (today)", "3", "4", "5"]
    assert found["agent.pool"] == ["none (today)", "{size: 1, connect_time: 9ms}"]


def test_or_else_it_asks() -> None:
    with pytest.raises(cascadesim.ScenarioError, match="say what to explore"):
        Explorer(load(variants={"base": {}}))


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        ("agent.concurrency=1,5", ["1", "2 (today)", "5"]),
        ("agent.concurrency=5..6", ["2 (today)", "5", "6"]),
        ("agent.deadline.timeout=1s..2s:500ms", ["1s", "1.5s", "2s", "3s (today)"]),
        ("agent.deadline.on_timeout=abandon,cancel", ["abandon", "cancel (today)"]),
        ("agent.deadline.on_timeout=abandon", ["cancel (today)", "abandon"]),
    ],
)
def test_todays_value_has_its_place(vary: str, expected: list[str]) -> None:
    (found,) = labels(Explorer(load(), vary)).values()
    assert found == expected


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.sampled_from([1.0, 0.1, 0.001]))
def test_a_range_has_its_ends_and_no_wide_gap(low: int, span: int, scale: float) -> None:
    vary = Vary(DEADLINE, (), low * scale, (low + span) * scale, "s")
    found = positions(load(), vary)
    seconds = [float(value.removesuffix("s")) for value in found.values]
    assert seconds == sorted(set(seconds))
    assert len(seconds) <= MOST + 3
    assert seconds[found.today] == 3
    rounding = vary.high * 1e-3  # as they have four digits
    for end in (vary.low, vary.high):
        assert min(abs(each - end) for each in seconds) <= rounding
    inside = [each for each in seconds if vary.low - rounding <= each <= vary.high + rounding]
    assert max(np.diff(inside), default=0) <= 0.025 * span * scale + 2 * rounding


# Resting ------------------------------------------------------------------------------------


def test_a_run_stops_when_a_slider_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[Any] = []

    def slow(scenario: Any, seed: Any, progress: Callable[[float], None] = lambda _: None) -> Any:
        if not scenario.overrides:
            return cascadesim.run(scenario, seed)
        if not begun.is_set():
            begun.set()
            go_on.wait(10)
        progress(0.5)
        ended.append(scenario.overrides)
        return cascadesim.run(scenario, seed)

    async def work() -> Explorer:
        monkeypatch.setattr(explorer, "run", slow)
        found = Explorer(load(), f"{CONCURRENCY}=1..5")
        slider = found.sliders[CONCURRENCY]
        slider.label = "3"
        await asyncio.to_thread(begun.wait, 10)
        slider.label = "5"
        go_on.set()
        await found.settled()
        return found

    found = settle(work)
    assert ended == [{CONCURRENCY: 5}]
    assert found.settings == {CONCURRENCY: 5}
    assert found.error == ""


# In a kernel --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_move_in_the_browser_is_simulated_in_a_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    kernel, client = manager.start_new_kernel(startup_timeout=120, kernel_name="python3")
    try:

        def answer(code: str) -> str:
            out: list[str] = []

            def note(message: Any) -> None:
                content = message["content"]
                assert message["msg_type"] != "error", content["traceback"]
                out.append(content.get("text", ""))

            client.execute_interactive(code, output_hook=note, timeout=120)
            return "".join(out).strip()

        data = json.dumps(load().document.data)
        slider = answer(
            f"import cascadesim\nfrom cascadesim.views.explorer import explore\n"
            f"found = explore(cascadesim.loads({data!r}), '{CONCURRENCY}=1,2,3')\n"
            f"print(found.sliders['{CONCURRENCY}'].model_id)"
        )
        update = {"method": "update", "state": {"index": 2}, "buffer_paths": []}
        content = {"comm_id": slider, "data": update}
        client.shell_channel.send(client.session.msg("comm_msg", content))
        expected = cascadesim.run(load().override({CONCURRENCY: 3})).summary.percentiles["p99"]
        until = time.monotonic() + 60
        while (shown := answer("print(found.result.summary.percentiles['p99'].seconds)")) != str(
            expected.seconds
        ):
            assert time.monotonic() < until, shown
            time.sleep(0.05)
        assert answer("print(found.settings)") == str({CONCURRENCY: 3})
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
