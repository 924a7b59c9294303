"""What holds for every policy: the order of wrapping, and that it can be switched off."""

import pytest
from kit import (
    ALWAYS,
    FAILED,
    REJECTED,
    Data,
    breaker,
    changes,
    deadline,
    ends,
    retry,
    simulated,
    stage,
)


def test_the_order_of_policies_is_the_order_of_wrapping() -> None:
    again = retry(attempts=3, backoff="constant", base="0s", outcomes=["failed", "rejected"])
    around = simulated(stage("1s", again, breaker(failure_threshold=2), **ALWAYS))
    inside = simulated(stage("1s", breaker(failure_threshold=2), again, **ALWAYS))
    # Around the breaker two attempts open it and the third is rejected; inside it counts one call.
    assert ends(around) == [(2.0, REJECTED)]
    assert changes(around) == [(3.0, "open")]
    assert ends(inside) == [(3.0, FAILED)]
    assert not inside.transitions


@pytest.mark.parametrize(
    "policy",
    [
        deadline("500ms", enabled=False),
        retry(attempts=2, enabled=False),
        {"fallback": {"enabled": False}},
        breaker(enabled=False),
    ],
)
def test_a_policy_that_is_not_enabled_is_left_out(policy: Data) -> None:
    records = simulated(stage("1s", policy, **ALWAYS), 3)
    assert ends(records) == [(1.0, FAILED)] * 3
    assert records.calls == {"a": 3}
    assert not records.transitions
    (kind,) = policy
    enabled = {kind: policy[kind] | {"enabled": True}}
    assert ends(simulated(stage("1s", enabled, **ALWAYS), 3)) != ends(records)
