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
    "Execution": "cascadesim.studies.execution",
    "Records": "cascadesim.records",
    "Result": "cascadesim.studies.run",
    "Scenario": "cascadesim.scenario.load",
    "ScenarioError": "cascadesim.values.errors",
    "compare": "cascadesim.studies.compare",
    "explain": "cascadesim.studies.explain",
    "explore": "cascadesim.explorer",
    "lint_config": "cascadesim.lint",
    "load": "cascadesim.scenario.load",
    "loads": "cascadesim.scenario.load",
    "optimize": "cascadesim.studies.optimize",
    "replay": "cascadesim.studies.replay",
    "run": "cascadesim.studies.run",
    "simulate": "cascadesim.engine",
    "sweep": "cascadesim.studies.sweep",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - names, made from the table above

if TYPE_CHECKING:
    from cascadesim.engine import simulate as simulate
    from cascadesim.explorer import explore as explore
    from cascadesim.lint import lint_config as lint_config
    from cascadesim.records import Records as Records
    from cascadesim.scenario.load import Scenario as Scenario
    from cascadesim.scenario.load import load as load
    from cascadesim.scenario.load import loads as loads
    from cascadesim.studies.compare import compare as compare
    from cascadesim.studies.execution import Execution as Execution
    from cascadesim.studies.explain import explain as explain
    from cascadesim.studies.optimize import optimize as optimize
    from cascadesim.studies.replay import replay as replay
    from cascadesim.studies.run import Result as Result
    from cascadesim.studies.run import run as run
    from cascadesim.studies.sweep import sweep as sweep
    from cascadesim.values.errors import ScenarioError as ScenarioError


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
