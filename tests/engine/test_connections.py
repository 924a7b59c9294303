"""Messages over WebSocket connections, by schedules computed by hand.

One client sends a message every second, at t = 1, 2, 3 …, whose work takes 200 ms, unless a test
says otherwise; it connects at once at t = 0, without a handshake that takes time.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import (
    DISCONNECTED,
    OK,
    TIMED_OUT,
    Data,
    content,
    draws_of,
    ended_by,
    ends,
    fault,
    plan_of,
    run,
    spent,
    with_timeouts,
)
from strategies import maybe, merged, ms, scenarios, with_load
from strategies import stages as drawn_stages

from cascadesim.analysis.bounds import longest_bound, path_bounds
from cascadesim.engine import simulate, trace
from cascadesim.engine.simpy.retry import RetryPlan
from cascadesim.engine.simpy.websocket import HANDSHAKES
from cascadesim.plan.outcome import Outcome
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import ConnectionCounts, Records
from cascadesim.scenario.load import loads
from cascadesim.values.errors import ScenarioError

WHERE = "workload.connections"


def connected(
    n: float = 2, every: str = "1s", work: str = "200ms", rest: Data | None = None, **options: Any
) -> Data:
    """Return a scenario in which clients send until `n` seconds and a half."""
    own = {"clients": 1, "messages": {"constant": every}} | options
    return {
        "name": "connected",
        "horizon": f"{n + 0.5}s",
        "drain": "1000s",
        "workload": {"connections": own},
        "stages": {"a": {"work": {"constant": work}}},
    } | (rest or {})


def login(work: str, **rest: Any) -> Data:
    return {"stages": {"login": {"work": {"constant": work}} | rest}}


def counts(records: Records) -> ConnectionCounts:
    assert records.connections is not None
    return records.connections


def restart(start: str, duration: str) -> Data:
    return {"faults": [fault(start, duration, "connections", restart={})]}


def partition(start: str, duration: str) -> Data:
    return {"faults": [fault(start, duration, "connections", partition={})]}


# Handshakes ---------------------------------------------------------------------------------


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


def test_clients_connect_over_some_time_and_begin_to_send_then() -> None:
    records = run(connected(2, clients=2, connect_over="1s", handshake=login("1200ms")))
    # the second connects 0.5 s after the first, and sends as much later
    assert records.arrival.tolist() == [1.0, 1.5, 2.0]
    assert ends(records) == [(0.4, OK), (0.4, OK), (0.2, OK)]


def test_the_server_refuses_one_connection_more_than_its_limit() -> None:
    options = {"clients": 3, "limit": 2, "reconnect": {"base": "700ms", "attempts": 2}}
    records = run(connected(1, every="500ms", **options))
    # The third is refused at 0 and at 0.7 s, and gives up.
    assert ends(records) == [(0.2, OK), (0.2, OK), (0.2, DISCONNECTED), (0.2, OK), (0.2, OK)]
    assert ended_by(records, 2) == f"{WHERE}.reconnect.attempts"
    assert counts(records).failed == {f"{WHERE}.limit": 2}
    assert counts(run(connected(1, clients=3, limit=3))).failed == {}


def test_handshakes_under_way_count_for_the_limit() -> None:
    options = {"clients": 2, "limit": 1, "handshake": login("1s"), "connect_over": "1s"}
    assert counts(run(connected(1, **options))).failed[f"{WHERE}.limit"] >= 1


# Losing a connection ------------------------------------------------------------------------


def test_a_restart_ends_what_was_sent_and_not_answered() -> None:
    records = run(connected(3, rest=restart("2100ms", "1s")))
    # lost at 2.1 s, and back after 1 s, as the restart is over
    assert ends(records) == [(0.2, OK), (0.1, DISCONNECTED), (0.3, OK)]
    assert ended_by(records, 1) == "connections"
    assert spent(records, 2) == {"connections.retry_backoff": 0.1, "a.service_work": 0.2}
    assert counts(records) == ConnectionCounts(2, 0, failed={}, lost={"connections": 1})
    assert records.first_fault == 2.1


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


# Order --------------------------------------------------------------------------------------


def test_messages_of_a_connection_are_handled_in_order() -> None:
    records = run(connected(3, work="1500ms"))
    assert ends(records) == [(1.5, OK), (2.0, OK), (2.5, OK)]
    assert spent(records, 2) == {"connections.head_of_line_wait": 1.0, "a.service_work": 1.5}
    independent = run(connected(3, work="1500ms", ordering="independent"))
    assert ends(independent) == [(1.5, OK)] * 3
    # Other connections are not held up.
    assert ends(run(connected(1, clients=3, work="5s"))) == [(5.0, OK)] * 3


# Silence ------------------------------------------------------------------------------------


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


def test_a_client_closes_its_connection_once_all_is_answered() -> None:
    options = {"handshake": login("500ms"), "lifetime": {"constant": "2s"}}
    records = run(connected(2.5, every="700ms", work="1s", **options))
    # Open from 0.5 to 2.5 s; replies at 1.7, 2.7 and 3.7 s; open again at 4.2 s.
    assert ends(records)[:4] == [(1.0, OK), (1.3, OK), (1.6, OK), (2.4, OK)]
    assert spent(records, 3) == {"connections.handshake_wait": 1.4, "a.service_work": 1.0}
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
    assert ends(records) == [(0.0, DISCONNECTED)]


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


# Laws ---------------------------------------------------------------------------------------


@st.composite
def connections(draw: Any) -> Data:
    """Draw connections whose waits are bounded: they give up, or give replies up."""
    names = [""] * 100  # so that its stages have other names
    shaking = draw(drawn_stages(True, names))
    backoff = merged(
        st.fixed_dictionaries({"base": ms(100, 3000)}),
        maybe("backoff", st.sampled_from(["constant", "linear", "exponential"])),
        maybe("jitter", st.sampled_from(["none", "full", "equal", "decorrelated"])),
        maybe("cap", ms(1000, 9000)),
        maybe("attempts", st.integers(1, 5)),
    )
    handshake = merged(
        st.fixed_dictionaries({"timeout": ms(100, 4000), "stages": st.just({"login": shaking})}),
        maybe("on_timeout", st.sampled_from(["cancel", "abandon"])),
    )
    ping = st.fixed_dictionaries({"interval": ms(100, 4000), "timeout": ms(10, 4000)})
    mean = draw(st.integers(500, 4000))
    return {
        "clients": draw(st.integers(1, 6)),
        "messages": {"exponential": {"mean": f"{mean}ms"}},
    } | draw(
        merged(
            st.fixed_dictionaries({"handshake": handshake, "reconnect": backoff}),
            maybe("connect_over", ms(0, 3000)),
            maybe("ordering", st.sampled_from(["per_connection", "independent"])),
            maybe("ping", ping),
            maybe("idle_timeout", ms(200, 4000)),
            maybe("limit", st.integers(1, 6)),
            maybe("reply_timeout", ms(100, 6000)),
            maybe("lifetime", st.just({"exponential": {"mean": "4s"}})),
        )
    )


@st.composite
def scenarios_of_messages(draw: Any) -> Data:
    data: Data = draw(scenarios(bounded=True))
    if "login" in data["stages"]:
        return data
    when = st.fixed_dictionaries({"from": ms(0, 15_000), "for": ms(1, 8000)})
    kind = st.sampled_from(["restart", "partition"]).map(lambda name: {name: {}})
    own = merged(st.fixed_dictionaries({"on": st.just("connections")}), when, kind)
    faults = draw(st.lists(own, max_size=3))
    return with_load(data, {"connections": draw(connections())}) | {
        "faults": data["faults"] + faults
    }


@settings(max_examples=40)
@given(scenarios_of_messages())
def test_the_laws_hold_over_connections(data: Data) -> None:
    plan = plan_of(data)
    records = simulate(plan, 1)
    assert content(simulate(plan, 1)) == content(records)
    assert content(trace(plan, 1).records) == content(records)
    np.testing.assert_allclose(records.seconds.sum(axis=1), records.latency, rtol=1e-9, atol=1e-9)
    assert (records.seconds >= 0).all()
    assert (records.latency <= longest_bound(plan).total * (1 + 1e-9)).all()
    unfinished = records.outcome == Outcome.UNFINISHED
    assert (records.latency[unfinished] == plan.end - records.arrival[unfinished]).all()
    answered = np.isin(records.outcome, [Outcome.OK, Outcome.UNFINISHED])
    assert ((records.ended_by >= 0) == ~answered).all()
    told = counts(records)
    still = told.opened - told.closed - sum(told.lost.values())
    own = data["workload"]["connections"]
    assert 0 <= still <= min(own["clients"], own.get("limit", own["clients"]))


@settings(max_examples=20)
@given(scenarios_of_messages(), st.integers(2, 5))
def test_other_timeouts_leave_messages_their_draws(data: Data, factor: int) -> None:
    other = with_timeouts(data, factor)
    (before, times), (after, _) = draws_of(data), draws_of(other)
    assert all(before[address] == after[address] for address in before.keys() & after.keys())
    assert all(count == 1 for count in times.values())


def test_no_message_and_no_handshake_share_a_draw() -> None:
    numbers = {number for _, number, _ in draws_of(connected(20, handshake=login("1s")))[0]}
    assert any(number >= HANDSHAKES for number in numbers)


# Errors -------------------------------------------------------------------------------------


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
         "faults.0.on: outage befalls stages; of connections there is restart and partition"),
        ({}, {"stages": {"connections": {"work": {"constant": "1s"}}}},
         'connections: faults call the clients "connections"; name the stage otherwise'),
        ({"handshake": login("1s") | {"stages": {"a": {"work": {"constant": "1s"}}}}}, {},
         'a: there is another stage "a"; names must differ'),
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
