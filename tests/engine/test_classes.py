"""Classes of requests: each has its path through shared stages, and objectives of its own."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from kit import Data, content, draws_of, examples, plan_of, run
from scipy import stats
from strategies import scenarios, with_load

from cascadesim.analysis.bounds import path_bounds
from cascadesim.analysis.contradictions import contradictions
from cascadesim.analysis.summary import summarize
from cascadesim.engine import simulate
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import Records
from cascadesim.scenario.load import Scenario, loads
from cascadesim.scenario.objectives import parse_objective
from cascadesim.studies.check import check
from cascadesim.studies.compare import compare
from cascadesim.studies.diff import diff
from cascadesim.studies.execution import Execution
from cascadesim.studies.explain import explain
from cascadesim.studies.gate import gate
from cascadesim.studies.optimize import optimize
from cascadesim.studies.run import run as run_scenario
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome

AUTH = {"work": {"constant": "300ms"}, "concurrency": 1}
AGENT = {"work": {"constant": "1s"}}


def every(rate: str) -> Data:
    return {"arrivals": {"constant": {"rate": rate}}}


def scenario(classes: Data, stages: Data, load: Data | None = None, **rest: Any) -> Data:
    workload = (load or {}) | {"classes": classes}
    base = {"name": "classes", "horizon": "5s", "drain": "1h"}
    return base | {"workload": workload, "stages": stages} | rest


def loaded(data: Data) -> Scenario:
    return loads(json.dumps(data))


def ends(records: Records, name: str) -> list[tuple[float, float]]:
    """Return (arrival, latency) of every request of a class."""
    of = records.of_class(name)
    return [(float(a), round(float(s), 9)) for a, s in zip(of.arrival, of.latency, strict=True)]


# Chat comes every 2 s and passes both stages, search every second and passes only the first.
TWO = scenario(
    {
        "chat": every("30/min") | {"path": ["auth", "agent"], "objectives": ["p99 < 1s"]},
        "search": every("1/s") | {"path": ["auth"], "objectives": ["max <= 600ms"]},
    },
    {"auth": AUTH, "agent": AGENT},
    objectives=["p50 < 500ms"],
)


def test_a_class_passes_its_path_and_shares_what_the_stages_have() -> None:
    records = run(TWO)
    # At 2 s and 4 s both come; the class that is first in the file has the one place first.
    assert ends(records, "chat") == [(2, 1.3), (4, 1.3)]
    assert ends(records, "search") == [(1, 0.3), (2, 0.6), (3, 0.3), (4, 0.6)]
    assert records.calls == {"auth": 6, "agent": 2}


def test_a_path_is_passed_in_its_own_order() -> None:
    stages = {name: {"work": {"constant": work}, "concurrency": 1} for name, work in
              (("a", "1s"), ("b", "2s"))}  # fmt: skip
    there = every("40/min") | {"path": ["a", "b"]}
    back = every("40/min") | {"path": ["b", "a"]}
    records = run(scenario({"there": there, "back": back}, stages, horizon="2s"))
    # There waits at b until back has left it, 3 s after both came; back finds a free.
    assert ends(records, "there") == [(1.5, 1 + 1 + 2)]
    assert ends(records, "back") == [(1.5, 2 + 1)]


def test_without_a_path_a_class_passes_all_stages_as_they_stand() -> None:
    plain = scenario({}, {"auth": AUTH, "agent": AGENT})
    plain["workload"] = {"arrivals": {"poisson": {"rate": "2/s"}}}
    one = scenario({"only": {"weight": 1}}, plain["stages"], plain["workload"])
    alone, classed = run(plain), run(one)
    for name in ("arrival", "latency", "outcome", "seconds"):
        assert (getattr(alone, name) == getattr(classed, name)).all()


def test_failures_of_one_class_open_the_breaker_for_another() -> None:
    breaker = {"breaker": {"failure_threshold": 1, "recovery_timeout": "10s"}}
    stages = {"auth": AUTH | {"policies": [breaker]}, "agent": AGENT}
    fault = {"on": "auth", "from": "0s", "for": "1500ms", "outage": {}}
    records = run(scenario(TWO["workload"]["classes"], stages, faults=[fault]))
    assert set(records.of_class("search").outcome) == {Outcome.FAILED, Outcome.REJECTED}
    assert set(records.of_class("chat").outcome) == {Outcome.REJECTED}


def weighed(chat: float, search: float, load: Data | None = None) -> Data:
    exponential = {"exponential": {"mean": "100ms"}}
    return scenario(
        {
            "chat": {"weight": chat, "path": ["auth", "agent"]},
            "search": {"weight": search, "path": ["auth", "search"]},
        },
        {"auth": {"work": exponential}, "agent": AGENT, "search": {"work": exponential}},
        load or {"arrivals": {"poisson": {"rate": "20/s"}}},
        horizon="2min",
    )


def test_weights_cut_the_same_draw_and_move_no_other() -> None:
    nine, even = run(weighed(9, 1)), run(weighed(1, 1))
    n = len(nine.arrival)
    drawn = Stream(1, 0, "workload.class", UNIFORM)
    uniform = np.array([drawn.at(number) for number in range(n)])
    assert (nine.request_class == (uniform >= 0.9)).all()
    assert (even.request_class == (uniform >= 0.5)).all()
    assert (nine.arrival == even.arrival).all()
    # Who searches with either weight takes as long, as there is room for all.
    both = (nine.request_class == 1) & (even.request_class == 1)
    np.testing.assert_allclose(nine.latency[both], even.latency[both], rtol=0, atol=1e-9)
    assert both.sum() == (nine.request_class == 1).sum() > 100
    before, after = draws_of(weighed(9, 1)).values, draws_of(weighed(1, 1)).values
    assert all(before[address] == after[address] for address in before.keys() & after.keys())


def test_the_rate_of_one_class_moves_no_draw_of_another() -> None:
    def of(rate: str) -> Data:
        data = weighed(1, 1)
        classes = data["workload"]["classes"]
        del classes["chat"]["weight"], classes["search"]["weight"], data["workload"]["arrivals"]
        classes["chat"]["arrivals"] = {"poisson": {"rate": rate}}
        classes["search"]["arrivals"] = {"poisson": {"rate": "5/s"}}
        return data

    slow, fast = run(of("1/s")), run(of("3/s"))
    assert len(fast.arrival) > len(slow.arrival) + 100
    np.testing.assert_allclose(ends(slow, "search"), ends(fast, "search"), rtol=0, atol=2e-9)
    # Each has arrivals of its own, also where the rates are the same.
    same = run(of("5/s"))
    assert not np.isin(same.of_class("chat").arrival, same.of_class("search").arrival).any()


def test_clients_send_requests_of_every_class() -> None:
    closed = {"closed": {"clients": 3, "think": {"exponential": {"mean": "1s"}}}}
    records = run(weighed(3, 1, closed))
    drawn = Stream(1, 0, "workload.class", UNIFORM)
    cut = [drawn.at(number) >= 0.75 for number in range(len(records.arrival))]
    # Turns are not in order of arrival, so as many of the numbers as were sent, but for the last.
    assert abs(int(records.request_class.sum()) - sum(cut)) <= 9
    assert {records.class_of(row) for row in range(10)} <= {"chat", "search"}
    assert records.frame()["class"].value_counts()["chat"] > 100
    # Of the work on the paths each is met by its share: 100 ms + 3/4 of 1 s + 1/4 of 100 ms.
    assert plan_of(weighed(3, 1, closed)).mean_gap == pytest.approx((1 + 0.1 + 0.75 + 0.025) / 3)


def test_an_observed_request_is_of_its_class() -> None:
    seen = [
        {"at": "12:00:03.5", "latency": "600ms", "stamp": "arrival", "class": name, "work": work}
        for name, work in (("search", {"auth": "600ms"}), ("chat", {}))
    ]
    records = run(TWO | {"clock": "12:00:00", "observations": seen})
    rows = np.flatnonzero(records.observation >= 0)
    assert [records.class_of(row) for row in rows] == ["search", "chat"]
    # Two come at 3.5 s, when auth is free again; the second waits for the first.
    assert records.latency[rows] == pytest.approx([0.6, 0.6 + 0.3 + 1])


@examples(20)
@given(scenarios())
def test_requests_meet_the_stages_on_their_path_and_no_others(data: Data) -> None:
    plan = plan_of(data)
    records = simulate(plan, 1)
    classes = data["workload"].get("classes", {})
    assert records.classes == tuple(classes)
    assert len(records.request_class) == (len(records.arrival) if classes else 0)
    for i, observed in enumerate(data["observations"]):
        row = int(np.flatnonzero(records.observation == i)[0])
        assert records.class_of(row) == observed.get("class")
    counts = 0
    for name in classes:
        own = records.of_class(name)
        counts += len(own.arrival)
        on_path = {stage.name for outer in plan.path(name) for stage in walk(outer)}
        off = [i for i, part in enumerate(own.parts) if part.stage not in on_path]
        assert not own.seconds[:, off].any()
        ended = {own.ends[i].partition(".")[0] for i in set(own.ended_by[own.ended_by >= 0])}
        assert ended <= on_path
    assert counts == (len(records.arrival) if classes else 0)


def walk(stage: Any) -> list[Any]:
    return [stage, *(inner for each in stage.stages for inner in walk(each))]


@examples(12)
@given(scenarios(bounded=True))
def test_no_class_takes_longer_than_the_worst_case_of_its_path(data: Data) -> None:
    closed = {"closed": {"clients": 4, "think": {"exponential": {"mean": "500ms"}}}}
    for each in (data, with_load(data, closed)):
        plan = plan_of(each)
        records = simulate(plan, 2)
        for name, bound in path_bounds(plan).items():
            latency = records.latency if name is None else records.of_class(name).latency
            assert latency.max(initial=0.0) <= bound.total * (1 + 1e-9) + 1e-9
        assert content(simulate(plan, 2)) == content(records)


def test_objectives_of_a_class_are_judged_by_its_own_requests() -> None:
    result = run_scenario(loaded(TWO))
    summary = result.summary
    assert [(v.objective.text, v.value.estimate, v.met) for v in summary.verdicts] == [
        ("p50 < 500ms", pytest.approx(0.6), False),  # of 0.3 0.3 0.6 0.6 1.3 1.3
        ("chat: p99 < 1s", pytest.approx(1.3), False),
        ("search: max <= 600ms", pytest.approx(0.6), True),
    ]
    blame = summary.verdicts[1].blame
    assert blame is not None
    assert blame.setting == "agent.work"
    assert blame.share == pytest.approx(1 / 1.3)
    assert summary.classes["chat"].requests == 2
    assert summary.classes["chat"].limit == 1
    assert summary.classes["search"].percentiles["p50"].seconds == pytest.approx(0.3)
    found = result.to_dict()
    assert found["classes"]["search"]["percentiles_s"]["p50"] == pytest.approx(0.3)
    assert [each["objective"] for each in found["objectives"]] == [
        *("p50 < 500ms", "chat: p99 < 1s", "search: max <= 600ms")
    ]
    assert "classes" not in summarize(run(TWO | {"workload": every("1/s")})).to_dict()


def test_comparisons_gates_and_diffs_judge_objectives_of_classes(tmp_path: Path) -> None:
    variants = {"today": {}, "quick": {"agent.work.constant": "500ms"}}
    given = loaded(TWO | {"variants": variants})
    store = Execution(jobs=1, store=tmp_path)
    for _ in range(2):  # simulated, and then as they were kept
        compared = compare(given, replications=3, execution=store)
        met = {o.objective.text: o.met for o in compared.objectives("quick")}
        assert met == {"p50 < 500ms": False, "chat: p99 < 1s": True, "search: max <= 600ms": True}
        (own,) = [o for o in compared.objectives("today") if o.objective.request_class == "chat"]
        assert (own.met, own.met_in) == (False, 0)
        assert own.value.estimate == pytest.approx(1.3)
        assert own.value.half_width == pytest.approx(0, abs=1e-9)
        assert own.blame is not None
        assert own.blame.setting == "agent.work"
    gated = gate([given], replications=1)
    missed = [(v.name, j.objective.text) for _, v, j in gated.judged if not j.met]
    assert missed == [
        ("today", "p50 < 500ms"),
        ("today", "chat: p99 < 1s"),
        ("quick", "p50 < 500ms"),
    ]

    quick, slow = (
        loaded(
            TWO | {"objectives": [], "stages": {"auth": AUTH, "agent": {"work": {"constant": s}}}}
        )
        for s in ("100ms", "2s")
    )
    (pair,) = diff(quick, slow).pairs
    assert [each.new.objective.text for each in pair.newly_missed] == ["chat: p99 < 1s"]


def test_requests_are_paired_where_they_are_of_the_same_class() -> None:
    path = "workload.classes.chat.weight"
    variants = {"nine": {}, "quick": {"agent.work.constant": "500ms"}, "even": {path: 1}}
    compared = compare(loaded(weighed(9, 1) | {"variants": variants}))
    chats = compared.results["nine"].summary.classes["chat"].requests
    assert compared.pairs("quick") == (chats, 0)
    assert compared.pairs("even") is None


def test_settings_are_tuned_for_an_objective_of_a_class() -> None:
    given = loaded(TWO | {"objectives": []})
    found = optimize(
        given,
        ["agent.work.constant=100ms,600ms,1s", "auth.concurrency=1,2"],
        maximize="goodput",
        subject_to="chat: p99 < 800ms",
        budget=6,
        replications=1,
        confirm=2,
        execution=Execution(jobs=1),
    )
    kept = {row["agent.work.constant"] for _, row in found.frame.iterrows() if row["feasible"]}
    assert kept == {"100ms"}  # which takes 0.4 s, and 600 ms take 0.9 s
    assert found.frame["chat: p99_s"].max() == pytest.approx(1.3)
    assert found.missed("today") == ["chat: p99 < 800ms"]
    with pytest.raises(ScenarioError, match=r'no class "chta"; did you mean "chat"'):
        optimize(given, "auth.concurrency=1,2", "p99", subject_to="chta: p99 < 1s")


def test_check_bounds_every_path_and_holds_each_class_to_its_objective() -> None:
    breaker = {"breaker": {"recovery_timeout": "30s", "when_open": "wait", "max_recoveries": 1}}
    stages = {
        "auth": {"work": {"constant": "1s"}},
        "agent": {
            "work": {"constant": "2s"},
            "policies": [breaker, {"deadline": {"timeout": "2s"}}],
        },
        "search": {"work": {"constant": "4s"}},
    }
    chat = {"weight": 1, "path": ["auth", "agent"], "objectives": ["p99 < 40s"]}
    search = {"weight": 3, "path": ["auth", "search"], "objectives": ["p99 < 1s"]}
    load = {"arrivals": {"constant": {"rate": "4/s"}}}
    data = scenario({"chat": chat, "search": search}, stages, load)
    found = check(loaded(data))
    bounds = {name: bound.total for name, bound in found.paths.items()}
    assert bounds["search"] == 5
    assert bounds["chat"] == 1 + found.bounds["agent"].total
    assert found.worst_case.total == bounds["chat"] > 30
    assert found.to_dict()["worst_case_by_class_s"] == bounds
    # Searches do not wait for the breaker of a stage that they do not pass.
    assert found.contradictions == []
    chat["objectives"] = ["p99 < 20s"]
    (odd,) = check(loaded(data)).contradictions
    assert odd.settings == ("agent.breaker.recovery_timeout",)
    assert odd.problem.endswith("beyond the objective of 20.00 s of chat")
    # The breaker is met by every fourth request or so: 5 failures take about 5 s, not 1.25 s.
    refused, _ = check(loaded(data)).openings
    assert refused.reached == 5
    assert refused.after is not None
    assert refused.after == pytest.approx(4 + 1)  # chats come once a second, and auth takes one


def test_the_load_of_a_stage_is_that_of_the_classes_that_pass_it() -> None:
    retry = {"retry": {"attempts": 3}}
    stages = {
        "auth": {"work": {"constant": "1ms"}},
        "agent": {"work": {"constant": "1s"}, "concurrency": 5, "policies": [retry]},
    }
    load = {"arrivals": {"constant": {"rate": "10/s"}}}

    def found(chat: int) -> list[str]:
        classes = {
            "chat": {"weight": chat, "path": ["auth", "agent"]},
            "ping": {"weight": 10 - chat, "path": ["auth"]},
        }
        return [c.problem for c in contradictions(plan_of(scenario(classes, stages, load)), None)]

    assert found(1) == []  # 3 calls a second where there is room for 5
    (odd,) = found(3)
    assert odd.endswith("9/s against a capacity of 5/s")


def test_an_explanation_names_the_class_and_takes_its_objective() -> None:
    found = explain(loaded(TWO), request=1, execution=Execution(jobs=1))
    assert found.named == "request 1 (class chat)"
    assert found.to_dict()["class"] == "chat"
    assert found.today.in_time is False  # 1.3 s, of 1 s for chat
    other = explain(loaded(TWO), request=2, execution=Execution(jobs=1))
    assert other.named == "request 2 (class search)"
    assert other.today.in_time is True  # 0.6 s and no more; not of 500 ms for all requests


def test_objectives_are_of_a_class_in_words() -> None:
    each = parse_objective("  chat:p99.9   <= 5s ")
    assert (each.text, each.request_class, each.measure) == (
        *("chat: p99.9 <= 5s", "chat", "chat: p99.9"),
    )
    with pytest.raises(ValueError, match='unknown metric "p9999"'):
        parse_objective("chat: p9999 < 5s")


@pytest.mark.slow
def test_a_queue_that_a_share_of_a_poisson_stream_passes_is_an_mm1_queue_of_that_share() -> None:
    # Splitting: Gross et al., "Fundamentals of Queueing Theory", 4th ed., 1.7; M/M/1: 2.2.
    rate, share, warmup = 1.5, 0.4, 200
    server = {"work": {"exponential": {"mean": "1s"}}, "concurrency": 1}
    classes = {
        "some": {"weight": share, "path": ["server"]},
        "others": {"weight": 1 - share, "path": ["other"]},
    }
    load = {"arrivals": {"poisson": {"rate": f"{rate}/s"}}}
    stages = {"server": server, "other": {"work": {"constant": "10s"}}}
    data = scenario(classes, stages, load, horizon="4200s", warmup=f"{warmup}s")
    means = []
    for replication in range(24):
        own = run(data, seed=5, replication=replication).of_class("some")
        means.append(float(own.latency[own.measured].mean()))
    low, high = stats.t.interval(0.99, len(means) - 1, np.mean(means), stats.sem(means))
    assert low < 1 / (1 - rate * share) < high
    assert high - low < 0.5
    assert math.isfinite(low)
