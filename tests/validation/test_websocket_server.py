"""Connections, beside a WebSocket server and clients of the `websockets` library.

The same messages, loss and return happen on this machine and in ours; the same are answered or lost
in the same order. Events that are compared lie a second of the scenario apart or more.
"""

from dataclasses import replace
from functools import cache
from itertools import groupby, islice

import pytest
import websocket_server
from kit import Data, run
from websocket_server import Event, Message, Told, World, play
from websockets.client import BACKOFF_FACTOR, BACKOFF_MAX_DELAY, BACKOFF_MIN_DELAY, backoff

from cascadesim.policies.retry import RetryPlan
from cascadesim.records import ConnectionCounts, Records
from cascadesim.values.outcome import Outcome

FAR = "1h"  # so that messages come as they are listed only


def scenario(world: World) -> Data:
    """Return the world as a scenario; its messages are observed ones."""
    connections: Data = {
        "clients": world.clients,
        "connect_over": f"{world.spread * world.clients}s",
        "messages": {"constant": FAR},
        "ordering": "per_connection" if world.in_order else "independent",
        "reconnect": {"backoff": "constant", "base": f"{world.reconnect}s", "jitter": "none"},
    }
    if world.limit is not None:
        connections["limit"] = world.limit
    if world.ping_interval is not None:
        connections["ping"] = {
            "interval": f"{world.ping_interval}s",
            "timeout": f"{world.ping_timeout}s",
        }
    if world.idle_timeout is not None:
        connections["idle_timeout"] = f"{world.idle_timeout}s"
    return {
        "name": "world",
        "horizon": f"{world.until}s",
        "workload": {"connections": connections},
        "stages": {"work": {"work": {"constant": "0s"}, "concurrency": world.concurrency}},
        "faults": faults(world),
        "observations": observations(world),
    }


def faults(world: World) -> list[Data]:
    spans = {"restart": world.restart, "partition": world.silence}
    return [
        {"on": "connections", "from": f"{span[0]}s", "for": f"{span[1] - span[0]}s", kind: {}}
        for kind, span in spans.items()
        if span is not None
    ]


def observations(world: World) -> list[Data]:
    """Return the messages; the one of row i is that of client i modulo their number."""
    assert 2**40 % world.clients == 0
    assert all(m.client == i % world.clients for i, m in enumerate(world.messages))
    return [
        {"at": f"{m.at}s", "latency": "1s", "stamp": "arrival", "work": {"work": f"{m.work}s"}}
        for m in world.messages
    ]


def events(records: Records) -> list[Event]:
    ends = sorted(
        (records.arrival[i] + records.latency[i], Outcome(records.outcome[i]).word, i)
        for i in range(len(records.arrival))
        if records.outcome[i] != Outcome.UNFINISHED
    )
    return [(word, i) for _, word, i in ends]


def settled(found: list[Event]) -> list[Event]:
    """Return events with those lost together in the order of their numbers."""
    groups = groupby(found, lambda event: event[0])
    return [e for word, group in groups for e in (sorted(group) if word != "ok" else group)]


LOST = [("disconnected", 0), ("ok", 1), ("ok", 2)]
KEPT = [("ok", 0), ("ok", 1), ("ok", 2)]

# Client 0's long message ends at 7 s. Its next takes 2 s, from then or from 3 s on.
LINED_UP = World(
    2, [Message(0, 1, 6), Message(1, 2, 1), Message(0, 3, 2), Message(1, 9, 2)], until=13
)
RESTARTED = World(
    2,
    [
        Message(0, 1, 9),  # under way at the restart
        Message(1, 1, 1),  # answered before
        Message(0, 2, 1),  # behind the first, so lost with it
        Message(1, 5, 2),  # wanted while the server is away, so it waits and is answered
    ],
    until=12,
    restart=(4, 6),
    reconnect=3,
)
# The first ping of the silence is that of 4 s. The second message waits for the network.
SILENT = World(
    1, [Message(0, 3.5, 1), Message(0, 8, 1), Message(0, 13, 1)], until=16, silence=(3, 10)
)
IDLE = World(1, [Message(0, 1, 9)], until=12, idle_timeout=4)  # nothing passes from 1 s to 10 s
# Cut at 5 s, the first job ends at 7 s; the second is cut at 6.5 s before it begins.
HELD = replace(
    IDLE,
    clients=2,
    concurrency=1,
    until=11,
    messages=[Message(0, 1, 6), Message(1, 2.5, 1), Message(0, 8.4, 0.5)],
)
FULL = World(4, [Message(i, 5 + 2 * i, 1) for i in range(4)], until=13, spread=1, limit=2)

# Worlds, and what happens to messages in them.
CASES: dict[str, tuple[World, list[Event]]] = {
    "in line": (LINED_UP, [("ok", i) for i in (1, 0, 2, 3)]),
    "all at once": (replace(LINED_UP, in_order=False), [("ok", i) for i in (1, 2, 0, 3)]),
    "restart": (RESTARTED, [("ok", 1), ("disconnected", 0), ("disconnected", 2), ("ok", 3)]),
    "no pong in time": (replace(SILENT, ping_interval=2, ping_timeout=2), LOST),
    "late pong": (replace(SILENT, ping_interval=2, ping_timeout=9), KEPT),
    "silence without pings": (SILENT, KEPT),
    "pings against idling": (replace(IDLE, ping_interval=2, ping_timeout=2), [("ok", 0)]),
    "pings too seldom": (replace(IDLE, ping_interval=7, ping_timeout=7), [("disconnected", 0)]),
    "idling without pings": (IDLE, [("disconnected", 0)]),
    "work after a cut": (HELD, [("disconnected", 0), ("disconnected", 1), ("ok", 2)]),
    "full": (FULL, [("ok", 0), ("ok", 1)]),
}


@cache
def told() -> dict[str, Told]:
    """Return what the library does in each case; all go on at once, as they mostly sleep.

    A busy machine may come late, so cases in another order are played again, four times as slowly.
    """
    first = played(list(CASES))
    late = [case for case in CASES if settled(first[case].events) != CASES[case][1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket_server, "SCALE", 4 * websocket_server.SCALE)
        return first | played(late)


def played(cases: list[str]) -> dict[str, Told]:
    return dict(zip(cases, play([CASES[case][0] for case in cases]), strict=True))


def ours(case: str) -> tuple[Records, ConnectionCounts]:
    records = run(scenario(CASES[case][0]))
    assert records.connections is not None
    return records, records.connections


@pytest.mark.parametrize("case", CASES)
def test_the_same_messages_are_answered_or_lost_in_the_same_order(case: str) -> None:
    expected = CASES[case][1]
    assert settled(told()[case].events) == expected
    assert settled(events(ours(case)[0])) == expected


@pytest.mark.parametrize(
    ("case", "losses"),
    [
        ("in line", {}),
        ("restart", {"connections": 2}),
        ("no pong in time", {"workload.connections.ping.timeout": 1}),
        ("late pong", {}),
        ("silence without pings", {}),
        ("pings against idling", {}),
        ("full", {}),
    ],
)
def test_as_many_connections_are_lost_and_opened_again(case: str, losses: dict[str, int]) -> None:
    _, counts = ours(case)
    assert counts.lost == losses
    assert counts.opened == len(told()[case].opened)


@pytest.mark.parametrize("case", ["pings too seldom", "idling without pings"])
def test_a_proxy_cuts_idle_connections_again_and_again(case: str) -> None:
    # How often differs by the wait before a reconnect, which the library leaves out after a loss.
    _, counts = ours(case)
    assert set(counts.lost) == {"workload.connections.idle_timeout"}
    assert min(counts.opened, len(told()[case].opened)) > 1


def test_a_full_server_refuses_handshakes() -> None:
    _, counts = ours("full")
    assert set(counts.failed) == {"workload.connections.limit"}
    assert told()["full"].opened == [0, 1]
    assert told()["full"].failed == {2, 3}


def test_backoff_without_jitter_is_that_of_the_library() -> None:
    # The library tries at once after a loss and jitters the first wait alone, from 0 s to 5 s.
    theirs = list(islice(backoff(), 1, 13))
    plan = RetryPlan(
        "reconnect",
        1,
        frozenset(),
        base=BACKOFF_MIN_DELAY,
        multiplier=BACKOFF_FACTOR,
        cap=BACKOFF_MAX_DELAY,
    )
    assert [plan.wait(k, 0.5, 0.0) for k in range(12)] == pytest.approx(theirs)
