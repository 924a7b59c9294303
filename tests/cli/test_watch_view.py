"""The view of a watched run: what it shows, and that it fits."""

import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import ROOT
from kit import Data
from watched import INCIDENT, PLAIN, after, lines, scenario, screen, snapshots, watched_incident

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.cli.watch import bar, sparkline
from cascadesim.records import IN_FLIGHT, Snapshot


def test_the_last_frame_says_what_the_summary_does() -> None:
    result, seen = watched_incident()
    summary = result.summary
    text = lines(after(result.scenario, seen))
    row = next(line for line in text if line.startswith("so far")).split()
    assert row[2:-1] == [f"{summary.percentiles[name].seconds:.3f}" for name in PERCENTILES]
    assert int(row[-1]) == summary.requests
    counts = ", ".join(
        f"{outcome.replace('_', ' ')} {summary.to_dict()['outcomes'][outcome]}"
        for outcome in ("ok", "degraded", "rejected", "shed", "timed_out", "failed")
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
    assert "Fault: hang of agent" in during
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
