"""A watched run: its pace, its terminal, and that its result is that of a plain run."""

import io
import math
import re
from pathlib import Path

import pytest
from conftest import Cli
from kit import content
from streams import Terminal, command
from watched import CURSOR, ENTER, INCIDENT, LEAVE, SHORT, scenario, screen, shown

import cascadesim
from cascadesim.cli.watch import (
    FRAMES,
    Pace,
    parse_speed,
    watch_run,
)


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
