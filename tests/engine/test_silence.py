"""Connections that are silent: pings, partitions and idle connections, by schedules made by hand.

One client sends a message every second, at t = 1, 2, 3 …, whose work takes 200 ms, unless a test
says otherwise; it connects at once at t = 0, without a handshake that takes time.
"""

import numpy as np
import pytest
from connected import WHERE, connected, counts, partition
from kit import DISCONNECTED, OK, ended_by, ends, plan_of, run, spent

from cascadesim.engine import trace
from cascadesim.values.outcome import Outcome


def test_a_partition_is_noticed_by_a_missing_pong() -> None:
    ping = {"interval": "2s", "timeout": "1s"}
    records = run(connected(7, every="3500ms", ping=ping, rest=partition("3s", "10s")))
    # The ping at 4 s has no pong by 5 s. The next handshake begins at 6 s and is through at 13 s.
    assert ends(records) == [(1.5, DISCONNECTED), (6.2, OK)]
    assert ended_by(records) == f"{WHERE}.ping.timeout"
    assert spent(records) == {"connections.network_wait": 1.5}
    assert spent(records, 1) == {"connections.handshake_wait": 6.0, "a.service_work": 0.2}
    assert counts(records).lost == {f"{WHERE}.ping.timeout": 1}
    # Without pings nobody notices, and what was sent comes through in the end.
    patient = run(connected(7, every="3500ms", rest=partition("3s", "10s")))
    assert ends(patient) == [(9.7, OK), (6.4, OK)]
    assert spent(patient) == {"connections.network_wait": 9.5, "a.service_work": 0.2}


@pytest.mark.parametrize(
    ("timeout", "lost"), [("8s", True), ("8999ms", True), ("9s", False), ("20s", False)]
)
def test_a_pong_may_come_late_but_in_time(timeout: str, lost: bool) -> None:
    ping = {"interval": "2s", "timeout": timeout}
    records = run(connected(4, every="3500ms", ping=ping, rest=partition("3s", "10s")))
    assert bool(counts(records).lost) == lost  # the ping of 4 s has its pong at 13 s
    assert ends(records)[0][1] == (DISCONNECTED if lost else OK)


def test_a_partition_between_pings_goes_unnoticed() -> None:
    ping = {"interval": "2s", "timeout": "100ms"}
    records = run(connected(3, every="2500ms", ping=ping, rest=partition("2100ms", "1800ms")))
    assert ends(records) == [(1.6, OK)]
    assert counts(records).lost == {}


@pytest.mark.parametrize("interval", [100, 300, 700])
def test_a_ping_at_the_instant_of_a_partition_does_not_pass_it(interval: int) -> None:
    # Whatever the rounding of a multiple of the interval, such as 2.1 s of 300 ms.
    ping = {"interval": f"{interval}ms", "timeout": "1ms"}
    for turn in range(1, 12):
        for late, lost in ((0, True), (1, False)):
            faults = partition(f"{turn * interval + late}ms", "2ms")
            records = run(connected(9, every="60s", ping=ping, rest=faults))
            assert bool(counts(records).lost) == lost


def test_a_reply_does_not_pass_a_partition_either() -> None:
    records = run(connected(1, work="1s", rest=partition("1500ms", "2s")))
    assert ends(records) == [(2.5, OK)]
    assert spent(records) == {"a.service_work": 1.0, "connections.network_wait": 1.5}


def test_the_ping_after_a_late_pong_comes_an_interval_after_it_was_due() -> None:
    # Lost at the ping of 4 s, were it sent anew at 2 s intervals: but that of 2 s has its pong at
    # 5.5 s, and the next is sent then.
    ping = {"interval": "2s", "timeout": "5s"}
    faults = partition("1s", "4500ms")["faults"] + partition("5600ms", "6500ms")["faults"]
    data = connected(1, every="1500ms", ping=ping, rest={"faults": faults})
    # sent at 5.5 s, the next one at 7.5 s is in the second partition until 12.1 s: in time
    assert counts(run(data)).lost == {}
    longer = partition("1s", "4500ms")["faults"] + partition("5600ms", "7s")["faults"]
    records = run(data | {"faults": longer})
    assert counts(records).lost == {f"{WHERE}.ping.timeout": 1}


def test_a_proxy_cuts_an_idle_connection() -> None:
    records = run(connected(10, every="5s", idle_timeout="3s"))
    # cut at 3 s, back at 4 s; the message of 5 s is answered at 5.2 s; cut at 8.2 s
    assert ends(records) == [(0.2, OK), (0.2, OK)]
    assert counts(records).lost[f"{WHERE}.idle_timeout"] >= 2
    level = trace(plan_of(connected(10, every="5s", idle_timeout="3s")), 1).levels
    assert np.round(level["connections.connected"].at, 6).tolist()[:6] == [0, 3, 4, 8.2, 9.2, 13.2]
    # A message of longer work is cut half way.
    cut = run(connected(5, every="5s", work="4s", idle_timeout="3s"))
    assert ends(cut) == [(3.0, DISCONNECTED)]
    assert ended_by(cut) == f"{WHERE}.idle_timeout"


@pytest.mark.parametrize(("interval", "cut"), [("1s", False), ("3s", False), ("3100ms", True)])
def test_pings_keep_an_idle_connection(interval: str, cut: bool) -> None:
    records = run(connected(5, every="5s", idle_timeout="3s", ping={"interval": interval}))
    assert bool(counts(records).lost) == cut


@pytest.mark.parametrize(
    ("duration", "ended"),
    [("1500ms", (1.2, OK)), ("2s", (1.7, OK)), ("2001ms", (1.5, DISCONNECTED))],
)
def test_nothing_passes_a_partition_not_even_pings(
    duration: str, ended: tuple[float, Outcome]
) -> None:
    # The ping of 2 s has passed when it begins, at 3 s, and a proxy waits for another until 5 s.
    # What is sent at 3.5 s comes through at its end, if that is not later.
    ping = {"interval": "2s", "timeout": "20s"}
    settings = {"ping": ping, "idle_timeout": "3s", "every": "3500ms"}
    records = run(connected(4, rest=partition("3s", duration), **settings))
    assert ends(records) == [ended]
    cut = {f"{WHERE}.idle_timeout": 1} if ended[1] == DISCONNECTED else {}
    assert counts(records).lost == cut


def test_a_message_passes_a_proxy_when_the_network_lets_it() -> None:
    # Of 1.5 s, it passes at 3.5 s: the proxy cuts it 4 s later, and not 4 s after it was sent.
    faults = partition("1400ms", "2100ms")
    records = run(connected(2, every="1500ms", work="9s", idle_timeout="4s", rest=faults))
    assert ends(records) == [(6.0, DISCONNECTED)]
