"""The guide on pytest: its tests pass, and its failure is what is shown."""

import re
import shutil

import pytest
from conftest import ROOT
from plugin_suite import run

pytest_plugins = ("pytester",)


GUIDE = (ROOT / "cascadesim" / "guides" / "pytest.md").read_text("utf-8")


def blocks() -> list[tuple[str, str]]:
    """Return the kind and the text of every block of the guide."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_pass_until_a_setting_is_made_worse(pytester: pytest.Pytester) -> None:
    (_, python), (_, yaml), (_, failure) = blocks()
    shutil.copytree(ROOT / "scenarios", pytester.path / "scenarios")
    tests = pytester.mkdir("tests")
    (tests / "test_incident.py").write_text(python, "utf-8")
    (tests / "test_incident.cascade.yaml").write_text(yaml, "utf-8")
    run(pytester, "--cascade-update").assert_outcomes(passed=4)
    (name,) = re.findall(r'`pytest "(.*?)"`', GUIDE)
    run(pytester, name).assert_outcomes(passed=1)
    file = pytester.path / "scenarios" / "incident-60s" / "scenario.yaml"
    after = "    agent.breaker.recovery_timeout: 10s"
    file.write_text(file.read_text("utf-8").replace(after, after[:-3] + "60s", 1), "utf-8")
    result = run(pytester, "tests/test_incident.cascade.yaml::baseline")
    result.assert_outcomes(failed=1)
    command, _, shown = failure.partition("\n")
    assert command.startswith("$ pytest")
    printed = iter(line.rstrip() for line in result.outlines)
    for line in shown.splitlines():
        if line != "…":
            assert line.rstrip() in printed, f"{line!r} is not printed, or not in this order"
