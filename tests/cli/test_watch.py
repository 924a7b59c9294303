"""A watched run: what it shows, at which pace, and that nothing comes of it but the same result."""

import io
import json
import math
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Cli
from kit import Data, content
from rich.console import Console
from streams import Terminal, command

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.cli.watch import (
    FRAMES,
    Dashboard,
    Pace,
    bar,
    parse_speed,
    sparkline,
    watch_run,
)
from cascadesim.engine import watch
from cascadesim.scenario.compile import compile_plan
from cascadesim.trace import IN_FLIGHT, Snapshot

INCIDENT = ROOT / "scenarios" / "incident-60s"
SHORT = {"horizon": "6min", "drain": "1min"}
ENTER, LEAVE, CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"

PLAIN: Data = {
    "name": "plain",
    "horizon": "10min",
    "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
    "stages": {"a": {"work": {"constant": "100ms"}}},
}


def scenario(**changes: object) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(PLAIN | changes))


class FakeTime:
    """A clock that only sleeping moves, and drawing: it takes `cost` seconds a reading."""

    def __init__(self, cost: float = 0.0) -> None:
        self.now = 100.0
        self.cost = cost

    def clock(self) -> float:
        self.now += self.cost
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def screen(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, legacy_windows=False
    )


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(dashboard: Dashboard, width: int = 80, height: int = 24) -> list[str]:
    """Return what the dashboard puts on a screen of this size."""
    console = screen(width, height)
    found = console.render_lines(dashboard, console.options.update(height=height), pad=False)
    assert all(sum(segment.cell_length for segment in line) <= width for line in found)
    return ["".join(segment.text for segment in line).rstrip() for line in found]


def snapshots(scenario: cascadesim.Scenario, every: float = 5.0) -> list[Snapshot]:
    seen: list[Snapshot] = []
    watch(compile_plan(scenario.model), scenario.model.seed, seen.append, every)
    return seen


@cache
def watched_incident() -> tuple[cascadesim.Result, list[Snapshot]]:
    """Return a run of the incident's variant before, and its snapshots."""
    incident = cascadesim.load(INCIDENT).at("before")
    return cascadesim.run(incident), snapshots(incident)


def after(scenario: cascadesim.Scenario, seen: list[Snapshot]) -> Dashboard:
    """Return a dashboard that has taken the snapshots."""
    dashboard = Dashboard(scenario, 1, compile_plan(scenario.model), 40.0)
    for snapshot in seen:
        dashboard.take(snapshot)
    return dashboard


@pytest.mark.parametrize(("speed", "seconds"), [(None, 15), (60.0, 10), (0.5, 1200)])
def test_ten_minutes_are_watched_in_fifteen_seconds_by_default(
    monkeypatch: pytest.MonkeyPatch, speed: float | None, seconds: float
) -> None:
    monkeypatch.setattr("cascadesim.cli.watch.FRAMES", 0.1)  # drawing takes time
    time = FakeTime()
    watch_run(scenario(), 1, speed, screen(), time.clock, time.sleep)
    assert time.now - 100 == pytest.approx(seconds)


def test_a_day_is_watched_in_a_minute_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascadesim.cli.watch.FRAMES", 0.1)
    time = FakeTime()
    arrivals = {"arrivals": {"constant": {"rate": "1/min"}}}
    watch_run(scenario(horizon="1d", workload=arrivals), 1, None, screen(), time.clock, time.sleep)
    assert time.now - 100 == pytest.approx(60)


def test_full_speed_never_sleeps_and_draws_no_more_than_is_seen() -> None:
    def sleep(_: float) -> None:
        raise AssertionError

    console, time = screen(), FakeTime(cost=0.001)
    watch_run(scenario(), 1, math.inf, console, time.clock, sleep)
    frames = shown(console).count("latency, s")
    assert 2 <= frames <= (time.now - 100) * FRAMES * 2 + 2


def test_a_slow_simulation_is_not_held_back_and_not_made_up_for() -> None:
    time = FakeTime()
    pace = Pace(10.0, time.clock, time.sleep)
    pace.wait(10.0)
    assert time.now == pytest.approx(101)
    time.now += 7  # the simulation takes that long
    pace.wait(20.0)
    assert time.now == pytest.approx(108)
    pace.wait(30.0)
    assert time.now == pytest.approx(109)


@pytest.mark.parametrize(("text", "speed"), [("60x", 60), ("2.5x", 2.5), ("max", math.inf)])
def test_a_speed_is_a_factor(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["60", "x", "0x", "-1x", "0.0x", "infx", "1e3x", "", "60x\n", "m"])
def test_what_is_no_speed_is_one_line_and_2(cli: Cli, text: str) -> None:
    code, out, err = cli("run", INCIDENT, "--watch", f"--speed={text}")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith('--speed: expected a factor such as "60x", or "max", got ')


def test_a_speed_without_a_view_is_one_line_and_2(cli: Cli) -> None:
    said = "--speed: goes with --watch only\n"
    assert cli("run", INCIDENT, "--speed", "60x") == (2, "", said)


@pytest.mark.parametrize("speed", [None, 150.0, math.inf])
def test_a_watched_run_has_the_result_of_a_plain_one(speed: float | None) -> None:
    incident = cascadesim.load(INCIDENT).at("before").override(SHORT)
    time, seed = FakeTime(), None if speed is None else 5
    watched = watch_run(incident, seed, speed, screen(), time.clock, time.sleep)
    plain = cascadesim.run(incident, seed)
    assert content(watched.records) == content(plain.records)
    assert watched.to_dict() == plain.to_dict()


def test_a_warm_up_of_auto_is_found_first() -> None:
    auto, time = scenario(warmup="auto"), FakeTime()
    watched = watch_run(auto, None, math.inf, screen(), time.clock, time.sleep)
    assert watched.to_dict() == cascadesim.run(auto).to_dict()


def test_what_is_no_terminal_sees_a_plain_run(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = cli("run", INCIDENT, "--variant", "after")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("cascadesim.cli.watch.Live", None)
    watched = cli("run", INCIDENT, "--variant", "after", "--watch", "--speed", "max")
    assert (watched[0], watched[2]) == (0, "")
    assert re.sub(r"\x1b\[[0-9;]*m", "", watched[1]) == plain[1]
    monkeypatch.delenv("FORCE_COLOR")
    assert cli("run", INCIDENT, "--variant", "after", "--watch") == plain


def test_a_terminal_sees_the_run_and_then_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_terminal(term: str, *options: str) -> str:
        environment = {"TERM": term, "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        run = ("run", INCIDENT, "--variant", "after", "--set", "horizon=6min")
        errors = io.StringIO()
        with Terminal() as seen:
            assert command(monkeypatch, *run, *options, out=seen.file, err=errors) == 0
        assert errors.getvalue() == ""
        return seen.shown()

    plain = on_terminal("xterm")
    assert ENTER not in plain
    watched = on_terminal("xterm", "--watch", "--speed", "max")
    assert watched.startswith(ENTER)
    view, _, rest = watched.rpartition(LEAVE)
    assert "latency, s" in view
    assert rest.removeprefix(CURSOR) == plain
    dumb = on_terminal("dumb", "--watch", "--speed", "max")
    assert dumb == re.sub(r"\x1b\[[0-9;]*m", "", plain)


def test_ctrl_c_leaves_the_screen_as_it_was(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    console = screen()
    waits = iter(range(9))

    def wait(_: object, at: float) -> None:
        if next(waits) == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr("cascadesim.cli.watch.terminal", lambda: console)
    monkeypatch.setattr("cascadesim.cli.watch.Pace.wait", wait)
    code, out, err = cli("run", INCIDENT, "--watch", "--out", tmp_path / "never")
    assert (code, out, err) == (130, "", "cascadesim: interrupted\n")
    assert not (tmp_path / "never").exists()
    assert ENTER in shown(console)
    assert LEAVE in shown(console).rpartition("latency, s")[2]
    assert CURSOR in shown(console).rpartition("latency, s")[2]


def test_the_last_frame_says_what_the_summary_does() -> None:
    result, seen = watched_incident()
    summary = result.summary
    text = lines(after(result.scenario, seen))
    row = next(line for line in text if line.startswith("so far")).split()
    assert row[2:-1] == [f"{summary.percentiles[name].seconds:.3f}" for name in PERCENTILES]
    assert int(row[-1]) == summary.requests
    counts = ", ".join(
        f"{outcome.replace('_', ' ')} {summary.to_dict()['outcomes'][outcome]}"
        for outcome in ("ok", "degraded", "rejected", "timed_out", "failed")
    )
    assert counts in text
    assert text[0] == (
        "incident-60s, variant before, seed 1             23:44:00, 1140 s of 1140 s, 40x"
    )


def test_rates_and_the_last_minute_are_those_of_the_requests() -> None:
    result, all_seen = watched_incident()
    records = result.records
    ends = records.arrival + records.latency
    seen = [snapshot for snapshot in all_seen if snapshot.at <= 390]  # amid the recovery
    text = lines(after(result.scenario, seen))
    arrived = ((records.arrival > 330) & (records.arrival < 390)).sum() / 60
    lately = (ends > 330) & (ends < 390)
    under_way = ((records.arrival < 390) & (ends > 390)).sum()
    assert (
        f"arrived {arrived:.1f}/s, ended {lately.sum() / 60:.1f}/s, under way {under_way}" in text
    )
    row = next(line for line in text if line.startswith("last minute")).split()
    p50 = np.quantile(records.latency[lately], 0.5, method="inverted_cdf")
    assert (row[2], row[-1]) == (f"{p50:.3f}", f"{lately.sum()}")
    assert lately.sum() > arrived * 60  # replies that had been held up


def test_the_view_shows_what_is_open_full_and_waiting() -> None:
    result, all_seen = watched_incident()
    seen = [snapshot for snapshot in all_seen if snapshot.at <= 340]
    text = lines(after(result.scenario, seen))
    now = seen[-1]
    assert now.breakers["agent.reliability_manager"] == "open"
    waiting = now.levels["agent.reliability_manager.waiting"]
    assert waiting > 100
    line = next(line for line in text if line.startswith("agent.reliability_manager"))
    assert line.split() == ["agent.reliability_manager", "open", str(waiting), "waiting"]
    assert "No fault" in text
    earlier = [snapshot for snapshot in seen if snapshot.at <= 285]
    during = lines(after(result.scenario, earlier))
    assert "Fault: partition of agent" in during
    full = next(line for line in during if line.startswith("agent.concurrency"))
    assert "██████████ 50 of 50" in full


CROWDED: Data = {
    f"stage-{i}": {
        "work": {"constant": "1s"},
        "concurrency": 1,
        "pool": {"connect_time": "1ms", "size": 1, "max_overflow": 0},
        "policies": [{"breaker": {"failure_threshold": 1, "recovery_timeout": "1s"}}],
    }
    for i in range(12)
}


@pytest.mark.parametrize("width", [10, 24, 40, 63, 80, 200])
@pytest.mark.parametrize("height", [16, 24, 60])
@pytest.mark.parametrize("stages", [PLAIN["stages"], CROWDED])
def test_the_view_fits_any_terminal(width: int, height: int, stages: Data) -> None:
    crowd = scenario(stages=stages, horizon="1min")
    text = lines(after(crowd, snapshots(crowd)), width, height)
    assert len(text) <= height


def test_what_is_busy_is_shown_where_not_all_fits() -> None:
    stages = CROWDED | {"stage-11": CROWDED["stage-11"] | {"failure_rate": "100%"}}
    crowd = scenario(stages=stages, horizon="1min")
    text = lines(after(crowd, snapshots(crowd)))
    assert any(line.startswith("stage-11.breaker") and "open" in line for line in text)
    hidden = int(re.findall(r"and (\d+) more", "\n".join(text))[0])
    places = [line for line in text if re.match(r"stage-\d+\.(breaker|pool|concurrency)", line)]
    assert hidden + len(places) == 36
    assert len(text) == 24


def test_a_limit_that_adapts_is_shown_as_it_stands() -> None:
    # One more with the answers at 2 s and 3 s, and then each call is less than half of them.
    limit = {"adaptive_limit": {"algorithm": "aimd", "initial": 1}}
    stages = {"a": {"work": {"constant": "1s"}, "policies": [limit]}}
    each = {"arrivals": {"constant": {"rate": "1/s"}}}
    adaptive = scenario(stages=stages, workload=each, horizon="10s")
    text = lines(after(adaptive, snapshots(adaptive)[:1]))
    line = next(line for line in text if line.startswith("a.adaptive_limit"))
    assert line.split()[-3:] == ["1", "of", "3"]


def test_strange_names_are_shown_as_they_are() -> None:
    strange = scenario(
        name="[b]n\n\x1b[2J" + "x" * 200,
        stages={"[red]$x$[/]": {"work": {"constant": "1ms"}, "concurrency": 3}},
        horizon="1min",
    )
    text = lines(after(strange, snapshots(strange)))
    assert text[0].startswith("[b]n\\n\\x1b[2Jxxx")
    assert any(line.startswith("[red]$x$[/].concurrency") for line in text)


def test_a_run_without_requests_is_shown() -> None:
    none = scenario(workload={"arrivals": {"constant": {"rate": "1/h"}}}, horizon="1min")
    text = lines(after(none, snapshots(none)))
    assert "arrived 0.0/s, ended 0.0/s, under way 0" in text
    assert next(line for line in text if line.startswith("so far")).split()[2:] == ["-"] * 6 + ["0"]


def test_letters_do_where_the_terminal_has_no_blocks() -> None:
    incident = cascadesim.load(INCIDENT).at("before").override({"horizon": "6min"})
    dashboard = after(incident, snapshots(incident))
    console = screen()
    options = console.options.update(height=24)
    options.encoding = "ascii"
    text = "".join(
        segment.text for line in console.render_lines(dashboard, options) for segment in line
    )
    assert "#####" in text
    assert text.replace("…", "").isascii()


def test_a_bar_is_full_by_its_share() -> None:
    assert [bar(share, 4, ascii_only=True) for share in (0, 0.01, 0.25, 0.26, 1, 2)] == [
        *("....", "#...", "#...", "##..", "####", "####"),
    ]


def at_end(arrival: list[float], latency: list[float]) -> Snapshot:
    return Snapshot(
        at=10.0,
        arrived=len(arrival),
        arrival=np.array(arrival),
        latency=np.array(latency),
        outcome=np.zeros(len(arrival), dtype=np.uint8),
        breakers={},
        levels={IN_FLIGHT: 0},
    )


def test_a_sparkline_is_the_slowest_reply_of_each_stretch() -> None:
    # Two decades over eight steps, so one step is a factor of 100 ** (1 / 7).
    step = 100 ** (1 / 7)
    latency = [0.01 * step**i for i in range(8)]
    ends = [i + 0.5 for i in range(8)]
    arrival = [end - each for end, each in zip(ends, latency, strict=True)]
    quick = [end - 0.001 for end in ends]  # a quicker one in each stretch changes nothing
    now = at_end(arrival + quick, latency + [0.01] * 8)
    assert sparkline(now, 10.0, 10, "01234567") == "01234567  "
    assert sparkline(at_end([], []), 10.0, 5) == "     "


def test_a_small_difference_is_no_mountain() -> None:
    line = sparkline(at_end([0.0, 1.0], [0.5, 0.55]), 2.0, 2, "01234567")
    assert line in {"67", "77"}


def test_a_sparkline_rises_with_latency() -> None:
    latency = np.geomspace(0.001, 60, 10).tolist()
    line = sparkline(at_end([100.0 * i for i in range(10)], latency), 1000.0, 10, "01234567")
    assert (line[0], line[-1]) == ("0", "7")
    assert all(a <= b for a, b in pairwise(line))


def test_connections_are_shown_beside_the_clients_that_wait_for_one() -> None:
    storm = cascadesim.load(ROOT / "scenarios" / "reconnect-storm").at("no-jitter")
    quick = storm.override({"horizon": "2min30s", "workload.connections.clients": 200})
    text = lines(after(quick, snapshots(quick)))
    row = next(line for line in text if line.startswith("connections")).split()
    connected, waiting = int(row[2]), int(row[-2])
    assert row[3:5] == ["of", "200"]
    assert row[-1] == "waiting"
    assert connected + waiting <= 200
    assert any("disconnected" in line for line in text)
