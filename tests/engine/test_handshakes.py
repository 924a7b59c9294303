"""Handshakes of WebSocket clients, by schedules computed by hand."""

import numpy as np
import pytest
from connected import WHERE, connected, counts, login, restart
from kit import DISCONNECTED, OK, Data, ended_by, ends, fault, plan_of, run, spent

from cascadesim.engine import trace
from cascadesim.records import ConnectionCounts, Records
from cascadesim.values.outcome import Outcome


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
    assert list(records.arrival) == [7, 5, 10, 15, 20, 25]
    assert set(records.outcome) == {Outcome.DISCONNECTED}
    assert set(records.latency) == {0}
    by = {records.ends[i] for i in records.ended_by}
    assert by == {"workload.connections.reconnect.attempts"}


def test_a_message_waits_for_the_handshake() -> None:
    records = run(connected(handshake=login("1500ms")))
    assert ends(records) == [(0.7, OK), (0.2, OK)]
    assert spent(records) == {"connections.handshake_wait": 0.5, "a.service_work": 0.2}
    assert counts(records) == ConnectionCounts(opened=1, closed=0, failed={}, lost={})
    # What the handshake itself passes is no part of a message.
    assert {part.where for part in records.parts} == {"a", "connections"}
    assert records.calls == {"a": 2, "login": 1}


def test_a_handshake_that_takes_too_long_is_tried_again_after_a_backoff() -> None:
    slow = {"faults": [fault("0s", "2500ms", "login", latency={"add": "1min"})]}
    records = run(connected(1, handshake=login("500ms") | {"timeout": "2s"}, rest=slow))
    # 0 to 2 s in vain, a backoff until 3 s, connected at 3.5 s
    assert ends(records) == [(2.7, OK)]
    assert spent(records) == {
        "connections.handshake_wait": 1.5,
        "connections.retry_backoff": 1.0,
        "a.service_work": 0.2,
    }
    assert counts(records).failed == {f"{WHERE}.handshake.timeout": 1}
    patient = run(connected(1, handshake=login("500ms") | {"timeout": "90s"}, rest=slow))
    assert ends(patient) == [(59.7, OK)]  # 60.5 s of work, since 0 s


def test_the_server_goes_on_with_an_abandoned_handshake() -> None:
    # Given up after 1.1 s and begun again 0.2 s later; the first takes 2.5 s, others 1 s.
    options = login("1s", concurrency=1) | {"timeout": "1100ms"}
    slow = {"faults": [fault("0s", "500ms", "login", latency={"add": "1500ms"})]}
    reconnect = {"base": "200ms", "backoff": "constant"}

    def connecting(on_timeout: str) -> Records:
        handshake = options | {"on_timeout": on_timeout}
        return run(connected(1, handshake=handshake, reconnect=reconnect, rest=slow))

    cancelled = connecting("cancel")  # the second, from 1.3 to 2.3 s
    assert ends(cancelled) == [(1.5, OK)]
    assert cancelled.calls["login"] == 2
    # Where the server goes on, they queue: the second, of 1.3 s, has worked by 3.5 s, the one of
    # 2.6 s by 4.5 s, of 3.9 s by 5.5 s, of 5.2 s by 6.5 s; that of 6.5 s does not queue any more.
    abandoned = connecting("abandon")
    assert ends(abandoned) == [(6.7, OK)]
    assert abandoned.calls["login"] == 6
    assert counts(abandoned).opened == 1


def test_the_server_refuses_one_connection_more_than_its_limit() -> None:
    options = {"clients": 3, "limit": 2, "reconnect": {"base": "700ms", "attempts": 2}}
    records = run(connected(1, every="500ms", **options))
    # The third is refused at 0 and at 0.7 s, and gives up. Its message of 1 s is never sent.
    answered = [(0.2, OK), (0.2, OK)]
    assert ends(records) == [*answered, (0.2, DISCONNECTED), *answered, (0.0, DISCONNECTED)]
    assert ended_by(records, 2) == f"{WHERE}.reconnect.attempts"
    assert counts(records).failed == {f"{WHERE}.limit": 2}
    assert counts(run(connected(1, clients=3, limit=3))).failed == {}


def test_handshakes_under_way_count_for_the_limit() -> None:
    options = {"clients": 2, "limit": 1, "handshake": login("1s"), "connect_over": "1s"}
    assert counts(run(connected(1, **options))).failed[f"{WHERE}.limit"] >= 1


def test_handshakes_during_a_restart_are_refused_and_backoffs_grow() -> None:
    reconnect = {"base": "400ms", "multiplier": 3}
    records = run(connected(3, reconnect=reconnect, rest=restart("2100ms", "1s")))
    # refused at 2.5 s; back at 2.5 + 1.2 = 3.7 s
    assert ends(records)[2] == (0.9, OK)
    assert counts(records).failed == {"connections": 1}
    # Once connected, a client begins with the first backoff again.
    twice = restart("2100ms", "1s")["faults"] + restart("5100ms", "10ms")["faults"]
    records = run(connected(5, reconnect=reconnect, rest={"faults": twice}))
    assert ends(records)[4] == (0.1, DISCONNECTED)
    assert counts(records).opened == 3
    steps = trace(plan_of(connected(5, reconnect=reconnect, rest={"faults": twice})), 1)
    level = steps.levels["connections.connected"]
    assert np.round(level.at, 6).tolist() == [0.0, 2.1, 3.7, 5.1, 5.5]
    assert level.value.tolist() == [1, 0, 1, 0, 1]


def test_a_restart_ends_handshakes_under_way() -> None:
    records = run(connected(1, handshake=login("2s"), rest=restart("500ms", "1ms")))
    assert counts(records).failed == {"connections": 1}
    assert ends(records) == [(2.7, OK)]  # again from 1.5 to 3.5 s
