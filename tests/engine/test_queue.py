"""Queues in front of a stage, by latencies computed by hand."""

import pytest
from kit import OK, SHED, TIMED_OUT, Data, ends, plan_of, run, scenario, simulated, spent, stage

from cascadesim.values.errors import ScenarioError


def lifo(work: str, *policies: Data, **more: object) -> Data:
    return stage(work, *policies, concurrency=1, queue="lifo", **more)


def test_the_newest_of_a_lifo_queue_is_served_first() -> None:
    # Arrivals at 1 s, 2 s, …; each is served for 2.5 s: the first from 1 s to 3.5 s, then the
    # third, which came at 3 s, from 6 s the fifth, and then those that are left, newest first.
    records = simulated(lifo("2500ms"), 5)
    begun = [1.0, 11.0, 3.5, 8.5, 6.0]
    assert ends(records) == [(begun[i] + 2.5 - (i + 1), OK) for i in range(5)]
    assert spent(records, 1) == {"a.queue_wait": 9.0, "a.service_work": 2.5}
    fifo = simulated(stage("2500ms", concurrency=1, queue="fifo"), 5)
    assert ends(fifo) == [(2.5 + 1.5 * i, OK) for i in range(5)]


def test_a_full_lifo_queue_rejects_newcomers() -> None:
    records = simulated(lifo("10s", queue_limit=2), 4)
    assert ends(records) == [(10.0, OK), (29.0, OK), (18.0, OK), (0.0, SHED)]


def test_who_leaves_a_lifo_queue_keeps_nobody_back() -> None:
    # The third is served first and leaves at its deadline, then the second has 0.5 s of its own.
    records = simulated(lifo("2500ms", {"deadline": {"timeout": "3s"}}), 3)
    assert ends(records) == [(2.5, OK), (3.0, TIMED_OUT), (3.0, OK)]


def test_on_a_lifo_queue_a_request_may_be_later_with_more_servers() -> None:
    """What holds first come first served does not hold here: more servers, no request later.

    On one server the third's work ends at 6.5 s, when the sixth, which came at 6 s, is the newest.
    On two that work ends at 5.5 s, when the fifth is, and the sixth waits for it until 7 s.
    """
    seconds = (1.5, 1.5, 2.5, 4.5, 1.5, 1.5)
    observed = [
        {"at": f"{i}s", "latency": "1s", "stamp": "arrival", "work": {"a": f"{each}s"}}
        for i, each in enumerate(seconds, 1)
    ]
    slow = {"workload": {"arrivals": {"constant": {"rate": "1/h"}}}, "observations": observed}

    def latencies(servers: int) -> list[float]:
        stages = stage("1s", concurrency=servers, queue="lifo")
        return [latency for latency, _ in ends(run(scenario(stages, 9, **slow)))]

    assert latencies(1) == [1.5, 2.0, 3.5, 10.0, 4.5, 2.0]
    assert latencies(2) == [1.5, 1.5, 2.5, 4.5, 2.0, 2.5]


def test_a_queue_without_concurrency_is_refused() -> None:
    with pytest.raises(ScenarioError, match="queue: queue needs concurrency, else nothing queues"):
        run(scenario(stage("1s", queue="lifo")))


def test_the_queue_of_a_stage_goes_by_its_dotted_path() -> None:
    data = scenario(lifo("1s"), variants={"before": {}, "after": {"a.queue": "fifo"}})
    assert plan_of(data).stages[0].lifo
