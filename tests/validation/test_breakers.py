"""Presets of circuit breakers, fed with the same calls as the libraries that they are named after.

A sequence of calls that begin, overlap and end goes into the real pybreaker or purgatory and into
ours, on one made-up clock; after every step both are in the same state.
"""

import inspect
from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, Protocol

import purgatory
import pybreaker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import plan_of
from purgatory.domain import model as purgatory_model

from cascadesim.engine.simpy.breaker import breaker_of
from cascadesim.engine.simpy.breaker_presets import PybreakerBreaker
from cascadesim.policies.breaker import BreakerPlan

SEQUENCES = 2000
EPOCH = datetime(2000, 1, 1)
GAPS = (0.0, 0.125, 1.0, 4.0)  # seconds; exact in floats and in microseconds


class CallError(Exception):
    """What the guarded call raises."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


class Library(Protocol):
    """A breaker of a library, its calls taken apart into begin and end."""

    @property
    def state(self) -> str: ...

    def begin(self) -> Any:
        """Return the call that is let through, else None."""

    def end(self, call: Any, error: type[BaseException] | None) -> bool:
        """Return whether the library raises its own error in place of the call's."""


def left(exit_: Callable[..., Any], error: type[BaseException] | None) -> bool:
    """Leave a context; return whether another error comes out than went in."""
    try:
        exit_(error, error and error(), None)
    except (CallError, CancelledError):
        return False
    except pybreaker.CircuitBreakerError:
        return True
    return False


class RealPybreaker:
    def __init__(self, plan: BreakerPlan) -> None:
        self._breaker = pybreaker.CircuitBreaker(
            plan.failure_threshold, plan.recovery_timeout, plan.successes_to_close
        )

    @property
    def state(self) -> str:
        return str(self._breaker.current_state)

    def begin(self) -> AbstractContextManager[None] | None:
        call: AbstractContextManager[None] = self._breaker.calling()
        try:
            call.__enter__()
        except pybreaker.CircuitBreakerError:
            return None
        return call

    def end(self, call: Any, error: type[BaseException] | None) -> bool:
        return left(call.__exit__, error)


class RealPurgatory:
    def __init__(self, plan: BreakerPlan) -> None:
        self._factory = purgatory.SyncCircuitBreakerFactory(
            plan.failure_threshold, plan.recovery_timeout
        )

    @property
    def state(self) -> str:
        state: str = self._factory.get_breaker("it").context.state
        return {"opened": "open", "half-opened": "half-open"}.get(state, state)

    def begin(self) -> Any:
        breaker = self._factory.get_breaker("it")
        try:
            return breaker.__enter__()
        except purgatory_model.OpenedState:
            return None

    def end(self, call: Any, error: type[BaseException] | None) -> bool:
        return left(call.__exit__, error)


class RealAsyncPurgatory:
    def __init__(self, plan: BreakerPlan) -> None:
        self._factory = purgatory.AsyncCircuitBreakerFactory(
            plan.failure_threshold, plan.recovery_timeout
        )

    @property
    def state(self) -> str:
        state: str = done(self._factory.get_breaker("it")).context.state
        return {"opened": "open", "half-opened": "half-open"}.get(state, state)

    def begin(self) -> Any:
        try:
            return done(done(self._factory.get_breaker("it")).__aenter__())
        except purgatory_model.OpenedState:
            return None

    def end(self, call: Any, error: type[BaseException] | None) -> bool:
        return left(lambda *raised: done(call.__aexit__(*raised)), error)


def done(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


@cache
def preset(name: str) -> BreakerPlan:
    data = {
        "name": "preset",
        "horizon": "1s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1s"}, "policies": [{"breaker": {"preset": name}}]}},
    }
    (policy,) = plan_of(data).stages[0].policies
    assert isinstance(policy, BreakerPlan)
    return policy


def plans(name: str) -> st.SearchStrategy[BreakerPlan]:
    return st.builds(
        lambda threshold, recovery, successes: replace(
            preset(name),
            failure_threshold=threshold,
            recovery_timeout=recovery,
            successes_to_close=successes,
        ),
        st.integers(1, 3),
        st.sampled_from([0.125, 1.0, 5.0]),
        st.integers(1, 3) if name == "pybreaker" else st.just(1),
    )


@dataclass
class Pair:
    """A library and ours, side by side."""

    library: Library
    plan: BreakerPlan
    clock: Clock
    calls: list[tuple[Any, Any]] = field(default_factory=list)  # under way, in both

    def __post_init__(self) -> None:
        self.ours = breaker_of(self.plan)

    def run(self, codes: bytes) -> None:
        """Take a step for each byte, and then end what is still under way."""
        for code in codes:
            self.step(code)
        for call, ticket in self.calls:
            self.end(call, ticket, None)

    def step(self, code: int) -> None:
        """Let time pass, and a call begin, end or do both, by the bits of a byte.

        Of the calls that end with an error, half are cancelled.
        """
        self.clock.now += GAPS[code & 3]
        what, which = code >> 2 & 7, code >> 5
        error = CancelledError if which & 1 else CallError
        if what < 6 or not self.calls:
            call, ticket = self.library.begin(), self.ours.admit(self.clock.now)
            assert (call is None) == (ticket is None)
            if call is not None and what < 4:
                self.end(call, ticket, None if what == 0 else error)
            elif call is not None:
                self.calls.append((call, ticket))
        else:
            call, ticket = self.calls.pop(which % len(self.calls))
            self.end(call, ticket, None if what == 7 else error)
        self.compare()

    def compare(self) -> None:
        assert self.ours.state.value == self.library.state

    def end(self, call: Any, ticket: Any, error: type[BaseException] | None) -> None:
        raised = self.library.end(call, error)
        cancelled = error is CancelledError
        ok = self.plan.cancelled == "success" if cancelled else error is None
        self.ours.settle(ticket, ok=ok, now=self.clock.now)
        if isinstance(self.ours, PybreakerBreaker):
            assert self.ours.tripped == raised
        self.compare()


# Bytes are far quicker to draw than lists of steps, but few without a least number of them.
steps = st.binary(min_size=20, max_size=50)


@settings(max_examples=SEQUENCES)
@given(plans("pybreaker"), steps)
@pytest.mark.slow
def test_pybreaker_is_in_the_same_state_after_every_step(plan: BreakerPlan, codes: bytes) -> None:
    clock = Clock()
    now = SimpleNamespace(now=lambda zone: EPOCH + timedelta(seconds=clock.now))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pybreaker, "datetime", now)
        Pair(RealPybreaker(plan), plan, clock).run(codes)


@settings(max_examples=SEQUENCES)
@given(st.sampled_from([RealPurgatory, RealAsyncPurgatory]), plans("purgatory"), steps)
@pytest.mark.slow
def test_purgatory_is_in_the_same_state_after_every_step(
    library: Callable[[BreakerPlan], Library], plan: BreakerPlan, codes: bytes
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purgatory_model, "time", SimpleNamespace(time=lambda: clock.now))
        Pair(library(plan), plan, clock).run(codes)


def test_presets_have_the_defaults_of_their_libraries() -> None:
    theirs = inspect.signature(pybreaker.CircuitBreaker).parameters
    ours = preset("pybreaker")
    assert ours.failure_threshold == theirs["fail_max"].default
    assert ours.recovery_timeout == theirs["reset_timeout"].default
    assert ours.successes_to_close == theirs["success_threshold"].default
    for factory in (purgatory.SyncCircuitBreakerFactory, purgatory.AsyncCircuitBreakerFactory):
        theirs = inspect.signature(factory).parameters
        ours = preset("purgatory")
        assert ours.failure_threshold == theirs["default_threshold"].default
        assert ours.recovery_timeout == theirs["default_ttl"].default
