"""What a message and its work do while there is no connection, by schedules made by hand.

One client sends a message every second, at t = 1, 2, 3 …, whose work takes 200 ms, unless a test
says otherwise; it connects at once at t = 0, without a handshake that takes time.
"""

from typing import Any

import numpy as np
import pytest
from connected import WHERE, connected, login, restart
from hypothesis import given
from hypothesis import strategies as st
from kit import DISCONNECTED, OK, Data, content, ended_by, ends, examples, plan_of, run, spent
from test_connection_laws import scenarios_of_messages

from cascadesim.analysis.bounds import path_bounds
from cascadesim.engine import simulate, trace


def test_messages_are_sent_on_reconnect_or_dropped() -> None:
    settings: Data = {"rest": restart("1500ms", "1s"), "reconnect": {"base": "1800ms"}}
    queued = run(connected(4, **settings))
    # The client is away from 1.5 s to 3.3 s.
    assert ends(queued) == [(0.2, OK), (1.5, OK), (0.7, OK), (0.2, OK)]
    dropped = run(connected(4, when_disconnected="drop", **settings))
    assert ends(dropped) == [(0.2, OK), (0.0, DISCONNECTED), (0.0, DISCONNECTED), (0.2, OK)]
    assert ended_by(dropped, 1) == f"{WHERE}.when_disconnected"


def test_messages_before_the_first_connection_and_while_it_closes_are_dropped() -> None:
    late = run(connected(2, handshake=login("1500ms"), when_disconnected="drop"))
    assert ends(late) == [(0.0, DISCONNECTED), (0.2, OK)]
    # From 1.5 s on the client closes, once the message of 1 s is answered at 2.5 s.
    closing = connected(3, work="1500ms", lifetime={"constant": "1500ms"}, when_disconnected="drop")
    assert ends(run(closing)) == [(1.5, OK), (0.0, DISCONNECTED), (1.5, OK)]


def test_who_drops_messages_waits_for_no_connection() -> None:
    def bound(**options: Any) -> float:
        data = connected(2, ordering="independent", **options)
        return path_bounds(plan_of(data))[None].total

    assert bound(when_disconnected="drop") == pytest.approx(0.2)
    assert bound() == np.inf


def busy(on_disconnect: str, **options: Any) -> tuple[list[float], list[Any]]:
    """Return the instants at which a stage for one begins and ends its work, and the ends."""
    rest = {"stages": {"a": {"work": {"constant": "3s"}, "concurrency": 1}}}
    settings: Data = {"idle_timeout": "2s", "on_disconnect": on_disconnect, "every": "4s"}
    data = connected(rest=rest, **({"n": 4} | settings | options))
    run_ = trace(plan_of(data), 1)
    return np.round(run_.levels["a.concurrency.busy"].at, 6).tolist(), ends(run_.records)


@pytest.mark.parametrize(("on_disconnect", "end"), [("cancel", 6.0), ("abandon", 7.0)])
def test_a_lost_connection_cancels_the_work_or_lets_it_go_on(
    on_disconnect: str, end: float
) -> None:
    instants, ended = busy(on_disconnect)
    assert ended == [(2.0, DISCONNECTED)]
    assert instants == [0, 4, end]


def test_work_that_waits_for_a_place_goes_on_too() -> None:
    instants, ended = busy("abandon", clients=2)
    assert ended == [(2.0, DISCONNECTED)] * 2
    assert instants == [0, 4, 10]  # the second from 7 s on, though nobody waits for it
    assert busy("cancel", clients=2)[0] == [0, 4, 6]


def test_messages_in_line_behind_lost_work_are_not_handled() -> None:
    # The message of 2 s is the last that passes, so a proxy cuts both at 4 s.
    records = run(connected(2, work="5s", idle_timeout="2s"))
    assert ends(records) == [(3.0, DISCONNECTED), (2.0, DISCONNECTED)]
    assert records.calls["a"] == 1


def test_a_restart_ends_all_work_that_goes_on() -> None:
    faults = restart("6500ms", "10ms")["faults"]
    rest = {"stages": {"a": {"work": {"constant": "3s"}, "concurrency": 1}}, "faults": faults}
    data = connected(4, every="4s", idle_timeout="2s", rest=rest)
    level = trace(plan_of(data), 1).levels["a.concurrency.busy"]
    assert np.round(level.at, 6).tolist() == [0, 4, 6.5]


def test_a_new_connection_has_a_handler_of_its_own() -> None:
    # The message of 4 s is cut at 6 s, and its work goes on until 9 s. The client is back at 7 s,
    # and the message of 8 s is handled at once.
    records = run(connected(8, every="4s", work="5s", idle_timeout="2s"))
    assert ends(records) == [(2.0, DISCONNECTED), (2.0, DISCONNECTED)]
    assert spent(records, 1) == {"a.service_work": 2.0}


OPTIONS: dict[str, Any] = {
    "when_disconnected": st.sampled_from(["queue", "drop"]),
    "on_disconnect": st.sampled_from(["cancel", "abandon"]),
    "ordering": st.sampled_from(["per_connection", "independent"]),
    "reply_timeout": st.sampled_from([None, "500ms", "5s"]),
    "idle_timeout": st.sampled_from([None, "700ms", "3s"]),
    "limit": st.sampled_from([None, 1, 3]),
    "reconnect": st.fixed_dictionaries(
        {"base": st.just("300ms"), "attempts": st.sampled_from([None, 1, 2])}
    ),
    "lifetime": st.sampled_from([None, {"constant": "2s"}]),
}


@examples(30)
@given(scenarios_of_messages(), st.fixed_dictionaries({}, optional=OPTIONS), st.booleans())
def test_all_variants_have_the_same_requests(data: Data, options: Data, calm: bool) -> None:
    """Neither settings of connections nor faults and policies add, move or lose a message."""
    other = data | {"workload": data["workload"] | {}}
    other["workload"]["connections"] = data["workload"]["connections"] | options
    if calm:
        stages = {name: stage | {"policies": []} for name, stage in data["stages"].items()}
        other = other | {"faults": [], "stages": stages}
    before, after = (simulate(plan_of(each), 1) for each in (data, other))
    assert before.number.tolist() == after.number.tolist()
    assert before.arrival.tolist() == after.arrival.tolist()
    assert content(before) == content(simulate(plan_of(data), 1))
