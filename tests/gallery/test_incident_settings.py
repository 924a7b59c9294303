"""The eight checks of the report, of a service's own files, before and after its team's changes.

The services are in tests/data, samples with the settings that the report gives. Where a check
is of more than a setting's value, it is a comparison in tests/data/settings.map.yaml.
"""

import pytest
from conftest import ROOT

import cascadesim
from cascadesim.lint import Lint, lint_config

DATA = ROOT / "tests" / "data"
INCIDENT = ROOT / "scenarios" / "incident-60s"
CHECKS = {  # what a check is of, settings or comparisons, and what is said where it fails
    "agent breaker recovery": {
        "agent.breaker.recovery_timeout": [
            "app/base_agent.py:17 says recovery_timeout_seconds = 60, the scenario 10 s",
            "config/agents.yaml:3 says recovery_timeout_ms = 60000 (60 s), the scenario 10 s",
        ],
        "agent.reliability_manager.recovery_timeout": [
            "app/reliability_manager.py:7 says recovery = timedelta(seconds=60) (60 s), "
            "the scenario 10 s"
        ],
    },
    "execution timeout": {
        "agent.deadline.timeout": [
            "app/base_agent.py:21 says EXECUTION_TIMEOUT = 30, the scenario 15 s",
            ".env:2 says AGENT_TIMEOUT_SECONDS = 30, the scenario 15 s",
        ],
        "agent.tracker.timeout": [
            "config/tracker.toml:2 says record_timeout_ms = 30000 (30 s), the scenario 15 s"
        ],
    },
    "session lifetime": {
        "database.session.lifetime": [
            "app/sessions.py:4 says lifetime = 5 * 60 (300 s), the scenario 30 s"
        ],
    },
    "pool strategy": {
        "database.pool.kind": [
            "app/database.py:8 says poolclass = NullPool (null), the scenario queue"
        ],
        "database.pool.size": [],  # SQLAlchemy's default is what the team chose
        "database.pool.max_overflow": [],  # likewise
        "database.pool.timeout": [
            "app/database.py:8 leaves pool_timeout at its default, 30 s, the scenario 5 s"
        ],
        "database.pool.recycle": [
            "app/database.py:8 leaves pool_recycle at its default, none, the scenario 300 s"
        ],
    },
    "operations under 5 s": {
        "database.pool.timeout <= 5s": [
            "database.pool.timeout <= 5s does not hold: "
            "app/database.py:8 leaves pool_timeout at its default, 30 s"
        ],
    },
    "breaker fast recovery": {
        "agent.breaker.recovery_timeout < agent.deadline.timeout": [
            "agent.breaker.recovery_timeout < agent.deadline.timeout does not hold: "
            "app/base_agent.py:17 says recovery_timeout_seconds = 60; "
            "app/base_agent.py:21 says EXECUTION_TIMEOUT = 30"
        ],
        "agent.reliability_manager.recovery_timeout < agent.deadline.timeout": [
            "agent.reliability_manager.recovery_timeout < agent.deadline.timeout does not hold: "
            "app/reliability_manager.py:7 says recovery = timedelta(seconds=60) (60 s); "
            "app/base_agent.py:21 says EXECUTION_TIMEOUT = 30"
        ],
    },
    "session cleanup speed": {
        "app/sessions.py:SESSION.cleanup_interval <= 5s": [
            "app/sessions.py:SESSION.cleanup_interval <= 5s does not hold: "
            "app/sessions.py:5 says cleanup_interval = 60"
        ],
    },
    "pool timeout cascade prevention": {
        "database.pool.timeout < agent.deadline.timeout": [
            "database.pool.timeout < agent.deadline.timeout does not hold: "
            "app/database.py:8 leaves pool_timeout at its default, 30 s; "
            "app/base_agent.py:21 says EXECUTION_TIMEOUT = 30"
        ],
    },
}


def lint(service: str) -> Lint:
    return lint_config(DATA / "settings.map.yaml", root=DATA / service)


def drift(found: Lint) -> dict[str, list[str]]:
    settings = {setting.path: setting.drift for setting in found.settings}
    return settings | {check.text: check.drift for check in found.checks}


@pytest.mark.parametrize("check", CHECKS)
def test_the_service_after_the_changes_passes(check: str) -> None:
    found = drift(lint("service-after"))
    assert {name: found[name] for name in CHECKS[check]} == {name: [] for name in CHECKS[check]}


@pytest.mark.parametrize("check", CHECKS)
def test_the_service_before_the_changes_fails(check: str) -> None:
    found = drift(lint("service-before"))
    assert {name: found[name] for name in CHECKS[check]} == CHECKS[check]
    assert any(CHECKS[check].values())


def test_nothing_of_the_mapping_is_left_unchecked() -> None:
    names = [name for check in CHECKS.values() for name in check]
    assert sorted(names) == sorted(drift(lint("service-before")))


@pytest.mark.parametrize("variant", ["before", "after"])
def test_the_settings_of_each_service_are_those_of_the_scenario(variant: str) -> None:
    scenario = cascadesim.load(INCIDENT)
    of_service = cascadesim.run(scenario.override(lint(f"service-{variant}").found))
    of_variant = cascadesim.run(scenario.at(variant))
    assert of_service.summary.percentiles == of_variant.summary.percentiles


def test_passing_all_eight_does_not_keep_the_objective() -> None:
    """Simulated with its own settings, the service after the changes still misses 5 s."""
    found = lint("service-after")
    assert not found.drift
    result = cascadesim.run(cascadesim.load(INCIDENT).override(found.found))
    missed = [v.objective.text for v in result.summary.verdicts if not v.met]
    assert "p99 < 5s" in missed
