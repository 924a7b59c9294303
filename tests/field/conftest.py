"""The scenarios of this folder: services as people reported them, each reduced to its smallest.

Each has a test that says what the right answer is.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from cascadesim.scenario.load import Scenario, load

HERE = Path(__file__).parent


@pytest.fixture
def field() -> Callable[..., Scenario]:
    """Return how the scenario of a name is loaded, as `load` does it."""
    return lambda name, **given: load(HERE / f"{name}.yaml", **given)
