"""What a scenario holds: the file, the settings of a variant, overrides."""

import pickle
from datetime import timedelta
from pathlib import Path

import pytest
from everything import EVERYTHING, swap

from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario, load, loads, parse_settings
from cascadesim.scenario.source import flow, parse
from cascadesim.values.errors import Mark, ScenarioError


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return loads(EVERYTHING, "f.yaml")


def error_of(scenario: Scenario, *settings: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        scenario.override(parse_settings(list(settings)), "--set")
    return str(caught.value)


def test_a_file_and_its_folder_and_its_text_are_one_scenario(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(EVERYTHING, "utf-8")
    assert load(file).model == load(str(tmp_path)).model == loads(EVERYTHING).model
    file.write_text("\ufeff" + EVERYTHING.replace("\n", "\r\n"), "utf-8")  # as Windows writes it
    assert load(file).model == loads(EVERYTHING).model


def test_what_a_scenario_tells(scenario: Scenario) -> None:
    assert scenario.name == "everything"
    assert scenario.variant is None
    assert scenario.variants == ("before", "after", "longer")
    assert [objective.text for objective in scenario.objectives] == ["p99 < 5s", "error_rate < 1%"]


def test_every_variant_compiles_and_runs(scenario: Scenario) -> None:
    short = scenario.override({"horizon": "7min"})
    for name in ("before", "after"):
        assert simulate(compile_plan(short.at(name).model), seed=1)


def test_aliases_and_quoted_text_are_plain_data() -> None:
    text = swap("{lognormal: {median: 15ms, p99: 80ms}}", "&work {constant: '15ms'}")
    model = loads(text.replace("{exponential: {mean: 2ms}}", "*work")).model
    assert model.stages["auth"].work == model.stages["log"].work


# Variants -------------------------------------------------------------------------------------


def test_a_variant_changes_its_settings_only(scenario: Scenario) -> None:
    before, after = scenario.at("before"), scenario.at("after")
    assert before.model == scenario.model
    assert after.variant == "after"
    agent = after.model.stages["backend"].stages["agent"]
    assert [policy.name for policy in agent.policies][2:] == ["outer", "breaker", "deadline"]
    assert agent.policies[2].chosen.recovery_timeout == 10
    assert agent.policies[3].chosen.recovery_timeout == 10
    assert agent.policies[4].chosen.timeout == 15
    assert scenario.at("after").model == after.model


def test_extends_takes_the_settings_of_other_variants(scenario: Scenario) -> None:
    longer = scenario.at("longer").model
    assert longer.horizon == 1200
    assert longer.stages["backend"].stages["agent"].policies[4].chosen.timeout == 15
    assert scenario.changed("longer") == {
        "agent.outer.recovery_timeout": "10s",
        "agent.deadline.timeout": "15s",
        "horizon": "20min",
    }
    assert scenario.changed("before") == {}


def test_a_variant_overrides_what_it_extends_and_names_may_stand_in_any_order() -> None:
    variants = (
        "  a: {extends: b, horizon: 7min}\n  b: {extends: c, seed: 3}\n  c: {horizon: 9min}\n"
    )
    chained = loads(swap("sweep:", variants + "sweep:")).at("a").model
    assert (chained.horizon, chained.seed) == (420, 3)


def test_a_variant_may_use_what_it_has_just_set() -> None:
    named = "  named: {auth.breaker.name: door, auth.door.failure_threshold: 9}\n"
    text = swap("sweep:", named + "sweep:")
    assert loads(text).at("named").model.stages["auth"].policies[0].chosen.failure_threshold == 9


def test_an_unknown_variant(scenario: Scenario) -> None:
    for use in (scenario.at, scenario.changed):
        with pytest.raises(ScenarioError) as caught:
            use("aftr")
        assert str(caught.value) == (
            'f.yaml:67:1: variants: no variant "aftr"; did you mean "after"?'
        )
    with pytest.raises(ScenarioError, match='no variant "x"; there are none'):
        scenario.resolved().at("x")


def test_two_variants_at_once_are_refused(scenario: Scenario) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario.at("after").at("before")
    assert str(caught.value) == (
        'f.yaml: is at variant "after"; take "before" from the scenario itself'
    )


def test_resolved_keeps_the_settings_and_drops_the_variants(scenario: Scenario) -> None:
    resolved = scenario.at("after").resolved()
    assert (resolved.variants, resolved.variant) == ((), None)
    assert resolved.model.stages == scenario.at("after").model.stages


# Overrides ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "get"),
    [
        ("seed", 9, lambda model: model.seed == 9),
        ("horizon", "2h", lambda model: model.horizon == 7200),
        ("workload.arrivals.poisson.rate", "8/s",
         lambda model: model.workload.arrivals.chosen.rate == 8),
        ("workload.arrivals", {"constant": {"rate": "1/s"}},
         lambda model: model.workload.arrivals.kind == "constant"),
        ("auth.breaker.when_open", "reject",
         lambda model: model.stages["auth"].policies[0].chosen.when_open == "reject"),
        ("agent.concurrency", 5,
         lambda model: model.stages["backend"].stages["agent"].concurrency == 5),
        ("agent.tracker", None,
         lambda model: model.stages["backend"].stages["agent"].tracker is None),
        ("agent.outer.name", "other",
         lambda model: model.stages["backend"].stages["agent"].policies[2].name == "other"),
        ("agent.policies.4.deadline.timeout", "9s",
         lambda model: model.stages["backend"].stages["agent"].policies[4].chosen.timeout == 9),
        ("backend.stages.agent.kind", "service",
         lambda model: model.stages["backend"].stages["agent"].kind == "service"),
        ("faults.1.latency.multiply", 2.5, lambda model: model.faults[1].latency.multiply == 2.5),
        ("faults.0", {"on": "log", "from": "0s", "for": "1s", "outage": {}},
         lambda model: model.faults[0].on == "log"),
        ("faults", [], lambda model: model.faults == []),
        ("faults", (), lambda model: model.faults == []),
        ("observations.0.work.log", "1ms",
         lambda model: model.observations[0].work == {"agent": 0.25, "log": 0.001}),
        ("log.pool.connect_time", "4ms", lambda model: model.stages["log"].pool.size == 5),
        ("log.session", {}, lambda model: model.stages["log"].session is not None),
    ],
)  # fmt: skip
def test_override_by_path(scenario: Scenario, path: str, value: object, get: object) -> None:
    if path == "log.session":
        scenario = scenario.override({"log.pool.connect_time": "4ms"})
    assert get(scenario.override({path: value}).model)  # type: ignore[operator]


def test_an_override_leaves_the_scenario_as_it_was(scenario: Scenario) -> None:
    before = scenario.model.model_dump()
    scenario.override({"agent.concurrency": 5, "faults.0.for": "9s"})
    assert scenario.model.model_dump() == before
    assert loads(EVERYTHING).document.data == scenario.document.data


def test_overrides_and_variants_go_together(scenario: Scenario) -> None:
    settings = {"horizon": "15min", "log.policies": [{"deadline": {"timeout": "1s"}}]}
    for model in (
        scenario.override(settings).at("after").model,
        scenario.at("after").override(settings).model,
    ):
        assert model.horizon == 900
        assert model.stages["log"].policies[0].chosen.timeout == 1
        assert model.stages["backend"].stages["agent"].policies[4].chosen.timeout == 15
    assert scenario.at("after").override(settings).variant == "after"


def test_a_scenario_tells_its_overrides(scenario: Scenario) -> None:
    settings = {"horizon": "15min", "agent.deadline.timeout": "9s"}
    assert scenario.overrides == {}
    assert scenario.at("after").override({"seed": 2}).override(settings).overrides == {
        "seed": 2,
        **settings,
    }
    # Taken at a variant afterwards, only those that it does not change stand.
    assert scenario.override(settings).at("after").overrides == {"horizon": "15min"}


@pytest.mark.parametrize(
    "value",
    ["15s", "a, b", "123", "a: b", "a...", "", "\n", 3, 2.5, True, None, [1], {"a": {"b": "c"}}],
)
def test_a_setting_is_written_as_it_is_read(value: object) -> None:
    assert parse(flow(value), "--set").data == value
    assert "\n" not in flow(value)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (["seed"], '--set: expected PATH=VALUE such as "agent.deadline.timeout=15s", got "seed"'),
        (["seed="], '--set: expected PATH=VALUE such as "agent.deadline.timeout=15s", got "seed="'),
        (["=1"], '--set: expected PATH=VALUE such as "agent.deadline.timeout=15s", got "=1"'),
        (["seed=["],
         "--set: seed: is not YAML: expected the node content, but found the end"),
        (["seed=!x 1"], '--set: seed: the tag "!x" is not allowed; write plain values'),
        (["seed=1\n---\n2"],
         "--set: seed: a second document begins here; a scenario is one, without --- inside"),
        (["seed=# 1"], "--set: seed: expected a whole number, got nothing"),
        (["seed=-1"], "--set: seed: must be at least 0, got -1"),
        (["sed=1"], '--set: sed: no stage or setting "sed"; did you mean "seed"?'),
        (["horizon=20"],
         '--set: horizon: 20 has no unit; write "20s" (seconds) or "20ms" (milliseconds)'),
        (["horizon.x=1s"], '--set: horizon.x: "horizon" is a single value, with no "x" inside'),
        (["faults.9.for=1s"], '--set: faults.9.for: "faults" has no entry "9"; it has 0 to 4'),
        (["faults.-1.for=1s"], '--set: faults.-1.for: "faults" has no entry "-1"; it has 0 to 4'),
        (["faults.²=1"], '--set: faults.²: "faults" has no entry "²"; it has 0 to 4'),
        (["observations.1=1"],
         '--set: observations.1: "observations" has no entry "1"; it has only 0'),
        (["faults=[]", "faults.0.for=1s"],
         '--set: faults.0.for: "faults" has no entry "0"; it is empty'),
        (["agent.deadline.timout=1s"],
         '--set: agent.deadline.timout: unknown key "timout"; did you mean "timeout"?'),
        (["agent.dedline.timeout=1s"],
         '--set: agent.dedline.timeout: the stage "agent" has no "dedline"; '
         'did you mean "deadline"?'),
        (["log.deadline.timeout=1s"],
         '--set: log.deadline.timeout: the stage "log" has no "deadline"; its policies: none'),
        (["agent.work.constant=1s"],
         '--set: agent.work.constant: "lognormal" is given too; keep exactly one of: '
         "constant, exponential, lognormal, uniform, gamma, pareto, empirical, mixture; "
         "to replace it, write "
         "--set 'agent.work={constant: 1s}'"),
        (["agent.work.lognormal.p99=1s"],
         '--set: agent.work.lognormal.p99: "sigma" is given too; keep exactly one of: '
         "p90, p95, p99, sigma; to replace it, write "
         "--set 'agent.work.lognormal={median: 250ms, p99: 1s}'"),
        (["agent.work.lognormal.sigma=.nan"],
         "--set: agent.work.lognormal.sigma: expected a finite number, got .nan"),
        (["log.pool.size=3"], '--set: log.pool.connect_time: "connect_time" is missing'),
        (["agent=3"], "--set: agent: expected a mapping such as {work: {constant: 100ms}}, got 3"),
        (["stages=3"],
         '--set: stages: no stage or setting "stages"; known: auth, backend, agent, database, log, '
         "name, summary, clock, horizon, drain, warmup, seed, workload, faults, observations, "
         "objectives"),
        (["stages.log.kind=agent"],
         "--set: stages.log.kind: a dotted path begins with the stage's name; "
         'write "log.kind"'),
        (["horizon=20s"], "f.yaml:6:9: warmup: warmup must be shorter than the horizon"),
    ],
)  # fmt: skip
def test_overrides_that_cannot_be(scenario: Scenario, settings: list[str], line: str) -> None:
    assert error_of(scenario, *settings) == line


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("agent.concurrency", 5.5, "expected a whole number, got 5.5"),
        ("agent.concurrency", 10**30, "must be at most 1000000000, got a huge number"),
        (
            "agent.deadline",
            {3: 3},
            "unknown key 3; known: name, enabled, timeout, on_timeout, propagate",
        ),
        ("agent.deadline", None, "expected a value or settings ({} for none), got nothing"),
        ("summary", b"bytes", "expected text, got b'bytes'"),
        (
            "agent.work.constant",
            timedelta(seconds=1),
            "to replace it, write agent.work: {constant: 0:00:01}",
        ),
    ],
)
def test_overrides_with_objects_of_python(
    scenario: Scenario, path: str, value: object, line: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario.override({path: value})
    assert str(caught.value).startswith(f"override: {path}")
    assert str(caught.value).endswith(line)


def test_settings_are_read_as_yaml() -> None:
    texts = ["a.b=15s", "c=3", " d = [1, x] ", "e={f: null}", "g==", "c=4"]
    assert parse_settings(texts) == {
        "a.b": "15s",
        "c": 4,
        "d": [1, "x"],
        "e": {"f": None},
        "g": "=",
    }


def test_a_scenario_and_its_errors_cross_process_borders(scenario: Scenario) -> None:
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    error = ScenarioError("is wrong", Mark("f.yaml", 3, 4), "seed")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.mark, copy.path) == (str(error), error.mark, error.path)
