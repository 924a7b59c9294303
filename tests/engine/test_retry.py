import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import (
    ALWAYS,
    FAILED,
    OK,
    SHED,
    TIMED_OUT,
    Data,
    deadline,
    ends,
    fault,
    plan_of,
    retry,
    scenario,
    simulated,
    spent,
    stage,
)

from cascadesim.policies.plan import Asked
from cascadesim.policies.retry import RetryPlan
from cascadesim.randomness import UNIFORM, Stream
from cascadesim.records import Records
from cascadesim.values.bound import Bound
from cascadesim.values.errors import ScenarioError
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


jittered = {"jitter": st.sampled_from(JITTERS)}
plans = st.builds(
    lambda randomness, **settings: plan(**randomness, **settings),
    randomness=st.fixed_dictionaries(jittered)
    | st.fixed_dictionaries({"randomization": st.floats(0, 1)}),
    backoff=st.sampled_from(BACKOFFS),
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
        assert 0 <= last <= policy.cap * (1 + policy.randomization) + rounding


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
    [
        ({"budget": "0%", "budget_reserve": "0/s"}, 0),
        ({"budget": "50%", "budget_reserve": "0/s"}, 20),
        ({"budget": "0%"}, 40),  # 10/s are more than it takes
        ({"budget": "0%", "budget_reserve": "0.2/s"}, 8),  # two of each ten seconds
        ({"budget": "0%", "budget_reserve": "1/s", "budget_span": "2s"}, 40),
        ({}, 40),
    ],
)
def test_a_budget_limits_retries_to_a_share_of_calls(settings: Data, retries: int) -> None:
    policy = retry(attempts=2, base="0s", **settings)
    assert simulated(stage("1ms", policy, **ALWAYS), 40).retries.sum() == retries


def test_a_budget_forgets_calls_after_its_span() -> None:
    """Twenty good calls earn 20 retries of 100 %, of which those of the last 5 s are left."""
    policy = retry(attempts=9, base="0s", budget="100%", budget_reserve="0/s", budget_span="5s")
    outage = fault("20500ms", "100s", outage={})
    records = simulated(stage("1ms", policy), 21, faults=[outage])
    # The call at 21 s counts itself, and those at 17 to 20 s: slices of half a second.
    assert records.retries.tolist() == [0] * 20 + [5]


def test_a_throttle_sends_nothing_again_once_half_of_the_tokens_are_gone() -> None:
    """As gRPC's example in proposal A6 has it: 10 tokens, 0.1 for a success."""
    policy = retry(attempts=5, base="0s", throttle={"max_tokens": 10, "token_ratio": 0.1})
    records = simulated(stage("1ms", policy, **ALWAYS), 3)
    # Each error takes one: 9, 8, 7, 6 tokens are more than half, 5 are not.
    assert records.retries.tolist() == [4, 0, 0]


def test_a_throttle_gives_tokens_back_for_answers() -> None:
    policy = retry(attempts=2, base="0s", throttle={"max_tokens": 2, "token_ratio": 0.5})
    down = [fault("500ms", "1s", outage={}), fault("4500ms", "1s", outage={})]
    records = simulated(stage("1ms", policy), 5, faults=down)
    # The first error leaves 1 of 2, no more than half. Three answers bring them back.
    assert records.retries.tolist() == [0, 0, 0, 0, 0]
    more = retry(attempts=2, base="0s", throttle={"max_tokens": 3, "token_ratio": 1})
    assert simulated(stage("1ms", more), 5, faults=down).retries.tolist() == [1, 0, 0, 0, 1]


def test_a_quota_pays_for_retries_and_timeouts_cost_more() -> None:
    """Of 500 tokens, 5 for a retry and 10 for one after a timeout, as the AWS SDKs have them."""
    failing = stage("1ms", retry(attempts=3, base="0s", quota={}), **ALWAYS)
    assert simulated(failing, 60).retries.sum() == 500 // 5
    late = stage("1s", retry(attempts=3, base="0s", quota={"tokens": 100}), deadline("1ms"))
    assert simulated(late, 60).retries.sum() == 100 // 10


def test_a_quota_comes_back_with_answers() -> None:
    policy = retry(attempts=2, base="1ms", quota={"tokens": 5, "refund": 1})
    down = [fault(f"{at - 1}999ms", "1100us", outage={}) for at in (1, 2, 4, 9)]
    records = simulated(stage("200us", policy), 9, faults=down)
    # The retries at 1 and 2 s are answered and give back what they took.
    assert records.retries.tolist() == [1, 1, 0, 1, 0, 0, 0, 0, 1]
    gone = [fault("500ms", "1s", outage={}), fault("3500ms", "1s", outage={})]
    assert simulated(stage("1ms", policy), 4, faults=gone).retries.tolist() == [1, 0, 0, 0]


def test_an_active_budget_allows_a_share_of_the_calls_under_way() -> None:
    """One call a second times out after 20 s, and no retry has ended when the last one does."""

    def retries(**settings: object) -> int:
        policy = retry(attempts=2, base="0s", active_budget=settings)
        records = simulated(stage("99s", policy, deadline("20s")), 19)
        return int(records.retries.sum())

    # When the first of 19 calls times out, 18 are under way, and as many as long as all retry.
    assert retries(share="50%", minimum=0) == 9
    assert retries(share="0%") == 3
    assert retries(share="0%", minimum=0) == 0


def test_nothing_is_sent_again_after_so_long_and_nothing_is_cut() -> None:
    policy = retry(attempts=9, base="0s", stop_after="2500ms")
    records = simulated(stage("1s", policy, **ALWAYS))
    assert ends(records) == [(3.0, FAILED)]  # the third attempt began at 2 s
    exactly = retry(attempts=9, base="0s", stop_after="2s")
    assert ends(simulated(stage("1s", exactly, **ALWAYS))) == [(2.0, FAILED)]


def test_randomization_is_a_share_of_each_wait_both_ways() -> None:
    waits = [plan(randomization=0.25).wait(1, draw, 0.0) for draw in (0.0, 0.5, 1.0)]
    assert waits == [1.5, 2.0, 2.5]
    capped = plan(randomization=0.25, cap=2.0)
    assert (capped.shortest(3), capped.longest(3)) == (1.5, 2.5)


def test_a_retry_whose_backoff_is_cut_was_not_sent() -> None:
    policies = (deadline("1500ms"), retry(attempts=3, base="1s"))
    records = simulated(stage("1s", *policies, **ALWAYS))
    assert ends(records) == [(1.5, TIMED_OUT)]
    assert records.retries.tolist() == [0]
    assert records.calls == {"a": 1}


def test_only_some_outcomes_earn_another_attempt() -> None:
    for outcomes, calls in ((["timed_out"], 1), (["failed"], 3), (["rejected", "timed_out"], 1)):
        policy = retry(attempts=3, base="0s", outcomes=outcomes)
        assert simulated(stage("1s", policy, **ALWAYS)).calls == {"a": calls}
    assert simulated(stage("1s", retry(attempts=3), deadline("500ms"))).calls == {"a": 3}


def crowd(seconds: str, settings: Data, **rest: object) -> Data:
    """Return a stage that works on one call at a time and refuses others."""
    return stage(seconds, retry(**settings), concurrency=1, queue_limit=0, **rest)


@pytest.mark.parametrize("settings", [{}, {"outcomes": ["failed"]}, {"cap": "10ms"}])
def test_who_is_refused_comes_again_when_it_is_asked_to(settings: dict[str, object]) -> None:
    """Whatever the backoff and its cap, as urllib3 has it; the second call comes 1 s later."""
    records = simulated(crowd("1500ms", settings, retry_after="700ms"), 2)
    assert ends(records) == [(1.5, OK), (2.2, OK)]
    assert spent(records, 1) == {
        "a.retry.honours_retry_after.retry_backoff": 0.7,
        "a.service_work": 1.5,
    }


def test_a_retry_that_does_not_honour_it_waits_for_its_backoff_or_not_at_all() -> None:
    deaf = {"honours_retry_after": False, "base": "600ms"}
    assert ends(simulated(crowd("1500ms", deaf, retry_after="700ms"), 2))[1] == (0.0, SHED)
    named = deaf | {"outcomes": ["shed"]}
    records = simulated(crowd("1500ms", named, retry_after="700ms"), 2)
    assert ends(records) == [(1.5, OK), (2.1, OK)]
    assert spent(records, 1)["a.retry.retry_backoff"] == pytest.approx(0.6)


def test_only_a_refusal_asks_for_another_attempt() -> None:
    """A call that fails waits for its backoff, also where it was refused before.

    The second is refused at once and asked to come after 0.7 s, fails 1.5 s later, and then waits
    for 20 s, the backoff after a second attempt; the first comes again in between.
    """
    policy = {"base": "10s"}
    records = simulated(crowd("1500ms", policy, retry_after="700ms", failure_rate="100%"), 2)
    assert ends(records)[1] == (pytest.approx(0.7 + 1.5 + 20 + 1.5), FAILED)


def test_a_stage_passes_on_what_one_inside_asks() -> None:
    inside = stage("1500ms", concurrency=1, retry_after="700ms", queue_limit=0)
    stages = {"outer": {"policies": [retry(attempts=9, base="1ms")], "stages": inside}}
    records = simulated(stages, 9)
    asked = [spent(records, i) for i in range(9)]
    waits = [parts.get("outer.retry.honours_retry_after.retry_backoff", 0.0) for parts in asked]
    assert max(waits) >= 0.7
    assert all(wait / 0.7 == pytest.approx(round(wait / 0.7)) for wait in waits)
    assert not any("outer.retry.retry_backoff" in parts for parts in asked)


def test_codel_asks_too() -> None:
    codel = {"target": "1ms", "interval": "2ms"}
    stages = stage("1s", retry(), concurrency=1, codel=codel, retry_after="500ms")
    (policy,) = plan_of(scenario(stages)).stages[0].policies
    assert policy.around(()) != policy
    assert ("a.codel.target", 0.5) in policy.asked  # type: ignore[attr-defined]


def test_what_is_asked_for_bounds_a_wait_both_ways() -> None:
    """Four waits of 1, 2, 4 and 8 s by itself, of which some are shorter than is asked for."""
    asked = plan().around((Asked("a.queue_limit", 3.0),))
    assert asked.backoffs == ((1, 3), (2, 3), (3, 4), (3, 8))
    bound = asked.bound("a.retry", Bound({"a.work": 1.0}))
    assert bound.terms == {"a.work": 5, "a.retry.base": 12, "a.retry.honours_retry_after": 6}
    assert asked.sends_again_after(Outcome.SHED)
    assert not plan().sends_again_after(Outcome.SHED)


@pytest.mark.parametrize("rest", [{}, {"concurrency": 1}])
def test_who_refuses_nobody_asks_nobody_to_come_again(rest: dict[str, object]) -> None:
    with pytest.raises(ScenarioError, match="retry_after needs a queue_limit or codel"):
        plan_of(scenario(stage("1s", retry_after="1s", **rest)))
