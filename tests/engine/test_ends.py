"""When requests end, and which setting or stage ended them."""

import pytest
from kit import ALWAYS, DEGRADED, FAILED, OK, UNFINISHED, Data, ends, fault, simulated, stage


def test_what_is_under_way_at_the_end_is_unfinished() -> None:
    assert ends(simulated(stage("5s"), drain="0s")) == [(0.5, UNFINISHED)]
    assert ends(simulated(stage("5s"), drain="2s")) == [(2.5, UNFINISHED)]
    assert ends(simulated(stage("5s"), drain="5s")) == [(5.0, OK)]


def test_what_ends_at_the_very_end_is_unfinished() -> None:
    assert ends(simulated(stage("500ms"), drain="0s")) == [(0.5, UNFINISHED)]
    assert ends(simulated(stage("499ms"), drain="0s")) == [(0.499, OK)]


def test_requests_of_the_warm_up_are_not_measured() -> None:
    assert simulated(stage(), 4, warmup="2s").measured.tolist() == [False, True, True, True]


DEADLINE: Data = {"deadline": {"timeout": "500ms"}}


POOL: Data = {"connect_time": "0s", "size": 1, "max_overflow": 0, "timeout": "500ms"}


@pytest.mark.parametrize(
    ("stages", "row", "path"),
    [
        (stage("1s", DEADLINE), 0, "a.deadline.timeout"),
        (stage("1s", {"deadline": DEADLINE["deadline"] | {"on_timeout": "abandon"}}), 0,
         "a.deadline.timeout"),
        ({"a": stage("1s")["a"] | ALWAYS}, 0, "a"),
        ({"a": stage("3s")["a"] | {"concurrency": 1, "queue_limit": 0}}, 1, "a.queue_limit"),
        ({"a": stage("3s")["a"] | {"pool": POOL}}, 1, "a.pool.timeout"),
        ({"a": stage("3s")["a"] | {"pool": {"kind": "null", "connect_time": "0s",
                                            "max_connections": 1}}}, 1, "a.pool.max_connections"),
        ({"a": stage("3s")["a"] | {"pool": POOL, "session": {"lifetime": "2s"}}}, 0,
         "a.session.lifetime"),
        ({"a": stage("1s", {"breaker": {"failure_threshold": 1, "recovery_timeout": "9s"}})["a"]
          | ALWAYS}, 1, "a.breaker.when_open"),
        ({"a": stage("1s", {"fallback": {}}, DEADLINE)["a"]}, 0, "a.deadline.timeout"),
    ],
)  # fmt: skip
def test_the_setting_or_stage_that_ended_a_request_is_noted(
    stages: Data, row: int, path: str
) -> None:
    records = simulated(stages, n=2)
    assert records.ends[records.ended_by[row]] == path
    assert records.frame()["ended_by"][row] == path


def test_an_error_that_a_retry_mends_is_not_noted() -> None:
    faults = [fault("0s", "1500ms", outage={})]
    retry = {"retry": {"attempts": 2, "base": "1s"}}
    records = simulated(stage("1s", retry), faults=faults)
    assert ends(records) == [(2.0, OK)]
    assert records.ended_by.tolist() == [-1]


@pytest.mark.parametrize(
    ("stages", "cut_by"),
    [
        (stage("1s"), ()),
        (stage("1s", DEADLINE), ("a.deadline.timeout",)),
        ({"a": stage("1s", DEADLINE)["a"] | {"tracker": {"timeout": "100ms"}}},
         ("a.deadline.timeout", "a.tracker.timeout")),
        ({"o": {"policies": [DEADLINE], "stages": stage("1s")}}, ("o.deadline.timeout",)),
    ],
)  # fmt: skip
def test_timeouts_around_work_govern_it_where_they_end_it(
    stages: Data, cut_by: tuple[str, ...]
) -> None:
    (part,) = simulated(stages).parts
    assert (part.setting, part.cut_by) == ("a.work", cut_by)


def test_a_mended_error_leaves_what_brought_the_request_to_its_fallback() -> None:
    faults = [fault("0s", "1500ms", outage={}, on="b")]
    retry = {"retry": {"attempts": 2, "base": "1s"}}
    stages = {
        "a": stage("0s", {"fallback": {}})["a"] | ALWAYS,
        "b": stage("1s", retry)["a"],
    }
    records = simulated(stages, faults=faults)
    assert ends(records) == [(2.0, DEGRADED)]
    assert records.ends[records.ended_by[0]] == "a"


def test_a_silent_call_is_ended_by_its_tracker() -> None:
    faults = [fault("0s", "9s", hang={})]
    records = simulated({"a": stage("1s")["a"] | {"tracker": {"timeout": "3s"}}}, faults=faults)
    assert ends(records) == [(3.0, FAILED)]
    assert records.ends[records.ended_by[0]] == "a.tracker.timeout"
