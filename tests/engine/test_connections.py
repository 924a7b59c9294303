"""Messages over WebSocket connections, by schedules computed by hand.

One client sends a message every second, at t = 1, 2, 3 …, whose work takes 200 ms, unless a test
says otherwise; it connects at once at t = 0, without a handshake that takes time.
"""

import pytest
from connected import WHERE, connected, counts, login, restart
from kit import (
    DISCONNECTED,
    OK,
    TIMED_OUT,
    Data,
    ended_by,
    ends,
    fault,
    plan_of,
    run,
    spent,
)

from cascadesim.analysis.bounds import path_bounds
from cascadesim.policies.retry import RetryPlan
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import ConnectionCounts
from cascadesim.scenario.load import loads
from cascadesim.values.errors import ScenarioError


def test_clients_connect_over_some_time_and_begin_to_send_then() -> None:
    records = run(connected(2, clients=2, connect_over="1s", handshake=login("1200ms")))
    # the second connects 0.5 s after the first, and sends as much later
    assert records.arrival.tolist() == [1.0, 1.5, 2.0]
    assert ends(records) == [(0.4, OK), (0.4, OK), (0.2, OK)]


def test_a_restart_ends_what_was_sent_and_not_answered() -> None:
    records = run(connected(3, rest=restart("2100ms", "1s")))
    # lost at 2.1 s, and back after 1 s, as the restart is over
    assert ends(records) == [(0.2, OK), (0.1, DISCONNECTED), (0.3, OK)]
    assert ended_by(records, 1) == "connections"
    assert spent(records, 2) == {"connections.retry_backoff": 0.1, "a.service_work": 0.2}
    assert counts(records) == ConnectionCounts(2, 0, failed={}, lost={"connections": 1})
    assert records.first_fault == 2.1


def test_a_lost_connection_frees_what_its_messages_held() -> None:
    stage = {"a": {"work": {"constant": "1s"}, "concurrency": 1}}
    rest = {"stages": stage} | restart("1500ms", "1ms")
    records = run(connected(2, clients=2, every="1400ms", rest=rest, reconnect={"base": "100ms"}))
    # At 1.4 s one works and one queues; both are lost at 1.5 s.
    assert ends(records) == [(0.1, DISCONNECTED), (0.1, DISCONNECTED)]
    later = run(connected(3, clients=2, every="1400ms", rest=rest, reconnect={"base": "100ms"}))
    assert ends(later)[2:] == [(1.0, OK), (2.0, OK)]


@pytest.mark.parametrize(("jitter", "least"), [("none", 1.0), ("full", 0.0), ("equal", 0.5)])
def test_clients_come_back_after_their_own_jitter(jitter: str, least: float) -> None:
    clients = 4
    data = connected(
        2, clients=clients, reconnect={"jitter": jitter}, rest=restart("1500ms", "1ms")
    )
    records = run(data)
    draws = Stream(1, 0, f"{WHERE}.reconnect.jitter", UNIFORM)
    waits = [least + (1 - least) * draws.at(i) for i in range(clients)]
    back = [max(0.0, 1.5 + wait - 2.0) for wait in waits]
    assert [latency for latency, _ in ends(records)[clients:]] == pytest.approx(
        [0.2 + late for late in back], abs=2e-6
    )
    plan = RetryPlan("", 1, frozenset(), base=1.0, jitter=jitter)
    assert waits == [plan.wait(0, draws.at(i), 0.0) for i in range(clients)]


def test_messages_of_a_connection_are_handled_in_order() -> None:
    records = run(connected(3, work="1500ms"))
    assert ends(records) == [(1.5, OK), (2.0, OK), (2.5, OK)]
    assert spent(records, 2) == {"connections.head_of_line_wait": 1.0, "a.service_work": 1.5}
    independent = run(connected(3, work="1500ms", ordering="independent"))
    assert ends(independent) == [(1.5, OK)] * 3
    # Other connections are not held up.
    assert ends(run(connected(1, clients=3, work="5s"))) == [(5.0, OK)] * 3


def test_a_client_closes_its_connection_once_all_is_answered() -> None:
    options = {"handshake": login("500ms"), "lifetime": {"constant": "2s"}}
    records = run(connected(2.5, every="700ms", work="1s", **options))
    # Open from 0.5 to 2.5 s; replies at 1.7, 2.7 and 3.7 s; open again at 4.2 s.
    assert ends(records)[:4] == [(1.0, OK), (1.3, OK), (1.6, OK), (2.4, OK)]
    assert spent(records, 3) == {
        "connections.closing_wait": 0.9,  # from 2.8 s on
        "connections.handshake_wait": 0.5,
        "a.service_work": 1.0,
    }
    assert counts(records).closed >= 1
    assert counts(records).lost == {}


def test_a_client_gives_a_reply_up_and_tells_the_server_nothing() -> None:
    records = run(connected(3, work="3s", reply_timeout="2s"))
    assert ends(records) == [(2.0, TIMED_OUT)] * 3
    assert ended_by(records) == f"{WHERE}.reply_timeout"
    assert records.calls["a"] == 3
    # What is not sent yet is dropped.
    never = run(connected(3, reply_timeout="2s", handshake=login("1h") | {"timeout": "2h"}))
    assert ends(never) == [(2.0, TIMED_OUT)] * 3
    assert never.calls["a"] == 0


def test_an_observed_message_of_a_client_that_has_given_up_is_not_sent() -> None:
    seen = [{"at": "23:00:03", "latency": "1s", "work": {"a": "700ms"}}]
    lost = {"handshake": login("9s") | {"timeout": "1s"}, "reconnect": {"attempts": 1}}
    records = run(connected(2, rest={"observations": seen, "clock": "23:00:00"}, **lost))
    # The client has given up after 1 s, before its own two messages.
    assert ends(records) == [(0.0, DISCONNECTED)] * 3
    assert counts(records).gave_up == 1


def test_an_observed_message_waits_for_a_connection_too() -> None:
    seen = [{"at": "23:00:03", "latency": "1s", "work": {"a": "700ms"}}]
    data = connected(2, handshake=login("2500ms"), rest={"observations": seen, "clock": "23:00:00"})
    records = run(data)
    row = records.observation.tolist().index(0)
    # sent at 2 s, after the messages of 1 s and of 2 s: connected at 2.5 s
    assert spent(records, row)["a.service_work"] == 0.7
    assert spent(records, row)["connections.handshake_wait"] == 0.5


def test_a_message_takes_no_longer_than_its_client_waits() -> None:
    reconnect = {"attempts": 1, "base": "100ms"}
    options = {"ordering": "independent", "handshake": {"timeout": "100ms"}, "reconnect": reconnect}
    data = connected(reply_timeout="5s", rest={}, **options)
    data["stages"] |= {"b": {"work": {"constant": "6s"}}}
    data["workload"]["classes"] = {
        "short": {"weight": 1, "path": ["a"]},
        "long": {"weight": 1, "path": ["a", "b"]},
    }
    short, long = path_bounds(plan_of(data)).values()
    # a failed handshake, the backoff before it, and the work
    assert short.total == pytest.approx(0.1 + 0.1 + 0.2)
    assert long.terms == {f"{WHERE}.reply_timeout": 5.0}


@pytest.mark.parametrize(
    ("settings", "rest", "problem"),
    [
        ({"messages": {"constant": "0s"}}, {},
         "workload.connections.messages: must take some time, or messages would come without end"),
        ({"lifetime": {"constant": "0s"}}, {}, "workload.connections.lifetime: must take some "
         "time, or clients would connect without end"),
        ({"reconnect": {"base": "0s"}}, {},
         "workload.connections.reconnect.base: must be more than 0"),
        ({"ordering": "any"}, {}, 'workload.connections.ordering: expected '
         '"per_connection" or "independent", got "any"'),
        ({}, {"faults": [fault("1s", "1s", "connections", outage={})]},
         "faults.0.on: outage is for stages; connections can have partition and restart"),
        ({}, {"stages": {"connections": {"work": {"constant": "1s"}}}},
         'connections: faults call the clients "connections"; name the stage otherwise'),
        ({"handshake": login("1s") | {"stages": {"a": {"work": {"constant": "1s"}}}}}, {},
         'a: there is another stage "a", at stages.a; names of stages are global, as a '
         'dotted path begins with one'),
    ],
)  # fmt: skip
def test_connections_that_cannot_be(settings: Data, rest: Data, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        plan_of(connected(rest=rest, **settings))
    assert str(caught.value).endswith(problem)


def test_handshake_stages_are_named_as_others_are() -> None:
    data = connected(handshake=login("1500ms"), variants={}, rest={"variants": {}})
    del data["workload"]["connections"]["variants"]
    scenario = loads(str(data).replace("'", '"')).override({"login.work.constant": "1100ms"})
    assert scenario.model.workload.connections is not None
    stage = scenario.model.workload.connections.handshake.stages["login"]
    assert stage.work is not None
    assert stage.work.constant == 1.1


def test_faults_of_connections_need_some() -> None:
    data = connected()
    data["workload"] = {"arrivals": {"constant": {"rate": "1/s"}}}
    data |= restart("1s", "1s")
    with pytest.raises(ScenarioError, match='no stage "connections"'):
        plan_of(data)
