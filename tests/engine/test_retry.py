import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import ALWAYS, FAILED, OK, Data, deadline, ends, fault, retry, simulated, spent, stage

from cascadesim.policies.retry import RetryPlan
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import Records
from cascadesim.values.outcome import Outcome

BACKOFFS = ["constant", "linear", "exponential"]
JITTERS = ["none", "full", "equal", "decorrelated"]


def plan(**settings: object) -> RetryPlan:
    defaults = {"attempts": 5, "outcomes": frozenset({Outcome.FAILED}), "base": 1.0}
    return RetryPlan("retry", **(defaults | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({"backoff": "constant"}, [1, 1, 1, 1]),
        ({"backoff": "linear"}, [1, 2, 3, 4]),
        ({"backoff": "exponential"}, [1, 2, 4, 8]),
        ({"backoff": "exponential", "multiplier": 3.0}, [1, 3, 9, 27]),
        ({"backoff": "exponential", "cap": 3.0}, [1, 2, 3, 3]),
        ({"backoff": "linear", "cap": 2.5}, [1, 2, 2.5, 2.5]),
        ({"backoff": "constant", "cap": 0.5}, [0.5, 0.5, 0.5, 0.5]),
    ],
)
def test_backoff(settings: dict[str, object], waits: list[float]) -> None:
    assert [plan(**settings).wait(attempt, 0.7, 0.0) for attempt in range(4)] == waits


@pytest.mark.parametrize(
    ("jitter", "low", "middle", "high"),
    [("none", 4, 4, 4), ("full", 0, 2, 4), ("equal", 2, 3, 4)],
)
def test_jitter_spreads_the_wait(jitter: str, low: float, middle: float, high: float) -> None:
    waits = [plan(jitter=jitter).wait(2, draw, 0.0) for draw in (0.0, 0.5, 1.0)]
    assert waits == [low, middle, high]


def test_decorrelated_jitter_grows_from_the_wait_before() -> None:
    policy = plan(jitter="decorrelated", cap=20.0)
    assert [policy.wait(0, draw, 0.0) for draw in (0.0, 0.5, 1.0)] == [1, 2, 3]
    assert [policy.wait(1, draw, 4.0) for draw in (0.0, 0.5, 1.0)] == [1, 6.5, 12]
    assert policy.wait(2, 1.0, 12.0) == 20


plans = st.builds(
    plan,
    backoff=st.sampled_from(BACKOFFS),
    jitter=st.sampled_from(JITTERS),
    base=st.floats(0, 100),
    multiplier=st.floats(1, 10),
    cap=st.one_of(st.just(math.inf), st.floats(0.001, 1000)),
)


@given(plans, st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_waits_are_between_shortest_and_longest(policy: RetryPlan, draws: list[float]) -> None:
    last = 0.0
    for attempt, draw in enumerate(draws):
        last = policy.wait(attempt, draw, last)
        rounding = 1e-12 * last
        assert policy.shortest(attempt) - rounding <= last <= policy.longest(attempt) + rounding
        assert 0 <= last <= policy.cap + rounding


@given(plans)
def test_the_longest_wait_is_reached_by_the_highest_draws(policy: RetryPlan) -> None:
    last = 0.0
    for attempt in range(6):
        last = policy.wait(attempt, 1.0, last)
        assert last == pytest.approx(policy.longest(attempt))


@given(plans, st.integers(0, 100_000))
def test_no_attempt_is_too_late_for_arithmetic(policy: RetryPlan, attempt: int) -> None:
    wait = policy.wait(attempt, 0.5, policy.base)
    assert math.isfinite(wait)
    assert math.isfinite(policy.longest(attempt))
    assert wait <= policy.longest(attempt) * (1 + 1e-12)


def backoff(records: Records) -> float:
    return spent(records).get("a.retry.retry_backoff", 0.0)


def test_attempts_count_the_first_call_too() -> None:
    for attempts in (1, 2, 4):
        policy = retry(attempts=attempts, backoff="constant", base="0s")
        records = simulated(stage("1s", policy, **ALWAYS))
        assert ends(records) == [(float(attempts), FAILED)]
        assert records.retries.tolist() == [attempts - 1]
        assert records.calls == {"a": attempts}


def test_a_retry_ends_with_the_first_success() -> None:
    policy = retry(attempts=9, backoff="constant", base="1s")
    records = simulated(stage("1s", policy), faults=[fault("0s", "2500ms", outage={})])
    assert ends(records) == [(3.0, OK)]  # refused at 1 s and 2 s, worked from 3 s to 4 s
    assert records.retries.tolist() == [2]


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({"backoff": "constant"}, 1 + 1 + 1),
        ({"backoff": "linear"}, 1 + 2 + 3),
        ({"backoff": "exponential"}, 1 + 2 + 4),
        ({"backoff": "exponential", "multiplier": 3}, 1 + 3 + 9),
        ({"backoff": "exponential", "cap": "1500ms"}, 1 + 1.5 + 1.5),
        ({"backoff": "constant", "base": "5s"}, 5 + 5 + 5),
    ],
)
def test_backoffs_grow_as_set(settings: Data, waits: float) -> None:
    policy = retry(**({"attempts": 4, "base": "1s"} | settings))
    assert backoff(simulated(stage("1s", policy, **ALWAYS))) == waits


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
def test_jitter_is_drawn_by_the_formulas_of_its_source(jitter: str) -> None:
    # "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015.
    draws = [Stream(1, 0, "a.retry.jitter", UNIFORM).at(0, attempt) for attempt in (0, 1)]
    first = 1 + draws[0] * (3 * 1 - 1)
    expected = {
        "none": 1 + 2,
        "full": draws[0] * 1 + draws[1] * 2,
        "equal": (0.5 + draws[0] * 0.5) + (1 + draws[1]),
        "decorrelated": first + 1 + draws[1] * (3 * first - 1),
    }
    records = simulated(stage("1s", retry(attempts=3, base="1s", jitter=jitter), **ALWAYS))
    assert backoff(records) == pytest.approx(expected[jitter], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "retries"),
    # A reserve of 10 from the start; the first call earns nothing on top of a full one.
    [({"budget": "0%"}, 10), ({"budget": "50%"}, 29), ({}, 40)],
)
def test_a_budget_limits_retries_to_a_share_of_calls(settings: Data, retries: int) -> None:
    policy = retry(attempts=2, base="0s", **settings)
    assert simulated(stage("1ms", policy, **ALWAYS), 40).retries.sum() == retries


def test_only_some_outcomes_earn_another_attempt() -> None:
    for outcomes, calls in ((["timed_out"], 1), (["failed"], 3), (["rejected", "timed_out"], 1)):
        policy = retry(attempts=3, base="0s", outcomes=outcomes)
        assert simulated(stage("1s", policy, **ALWAYS)).calls == {"a": calls}
    assert simulated(stage("1s", retry(attempts=3), deadline("500ms"))).calls == {"a": 3}
