"""Explanations against what is computed by hand, and against plain runs of changed scenarios."""

import json
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from kit import Data, examples
from strategies import scenarios

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.engine import simulate
from cascadesim.policies.breaker import BreakerPlan
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario, loads
from cascadesim.studies.candidates import candidates, met, written
from cascadesim.studies.counterfactual import ERROR
from cascadesim.studies.execution import Execution
from cascadesim.studies.explain import Explanation, explain
from cascadesim.values.errors import ScenarioError

ONE = Execution(jobs=1)
BREAKER = {"failure_threshold": 1, "recovery_timeout": "20s", "when_open": "wait"}


def scenario(*policies: Any, **more: Any) -> Scenario:
    """Return one request a second for a minute, 100 ms of work, and an outage at 10.5 s for 5 s."""
    data = {
        "name": "by hand",
        "horizon": "60s",
        "drain": "60s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {
            "first": {
                "work": {"constant": "50ms"},
                "policies": [{"breaker": {"recovery_timeout": "30s"}}],
            },
            "a": {
                "work": {"constant": "100ms"},
                "policies": list(policies) or [{"breaker": BREAKER}],
            },
            "after": {"work": {"constant": "10ms"}},
        },
        "faults": [{"on": "a", "from": "10500ms", "for": "5s", "outage": {}}],
    }
    return loads(json.dumps(data | more))


def waiting(changed: Scenario, **more: Any) -> Explanation:
    """Explain the first request that meets the open breaker, which arrives at 12 s."""
    records = cascadesim.run(changed).records
    row = int(np.flatnonzero(np.isclose(records.arrival, 12.0))[0])
    return explain(changed, row, execution=ONE, **more)


# The request of 11 s fails at 11.05 s, which opens the breaker for 20 s. That of 12 s is at the
# breaker at 12.05 s, and the first to go on, at 31.05 s; the outage is over by then.
WAIT = 19.0


def test_the_explained_latency_is_that_by_hand() -> None:
    found = waiting(scenario())
    assert found.today.latency == pytest.approx(0.05 + WAIT + 0.1 + 0.01)
    assert (found.today.outcome.word, found.today.mostly) == ("ok", "a.breaker.recovery_timeout")
    assert [(step.words, round(step.seconds, 9)) for step in found.steps] == [
        ("work of first", 0.05),
        ("waiting for a.breaker to recover", 19.0),
        ("work of a, work of after", 0.11),
    ]
    assert sum(step.seconds for step in found.steps) == pytest.approx(found.today.latency)


def test_single_changes_come_to_what_they_do_by_hand() -> None:
    found = waiting(scenario())
    chosen = [change for change in found.changes if change.chosen]
    latency = {(c.path, c.value): (c.world.latency, c.world.outcome.word) for c in chosen}
    by_hand = {
        ("a.breaker.recovery_timeout", "10s"): (9.16, "ok"),
        ("a.breaker.recovery_timeout", "40s"): (39.16, "ok"),
        ("a.breaker.when_open", "reject"): (0.05, "rejected"),
        ("a.breaker.max_recoveries", 0): (0.05, "rejected"),
        ("a.breaker.failure_threshold", 2): (0.05, "failed"),  # that of 12 s is the second
        ("a.breaker.enabled", False): (0.05, "failed"),
    }
    for change, (seconds, outcome) in by_hand.items():
        assert latency[change] == (pytest.approx(seconds), outcome)
    best = found.best
    assert best is not None
    assert (best.path, best.value) == ("a.breaker.recovery_timeout", "10s")
    assert {change.world.outcome.word for change in found.helping} == {"ok"}  # an error is no help
    beside = found.circumstance
    assert beside is not None
    assert (beside.path, beside.value, beside.world.latency) == (
        "faults.0",
        None,
        pytest.approx(0.16),
    )
    assert found.sentence == (
        "a.breaker.recovery_timeout 20s → 10s would have helped it most: 19.2 s → 9.16 s. "
        "Beside what can be set, without faults.0 would have helped it: 19.2 s → 0.160 s."
    )


def test_every_change_is_what_a_plain_run_with_it_gives() -> None:
    changed = scenario(variants={"quick": {"a.breaker.recovery_timeout": "7s", "a.concurrency": 3}})
    found = waiting(changed)
    assert {("a.breaker.recovery_timeout", "7s"), ("a.concurrency", 3)} <= {
        (change.path, change.value) for change in found.changes if change.chosen
    }
    for change in found.changes:
        if change.path == "faults.0":
            plain = cascadesim.run(changed.override({"faults": []}))
        else:
            plain = cascadesim.run(changed.override({change.path: change.value}))
        assert plain.records.arrival[found.request] == found.arrival
        assert change.world.latency == plain.records.latency[found.request]
        assert change.world.outcome == plain.records.outcome[found.request]
        assert change.world.p99 == plain.summary.percentiles["p99"]
        assert change.world.error_rate == plain.summary.error_rate
        assert change.difference == change.world.latency - found.today.latency


def test_candidates_are_all_different_and_one_setting_each() -> None:
    changed = cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after")
    plan = compile_plan(changed.model)
    records = simulate(plan, 1)
    row = int(np.flatnonzero(records.observation == 0)[0])
    assert met(plan, records, row) == [stage.name for stage in plan.walk()]
    found = candidates(changed, plan, records, row)
    plans = [each.plan for each in found]
    assert plan not in plans
    assert len({*plans}) == len(plans)
    assert {each.today == written(changed, each.path) for each in found} == {True}
    tried = {(each.path, each.value) for each in found if each.chosen}
    assert {
        ("agent.deadline.timeout", "7.5s"),
        ("agent.deadline.timeout", "30s"),
        ("agent.deadline.timeout", "2s"),  # in recommended
        ("agent.deadline.on_timeout", "abandon"),
        ("agent.concurrency", 25),
        ("agent.concurrency", None),
        ("database.pool.size", 10),
        ("database.pool.max_overflow", 0),
        ("database.session.lifetime", "15s"),
        ("agent.fallback.enabled", True),
        ("database.session.leak", "0%"),
    } <= tried
    paths = {each.path for each in found}
    assert {"agent.work", "database.work", "faults.0"} <= paths
    assert not paths & {"agent.fallback.work", "agent.breaker.outcomes", "agent.kind"}
    assert "auth.deadline.timeout" not in paths  # which is off


def test_what_a_preset_says_is_what_is_written() -> None:
    made = scenario({"breaker": {"preset": "resilience4j", "recovery_timeout": "5s"}})
    assert written(made, "a.breaker.half_open_permits") == 10
    assert written(made, "a.breaker.recovery_timeout") == "5s"
    assert written(
        scenario({"breaker": {"preset": "pybreaker"}}), "a.breaker.half_open_permits"
    ) == ("all")


def test_settings_of_a_breaker_that_stays_closed_change_nothing_and_are_left_out() -> None:
    changed = scenario()
    found = waiting(changed)
    plain = cascadesim.run(changed).records
    tried = {change.path for change in found.changes}
    assert "first.breaker.failure_threshold" in tried
    for key, value in (
        ("recovery_timeout", "1s"),
        ("half_open_permits", 3),
        ("successes_to_close", 3),
        ("when_open", "wait"),
        ("max_recoveries", 0),
    ):
        path = f"first.breaker.{key}"
        assert path not in tried
        records = cascadesim.run(changed.override({path: value})).records
        assert (records.latency == plain.latency).all()
        assert (records.outcome == plain.outcome).all()


@examples(12)
@given(data=scenarios())
def test_breakers_that_stay_closed_ignore_what_they_do_when_open(data: Data) -> None:
    whole = loads(json.dumps(data))
    plan = compile_plan(whole.model)
    plain = simulate(plan, 1)
    opened = {transition.breaker for transition in plain.transitions}
    for stage in plan.walk():
        for policy in stage.policies:
            where = f"{stage.name}.{policy.name}"
            if isinstance(policy, BreakerPlan) and where not in opened:
                other: dict[str, Any] = {
                    f"{where}.when_open": "reject" if policy.waits else "wait",
                    f"{where}.max_recoveries": policy.max_recoveries + 1,
                }
                if policy.preset is None:  # not every library has these
                    other |= {
                        f"{where}.recovery_timeout": "123s",
                        f"{where}.half_open_permits": 7,
                        f"{where}.successes_to_close": policy.successes_to_close + 1,
                    }
                if policy.recovery_growth > 1:
                    other[f"{where}.max_recovery_timeout"] = "456s"
                found = simulate(compile_plan(whole.override(other).model), 1)
                assert (found.latency == plain.latency).all()
                assert (found.outcome == plain.outcome).all()


def test_stages_behind_the_end_of_a_request_are_not_changed() -> None:
    found = waiting(scenario({"breaker": BREAKER | {"when_open": "reject"}}))
    assert found.today.outcome.word == "rejected"
    assert not {change.path for change in found.changes if change.path.startswith("after.")}


def test_one_breaker_behind_another_takes_both() -> None:
    # Both open at 11.05 s, for 20 s. Either alone, at 5 s, leaves the request to the other one.
    outer, inner = ({"breaker": BREAKER | {"name": name}} for name in ("outer", "inner"))
    paths = ["a.outer.recovery_timeout", "a.inner.recovery_timeout"]
    found = waiting(scenario(outer, inner), changes={path: ["5s"] for path in paths})
    assert [change.world.latency for change in found.changes] == pytest.approx([19.16, 19.16])
    assert not found.helping
    assert [change.path for change in found.together] == paths
    last = found.together[-1]
    assert last.world.latency == pytest.approx(0.05 + 4.0 + 0.11)
    assert found.sentence.startswith(
        "No single change of the 2 that were tried would have helped it. Most of its time, "
        "19.0 s, is governed by a.outer.recovery_timeout. Together, "
        "a.outer.recovery_timeout 20s → 5s and a.inner.recovery_timeout 20s → 5s would have "
        "helped more: 19.2 s → 4.16 s; of all, the p99 "
    )
    both = cascadesim.run(scenario(outer, inner).override(dict.fromkeys(paths, "5s")))
    assert last.world.latency == both.records.latency[found.request]


def test_an_error_that_comes_sooner_is_no_help_and_a_fallback_answers_for_it() -> None:
    fallback = {"fallback": {"enabled": False, "work": {"constant": "20ms"}}}
    changes = {
        "a.breaker.recovery_timeout": ["10s"],
        "a.breaker.when_open": ["reject"],
        "a.fallback.enabled": [True],
    }
    changed = scenario(fallback, {"breaker": BREAKER}, objectives=["p99 < 5s"])
    found = waiting(changed, changes=changes)
    most = found.helping[0]  # not the refusal, which comes at once
    assert (most.path, most.world.outcome.word) == ("a.breaker.recovery_timeout", "ok")
    refusal = next(change for change in found.changes if change.path == "a.breaker.when_open")
    assert (refusal.helps, refusal.world.outcome.word) == (False, "rejected")
    assert refusal.hurts  # others are refused, too
    assert found.best is most
    assert [change.path for change in found.together] == [
        "a.breaker.when_open",
        "a.fallback.enabled",
    ]
    last = found.together[-1].world
    assert last.outcome.word == "degraded"
    assert last.latency == pytest.approx(0.05 + 0.02 + 0.01)


def test_any_number_of_processes_gives_the_same() -> None:
    changed = scenario()
    both = [explain(changed, 12, execution=Execution(jobs)).to_dict() for jobs in (1, 2)]
    assert both[0] == both[1]


@pytest.mark.parametrize("name", PERCENTILES)
def test_the_request_of_a_percentile_has_its_latency(name: str) -> None:
    changed = scenario(workload={"arrivals": {"poisson": {"rate": "8/s"}}}, warmup="5s")
    found = explain(changed, percentile=name, changes={}, execution=ONE)
    assert found.today.latency == cascadesim.run(changed).summary.percentiles[name].seconds
    assert found.changes == ()
    assert found.frame.empty


def test_without_a_word_it_is_the_observation_or_else_the_p99() -> None:
    incident = cascadesim.load(ROOT / "scenarios" / "incident-60s").at("before")
    found = explain(incident, changes={}, execution=ONE)
    assert found.named == f"request {found.request} (observation 0)"
    assert found.today.latency == pytest.approx(60.272154, abs=1e-6)
    assert found.clock(found.arrival).startswith("23:29:59.7")
    assert explain(scenario(), changes={}, execution=ONE).chosen == "the p99"


def test_an_unfinished_request_is_a_lower_bound() -> None:
    silence = [{"on": "a", "from": "30500ms", "for": "1h", "hang": {}}]
    changed = scenario({"deadline": {"enabled": False, "timeout": "2s"}}, faults=silence)
    found = explain(changed, percentile="max", execution=ONE)
    assert (found.today.at_least, found.today.rank) == (True, ERROR)
    assert found.steps[-1].at + found.steps[-1].seconds == pytest.approx(120)
    assert not found.helping  # an error at 2.05 s is none
    change = next(change for change in found.changes if change.path == "a.deadline.enabled")
    assert found.moved(change) == "> 89.0 s (unfinished) → 2.05 s (timed out)"
    assert found.to_dict()["today"]["at_least"] is True


def test_the_frame_has_the_columns_that_are_documented() -> None:
    found = waiting(scenario())
    for column in found.frame:
        assert str(column) in str(
            Explanation.frame.__doc__ or Explanation.__dict__["frame"].__doc__
        )
    rows = found.to_dict()["changes"]
    assert list(rows[0]) == list(found.frame)
    assert len(rows) == len(found.frame) == len(found.changes)
    json.dumps(found.to_dict(), allow_nan=False)
    text = repr(found)
    assert text.startswith("by hand, seed 1\nRequest ")
    assert "a.breaker.recovery_timeout 20s → 10s" in text
    assert found._repr_html_().count("<tr") > 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"request": 60}, "--request 60: there are requests 0 to 58"),
        ({"request": -1}, "--request -1: there are requests 0 to 58"),
        ({"observation": 0}, "--observation 0: there is no observation"),
        ({"request": "3"}, '--request "3": expected a whole number from 0'),
        ({"request": True}, "--request true: expected a whole number from 0"),
        ({"seed": 1.5}, "--seed 1.5: expected a whole number from 0"),
        ({"changes": 5}, "--change: expected texts such as"),
        ({"changes": {"drain": "1min"}}, "--change drain: makes other requests, or says what"),
        ({"percentile": "p98"}, "--percentile p98: expected one of p50, p90"),
        ({"request": 1, "percentile": "p99"}, "give only one of --request, --observation"),
        ({"changes": {"workload.arrivals.constant.rate": ["2/s"]}}, "makes other requests"),
        ({"changes": {"workload.connections.clients": [2]}}, "makes other requests"),
        ({"changes": {"workload.connections": [None]}}, "makes other requests"),
        ({"changes": {"seed": [2]}}, "makes other requests"),
        ({"changes": {"a.breaker.recovery": ["2s"]}}, "recovery"),
        ({"changes": {"a.breaker.recovery_timeout": [2]}}, 'write "2s" (seconds)'),
    ],
)
def test_what_cannot_be_explained_is_one_line(arguments: Any, says: str) -> None:
    with pytest.raises(ScenarioError) as wrong:
        explain(scenario(), execution=ONE, **arguments)
    assert says in str(wrong.value)


@pytest.mark.parametrize(
    "changes",
    [
        "a.breaker.recovery_timeout=10s",
        ["a.breaker.recovery_timeout=10s"],
        {"a.breaker.recovery_timeout": "10s"},
        {"a.breaker.recovery_timeout": ["10s"]},
    ],
)
def test_changes_are_texts_or_values_by_path(changes: Any) -> None:
    (only,) = waiting(scenario(), changes=changes).changes
    assert (only.path, only.value) == ("a.breaker.recovery_timeout", "10s")


def test_a_change_that_degrades_all_others_is_said_to() -> None:
    policies = [{"fallback": {}}, {"deadline": {"timeout": "2s"}}]
    stages = {"a": {"work": {"constant": "450ms"}, "policies": policies}}
    made = scenario(stages=stages, faults=[], objectives=["p50 < 100ms"])
    found = explain(made, percentile="p50", changes=["a.deadline.timeout=20ms"], execution=ONE)
    (only,) = found.changes
    assert only.hurts
    assert found.best is None
    assert "the degraded rate of all goes 0.00% → 100.00%" in found.sentence


def test_what_is_cut_off_by_the_end_of_the_run_is_not_called_worse() -> None:
    # Every call times out in the end; with a long deadline those of the last 10 s are unfinished.
    silent = [{"on": "a", "from": "0s", "for": "1h", "hang": {}}]
    policies = [{"deadline": {"timeout": "10s"}}]
    made = scenario(
        stages={"a": {"work": {"constant": "1s"}, "policies": policies}}, faults=silent, drain="0s"
    )
    found = explain(made, request=5, changes=["a.deadline.timeout=1s"], execution=ONE)
    (only,) = found.changes
    assert found.today.error_rate < only.world.error_rate
    assert not only.helps
    assert not only.hurts


def test_a_run_without_requests_has_no_percentile() -> None:
    empty = scenario(horizon="500ms", faults=[])
    with pytest.raises(ScenarioError, match="no request arrives"):
        explain(empty, execution=ONE)


def test_settings_of_connections_can_be_tried_on_a_message() -> None:
    connections = {
        "clients": 1,
        "messages": {"constant": "1s"},
        "reconnect": {"base": "2s", "attempts": 2},
    }
    restart = {"on": "connections", "from": "1500ms", "for": "1s", "restart": {}}
    connected = scenario(
        workload={"connections": connections},
        stages={"a": {"work": {"constant": "200ms"}}},
        faults=[restart],
    )
    # Lost at 1.5 s and back 2 s later, so that the message of 2 s waits until 3.5 s; or until 3 s,
    # as the handshake of 2 s is refused by the restart, and the next one follows 1 s later.
    path = "workload.connections.reconnect"
    changes = {f"{path}.base": ["500ms"], f"{path}.attempts": [1]}
    explained = explain(connected, 1, changes=changes, execution=ONE)
    assert explained.today.latency == pytest.approx(1.7)
    latencies = {change.path: change.world.latency for change in explained.changes}
    assert latencies == pytest.approx({f"{path}.base": 1.2, f"{path}.attempts": 1.7})
