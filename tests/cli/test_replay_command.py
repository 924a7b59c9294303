"""`cascadesim replay`: tables and JSON of what was observed and what is simulated."""

import json

import pytest
from conftest import ROOT, Cli

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plan.causes import CAUSES

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_replay_prints_observed_and_simulated_side_by_side(cli: Cli) -> None:
    code, out, err = cli("replay", INCIDENT, "--variants", "before,after,recommended")
    assert (code, err) == (0, "")
    assert "Observed at 23:31:00: 60.272154 s" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "recommended meets every objective, at the cost of" in out
    assert "agent.reliability_manager.recovery_timeout" in out.partition("To blame")[2]


def test_replay_as_json(cli: Cli) -> None:
    code, out, _ = cli("replay", INCIDENT, "--variants", "before,after", "--format", "json")
    assert code == 0
    (seen,) = json.loads(out)["observations"]
    assert (seen["at"], seen["observed_s"]) == ("23:31:00", 60.272154)
    for variant in ("before", "after"):
        one = seen["variants"][variant]
        assert set(one["attribution_s"]) == set(CAUSES)
        assert sum(one["attribution_s"].values()) == pytest.approx(one["simulated_s"], abs=1e-9)
        assert sum(one["parts_s"].values()) == pytest.approx(one["simulated_s"], abs=1e-9)
    summary = json.loads(out)["variants"]["after"]
    assert set(summary["percentiles_s"]) == set(PERCENTILES)
    assert summary["settings"]["agent.breaker.recovery_timeout"] == "10s"
    assert [t["state"] for t in summary["transitions"]].count("open") >= 2


def test_replay_of_several_ends_with_a_table_of_all(cli: Cli) -> None:
    paths = [INCIDENT, INCIDENT.with_name("incident-179s")]
    code, out, _ = cli("replay", *paths, "--variants", "before,recommended")
    assert code == 0
    last = out.partition("The observed requests")[2]
    assert "incident-179s" in last
    assert "179.000000" in last
