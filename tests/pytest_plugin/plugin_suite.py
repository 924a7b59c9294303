"""A small repository for tests of the plugin, and what a person reads of a run in it.

pytester forgets the modules that a run inside has imported, and some load only once in a process;
so they are imported here.
"""

import re
from typing import Any

import joblib  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import scipy.stats  # noqa: F401

from cascadesim.scenario.source import Document, write

SCENARIO: dict[str, Any] = {
    "name": "queue",
    "horizon": "60s",
    "drain": "60s",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {
        "a": {
            "work": {"exponential": {"mean": "50ms"}},
            "concurrency": 1,
            "policies": [{"deadline": {"timeout": "1s"}}],
        }
    },
    "objectives": ["p99 < 1s", "error_rate < 1%"],
    "variants": {
        "before": {},
        "slow": {"a.work": {"exponential": {"mean": "70ms"}}},
        "same": {"a.deadline.timeout": "999s"},
        "rejecting": {"a.queue_limit": 0},
    },
}


def fill(pytester: pytest.Pytester, body: str = "", **more: Any) -> pytest.Pytester:
    """Write scenarios/queue.yaml and tests/test_ours.py, whose functions take `cascade`."""
    folder = pytester.path / "scenarios"
    folder.mkdir(exist_ok=True)
    text = write(Document("queue.yaml", SCENARIO | more), "a scenario")
    (folder / "queue.yaml").write_text(text, "utf-8")
    (pytester.path / "tests").mkdir(exist_ok=True)
    if body:
        lines = "\n    ".join(body.strip().splitlines())
        text = f"Q = 'scenarios/queue.yaml'\n\ndef test_it(cascade):\n    {lines}\n"
        (pytester.path / "tests" / "test_ours.py").write_text(text, "utf-8")
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("--cascade-jobs", "1", "-p", "no:xdist", *arguments)


def said(result: pytest.RunResult) -> list[str]:
    """Return the lines of a failure as pytest shows them, without its "E" and the indent.

    Errors of the user are one line, which may begin with a long path; all others fit a terminal.
    """
    lines = [line for line in result.outlines if line.startswith("E ")]
    for line in lines:
        assert len(line) <= 80 or "ScenarioError" in line, line
    return [re.sub(r"^E {1,11}(AssertionError: )?", "", line).rstrip() for line in lines]


def agrees(lines: list[str], pattern: str) -> None:
    """Hold lines against a text in which # stands for a number; rules of tables are left out."""
    text = "\n".join(" ".join(line.split()) for line in lines if not line.startswith("───"))
    expected = "\n".join(" ".join(line.split()) for line in pattern.strip().splitlines())
    regex = re.escape(expected).replace(r"\#", r"[-+]?[0-9.]+")
    assert re.fullmatch(regex, text), text


def write_tests(
    pytester: pytest.Pytester, text: str, name: str = "test_queue.cascade.yaml"
) -> None:
    fill(pytester)
    (pytester.path / "tests" / name).write_text(text.lstrip(), "utf-8")


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Return the outcome of every test by its name, from `-v`."""
    rows = [re.match(r"\S+?::(.*?) (PASSED|FAILED)( |$)", line) for line in result.outlines]
    return {row[1]: row[2] for row in rows if row}


def failure(result: pytest.RunResult, name: str) -> list[str]:
    """Return the lines below the heading of a failed test, up to the next one.

    They fit a terminal.
    """
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if line.strip("_ ") == name and "__" in line)
    rest = lines[start + 1 :]
    end = next(i for i, line in enumerate(rest) if line.startswith(("____", "====")))
    assert max(map(len, rest[:end])) <= 80
    return rest[:end]
