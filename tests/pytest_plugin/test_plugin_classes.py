"""Objectives of classes of requests as tests: of scenario files, of YAML tests and of Python."""

import pytest
from plugin_suite import failure, outcomes, run

pytest_plugins = ("pytester",)

SCENARIO = """
name: classes
horizon: 20s
drain: 20s
workload:
  arrivals: {constant: {rate: 10/s}}
  classes:
    chat: {weight: 1, path: [auth, agent], objectives: [p99 < 1s]}
    search: {weight: 1, path: [auth], objectives: [p99 < 1s]}
stages:
  auth: {work: {constant: 50ms}}
  agent: {work: {constant: 2s}}
objectives: [error_rate < 1%]
"""
TESTS = """
scenario: classes.yaml
objectives: ["chat: p99 < 3s", "chat: mean < 1s"]
"""
PYTHON = """
import pytest

def test_classes(cascade):
    result = cascade.run("classes.yaml")
    cascade.check(result, "chat: p99 < 3s", "search: p99 < 100ms")
    with pytest.raises(AssertionError, match="chat: p99 < 1s is missed"):
        cascade.check(result)
"""


def write_tests(pytester: pytest.Pytester, **files: str) -> None:
    for name, text in ({"classes_yaml": SCENARIO} | files).items():
        stem, _, kind = name.rpartition("_")
        (pytester.path / f"{stem}.{kind}").write_text(text.lstrip(), "utf-8")


def test_objectives_of_classes_are_tests_by_themselves(pytester: pytest.Pytester) -> None:
    write_tests(pytester)
    result = run(pytester, "-v", "classes.yaml")
    assert outcomes(result) == {
        "error_rate < 1%": "PASSED",
        "chat: p99 < 1s": "FAILED",
        "search: p99 < 1s": "PASSED",
    }
    told = "\n".join(failure(result, "chat: p99 < 1s"))
    assert "chat: p99 is 2.050 s" in told
    assert "To blame: agent.work, for 98% of the p99" in told
    assert "chat: p99 is made of" in told  # of chat's own requests
    chosen = run(pytester, "-v", "classes.yaml", "-k", "search")
    assert outcomes(chosen) == {"search: p99 < 1s": "PASSED"}


def test_yaml_tests_and_python_name_the_class(pytester: pytest.Pytester) -> None:
    write_tests(pytester, test_in_python_py=PYTHON)
    (pytester.path / "test_it.cascade.yaml").write_text(TESTS.lstrip(), "utf-8")
    result = run(pytester, "-v")
    found = outcomes(result)
    assert found == {
        "chat: p99 < 3s": "PASSED",
        "chat: mean < 1s": "FAILED",
        "test_classes": "PASSED",
    }


def test_a_class_that_there_is_not_is_told_at_its_place(pytester: pytest.Pytester) -> None:
    write_tests(pytester)
    text = TESTS.replace("chat: mean", "chta: mean")
    (pytester.path / "test_it.cascade.yaml").write_text(text.lstrip(), "utf-8")
    result = run(pytester)
    told = " ".join(" ".join(result.outlines).split())
    assert "test_it.cascade.yaml:2:" in told
    assert 'no class "chta"; did you mean "chat"?' in told
