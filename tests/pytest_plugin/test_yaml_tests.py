"""Tests without Python: what is collected, what fails, and what a person reads then."""

import pytest
from plugin_suite import agrees, failure, fill, outcomes, run, said, write_tests

pytest_plugins = ("pytester",)

TESTS = """
scenario: scenarios/queue.yaml
variant: slow
set: {a.deadline.timeout: 2s}
replications: 4
seed: 3
objectives: [p99 < 10s, p50 < 1ms]
no_worse:
  - {than: before, on: p90, by: 2%}
  - {than: slow}
baseline: true
"""


def test_every_check_is_a_test(pytester: pytest.Pytester) -> None:
    write_tests(pytester, TESTS)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=2, failed=3)
    agrees(
        failure(result, "p50 < 1ms"),
        """
        p50 < 1ms is missed
        queue, slow, 1 other setting
        4 replications from seed 3

        p50 is # ± # s
        - It is met in 0 of 4 replications.
        - To blame: a.work, for #% of the p50.

        p50 is made of
        cause seconds
        service work #
        queue wait #
        """,
    )
    assert failure(result, "no worse than before on p90 by 2%")[0] == (
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
    write_tests(pytester, TESTS)
    items, _ = pytester.inline_genitems("--cascade-jobs", "1")
    lines = {item.name: item.reportinfo()[1] for item in items}
    assert lines == {
        "p99 < 10s": 5,
        "p50 < 1ms": 5,
        "no worse than before on p90 by 2%": 7,
        "no worse than slow on p99": 8,
        "baseline": 9,
    }


def test_without_checks_the_objectives_of_the_scenario_are_tests(
    pytester: pytest.Pytester,
) -> None:
    write_tests(pytester, "scenario: scenarios/queue.yaml\n", "test_all.cascade.yml")
    items, _ = pytester.inline_genitems()
    assert [item.name for item in items] == ["p99 < 1s", "error_rate < 1%"]


def test_a_file_of_any_name_is_taken_where_it_is_named(pytester: pytest.Pytester) -> None:
    write_tests(pytester, "scenario: scenarios/queue.yaml\n", "queue.cascade.yaml")
    run(pytester).assert_outcomes()
    run(pytester, "tests/queue.cascade.yaml").assert_outcomes(passed=2)


def test_tolerances_of_a_baseline(pytester: pytest.Pytester) -> None:
    text = "scenario: scenarios/queue.yaml\nreplications: 1\nbaseline: {relative: 1%}\n"
    write_tests(pytester, text)
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    slower = {"a": {"work": {"exponential": {"mean": "60ms"}}, "concurrency": 1}}
    fill(pytester, stages=slower, variants={})
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert "worse than in the baseline" in failure(result, "baseline")[0]
    write_tests(pytester, text.replace("1%", "90%, absolute: 1s"))
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
        ("no_worse: [{set: {a.x: 1}}]", '2:24: no_worse.0.set.a.x: the stage "a" has no "x"'),
        ("no_worse: [{set: 1}]", "2:18: no_worse.0.set: expected a mapping, got 1"),
        ("baseline: {relative: 5ms}", "2:11: baseline: "),
        ("baseline: 3", "2:11: baseline: expected a mapping, got 3"),
        ("replications: 0", "2:15: replications: must be at least 1, got 0"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence(pytester: pytest.Pytester, text: str, says: str) -> None:
    write_tests(pytester, f"scenario: scenarios/queue.yaml\n{text}\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    lines = failure(result, "ERROR collecting tests/test_queue.cascade.yaml")
    assert lines[0].startswith("tests/test_queue.cascade.yaml:")
    assert says in " ".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "no_worse: [{than: before}]",  # the variant is forgotten, and `before` changes nothing
        "variant: slow\nno_worse: [{than: slow}]",
        "variant: slow\nno_worse: [{}]",
        "variant: slow\nset: {a.work: {exponential: {mean: 70ms}}}\nno_worse: [{on: p50}]",
        "variant: slow\nno_worse: [{than: before, set: {a.work: {exponential: {mean: 0.07s}}}}]",
        "set: &load {a.concurrency: 2}\nno_worse: [{set: *load}]",
    ],
)
def test_a_comparison_with_itself_is_refused(pytester: pytest.Pytester, text: str) -> None:
    write_tests(pytester, f"scenario: scenarios/queue.yaml\n{text}\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    lines = failure(result, "ERROR collecting tests/test_queue.cascade.yaml")
    assert lines[0].startswith("tests/test_queue.cascade.yaml:")
    assert " ".join(lines).partition(": no_worse.0: ")[2] == (
        "both sides are the same; `variant` and `set` say what is tested, "
        "and `than` what it is held against"
    )


SETTINGS = """
scenario: scenarios/queue.yaml
variant: before
set: {a.work: {exponential: {mean: 80ms}}}
no_worse:
  - {on: p90}
  - {than: before, on: p90}
  - {than: slow, on: p90}
  - {than: slow, set: {a.work: {exponential: {mean: 100ms}}}, on: p90}
  - {set: {a.work: {exponential: {mean: 100ms}}}, on: p90}
"""


def test_settings_are_of_the_tested_side_and_each_other_side_has_its_own(
    pytester: pytest.Pytester,
) -> None:
    write_tests(pytester, SETTINGS)
    result = run(pytester, "-v")
    assert outcomes(result) == {
        "no worse than without set on p90": "FAILED",
        "no worse than before on p90": "FAILED",
        "no worse than slow on p90": "FAILED",
        "no worse than slow with a.work={exponential: {mean: 100ms}} on p90": "PASSED",
        "no worse than with a.work={exponential: {mean: 100ms}} on p90": "PASSED",
    }
    # What a test in Python finds of the same two sides.
    fill(
        pytester,
        "set = {'a.work': {'exponential': {'mean': '80ms'}}}\n"
        "cascade.no_worse(cascade.run(Q, 'slow'), cascade.run(Q, 'before', set), on='p90')",
    )
    python = run(pytester, "tests/test_ours.py")
    rows = [line.split() for line in said(python) if line.startswith("difference")]
    yaml = failure(result, "no worse than slow on p90")
    assert rows == [line.split() for line in yaml if line.startswith("difference")] != []


def test_names_are_unique_and_each_runs_one_test(pytester: pytest.Pytester) -> None:
    write_tests(
        pytester,
        "scenario: scenarios/queue.yaml\nvariant: slow\nobjectives: [p99 < 9s, p99 < 9s]\n"
        "no_worse:\n"
        "  - {than: before, by: 90s}\n  - {than: before, by: 80s}\n  - {than: before, by: 90s}\n"
        "  - {than: before, set: {a.queue_limit: 9}, by: 90s}\n"
        "  - {than: 'x::y[1]', by: 90s}\n"
        "baseline: true\n",
    )
    fill(pytester, variants={"before": {}, "slow": {"a.queue_limit": 30}, "x::y[1]": {}})
    items, _ = pytester.inline_genitems()
    names = [item.name for item in items]
    assert names == [
        "p99 < 9s",
        "no worse than before on p99 by 90s",
        "no worse than before on p99 by 80s",
        "no worse than before with a.queue_limit=9 on p99 by 90s",
        "no worse than x: :y[1] on p99 by 90s",
        "baseline",
    ]
    for item in items[:-1]:
        run(pytester, item.nodeid).assert_outcomes(passed=1)
    for words, number in (("no_worse", 4), ("objectives", 1), ("80s", 1), ("not no_worse", 2)):
        result = run(pytester, "--collect-only", "-k", words)
        result.stdout.fnmatch_lines([f"*{number}/6 tests collected*"])
    run(pytester).assert_outcomes(passed=5, failed=1)
    run(pytester, "--lf").assert_outcomes(failed=1)


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
    write_tests(pytester, text)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert says in " ".join(result.outlines)
