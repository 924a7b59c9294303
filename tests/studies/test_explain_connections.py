"""Explanations of messages over connections, against schedules by hand."""

import json
from typing import Any

import numpy as np
import pytest

import cascadesim
from cascadesim.scenario.load import Scenario, loads
from cascadesim.studies.execution import Execution
from cascadesim.studies.explain import Explanation, explain
from cascadesim.values.errors import ScenarioError

ONE = Execution(jobs=1)
WHERE = "workload.connections"
LOGIN = {"stages": {"login": {"work": {"constant": "500ms"}, "concurrency": 3}}}


def scenario(faults: bool = True, **options: Any) -> Scenario:
    """Return a client that sends every second and a server that restarts at 10.2 s for 1 s.

    It comes back after 8 s, at 18.2 s, with a login of 0.5 s. A message takes 100 ms.
    """
    own: dict[str, Any] = {
        "clients": 1,
        "messages": {"constant": "1s"},
        "handshake": LOGIN,
        "reconnect": {"base": "8s", "cap": "8s", "jitter": "none"},
        "ping": {},
    }
    restart = [{"on": "connections", "from": "10200ms", "for": "1s", "restart": {}}]
    text = {
        "name": "by hand",
        "horizon": "20500ms",
        "drain": "60s",
        "workload": {"connections": own | options},
        "stages": {
            "a": {"work": {"constant": "100ms"}},
            "b": {"work": {"constant": "0s"}, "concurrency": 9},
        },
        "faults": restart if faults else [],
    }
    return cascadesim.loads(json.dumps(text))


def changed(found: Explanation) -> dict[tuple[str, Any], tuple[float, str]]:
    return {
        (each.path, each.value): (round(each.world.latency, 9), each.world.outcome.word)
        for each in found.changes
        if each.chosen
    }


def test_settings_of_connections_are_tried() -> None:
    found = explain(scenario(reply_timeout="1min"), 10, execution=ONE)  # that of 11 s
    assert found.today.latency == pytest.approx(18.7 - 11 + 0.1)
    worlds = changed(found)
    by_hand = {
        (f"{WHERE}.reconnect.base", "4s"): (14.7 - 11 + 0.1, "ok"),
        (f"{WHERE}.reply_timeout", "30s"): (7.8, "ok"),
        (f"{WHERE}.ordering", "independent"): (7.8, "ok"),
        (f"{WHERE}.handshake.timeout", "5s"): (7.8, "ok"),
        (f"{WHERE}.handshake.on_timeout", "abandon"): (7.8, "ok"),
        (f"{WHERE}.ping.interval", "40s"): (7.8, "ok"),
        ("login.concurrency", 6): (7.8, "ok"),
    }
    for change, expected in by_hand.items():
        assert worlds[change] == (pytest.approx(expected[0]), expected[1])
    words = {value for path, value in worlds if path == f"{WHERE}.reconnect.jitter"}
    assert words == {"full", "equal", "decorrelated"}
    assert not [path for path, _ in worlds if path.rpartition(".")[2] in ("clients", "messages")]


def test_no_limit_and_a_reply_timeout_are_tried() -> None:
    found = explain(scenario(limit=1, reply_timeout="4s"), 10, execution=ONE)
    worlds = changed(found)
    assert (found.today.latency, found.today.ended_by) == (
        pytest.approx(4.0),
        f"{WHERE}.reply_timeout",
    )
    assert worlds[f"{WHERE}.reply_timeout", None] == (7.8, "ok")
    assert worlds[f"{WHERE}.limit", 2] == (4.0, "timed_out")
    assert f"{WHERE}.limit" in {path for path, value in worlds if value is None}


def test_the_handshake_is_on_the_way_of_those_that_wait_for_one() -> None:
    paths = {path for path, _ in changed(explain(scenario(), 8, execution=ONE))}  # of 9 s
    assert f"{WHERE}.reconnect.base" in paths
    assert not [path for path in paths if path.startswith("login.")]


def test_messages_behind_others_meet_the_stages_that_those_are_in() -> None:
    """That of 2 s waits for the one of 1 s, which takes 5 s, and is given up at 4 s."""
    slow = scenario(reply_timeout="2s").override({"a.work.constant": "5s"})
    found = explain(slow, 1, execution=ONE)
    assert found.today.latency == pytest.approx(2.0)
    assert found.today.mostly == f"{WHERE}.ordering"
    assert "b.concurrency" in {path for path, _ in changed(found)}


# One of two clients gives up at once.
GIVES_UP = {
    "clients": 2,
    "limit": 1,
    "messages": {"exponential": {"mean": "1s"}},
    "reconnect": {"attempts": 1},
    "handshake": {},
}


def test_a_message_is_the_same_whoever_else_sends() -> None:
    one = scenario(False, **GIVES_UP).override({"a.work": {"exponential": {"mean": "1s"}}})
    found = explain(one, 5, changes={f"{WHERE}.limit": [2]}, execution=ONE)
    (change,) = found.changes
    two = cascadesim.run(one.override({f"{WHERE}.limit": 2})).records
    assert two.arrival[5] == found.arrival
    assert change.world.latency == two.latency[5]


def test_a_message_that_a_change_keeps_from_being_sent_ends_disconnected() -> None:
    both = scenario(False, **GIVES_UP | {"limit": 2})
    records = cascadesim.run(both).records
    row = int((records.number % 2 == 1).argmax())  # of the client that connects last
    found = explain(both, row, changes={f"{WHERE}.limit": [1]}, execution=ONE)
    assert found.today.outcome.word == "ok"
    assert changed(found) == {(f"{WHERE}.limit", 1): (0.0, "disconnected")}


def test_a_change_by_which_a_closed_client_does_not_send_it_is_left_out() -> None:
    text = {
        "name": "closed",
        "horizon": "10500ms",
        "workload": {"closed": {"clients": 1, "think": {"constant": "1s"}}},
        "stages": {"a": {"work": {"constant": "100ms"}}},
    }
    changes = {"a.work.constant": ["2s"]}  # then it sends four, not nine
    sent = [
        len(explain(loads(json.dumps(text)), row, changes=changes, execution=ONE).changes)
        for row in (3, 4)
    ]
    assert sent == [1, 0]


@pytest.mark.parametrize("setting", ["clients", "messages", "connect_over"])
def test_what_makes_the_messages_is_not_changed(setting: str) -> None:
    with pytest.raises(ScenarioError, match="makes other requests"):
        explain(scenario(), 0, changes={f"{WHERE}.{setting}": ["2s"]}, execution=ONE)


def test_a_clients_request_is_the_same_one_however_many_others_are_sent() -> None:
    """Where clients wait for each other, their requests change places."""
    work = {"uniform": {"low": "50ms", "high": "2s"}}
    clients = loads(
        json.dumps(
            {
                "name": "clients",
                "horizon": "60s",
                "drain": "60s",
                "workload": {"closed": {"clients": 5, "think": {"exponential": {"mean": "1s"}}}},
                "stages": {"a": {"work": work, "concurrency": 2}},
            }
        )
    )
    records = cascadesim.run(clients).records
    many = clients.override({"a.concurrency": 5})
    wider = cascadesim.run(many).records
    assert (records.number[:50] != wider.number[:50]).any()
    last = len(records.arrival) - 1
    for row in (40, last):
        explained = explain(clients, row, changes="a.concurrency=5", execution=ONE)
        (change,) = explained.changes
        own = np.flatnonzero(wider.number == records.number[row])
        assert change.world.latency == wider.latency[own]
    # The other way round there are fewer, and the last of them is sent by nobody.
    absent = int(np.flatnonzero(~np.isin(wider.number, records.number))[-1])
    assert explain(many, absent, changes="a.concurrency=2", execution=ONE).changes == ()
