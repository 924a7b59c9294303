"""What holds in every run of clients that connect."""

from typing import Any

from connected import connected, counts, login
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, content, draws_of, examples, plan_of, with_timeouts
from laws import check_laws
from policy_strategies import maybe, merged, ms
from strategies import scenarios, with_load
from strategies import stages as drawn_stages

from cascadesim.analysis.bounds import longest_bound
from cascadesim.engine import simulate, trace
from cascadesim.engine.simpy.websocket import HANDSHAKES


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


@examples(40)
@given(scenarios_of_messages())
def test_the_laws_hold_over_connections(data: Data) -> None:
    plan = plan_of(data)
    records = simulate(plan, 1)
    assert content(trace(plan, 1).records) == content(records)
    check_laws(plan, records)
    assert (records.latency <= longest_bound(plan).total * (1 + 1e-9)).all()
    told = counts(records)
    still = told.opened - told.closed - sum(told.lost.values())
    own = data["workload"]["connections"]
    assert 0 <= still <= min(own["clients"], own.get("limit", own["clients"]))


@examples(20)
@given(scenarios_of_messages(), st.integers(2, 5))
def test_other_timeouts_leave_messages_their_draws(data: Data, factor: int) -> None:
    other = with_timeouts(data, factor)
    (before, times, _), (after, _, _) = draws_of(data), draws_of(other)
    assert all(before[address] == after[address] for address in before.keys() & after.keys())
    assert set(times.values()) <= {1}


def test_no_message_and_no_handshake_share_a_draw() -> None:
    numbers = {number for _, number, _ in draws_of(connected(20, handshake=login("1s"))).values}
    assert any(number >= HANDSHAKES for number in numbers)
