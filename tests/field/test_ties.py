"""Two timeouts that are due at one instant."""

from collections.abc import Callable

import numpy as np
import pytest
from kit import ended_by

from cascadesim.scenario.load import Scenario
from cascadesim.studies.run import run
from cascadesim.values.outcome import Outcome


@pytest.mark.parametrize(
    ("tracker", "outcome", "setting"),
    [
        ("5s", Outcome.TIMED_OUT, "agent.deadline.timeout"),  # both at once: the outer one
        ("4999ms", Outcome.FAILED, "agent.tracker.timeout"),
        ("5001ms", Outcome.TIMED_OUT, "agent.deadline.timeout"),
    ],
)
def test_deadline_equals_tracker(
    field: Callable[[str], Scenario], tracker: str, outcome: Outcome, setting: str
) -> None:
    """The caller of the outer one has gone when the inner one would answer."""
    scenario = field("deadline-equals-tracker").override({"agent.tracker.timeout": tracker})
    records = run(scenario, 1).records
    silent = np.flatnonzero(records.latency > 1)  # those whose agent never answers
    assert len(silent) == 10
    assert set(records.outcome[silent]) == {outcome}
    assert ended_by(records, silent[0]) == setting
