"""`cascadesim check` without objectives."""

import json

from conftest import ROOT, Cli

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_check_prints_breakers_retries_bounds_and_warnings(cli: Cli) -> None:
    code, out, _ = cli("check", INCIDENT.with_name("incident-179s"), "--variant", "recommended")
    assert code == 0
    for heading in (
        "Breakers against a dead dependency",
        "Retries and hedges of a call",
        "Worst-case latency",
    ):
        assert heading in out
    assert "Warning: database.session.lifetime, database.pool.timeout" in " ".join(out.split())
    code, out, _ = cli("check", INCIDENT, "--format", "json")
    assert json.loads(out)["worst_case_by_stage"]["agent"]["worst_case_s"] == 510
