"""What a report says, against what can be computed by hand."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from reports import CONSTANT, incident, report_of

import cascadesim
from cascadesim.plots.thin import same_requests
from cascadesim.report import chapters
from cascadesim.report.marks import marked_values, scenario_text
from cascadesim.report.timeline import LEFT, RIGHT, WIDTH
from cascadesim.studies.check import check
from cascadesim.values.outcome import Outcome

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_a_setting_changed_back_alone_is_worth_what_it_adds() -> None:
    # The p99 of constant work is the sum of the work, as requests do not queue.
    effects = {(e.variant, e.path): e for e in report_of(CONSTANT).effects}
    back = {key: e.back.interval.estimate for key, e in effects.items() if e.back is not None}
    assert back == {
        ("faster", "agent.work.constant"): pytest.approx(0.050),
        ("both", "agent.work.constant"): pytest.approx(0.050),
        ("both", "log.work.constant"): pytest.approx(0.002),
        ("both", "agent.breaker.failure_threshold"): pytest.approx(0),
    }
    agent = effects["both", "agent.work.constant"]
    assert (agent.first, agent.changed) == ("100ms", "50ms")
    assert agent.blamed == pytest.approx(50 / 53)
    assert agent.first_blamed == pytest.approx(100 / 105)
    # 2 of 53 ms are more than 1 %; a threshold neither moves nor governs anything.
    assert [path for (name, path), e in effects.items() if name == "both" and e.matters] == [
        "agent.work.constant",
        "log.work.constant",
    ]


def test_a_setting_that_governs_the_p99_is_blamed() -> None:
    text = CONSTANT.replace(
        "faster: {agent.work.constant: 50ms}",
        "faster: {agent.breaker.recovery_timeout: 5s}",
    ).replace("when_open: reject", "when_open: wait")
    (effect,) = (e for e in report_of(text, variants=["before", "faster"]).effects)
    records = report_of(text, variants=["before"]).comparison.results["before"].records
    waits = [part.cause == "breaker_wait" for part in records.parts]
    slow = records.seconds[np.argmax(records.latency)]
    assert effect.first_blamed == pytest.approx(slow[waits].sum() / slow.sum(), abs=0.02)
    assert effect.first_blamed > 0.9
    assert effect.matters


def test_what_cannot_be_changed_back_alone_is_told_so() -> None:
    text = CONSTANT.replace("horizon: 60s", "horizon: 30s").replace(
        "faster: {agent.work.constant: 50ms}", "faster: {horizon: 90s, warmup: 60s}"
    )
    effects = {e.path: e for e in report_of(text, variants=["before", "faster"]).effects}
    # A horizon of 30 s is no more than the warm-up.
    assert effects["horizon"].back is None
    assert effects["warmup"].back is not None
    assert effects["warmup"].first == "not set"


def test_settings_that_every_variant_is_given_are_no_change() -> None:
    made = report_of(CONSTANT, variants=["before", "faster"], settings={"log.work.constant": "9ms"})
    assert [e.path for e in made.effects] == ["agent.work.constant"]
    assert made.comparison.percentile("faster", "max").estimate == pytest.approx(0.059)


def test_breakers_are_open_from_the_last_failure_for_the_recovery() -> None:
    # Requests arrive every 0.5 s; calls from 20 s on fail at once, the third of them opens it.
    made = report_of(CONSTANT, variants=["before"])
    records = made.comparison.results["before"].records
    failing = records.arrival[(records.outcome == Outcome.FAILED) & (records.arrival >= 20)]
    (opened,) = made.opened
    assert (opened.breaker, opened.times) == ("agent.breaker", 1)
    assert opened.first == "10:00:21"
    assert failing[2] == pytest.approx(21)
    assert opened.seconds == pytest.approx(10)  # the first call after the recovery is at 31 s


def test_a_timeline_places_requests_by_time_and_latency() -> None:
    (line,) = report_of(CONSTANT, variants=["before"]).timelines
    assert len(line.points) == line.requests
    width = WIDTH - LEFT - RIGHT
    middle = next(point for point in line.points if "arrived 10:00:30;" in point.text)
    assert middle.x == pytest.approx(LEFT + width / 2, abs=0.1)
    assert (middle.outcome, "rejected" in middle.text) == ("rejected", True)
    (fault,) = line.faults
    assert fault.x == pytest.approx(LEFT + width / 3, abs=0.1)
    assert fault.width == pytest.approx(width / 12, abs=0.2)
    assert fault.label == "agent: calls fail"
    by_label = {label: y for y, label in line.latencies}
    ok = next(point for point in line.points if point.outcome == "ok")
    share = (math.log10(0.105) - math.log10(0.1)) / 1
    at = by_label["100 ms"] + share * (by_label["1 s"] - by_label["100 ms"])
    assert ok.y == pytest.approx(at, abs=0.1)
    assert [label for _, label in line.times][:2] == ["10:00:00", "10:00:10"]


RECORDS = cascadesim.run(cascadesim.loads(CONSTANT)).records


@given(st.integers(0, 300), st.integers(2, 100), st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_slowest_and_the_observed(n: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    observation = np.full(n, -1, dtype=np.int32)
    observation[rng.integers(n, size=min(n, 1))] = 0
    latencies = [rng.exponential(size=n) for _ in range(2)]
    arrival = rng.uniform(size=n)
    runs = [
        replace(RECORDS, latency=each, arrival=arrival, observation=observation)
        for each in latencies
    ]
    rows = same_requests(runs, most)
    assert len(set(rows)) == len(rows) <= most
    assert (np.diff(arrival[rows]) >= 0).all()
    assert set(np.flatnonzero(observation >= 0)) <= set(rows)
    slowest = np.argsort(-np.maximum(*latencies))[: most // 2 - 1]
    assert set(slowest) <= set(rows)
    assert n > most or len(rows) == n
    assert len(rows) >= min(n, most // 2 + 1)  # some of the others, too


def test_requests_of_other_worlds_are_not_linked() -> None:
    text = CONSTANT.replace(
        "faster: {agent.work.constant: 50ms}", "faster: {workload.arrivals.constant.rate: 3/s}"
    )
    before, faster, both = report_of(text).timelines
    assert {p.key for p in before.points} == {p.key for p in both.points}
    assert not {p.key for p in before.points} & {p.key for p in faster.points}


def test_what_percentiles_are_made_of_adds_up() -> None:
    made = chapters.causes(report_of(CONSTANT))
    assert made is not None
    assert len(made.rows) == 3 * len(chapters.COMPOSED)
    for _, _, latency, *parts in made.rows:
        assert latency.sort == pytest.approx(sum(part.sort or 0 for part in parts))


def test_the_worst_case_is_what_settings_allow() -> None:
    made = report_of(CONSTANT)
    # All work is constant, and nobody waits for a breaker that rejects.
    table = chapters.worst_cases(made)
    assert table is not None
    assert [cell.text for cell in table.total[1:]] == ["0.105", "0.055", "0.053"]
    assert made.bounds["both"].terms["log.work"] == pytest.approx(0.003)
    waiting = report_of(CONSTANT.replace("reject", "wait"), variants=["before"])
    expected = check(cascadesim.loads(CONSTANT.replace("reject", "wait")).at("before"))
    assert waiting.bounds["before"].total == expected.to_dict()["worst_case_s"] > 10


def test_the_verdict_of_an_incident() -> None:
    made = incident()
    p99 = {name: each.summary.percentiles["p99"] for name, each in made.comparison.results.items()}
    share = {
        name: f"{each.summary.rates['answered_rate']:.2%} ({each.summary.error_rate:.2%} errors)"
        for name, each in made.comparison.results.items()
    }
    assert made.verdict == (
        "The reply of 23:31:00 took 60.27 s (simulated: 60.27 s) (agent work of this request "
        "fitted: 578 ms), 99% of it breaker wait; answered within 5 s are "
        f"{share['before']} in before and {share['agent-breaker']} in agent-breaker; the p99 "
        f"is {p99['before'].seconds:.2f} s in before and {p99['agent-breaker'].seconds:.2f} s in "
        "agent-breaker; none of the 2 variants meets p99 < 5s and error_rate < 1%."
    )


ONE_STAGE = """\
name: one
horizon: {horizon}
drain: 5s
workload: {{arrivals: {{constant: {{rate: 2/s}}}}}}
stages: {{agent: {{work: {{constant: {work}}}}}}}
objectives: {objectives}
"""


@pytest.mark.parametrize(
    ("horizon", "work", "objectives", "verdict"),
    [
        ("100ms", "1s", "[]", "No request arrives between warm-up and horizon, so there is"),
        ("9s", "1s", "[]", "100.00% of the requests are answered; the p99 is 1.00 s, 100% of it "),
        (
            "9s",
            "1s",
            "[p99 < 2s]",
            "100.00% of the requests are answered within 2 s; the p99 is 1.00 s, 100% of it "
            "service work; it meets p99 < 2s.",
        ),
        ("9s", "1s", "[p99 < 1ms]", "100% of it service work; it misses p99 < 1ms."),
        ("9s", "1h", "[]", "0.00% of the requests are answered; the p99 is at least 13.50 s"),
    ],
)
def test_the_verdict_of_one_run(horizon: str, work: str, objectives: str, verdict: str) -> None:
    made = report_of(ONE_STAGE.format(horizon=horizon, work=work, objectives=objectives))
    assert verdict in made.verdict
    assert made.effects == ()
    assert "<h1>one</h1>" in made.html  # nothing of it is too little for a page


def test_the_verdict_on_many_variants_names_the_best() -> None:
    more = "".join(f"  v{i}: {{agent.work.constant: {i}ms}}\n" for i in range(250, 256))
    made = report_of(CONSTANT + more)
    # Half of the requests are no quicker than 200 ms in those.
    assert made.verdict == (
        "Answered within 0.2 s are 81.51% (18.49% errors) in before; the p99 is 105 ms in before, "
        "and lowest in both, 53 ms; of 9 variants only before, faster and both meet p50 < 200ms."
    )


def test_values_that_a_scenario_marks() -> None:
    text = """\
name: "a # given: no comment"  # given: by us
# assumed: nothing, as it stands behind no value
horizon: 60s  # not given
stages:  # assumed: two of them
  one: {work: {constant: 1s}}  # Assumed
  two:
    policies:
      - retry: {attempts: 2}  # given
    work: {constant: 1s}  # givens are no marks
objectives:
  - p99 < 5s  # given; of what, is assumed
"""
    assert [(m.path, m.value, m.mark, m.note) for m in marked_values(text)] == [
        ("name", "'a # given: no comment'", "given", "by us"),
        ("stages", "", "assumed", "two of them"),
        ("one", "{work: {constant: 1s}}", "assumed", ""),
        ("two.retry", "{attempts: 2}", "given", ""),
        ("objectives.0", "p99 < 5s", "given", "of what, is assumed"),
    ]


def test_every_mark_of_an_incident_is_found() -> None:
    text = (INCIDENT / "scenario.yaml").read_text("utf-8")
    marks = re.findall(r"\S  # (given|assumed|fitted)\b", text)
    assert [each.mark for each in marked_values(text)] == marks
    assert len(marks) > 40


def test_the_text_is_that_of_the_file_as_long_as_it_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(CONSTANT)
    scenario = cascadesim.load(file)
    assert scenario_text(scenario) == CONSTANT
    file.write_text(CONSTANT.replace("60s", "50s"))
    assert cascadesim.loads(scenario_text(scenario)).model == scenario.model
    assert "# given" not in scenario_text(scenario)
    file.unlink()
    assert cascadesim.loads(scenario_text(scenario)).model == scenario.model
