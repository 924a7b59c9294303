"""Goodput is never more than the stages can do."""

from collections.abc import Callable

import pytest

from cascadesim.scenario.load import Scenario
from cascadesim.studies.run import run


@pytest.mark.parametrize("variant", ["drain-10min", "drain-0"])
def test_goodput_above_capacity(field: Callable[[str], Scenario], variant: str) -> None:
    """A server that can do 1/s gives 1/s, however long replies after the horizon are followed."""
    result = run(field("goodput-above-capacity").at(variant), 1)
    assert 0.95 <= result.summary.goodput <= 1.0
    (verdict,) = result.summary.verdicts
    assert not verdict.met  # goodput > 1.5/s
