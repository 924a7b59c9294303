"""Retries: budgets that earn in time, and attempts that can begin."""

from collections.abc import Callable

from cascadesim.scenario.load import Scenario
from cascadesim.studies.run import run


def test_retry_budget_reserve(field: Callable[[str], Scenario]) -> None:
    """Finagle's reserve is 10 retries a second: all that 5 failing calls a second ask for."""
    records = run(field("retry-budget-reserve"), 1).records
    calls = len(records.arrival)
    assert calls == 299
    assert records.retries.sum() == 2 * calls == 598


def test_retry_that_never_begins(field: Callable[[str], Scenario]) -> None:
    """A backoff that a deadline cuts is no retry."""
    records = run(field("retry-that-never-begins"), 1).records
    assert records.retries.sum() == 0
    assert sum(records.calls.values()) == len(records.arrival)
