"""Simulates timeout cascades: requests through circuit breakers, agents and connection pools.

import cascadesim
scenario = cascadesim.load("scenarios/incident-60s").at("after")
result = cascadesim.run(scenario)
result.frame, result.summary.percentiles
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
MOST_SEED = 10**18  # a seed is a whole number from 0 to this

# Where each public name lives: imported at first use, so that `cascadesim --version` is quick.
_HOMES = {
    "Execution": "cascadesim.experiment.execution",
    "Records": "cascadesim.records",
    "Result": "cascadesim.experiment.run",
    "Scenario": "cascadesim.scenario.load",
    "ScenarioError": "cascadesim.scenario.errors",
    "compare": "cascadesim.experiment.compare",
    "explain": "cascadesim.experiment.explain",
    "explore": "cascadesim.explorer",
    "lint_config": "cascadesim.lint",
    "load": "cascadesim.scenario.load",
    "loads": "cascadesim.scenario.load",
    "optimize": "cascadesim.experiment.optimize",
    "replay": "cascadesim.experiment.replay",
    "run": "cascadesim.experiment.run",
    "simulate": "cascadesim.engine",
    "sweep": "cascadesim.experiment.sweep",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - names, made from the table above

if TYPE_CHECKING:
    from cascadesim.engine import simulate as simulate
    from cascadesim.experiment.compare import compare as compare
    from cascadesim.experiment.execution import Execution as Execution
    from cascadesim.experiment.explain import explain as explain
    from cascadesim.experiment.optimize import optimize as optimize
    from cascadesim.experiment.replay import replay as replay
    from cascadesim.experiment.run import Result as Result
    from cascadesim.experiment.run import run as run
    from cascadesim.experiment.sweep import sweep as sweep
    from cascadesim.explorer import explore as explore
    from cascadesim.lint import lint_config as lint_config
    from cascadesim.records import Records as Records
    from cascadesim.scenario.errors import ScenarioError as ScenarioError
    from cascadesim.scenario.load import Scenario as Scenario
    from cascadesim.scenario.load import load as load
    from cascadesim.scenario.load import loads as loads


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
