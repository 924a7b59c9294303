"""The incidents: what is given comes out of the dynamics, and what is assumed is marked."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import cascadesim
from cascadesim.analysis.breakers import breaker_paths
from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.studies.replay import Replay

SCENARIOS = ROOT / "scenarios"
ALL = sorted(SCENARIOS.glob("*/*.yaml"))
FILES = [file for file in ALL if file.parent.name.startswith("incident-")]
GIVEN = {
    "incident-60s/scenario.yaml": ("23:31:00", 60.272154),
    "incident-120s/scenario.yaml": ("23:29:41", 120.079873),
    "incident-120s/startup.yaml": ("23:29:41", 120.079873),
    "incident-179s/scenario.yaml": ("22:08:00", 179.0),
}
POOL = {"kind": "queue", "size": 5, "max_overflow": 10, "timeout": "5s", "recycle": "300s"}
AFTER = {
    "agent.breaker.recovery_timeout": "10s",
    "agent.reliability_manager.recovery_timeout": "10s",
    "agent.deadline.timeout": "15s",
    "agent.tracker.timeout": "15s",
    "database.session.lifetime": "30s",
}


@cache
def load(name: str) -> cascadesim.Scenario:
    return cascadesim.load(SCENARIOS / name)


def test_every_incident_is_one_of_the_report() -> None:
    incidents = SCENARIOS.glob("incident-*/*.yaml")
    assert {f"{file.parent.name}/{file.name}" for file in incidents} == set(GIVEN)


@pytest.mark.parametrize("name", GIVEN)
def test_before_gives_the_observed_latency_to_the_microsecond(name: str) -> None:
    replay = cascadesim.replay(load(name), ["before"])
    seen = replay.observation(0)
    assert (seen["at"], seen["observed_s"]) == GIVEN[name]
    assert seen["variants"]["before"]["simulated_s"] == pytest.approx(seen["observed_s"], abs=1e-6)


def replayed(name: str, variant: str = "before", **settings: Any) -> dict[str, Any]:
    scenario = load(name).at(variant).override(settings)
    result = cascadesim.run(scenario)
    seen: dict[str, Any] = Replay(scenario, {variant: result}).observation(0)["variants"][variant]
    return seen


def test_the_60_s_are_a_recovery_after_the_agent_failed() -> None:
    replay = cascadesim.replay(load("incident-60s"), ["before"])
    opened = {t["breaker"]: t["at_s"] for t in replay.transitions("before") if t["state"] == "open"}
    # The agent falls silent at t = 268 s; its breaker opens as the third hung call times out, and
    # the reliability manager's as the fifth does.
    (agent, manager) = (opened[f"agent.{name}"] for name in ("breaker", "reliability_manager"))
    assert 268 + 29 < agent < manager < 268 + 32
    seen = replay.observation(0)["variants"]["before"]
    assert seen["outcome"] == "ok"
    wait = seen["parts_s"]["agent.reliability_manager.breaker_wait"]
    own = seen["simulated_s"] - wait
    arrived = 360 - 60.272154
    before_the_agent = sum(
        seen["parts_s"][f"{stage}.service_work"] for stage in ("auth", "analytics", "backend")
    )
    assert wait == pytest.approx(manager + 60 - arrived - before_the_agent, abs=1e-6)
    assert own < 1


@pytest.mark.parametrize(
    "seed", [2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 7))]
)
@pytest.mark.parametrize(
    ("name", "latency"),
    [("incident-60s", 60), ("incident-120s", 120), ("incident-120s/startup.yaml", 120)],
)
def test_it_does_not_depend_on_the_seed(name: str, latency: float, seed: int) -> None:
    short = load(name).at("before").override({"horizon": "8min"})  # which changes no past
    records = cascadesim.run(short, seed).records
    assert records.latency[-1] == pytest.approx(latency, abs=3)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("incident-60s", "agent.reliability_manager.breaker_wait"),
        ("incident-120s", "auth.breaker.breaker_wait"),
        ("incident-120s", "backend.breaker.breaker_wait"),
        ("incident-120s/startup.yaml", "analytics.startup_wait"),
        ("incident-179s", "auth.retry.retry_backoff"),
    ],
)
def test_without_the_fault_nobody_waits(name: str, part: str) -> None:
    assert replayed(name)["parts_s"][part] > 20
    calm = replayed(name, faults=[])
    assert part not in calm["parts_s"]
    assert calm["simulated_s"] < 1


def test_the_wait_follows_the_recovery_and_no_constant() -> None:
    # Other recoveries, with the fault over before them, move the end of the wait by as much.
    part = "agent.reliability_manager.breaker_wait"
    settings = {f"agent.{b}.recovery_timeout": "50s" for b in ("breaker", "reliability_manager")}
    long, short = (replayed("incident-60s", **more)["parts_s"][part] for more in ({}, settings))
    assert short == pytest.approx(long - 10, abs=1e-9)


def test_the_120_s_are_two_breakers_one_after_the_other() -> None:
    parts = replayed("incident-120s")["parts_s"]
    assert 55 < parts["auth.breaker.breaker_wait"] < 60
    assert 59 < parts["backend.breaker.breaker_wait"] < 61


def test_the_120_s_are_separately_a_container_start_up() -> None:
    seen = replayed("incident-120s/startup.yaml")
    assert "breaker_wait" not in "".join(seen["parts_s"])
    assert 115 < seen["parts_s"]["analytics.startup_wait"] < 120
    # Callers that came earlier wait for the whole 120 s, and no longer.
    result = cascadesim.run(load("incident-120s/startup.yaml").at("before"))
    waits = result.frame["analytics.startup_wait_s"]
    assert waits.max() == pytest.approx(120)


def test_the_179_s_are_five_calls_and_four_backoffs() -> None:
    parts = replayed("incident-179s")["parts_s"]
    assert parts["auth.service_work"] == pytest.approx(150)
    assert parts["auth.retry.retry_backoff"] == pytest.approx(29)


@pytest.mark.parametrize(
    "variant", [v for v in load("incident-179s").variants if v.startswith("other-")]
)
def test_other_mechanisms_give_the_same_179_s(variant: str) -> None:
    assert replayed("incident-179s", variant)["simulated_s"] == pytest.approx(179)


@pytest.mark.parametrize("name", GIVEN)
def test_after_misses_the_objective_and_recommended_meets_it(name: str) -> None:
    replay = cascadesim.replay(load(name), ["before", "after", "recommended"])
    met = {variant: result.summary.met for variant, result in replay.results.items()}
    assert met == {"before": False, "after": False, "recommended": True}
    for variant in ("before", "after"):
        (p99, *_) = replay.results[variant].summary.verdicts
        assert p99.objective.text == "p99 < 5s"
        assert p99.blame is not None
        assert p99.blame.share > 0.5
    cost = replay.results["recommended"].summary.outcomes
    assert cost["degraded"] + cost["rejected"] > 0


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("variant", ["before", "after", "recommended"])
def test_nothing_depends_on_how_a_cancelled_call_counts(name: str, variant: str) -> None:
    # The report does not say which library the breakers are, and need not: their deadlines stand
    # inside them, so no call through them is cancelled.
    scenario = load(name).at(variant)
    breakers = breaker_paths(compile_plan(scenario.model))
    latency = simulate(compile_plan(scenario.model), seed=1).latency
    for cancelled in ("failure", "success"):
        told = scenario.override({f"{path}.cancelled": cancelled for path in breakers})
        assert simulate(compile_plan(told.model), seed=1).latency.tolist() == latency.tolist()
    assert breakers or name.startswith("incident-179s")


@pytest.mark.parametrize("name", GIVEN)
def test_the_settings_are_those_given(name: str) -> None:
    scenario = load(name)
    stages = {stage for stage in AFTER if stage.split(".")[0] in _stage_names(scenario)}
    after = scenario.changed("after")
    pool = after.pop("database.pool")
    assert {key: pool[key] for key in POOL} == POOL
    assert after == {path: AFTER[path] for path in stages}


def _stage_names(scenario: cascadesim.Scenario) -> set[str]:
    from cascadesim.scenario.compile import compile_plan

    return {stage.name for stage in compile_plan(scenario.model).walk()}


@pytest.mark.parametrize("name", GIVEN)
def test_each_setting_has_a_variant_of_its_own(name: str) -> None:
    scenario = load(name)
    changes = [scenario.changed(v) for v in scenario.variants if not v.startswith("other-")]
    alone = {
        path: value for change in changes if len(change) == 1 for path, value in change.items()
    }
    for path, value in scenario.changed("after").items():
        assert alone[path] == value


def test_the_incidents_of_the_same_night_share_one_service() -> None:
    night = [load(name) for name in GIVEN if "179" not in name]
    for part in ("stages", "variants", "workload", "objectives"):
        assert len({str(scenario.document.data[part]) for scenario in night}) == 1


@pytest.mark.parametrize("file", ALL, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_value_is_marked_as_given_assumed_or_fitted(file: Path) -> None:
    text = file.read_text("utf-8")
    values = text[: text.index("\nvariants:")].splitlines()
    # "assumed" beside the key that opens the list of faults speaks for what it holds.
    for number, line in enumerate(values, 1):
        key = line.strip().lstrip("- ").split(":")[0]
        value = line.split("#")[0].partition(":")[2]
        in_faults = line.strip().startswith("- {on:")
        if not re.search(r"\d", value) or in_faults or key == "name":
            continue
        assert re.search(r"# .*\b(given|assumed|fitted)", line), f"{file}:{number}: {line}"
