"""Our own regression suite fails where a setting of the list is made worse, and says what grew."""

import itertools
import re
import shutil

import plugin_suite  # noqa: F401 - pytester forgets what is imported inside, and some load only once
import pytest
from conftest import ROOT

from cascadesim.plan.causes import CAUSES
from cascadesim.values.words import in_words

pytest_plugins = ("pytester",)

SUITE = "test_incident_regressions"
NULL = '{kind: "null", connect_time: 40ms, max_connections: 100}'


@pytest.fixture
def checkout(pytester: pytest.Pytester) -> pytest.Pytester:
    """Give a repository with the scenarios, the suite and its baselines."""
    shutil.copytree(ROOT / "scenarios", pytester.path / "scenarios")
    tests = pytester.mkdir("tests")
    shutil.copy(ROOT / "tests" / "gallery" / f"{SUITE}.py", tests)
    shutil.copytree(ROOT / "tests" / "gallery" / "baselines" / SUITE, tests / "baselines" / SUITE)
    pytester.makeini(
        "[pytest]\naddopts = --cascade-jobs 1 -p no:cacheprovider --import-mode importlib"
    )
    return pytester


def edit(checkout: pytest.Pytester, file: str, path: str, value: str) -> None:
    """Give `after` in a scenario another setting, as a pull request would."""
    place = checkout.path / "scenarios" / file
    lines = place.read_text("utf-8").splitlines()
    after = next(i for i, line in enumerate(lines) if line.startswith("  after:"))
    ours = [i for i, line in enumerate(lines) if line.startswith(f"    {path}:") and i > after]
    lines[after + 1 : after + 1] = [f"    {path}: {value}"]
    if ours:
        del lines[ours[0] + 1]
    if path == "database.pool":  # a pool that queues nobody has no timeout
        lines.remove("    database.pool.timeout: 1s")
    place.write_text("\n".join(lines), "utf-8")


def run(checkout: pytest.Pytester, case: str) -> pytest.RunResult:
    return checkout.runpytest_inprocess("-k", f"test_after[{case}]")


# The setting made worse, in which case, and the percentile and the cause that must be named.
WORSE = [
    ("60s", "agent.breaker.recovery_timeout", "60s", "p99", "breaker wait"),
    ("60s", "agent.reliability_manager.recovery_timeout", "60s", "p99", "breaker wait"),
    ("60s-long-record", "agent.deadline.timeout", "30s", "p99", "agent execution"),
    ("60s-long-execution", "agent.tracker.timeout", "30s", "p99", "agent execution"),
    ("60s", "database.pool", NULL, "p50", "connect"),
    ("60s-leaks", "database.session.lifetime", "300s", "p50", "pool wait"),
    ("120s-client-alone", "client.breaker.recovery_timeout", "180s", "p99", "breaker wait"),
    ("120s", "auth.breaker.recovery_timeout", "180s", "p99", "breaker wait"),
    ("120s", "backend.breaker.recovery_timeout", "180s", "p99", "breaker wait"),
    ("120s-startup", "analytics.startup.timeout", "240s", "max", "startup wait"),
    ("179s", "auth.deadline.timeout", "60s", "p99", "service work"),
    ("179s", "auth.retry.attempts", "6", "p99", "service work"),
]
FILES = {
    "60s": "incident-60s/scenario.yaml",
    "120s": "incident-120s/scenario.yaml",
    "120s-startup": "incident-120s/startup.yaml",
    "179s": "incident-179s/scenario.yaml",
}


def file_of(case: str) -> str:
    return FILES.get(case) or FILES[case.partition("-")[0]]


@pytest.mark.parametrize(("case", "path", "value", "name", "cause"), WORSE)
@pytest.mark.slow
def test_a_worse_setting_fails(
    checkout: pytest.Pytester, case: str, path: str, value: str, name: str, cause: str
) -> None:
    edit(checkout, file_of(case), path, value)
    result = run(checkout, case)
    result.assert_outcomes(failed=1)
    text = [line[1:].strip() for line in result.outlines if line.startswith("E ")]
    (row,) = [line.split() for line in text if line.startswith(f"{name} ") and "worse" in line]
    assert float(row[2]) > float(row[3]) >= float(row[1])  # now, allowed, baseline
    start = text.index("change by cause, in seconds")
    at = text[start + 1].split()[1:].index(name)
    rows = (re.split(r" +(?=[-+])", line) for line in text[start + 3 :])
    grew = {cause: values for cause, *values in itertools.takewhile(any, rows)}
    changes = {cause: float(grew[cause][at]) for cause in map(in_words, CAUSES) if cause in grew}
    assert max(changes, key=lambda each: changes[each]) == cause


# What is alone of no consequence, as the other timeout ends the same hang, or nothing leaks.
ALONE = [
    ("agent.deadline.timeout", "30s"),
    ("agent.tracker.timeout", "30s"),
    ("database.session.lifetime", "300s"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "value"), ALONE)
def test_a_setting_that_another_hides_does_not_fail(
    checkout: pytest.Pytester, path: str, value: str
) -> None:
    edit(checkout, FILES["60s"], path, value)
    result = run(checkout, "60s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["out of date: tests/baselines/*", "*nothing is seen to be worse; at p99*"]
    )
