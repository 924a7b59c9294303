"""Windows hold what a list of all calls says that they hold."""

from collections.abc import Callable
from itertools import accumulate
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from cascadesim.engine.simpy.window import CountWindow, TimeWindow, Window
from cascadesim.policies.breaker_window import WindowPlan

Call = tuple[float, bool, bool]  # when it ended, whether it failed, whether it was slow


@st.composite
def calls(draw: Callable[..., list[tuple[int, bool, bool]]]) -> list[Call]:
    """Draw calls up to two seconds apart, at eighths of a second."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 16), st.booleans(), st.booleans())))
    ends = accumulate(gap for gap, _, _ in drawn)
    return [(end / 8, failed, slow) for end, (_, failed, slow) in zip(ends, drawn, strict=True)]


minimums, shares = st.integers(1, 6), st.integers(1, 10).map(lambda n: n / 10)


def reached(held: list[Call], plan: WindowPlan) -> bool:
    failures, slow = sum(failed for _, failed, _ in held), sum(slow for _, _, slow in held)
    rates = failures / len(held), slow / len(held)
    enough = len(held) >= plan.minimum
    return enough and (rates[0] >= plan.failure_rate or rates[1] >= plan.slow_rate)


def agrees(
    window: Window, plan: WindowPlan, done: list[Call], held: Callable[[int], list[Call]]
) -> None:
    """Check the answer to each call, `held` being what the window has by the n-th."""
    for n, (end, failed, slow) in enumerate(done):
        assert window.record(end, failed=failed, slow=slow) == reached(held(n), plan)
        assert window.has_minimum == (len(held(n)) >= plan.minimum)


@given(calls(), st.integers(1, 8), minimums, shares, shares)
def test_a_count_window(
    done: list[Call], size: int, minimum: int, failures: float, slow: float
) -> None:
    plan = WindowPlan(size, 0.0, minimum, failures, 1.0, slow)
    agrees(CountWindow(plan), plan, done, lambda n: done[max(0, n + 1 - size) : n + 1])


@given(calls(), st.integers(1, 40), minimums, shares, shares)
def test_a_time_window(
    done: list[Call], eighths: int, minimum: int, failures: float, slow: float
) -> None:
    plan = WindowPlan(0, eighths / 8, minimum, failures, 1.0, slow)
    recent = lambda n: [call for call in done[: n + 1] if done[n][0] - call[0] < plan.time]  # noqa: E731
    agrees(TimeWindow(plan), plan, done, recent)


@given(calls(), st.integers(1, 6), minimums, shares, shares)
def test_a_window_of_whole_seconds(
    done: list[Call], seconds: int, minimum: int, failures: float, slow: float
) -> None:
    plan = WindowPlan(0, float(seconds), minimum, failures, 1.0, slow)

    def held(n: int) -> list[Call]:
        return [call for call in done[: n + 1] if floor(done[n][0]) - floor(call[0]) < seconds]

    agrees(TimeWindow(plan, 1.0, aligned=True), plan, done, held)


@given(calls(), st.integers(1, 4), minimums, shares, shares)
def test_a_window_of_buckets_that_calls_begin(
    done: list[Call], width: int, minimum: int, failures: float, slow: float
) -> None:
    plan = WindowPlan(0, 4.0 * width, minimum, failures, 1.0, slow)
    begins: list[float] = []  # of the bucket of each call
    for end, _, _ in done:
        in_last = begins and end - begins[-1] < width
        begins.append(begins[-1] if in_last else end)

    def held(n: int) -> list[Call]:
        return [done[i] for i in range(n + 1) if done[n][0] - begins[i] < plan.time]

    agrees(TimeWindow(plan, float(width)), plan, done, held)


def test_an_empty_window_begins_anew() -> None:
    plan = WindowPlan(4, 0.0, 2, failure_rate=1.0)
    for window in (CountWindow(plan), TimeWindow(plan)):
        window.record(0.0, failed=True, slow=False)
        window.clear()
        assert not window.record(0.0, failed=True, slow=False)
