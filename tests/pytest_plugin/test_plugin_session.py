"""Options, marks, paths and caches: the plugin inside pytest, in all the ways it is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_suite import fill, run

pytest_plugins = ("pytester",)

SHOW = "r = cascade.run(Q); print('\\nran', r.count, r.seed)"


def ran(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("ran ")]


def marked(pytester: pytest.Pytester, mark: str, call: str = "") -> None:
    fill(pytester)
    (pytester.path / "tests" / "test_ours.py").write_text(
        f"import pytest\n{mark}\ndef test_it(cascade):\n"
        f"    r = cascade.run('scenarios/queue.yaml'{call})\n    print('\\nran', r.count, r.seed)\n"
    )


def test_options_count_before_calls_and_those_before_marks(pytester: pytest.Pytester) -> None:
    marked(pytester, "@pytest.mark.cascade(replications=3, seed=4)")
    assert ran(run(pytester, "-s", "--strict-markers")) == ["ran 3 4"]
    assert ran(run(pytester, "-s", "--cascade-replications", "2")) == ["ran 2 4"]
    assert ran(run(pytester, "-s", "--cascade-seed", "9")) == ["ran 3 9"]
    marked(pytester, "@pytest.mark.cascade(replications=3, seed=4)", ", replications=5")
    assert ran(run(pytester, "-s")) == ["ran 5 4"]
    assert ran(run(pytester, "-s", "--cascade-replications", "2")) == ["ran 2 4"]
    marked(pytester, "")
    assert ran(run(pytester, "-s")) == ["ran 1 1"]


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ("replication=3", 'mark cascade: unknown "replication"; did you mean "replications"?'),
        ("replications='x'", 'mark: replications: expected a whole number from 1, got "x"'),
        ("3", "mark cascade: takes names, such as cascade(replications=8)"),
    ],
)
def test_a_wrong_mark_is_one_line(pytester: pytest.Pytester, mark: str, says: str) -> None:
    marked(pytester, f"@pytest.mark.cascade({mark})")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert says in result.stdout.str()


@pytest.mark.parametrize(
    ("option", "value"),
    [("replications", "0"), ("seed", "-1"), ("jobs", "0"), ("jobs", "many")],
)
def test_wrong_options_are_usage_errors(pytester: pytest.Pytester, option: str, value: str) -> None:
    result = run(fill(pytester, SHOW), f"--cascade-{option}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*argument --cascade-{option}: expected *"])


def test_help_lists_options_mark_and_fixture(pytester: pytest.Pytester) -> None:
    fill(pytester, SHOW)
    helped = run(pytester, "--help").stdout.str()
    for word in ("replications", "seed", "jobs", "update", "variants"):
        assert f"--cascade-{word}" in helped
    assert "@pytest.mark.cascade(replications=N, seed=N)" in run(pytester, "--markers").stdout.str()
    run(pytester, "--fixtures").stdout.fnmatch_lines(["cascade -- *"])


def test_ten_assertions_simulate_once(pytester: pytest.Pytester) -> None:
    body = """
from cascadesim.studies import runs
simulated = []
simulate = runs.simulate
runs.simulate = lambda *a: simulated.append(a[1:]) or simulate(*a)
for _ in range(5):
    cascade.check(cascade.run(Q, replications=2))
    cascade.check(cascade.run(Q, "before", replications=2), p50="<9s", goodput=">0.1/s")
assert simulated == [(1, 0), (1, 1)], simulated
cascade.no_worse("before", "before", scenario=Q)
assert simulated == [(1, i) for i in range(8)], simulated
runs.simulate = simulate
"""
    run(fill(pytester, body)).assert_outcomes(passed=1)


def test_paths_begin_at_the_test_and_then_at_the_root(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(pytester, "print('\\nran', cascade.run(Q).given.name)", name="root")
    near = pytester.path / "tests" / "scenarios"
    root = str(pytester.path)
    monkeypatch.chdir(tmp_path)  # wherever pytest is started
    assert ran(run(pytester, "-s", "--rootdir", root, root)) == ["ran root"]
    near.mkdir()
    text = (pytester.path / "scenarios" / "queue.yaml").read_text("utf-8")
    (near / "queue.yaml").write_text(text.replace("name: root", "name: near"))
    assert ran(run(pytester, "-s", "--rootdir", root, root)) == ["ran near"]


def test_a_checkout_that_cannot_be_written(pytester: pytest.Pytester) -> None:
    fill(pytester, "cascade.baseline(cascade.run(Q, replications=2))")
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    before = sorted(pytester.path.rglob("*"))
    run(pytester, "-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert sorted(pytester.path.rglob("*")) == before
    fill(pytester, "cascade.baseline(cascade.run(Q, replications=2))")
    for file in (pytester.path / "tests" / "baselines" / "test_ours").iterdir():
        file.unlink()
    (pytester.path / "tests" / "baselines" / "test_ours").rmdir()
    # A file where the folder would be, as root may write into any folder.
    (pytester.path / "tests" / "baselines" / "test_ours").write_text("in the way")
    result = run(pytester, "--cascade-update")
    result.assert_outcomes(failed=1)
    assert "baselines/test_ours: cannot be written: " in result.stdout.str()


@pytest.mark.slow
def test_workers_of_xdist_run_alone_and_tell_the_summary(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    fill(pytester)
    (pytester.path / "tests" / "test_ours.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('variant', ['before', 'slow'])\n"
        "def test_it(cascade, variant):\n"
        "    result = cascade.run('scenarios/queue.yaml', variant, replications=2)\n"
        "    assert result.simulations.workers == 1\n"
        "    cascade.baseline(result)\n"
    )
    arguments = ("-n", "2", "--cascade-jobs", "4", "--cascade-update")
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=2)
    for variant in ("before", "slow"):
        assert f"written: tests/baselines/test_ours/test_it-{variant}.yaml" in result.outlines
    run(pytester).assert_outcomes(passed=2)  # in one process, what two have written


FOREIGN = """
import sys
import pytest

class Last:
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        heavy = ["numpy", "simpy", "pydantic", "scipy", "pandas", "ruamel"]
        heavy.append("cascadesim.engine.simpy")
        print("imported", [name for name in heavy if name in sys.modules])
        print("ours", sorted(name for name in sys.modules if name.startswith("cascadesim")))

sys.exit(pytest.main(["-q", "-p", "no:hypothesispytest", "-p", "no:pytest-regressions"], [Last()]))
"""


def test_a_suite_that_does_not_use_it_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_foreign.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "data.yaml").write_text("a: 1\n")
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "imported []" in done.stdout
    assert "ours ['cascadesim', 'cascadesim.pytest_plugin', 'cascadesim.pytest_plugin.named']" in (
        done.stdout
    )


def test_it_is_found_without_being_named() -> None:
    from importlib.metadata import entry_points

    (found,) = [e for e in entry_points(group="pytest11") if e.name == "cascadesim"]
    assert found.value == "cascadesim.pytest_plugin"
    assert os.environ.get("PYTEST_PLUGINS", "") == ""
