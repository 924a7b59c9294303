"""Clients that wait: each thinks, sends, waits for the end of its request, and thinks again."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, content, draws_of, examples, plan_of, run
from laws import check_laws
from strategies import scenarios, with_load

from cascadesim.analysis.bounds import longest_bound
from cascadesim.analysis.contradictions import contradictions
from cascadesim.engine import simulate, trace
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import loads
from cascadesim.studies.check import check
from cascadesim.studies.replications import Job, Variant, replicate
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome

STAGE = {"work": {"constant": "1s"}, "concurrency": 1}


def closed(
    clients: int, think: Any = "2s", stages: Data | None = None, horizon: str = "10s", **rest: Any
) -> Data:
    work = {"constant": think} if isinstance(think, str) else think
    return {
        "name": "clients",
        "horizon": horizon,
        "drain": "1h",
        "workload": {"closed": {"clients": clients, "think": work}},
        "stages": stages or {"a": STAGE},
    } | rest


def ends(data: Data) -> list[tuple[float, float]]:
    """Return (arrival, latency) of every request."""
    records = run(data)
    return list(zip(records.arrival.tolist(), records.latency.tolist(), strict=True))


def test_a_client_sends_when_it_has_thought_and_waits_for_the_end() -> None:
    assert ends(closed(1)) == [(2.0, 1.0), (5.0, 1.0), (8.0, 1.0)]
    # Two at one server: the second waits for a second, and is a second behind from then on.
    assert ends(closed(2)) == [
        (2.0, 1.0),
        (2.0, 2.0),
        (5.0, 1.0),
        (6.0, 1.0),
        (8.0, 1.0),
        (9.0, 1.0),
    ]
    # None is sent at the horizon itself.
    assert ends(closed(1, horizon="8s")) == [(2.0, 1.0), (5.0, 1.0)]


def test_a_client_whose_request_ends_badly_thinks_and_sends_again() -> None:
    deadline = {"deadline": {"timeout": "500ms"}}
    slow = {"a": STAGE | {"policies": [deadline]}}
    assert ends(closed(1, stages=slow)) == [(2.0, 0.5), (4.5, 0.5), (7.0, 0.5), (9.5, 0.5)]
    silent = {"on": "a", "from": "4s", "for": "1h", "hang": {}}
    records = run(closed(1, faults=[silent], drain="5s"))
    assert records.arrival.tolist() == [2.0, 5.0]  # the second has no end, so there is no third
    assert records.outcome.tolist() == [Outcome.OK, Outcome.UNFINISHED]
    assert records.latency.tolist() == [1.0, 10.0]


def test_more_requests_than_there_was_room_for_are_kept() -> None:
    data = closed(7, {"exponential": {"mean": "1s"}}, horizon="5000s")
    records = run(data)
    assert len(records.arrival) > 3000
    assert (np.diff(records.arrival) >= 0).all()
    assert (records.outcome == Outcome.OK).all()
    np.testing.assert_allclose(records.seconds.sum(axis=1), records.latency, rtol=1e-9, atol=1e-9)


def test_observations_are_sent_beside_clients() -> None:
    seen = [{"at": "23:00:03", "latency": "1s", "work": {"a": "700ms"}}]
    stages = {"a": {"work": {"constant": "1s"}}}
    records = run(closed(1, stages=stages, observations=seen, clock="23:00:00"))
    assert sorted(records.observation.tolist()) == [-1, -1, -1, 0]
    row = records.observation.tolist().index(0)
    assert (records.arrival[row], records.latency[row]) == (2.0, pytest.approx(0.7))
    traced = trace(plan_of(closed(1, stages=stages, observations=seen, clock="23:00:00")), 1)
    assert content(traced.records) == content(records)
    spans = traced.start[traced.request == row]
    assert spans.tolist() == [2.0]


def test_slower_work_leaves_every_turn_of_a_client_its_draws() -> None:
    think = {"exponential": {"mean": "1s"}}

    def draws(work: str, failing: str) -> dict[Any, float]:
        slow = {"lognormal": {"median": work, "sigma": 0.5}}
        next_one = {"work": {"exponential": {"mean": "8ms"}}}
        stages = {"a": STAGE | {"work": slow, "failure_rate": failing}, "b": next_one}
        return draws_of(closed(5, think, stages, "100s")).values

    quick, slow = draws("100ms", "0%"), draws("900ms", "10%")
    common = {a for a in quick.keys() & slow.keys() if not a[0].endswith("a.work")}
    assert len(common) > 100
    assert all(quick[address] == slow[address] for address in common)
    work = {a for a in quick.keys() & slow.keys() if a[0].endswith("a.work")}
    assert all(slow[a] == pytest.approx(9 * quick[a]) for a in work)
    turns = sorted(number // 5 for name, number, _ in slow if name.endswith("think"))
    assert turns[:10] == [0] * 5 + [1] * 5


clients = st.builds(
    lambda n, mean: {"closed": {"clients": n, "think": {"exponential": {"mean": f"{mean}ms"}}}},
    st.integers(1, 8),
    st.integers(300, 3000),
)


@examples(30)
@given(scenarios(bounded=True), clients)
def test_the_laws_hold_with_clients(data: Data, workload: Data) -> None:
    plan = plan_of(with_load(data, workload))
    records = simulate(plan, 1)
    assert content(simulate(plan, 1)) == content(records)
    check_laws(plan, records)
    assert (records.latency <= longest_bound(plan).total * (1 + 1e-9)).all()
    assert (records.arrival < plan.horizon).all()
    # No more under way than there are clients and observations.
    steps = sorted(
        [(at, 1) for at in records.arrival] + [(at, -1) for at in records.arrival + records.latency]
    )
    under_way = np.cumsum([step for _, step in steps])
    assert under_way.max() <= workload["closed"]["clients"] + len(plan.observed)


def test_a_longer_horizon_adds_requests_and_changes_none() -> None:
    think = {"exponential": {"mean": "1s"}}
    short, long = ends(closed(5, think)), ends(closed(5, think, horizon="60s"))
    assert len(long) > len(short)
    assert long[: len(short)] == short


def test_clients_come_at_most_as_often_as_they_think_and_work() -> None:
    assert plan_of(closed(6)).mean_gap == 0.5
    retry = {"a": STAGE | {"policies": [{"retry": {"attempts": 9}}]}}
    assert contradictions(plan_of(closed(1, stages=retry)), None) == []
    breaker = {"breaker": {"failure_threshold": 3, "recovery_timeout": "10s"}}
    text = str(closed(6, stages={"a": STAGE | {"policies": [breaker]}})).replace("'", '"')
    found = check(loads(text)).openings[0]
    assert (found.after, found.reached) == (0.0, 3)  # all six come at one instant


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"think": {"constant": "0s"}}, "workload.closed.think: must take some time: a client "
         "whose request ends at once would never stop"),
        ({"clients": 50_000, "think": {"constant": "1ms"}}, "workload.closed.clients: sends up to "
         "5e+08 requests within the horizon, and a run holds at most 20 million; lower the number "
         "of clients or shorten the horizon"),
        ({"clients": 0}, "workload.closed.clients: must be at least 1, got 0"),
    ],
)  # fmt: skip
def test_clients_that_cannot_be(settings: Data, problem: str) -> None:
    data = closed(1)
    data["workload"]["closed"] |= settings
    with pytest.raises(ScenarioError) as caught:
        loads(str(data).replace("'", '"'))
    assert str(caught.value).endswith(problem)


def test_a_workload_is_open_or_closed() -> None:
    data = closed(1)
    data["workload"]["arrivals"] = {"poisson": {"rate": "1/s"}}
    with pytest.raises(ScenarioError, match="keep exactly one of: arrivals, closed"):
        loads(str(data).replace("'", '"'))


def test_variants_are_compared_without_pairs_where_requests_differ() -> None:
    slow = {"a.work.constant": "1500ms"}
    data = closed(3, variants={"base": {}, "same": {"a.concurrency": 1}, "slow": slow})
    scenario = loads(str(data).replace("'", '"'))
    plans = [compile_plan(scenario.at(name).model) for name in scenario.variants]
    base, same, slower = replicate(Job(tuple(map(Variant, plans)), seed=1, number=0))
    assert (same.better, same.worse) == (base.better, base.worse) == (0, 0)
    assert (slower.better, slower.worse) == (None, None)
    assert slower.requests < base.requests
