"""Tests without Python: what is collected, what fails, and what a person reads then."""

import pytest
from plugin_suite import agrees, fill, run

pytest_plugins = ("pytester",)

TESTS = """
scenario: scenarios/queue.yaml
variant: slow
set: {a.concurrency: 1}
replications: 4
seed: 3
objectives: [p99 < 10s, p50 < 1ms]
no_worse:
  - {than: before, on: p90, by: 2%}
  - {than: slow}
baseline: true
"""


def write(pytester: pytest.Pytester, text: str, name: str = "test_queue.cascade.yaml") -> None:
    fill(pytester)
    (pytester.path / "tests" / name).write_text(text.lstrip(), "utf-8")


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Return the outcome of every test by its name, from `-v`."""
    rows = [line.rsplit(" ", 2) for line in result.outlines if "::" in line and "[" in line]
    return {name.partition("::")[2]: word for name, word, _ in (r for r in rows if len(r) == 3)}


def failure(result: pytest.RunResult, name: str) -> list[str]:
    """Return the lines below the heading of a failed test, up to the next one.

    Those of an error may be longer than a terminal, as they begin with the path of a file.
    """
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if line.strip("_ ") == name and "__" in line)
    rest = lines[start + 1 :]
    end = next(i for i, line in enumerate(rest) if line.startswith(("____", "====")))
    assert name.startswith("ERROR") or max(map(len, rest[:end])) <= 80
    return rest[:end]


def test_every_check_is_a_test(pytester: pytest.Pytester) -> None:
    write(pytester, TESTS)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=2, failed=3)
    agrees(
        failure(result, "p50 < 1ms"),
        """
        p50 < 1ms is missed
        queue, slow, 1 other setting
        4 replications from seed 3

        p50 is # s ± # s, met in 0 of 4 replications
        To blame: a.concurrency, for #% of the time of requests that took
        longer.
        p50 is made of seconds
        service work #
        queue wait #
        """,
    )
    assert failure(result, "no worse than before on p90")[0] == (
        "p90 is worse in slow than in before"
    )
    assert failure(result, "baseline") == [
        "there is no baseline yet",
        "tests/baselines/test_queue.cascade/baseline.yaml",
        "`pytest --cascade-update` writes it; keep it with the test",
    ]
    assert "Traceback" not in result.stdout.str()
    run(pytester, "--cascade-update", "-k", "baseline").assert_outcomes(passed=1, deselected=4)
    run(pytester, "-k", "baseline").assert_outcomes(passed=1, deselected=4)
    # One of them, by its name.
    run(pytester, "tests/test_queue.cascade.yaml::p99 < 10s").assert_outcomes(passed=1)


def test_the_line_of_a_check_is_where_it_stands(pytester: pytest.Pytester) -> None:
    write(pytester, TESTS)
    items, _ = pytester.inline_genitems("--cascade-jobs", "1")
    lines = {item.name: item.reportinfo()[1] for item in items}
    assert lines == {
        "p99 < 10s": 5,
        "p50 < 1ms": 5,
        "no worse than before on p90": 7,
        "no worse than slow on p99": 8,
        "baseline": 9,
    }


def test_without_checks_the_objectives_of_the_scenario_are_tests(
    pytester: pytest.Pytester,
) -> None:
    write(pytester, "scenario: scenarios/queue.yaml\n", "test_all.cascade.yml")
    items, _ = pytester.inline_genitems()
    assert [item.name for item in items] == ["p99 < 1s", "error_rate < 1%"]


def test_tolerances_of_a_baseline(pytester: pytest.Pytester) -> None:
    text = "scenario: scenarios/queue.yaml\nreplications: 1\nbaseline: {relative: 1%}\n"
    write(pytester, text)
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    slower = {"a": {"work": {"exponential": {"mean": "60ms"}}, "concurrency": 1}}
    fill(pytester, stages=slower, variants={})
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert "worse than in the baseline" in failure(result, "baseline")[0]
    write(pytester, text.replace("1%", "90%, absolute: 1s"))
    fill(pytester, stages=slower, variants={})
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("varint: slow", '2:1: varint: unknown key "varint"; did you mean "variant"?'),
        ("variant: slo", '2:10: variant: no variant "slo"; did you mean "slow"?'),
        ("set: {a.concurency: 2}", "2:"),
        ("objectives: [p99 < 5]", '2:14: objectives.0: "5" has no unit'),
        ("no_worse: [{than: befor}]", '2:19: no_worse.0.than: no variant "befor"'),
        ("no_worse: [{than: before, on: p9}]", '2:31: no_worse.0.on: unknown measure "p9"'),
        ("no_worse: [{than: before, by: 2}]", "2:31: no_worse.0.by: expected text, got 2"),
        ("no_worse: [{than: before, by: '2'}]", '2:31: no_worse.0.by: "2" has no unit'),
        ("baseline: {relative: 5ms}", "2:11: baseline: "),
        ("baseline: 3", "2:11: baseline: expected a mapping, got 3"),
        ("replications: 0", "2:15: replications: must be at least 1, got 0"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_file_is_one_line(pytester: pytest.Pytester, text: str, says: str) -> None:
    write(pytester, f"scenario: scenarios/queue.yaml\n{text}\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    lines = failure(result, "ERROR collecting tests/test_queue.cascade.yaml")
    assert len(lines) == 1
    assert "test_queue.cascade.yaml:" in lines[0]
    assert says in lines[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("variant: slow", 'test_queue.cascade.yaml:1:1: scenario: "scenario" is missing'),
        ("scenario: nowhere", "1:11: scenario: no such scenario, neither file nor folder; sought"),
        ("- a", "1:1: expected a mapping"),
        ("", "1:1: "),
    ],
)
def test_a_file_without_a_scenario_is_one_line(
    pytester: pytest.Pytester, text: str, says: str
) -> None:
    write(pytester, text)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert says in result.stdout.str()


def test_objectives_of_a_scenario_that_is_named_are_tests(pytester: pytest.Pytester) -> None:
    fill(pytester)
    result = run(pytester, "scenarios/queue.yaml", "--cascade-variants", "before,rejecting")
    result.assert_outcomes(passed=3, failed=1)
    assert failure(result, "rejecting: error_rate < 1%")[:2] == [
        "error_rate < 1% is missed",
        "queue, rejecting",
    ]
    items, _ = pytester.inline_genitems("scenarios/queue.yaml")
    assert len(items) == 8
    fill(pytester, variants={})
    items, _ = pytester.inline_genitems("scenarios/queue.yaml")
    assert [item.name for item in items] == ["p99 < 1s", "error_rate < 1%"]


def test_scenarios_and_variants_may_stand_in_the_ini_file(pytester: pytest.Pytester) -> None:
    fill(pytester)
    run(pytester).assert_outcomes()  # none, unless they are named
    pytester.makeini(
        "[pytest]\ncascade_scenarios = scenarios/*.yaml\ncascade_variants = before, same\n"
    )
    items, _ = pytester.inline_genitems()
    assert [item.name for item in items] == [
        "before: p99 < 1s",
        "before: error_rate < 1%",
        "same: p99 < 1s",
        "same: error_rate < 1%",
    ]
    result = run(pytester, "--cascade-variants", "befor")
    result.assert_outcomes(errors=1)
    assert 'no variant "befor"; did you mean "before"?' in result.stdout.str()


@pytest.mark.parametrize(
    ("glob", "says"),
    [("scenn/*.yaml", "no file is scenn/*.yaml"), ("/x/*.yaml", "/x/*.yaml is not below")],
)
def test_an_ini_file_that_names_no_scenario_is_an_error(
    pytester: pytest.Pytester, glob: str, says: str
) -> None:
    fill(pytester)
    pytester.makeini(f"[pytest]\ncascade_scenarios = {glob}\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in result.stdout.str() + result.stderr.str()


def test_other_yaml_is_left_to_others(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", test_other="a: 1\n", data="stages: [build, test]\n")
    items, _ = pytester.inline_genitems("test_other.yaml", "data.yaml")
    assert items == []


def test_a_broken_scenario_that_is_named_is_one_line(pytester: pytest.Pytester) -> None:
    (pytester.path / "broken.yaml").write_text("name: x\nstages: 3\nobjectives: []\n")
    result = run(pytester, "broken.yaml")
    result.assert_outcomes(errors=1)
    assert "broken.yaml:" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()
