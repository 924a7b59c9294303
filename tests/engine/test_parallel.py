"""Stages in parallel, by latencies computed by hand."""

import json

import numpy as np
import pytest
from kit import (
    ALWAYS,
    DEGRADED,
    FAILED,
    OK,
    REJECTED,
    TIMED_OUT,
    UNFINISHED,
    Data,
    beside,
    changes,
    draws_of,
    ended_by,
    ends,
    fault,
    plan_of,
    run,
    scenario,
    simulated,
    spent,
    work,
)
from scipy import stats

from cascadesim.engine import trace
from cascadesim.scenario.load import loads
from cascadesim.studies.check import check
from cascadesim.studies.run import run as result_of
from cascadesim.values.errors import ScenarioError
from cascadesim.views.run import page
from cascadesim.views.terminal import text


def fan(*policies: Data, more: Data | None = None, **stages: Data) -> Data:
    """Return a stage whose stages inside run at once."""
    whole = {"parallel": True, "stages": stages, "policies": list(policies)}
    return {"fan": whole | (more or {})}


def test_the_slowest_decides_and_the_time_is_its_own() -> None:
    stages = fan(left=work("1s"), slow=work("3s"), right=work("2s"))
    records = simulated(stages | {"after": work("1s")})
    assert ends(records) == [(4.0, OK)]
    assert spent(records) == {"slow.service_work": 3.0, "after.service_work": 1.0}
    assert beside(records) == {"left.service_work": 1.0, "right.service_work": 2.0}
    stages["fan"]["parallel"] = False
    assert ends(simulated(stages)) == [(6.0, OK)]


def test_they_begin_after_the_work_of_the_stage_around_them() -> None:
    records = simulated(fan(more=work("2s"), left=work("1s"), right=work("1500ms")))
    assert spent(records) == {"fan.service_work": 2.0, "right.service_work": 1.5}


def test_a_wait_of_the_slowest_is_charged_and_those_of_others_are_not() -> None:
    queue = {"concurrency": 1}
    stages = fan(left=work("1250ms", **queue), right=work("1500ms", **queue))
    records = simulated(stages, 3)
    assert ends(records) == [(1.5, OK), (2.0, OK), (2.5, OK)]
    assert spent(records, 2) == {"right.queue_wait": 1.0, "right.service_work": 1.5}


def test_the_first_error_ends_it_and_cancels_the_others() -> None:
    failing = work("1250ms", **ALWAYS)
    stages = fan(slow=work("9s", concurrency=1), failing=failing)
    # The second finds the slow stage busy until 2.25 s, and has it to itself then.
    records = simulated(stages, 2)
    assert ends(records) == [(1.25, FAILED), (1.25, FAILED)]
    assert spent(records) == {"failing.service_work": 1.25}
    assert ended_by(simulated(stages)) == "failing"
    levels = trace(plan_of(scenario(stages, 2)), 1).levels
    busy, waiting = levels["slow.concurrency.busy"], levels["slow.concurrency.waiting"]
    assert (busy.at.tolist(), busy.value.tolist()) == ([0.0, 1.0, 3.25], [0, 1, 0])
    assert (waiting.at.tolist(), waiting.value.tolist()) == ([0.0, 2.0, 2.25], [0, 1, 0])


def test_all_begin_even_where_one_fails_at_once() -> None:
    rejecting = work("9s", {"bulkhead": {"concurrency": 1}})
    records = simulated(fan(first=rejecting, second=work("1s")), 2)
    assert ends(records) == [(9.0, OK), (0.0, REJECTED)]
    assert records.calls == {"first": 1, "second": 2}
    assert ends(simulated(fan(second=work("1s"), last=rejecting), 2)) == ends(records)


def test_of_two_errors_at_one_instant_the_first_counts() -> None:
    late = work("9s", {"deadline": {"timeout": "1s"}})
    assert ends(simulated(fan(late=late, failing=work("1s", **ALWAYS)))) == [(1.0, FAILED)]
    stages = fan(one=work("1s", **ALWAYS), other=work("1s", **ALWAYS))
    assert ended_by(simulated(stages)) == "one"
    full = {"bulkhead": {"concurrency": 1}}
    records = simulated(fan(slow=work("9s"), one=work("9s", full), other=work("9s", full)), 2)
    assert ends(records) == [(9.0, OK), (0.0, REJECTED)]
    assert records.ends[records.ended_by[1]] == "one.bulkhead.concurrency"


def test_one_degraded_answer_makes_the_whole_degraded() -> None:
    degraded = work("1s", {"fallback": {}}, **ALWAYS)
    for stages in (
        fan(degraded=degraded, slow=work("3s")),
        fan(slow=work("3s"), degraded=degraded),
    ):
        records = simulated(stages)
        assert ends(records) == [(3.0, DEGRADED)]
        assert spent(records) == {"slow.service_work": 3.0}
        assert ended_by(simulated(stages)) == "degraded"


def test_what_degraded_a_request_before_still_did_where_all_answer() -> None:
    before = {"before": work("1s", {"fallback": {}}, **ALWAYS)}
    records = simulated(before | fan(left=work("1s"), right=work("2s")))
    assert ends(records) == [(3.0, DEGRADED)]
    assert records.ends[records.ended_by[0]] == "before"


def test_a_deadline_around_them_cancels_all() -> None:
    deadline = {"deadline": {"timeout": "1500ms"}}
    limited = {name: work("9s", concurrency=1) for name in ("left", "right")}
    stages = fan(deadline, done=work("1s"), **limited)
    records = simulated(stages, 2)
    assert ends(records) == [(1.5, TIMED_OUT), (1.5, TIMED_OUT)]
    # Of those under way the first as they stand.
    assert spent(records, 1) == {"left.queue_wait": 0.5, "left.service_work": 1.0}
    levels = trace(plan_of(scenario(stages)), 1).levels
    for name in limited:
        assert levels[f"{name}.concurrency.busy"].at.tolist() == [0.0, 1.0, 2.5]


def test_an_answer_at_the_deadline_is_in_time() -> None:
    deadline = {"deadline": {"timeout": "2s"}}
    assert ends(simulated(fan(deadline, left=work("1s"), right=work("2s")))) == [(2.0, OK)]


def test_what_a_deadline_abandons_runs_on_in_every_branch() -> None:
    deadline = {"deadline": {"timeout": "1500ms", "on_timeout": "abandon"}}
    limited = {name: work("4s", concurrency=1) for name in ("left", "right")}
    records = simulated(fan(deadline, **limited))
    assert ends(records) == [(1.5, TIMED_OUT)]
    assert spent(records) == {"left.service_work": 1.5}
    levels = trace(plan_of(scenario(fan(deadline, **limited))), 1).levels
    for name in limited:
        assert levels[f"{name}.concurrency.busy"].at.tolist() == [0.0, 1.0, 5.0]


def test_a_deadline_inside_ends_its_own_branch_and_the_others_with_it() -> None:
    late = work("9s", {"deadline": {"timeout": "1s", "on_timeout": "abandon"}}, concurrency=1)
    stages = fan(slow=work("5s"), late=late)
    assert ends(simulated(stages)) == [(1.0, TIMED_OUT)]
    assert ended_by(simulated(stages)) == "late.deadline.timeout"
    # And is abandoned still, where it is another's error that ends it.
    stages = fan(failing=work("500ms", **ALWAYS), late=late)
    assert ends(simulated(stages)) == [(0.5, FAILED)]
    levels = trace(plan_of(scenario(stages)), 1).levels
    assert levels["late.concurrency.busy"].at.tolist() == [0.0, 1.0, 10.0]


def test_a_retry_around_them_begins_all_of_them_anew() -> None:
    retry = {"retry": {"attempts": 2, "base": "500ms"}}
    records = simulated(fan(retry, failing=work("1s", **ALWAYS), right=work("2s")))
    assert ends(records) == [(2.5, FAILED)]
    assert spent(records) == {"fan.retry.retry_backoff": 0.5, "failing.service_work": 2.0}
    assert records.calls == {"failing": 2, "right": 2}


def test_a_retry_in_one_leaves_the_attempts_of_the_others() -> None:
    retry = {"retry": {"attempts": 3, "base": "100ms"}}
    random = {"work": {"exponential": {"mean": "1s"}}}
    data = scenario(fan(retried=random | ALWAYS | {"policies": [retry]}, slow=work("1h")))
    attempts = {(name.split("/")[-1], attempt) for name, _, attempt in draws_of(data).values}
    assert {(name, n) for name, n in attempts if name.endswith(".work")} == {
        *(("retried.work", n) for n in range(3)),
        ("slow.work", 0),
    }
    records = run(data)
    assert records.retries.tolist() == [2]


def test_they_nest() -> None:
    inner = fan(left=work("1s"), right=work("3s"))["fan"]
    records = simulated(fan(inner=inner, other=work("2s")))
    assert spent(records) == {"right.service_work": 3.0}
    inner["stages"]["failing"] = work("500ms", **ALWAYS)
    stages = fan(inner=inner, other=work("2s", concurrency=1))
    assert ends(simulated(stages)) == [(0.5, FAILED)]
    assert ended_by(simulated(stages)) == "failing"


def test_an_unfinished_request_is_where_its_first_branch_under_way_is() -> None:
    stages = fan(done=work("1s"), left=work("9s"), right=work("9s", concurrency=1))
    records = simulated(stages, drain="3s")
    assert ends(records) == [(3.5, UNFINISHED)]
    assert spent(records) == {"left.service_work": 3.5}


@pytest.mark.parametrize(("cancelled", "opened"), [("failure", [(2.0, "open")]), ("ignored", [])])
def test_a_cancelled_branch_counts_as_told_for_the_breaker_in_it(
    cancelled: str, opened: list[tuple[float, str]]
) -> None:
    breaker = {"failure_threshold": 1, "recovery_timeout": "60s", "cancelled": cancelled}
    stages = fan(failing=work("1s", **ALWAYS), guarded=work("9s", {"breaker": breaker}))
    assert changes(simulated(stages)) == opened


def test_spans_are_those_of_the_critical_path() -> None:
    retry = {"retry": {"attempts": 2, "base": "500ms"}}
    stages = {"before": work("1s")} | fan(
        quick=work("1s"), slow=work("1s", {"fallback": {}}, retry, **ALWAYS)
    )
    traced = trace(plan_of(scenario(stages)), 1)
    names = [traced.records.parts[part].column for part in traced.part]
    ends = np.round(traced.end, 6).tolist()
    assert list(zip(traced.branch.tolist(), names, ends, strict=True)) == [
        (0, "before.service_work_s", 2.0),
        (0, "slow.service_work_s", 3.0),
        (0, "slow.retry.retry_backoff_s", 3.5),
        (0, "slow.service_work_s", 4.5),
        (1, "quick.service_work_s", 3.0),
    ]


def test_each_branch_keeps_its_time_where_an_error_cancels_it() -> None:
    stages = {"before": work("2s")} | fan(
        failing=work("1250ms", **ALWAYS), waits=work("9s", {"bulkhead": {}}), quick=work("1s")
    )
    records = simulated(stages)
    assert spent(records) == {"before.service_work": 2.0, "failing.service_work": 1.25}
    assert beside(records) == {"waits.service_work": 1.25, "quick.service_work": 1.0}


def test_branches_of_branches_keep_their_time_too() -> None:
    inner = {"parallel": True, "stages": {"a": work("1s"), "b": work("2s")}}
    records = simulated(fan(inner=inner, slow=work("5s")))
    assert spent(records) == {"slow.service_work": 5.0}
    assert beside(records) == {"a.service_work": 1.0, "b.service_work": 2.0}


def test_the_branches_of_an_unfinished_request_have_run_until_the_end() -> None:
    records = simulated(fan(done=work("1s"), left=work("9s"), right=work("8s")), drain="3s")
    assert spent(records) == {"left.service_work": 3.5}
    assert beside(records) == {"done.service_work": 1.0, "right.service_work": 3.5}


def test_a_page_says_that_times_are_those_of_the_critical_path() -> None:
    for parallel in (True, False):
        stages = {"fan": fan(left=work("1s"), slow=work("3s"))["fan"] | {"parallel": parallel}}
        told = text(page(result_of(loads(json.dumps(scenario(stages))))), 80)
        assert ("times are those of the critical path" in told) == parallel


def test_a_table_of_requests_has_a_column_for_each_branch() -> None:
    frame = simulated(fan(left=work("1s"), slow=work("3s")) | {"after": work("1s")}).frame()
    assert frame["left.service_work_beside_s"].tolist() == [1.0]
    assert frame["slow.service_work_beside_s"].tolist() == [0.0]
    assert "after.service_work_beside_s" not in frame


def test_the_slowest_of_two_random_works_has_the_law_of_their_maximum() -> None:
    random = {"work": {"exponential": {"mean": "1s"}}}
    latency = simulated(fan(left=random, right=random), 1000).latency
    assert stats.kstest(latency, lambda t: (1 - np.exp(-t)) ** 2).pvalue > 0.01


def test_parallel_needs_stages_to_run_beside_each_other() -> None:
    with pytest.raises(ScenarioError, match="parallel: parallel needs two stages inside at least"):
        run(scenario(fan(only=work("1s"))))


def test_a_dotted_path_puts_stages_in_order() -> None:
    stages = fan(left=work("1s"), right=work("2s"))
    data = scenario(stages, variants={"before": {}, "after": {"fan.parallel": False}})
    plan = plan_of(data)
    assert plan.stages[0].parallel
    made = loads(json.dumps(data))
    assert not made.at("after").model.stages["fan"].parallel


def test_what_runs_beside_a_silent_call_may_end_it() -> None:
    settings = {"failure_threshold": 2, "recovery_timeout": "60s", "cancelled": "failure"}
    breaker = {"breaker": settings}
    stages = fan(guarded=work("1s", breaker), failing=work("500ms", **ALWAYS))
    data = scenario(stages, 9)
    _, silent = check(loads(json.dumps(data))).openings
    assert silent.after == pytest.approx(1.5)
    # Alone it is never ended.
    stages["fan"]["parallel"] = False
    text = json.dumps(data)
    assert check(loads(text)).openings[1].never


def test_a_silent_branch_holds_the_request_until_the_outage_is_noticed() -> None:
    tracked = work("1s", tracker={"timeout": "4s"})
    silent = fault("0s", "9s", on="tracked", hang={})
    records = simulated(fan(tracked=tracked, quick=work("1s")), faults=[silent])
    assert ends(records) == [(4.0, FAILED)]
    assert spent(records) == {"tracked.service_work": 4.0}
