"""Simulates timeout cascades: requests through circuit breakers, agents and connection pools.

import cascadesim
scenario = cascadesim.load("scenarios/incident-60s").at("after")
result = cascadesim.run(scenario)
result.frame, result.summary.percentiles
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__version__ = "0.1.0"
MOST_SEED = 10**18  # a seed is a whole number from 0 to this

# Public names are imported at first use, so that `cascadesim --version` is quick; dir(), help() and
# completion show them all the same.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "engine": ["simulate"],
        "lint": ["lint_config"],
        "records": ["Records"],
        "scenario.load": ["Scenario", "load", "loads"],
        "studies.compare": ["compare"],
        "studies.execution": ["Execution"],
        "studies.explain": ["explain"],
        "studies.optimize": ["optimize"],
        "studies.replay": ["replay"],
        "studies.run": ["Result", "run"],
        "studies.sweep": ["sweep"],
        "values.errors": ["ScenarioError"],
        "views.explorer": ["explore"],
    },
)
__all__ += ["__version__"]

if TYPE_CHECKING:
    from cascadesim.engine import simulate as simulate
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
    from cascadesim.views.explorer import explore as explore
