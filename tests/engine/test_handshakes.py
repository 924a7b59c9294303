"""Handshakes of WebSocket clients that come to nothing, by hand-computed schedules."""

import pytest
from kit import Data, run

from cascadesim.plan.outcome import Outcome


def scenario(handshake: Data, partition: Data, horizon: str = "30s") -> Data:
    """Return one client that sends a message every 5 s and pings every 4 s."""
    return {
        "name": "handshakes",
        "horizon": horizon,
        "workload": {
            "connections": {
                "clients": 1,
                "messages": {"constant": "5s"},
                "ping": {"interval": "4s", "timeout": "4s"},
                "handshake": handshake,
                "reconnect": {"backoff": "constant", "base": "1s", "jitter": "none"},
            }
        },
        "stages": {"s": {"work": {"constant": "10ms"}}},
        "faults": [{"on": "connections", "partition": {}, **partition}],
    }


def test_a_partition_keeps_the_reply_to_a_handshake_from_the_client() -> None:
    login = {"login": {"work": {"constant": "2s"}}}
    records = run(scenario({"timeout": "3s", "stages": login}, {"from": "1s", "for": "20.5s"}))
    # Begun at 0 s, answered at 2 s in the silence, given up at 3 s; then every 4 s (1 s of backoff,
    # 3 s of timeout) until that of 20 s, which comes through at 21.5 s and would take until 23.5 s,
    # but is given up at 23 s; that of 24 s is open at 26 s.
    assert records.connections is not None
    assert records.connections.opened == 1
    assert records.connections.failed == {"workload.connections.handshake.timeout": 6}
    assert not records.connections.lost
    # Messages of 5 s, 10 s, 15 s, 20 s and 25 s wait for it, then go in order, 10 ms each.
    expected = [26 - 5 * k + 0.01 * k for k in range(1, 6)]
    assert records.latency == pytest.approx(expected)
    assert set(records.outcome) == {Outcome.OK}


@pytest.mark.parametrize("on_timeout", ["cancel", "abandon"])
def test_a_handshake_given_up_in_a_partition_never_reaches_the_server(on_timeout: str) -> None:
    login = {"login": {"concurrency": 1, "work": {"constant": "900ms"}}}
    handshake = {"timeout": "1s", "on_timeout": on_timeout, "stages": login}
    records = run(scenario(handshake, {"from": "0s", "for": "19.5s"}))
    # Handshakes of 0 s, 2 s, ..., 18 s are given up in the silence. That of 20 s has the login
    # stage to itself, as none of them comes through at 19.5 s to work there in vain.
    assert records.connections is not None
    assert records.connections.failed == {"workload.connections.handshake.timeout": 10}
    assert records.connections.opened == 1
    expected = [20.9 - 5 * k + 0.01 * k for k in range(1, 5)]
    assert records.latency[:4] == pytest.approx(expected)


def test_a_recorded_message_of_a_client_that_has_given_up_ends_at_once() -> None:
    login = {"login": {"work": {"constant": "2s"}}}
    data = scenario({"timeout": "1s", "stages": login}, {"from": "28s", "for": "1s"})
    data["workload"]["connections"]["reconnect"]["attempts"] = 1
    data["observations"] = [{"at": "7s", "latency": "1s", "stamp": "arrival"}]
    records = run(data)  # the client is gone from 1 s on, before it sends any
    assert list(records.arrival) == [7]
    assert list(records.outcome) == [Outcome.DISCONNECTED]
    assert list(records.latency) == [0]
    assert records.ends[records.ended_by[0]] == "workload.connections.reconnect.attempts"
