"""Baselines of the `cascade` fixture: written, compared, out of date and unused."""

import pytest
from plugin_suite import agrees, fill, run, said

import cascadesim

pytest_plugins = ("pytester",)


def test_a_baseline_is_written_when_asked_kept_and_compared(pytester: pytest.Pytester) -> None:
    body = "cascade.baseline(cascade.run(Q))"
    result = run(fill(pytester, body))
    file = pytester.path / "tests" / "baselines" / "test_ours" / "test_it.yaml"
    agrees(
        said(result),
        """
        there is no baseline yet
        tests/baselines/test_ours/test_it.yaml
        `pytest --cascade-update` writes it; keep it with the test
        """,
    )
    assert not file.exists()
    result = run(pytester, "--cascade-update")
    result.assert_outcomes(passed=1)
    assert "written: tests/baselines/test_ours/test_it.yaml" in result.outlines
    text = file.read_text("utf-8")
    run(pytester).assert_outcomes(passed=1)
    assert file.read_text("utf-8") == text
    # A pull request makes it slower, and then faster than ever.
    slow, quick = (
        {"work": {"exponential": {"mean": m}}, "concurrency": 1} for m in ("80ms", "20ms")
    )
    fill(pytester, stages={"a": slow}, variants={})
    result = run(pytester)
    result.assert_outcomes(failed=1)
    lines = said(result)
    agrees(
        lines[:5],
        """
        6 percentiles are worse than in the baseline
        queue
        8 replications from seed 1, in pairs with the baseline's
        tests/baselines/test_ours/test_it.yaml
        If it is meant, `pytest --cascade-update` writes the baseline anew.
        """,
    )
    agrees(
        lines[6:],
        """
        percentile baseline now allowed
        p50 # # # worse
        p90 # # # worse
        p95 # # # worse
        p99 # # # worse
        p99.9 # # # worse
        max # # # worse

        change by cause, in seconds
        cause p50 p90 p95 p99 p99.9 max
        queue wait # # # # # #
        service work # # # # # #

        queue wait in p99 now:
        - # s a.concurrency
        """,
    )
    fill(pytester, stages={"a": quick}, variants={})
    result = run(pytester)
    result.assert_outcomes(passed=1)
    assert "out of date: tests/baselines/test_ours/test_it.yaml [S09]" in result.outlines
    assert any(line.startswith("  p50, p90, p95, p99") for line in result.outlines)
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    assert file.read_text("utf-8") != text
    assert "out of date" not in run(pytester).stdout.str()


def test_a_baseline_of_the_same_settings_fails_by_another_version(
    pytester: pytest.Pytester,
) -> None:
    run(fill(pytester, "cascade.baseline(cascade.run(Q))"), "--cascade-update")
    file = pytester.path / "tests" / "baselines" / "test_ours" / "test_it.yaml"
    old = f"cascadesim: {cascadesim.__version__}"
    text = file.read_text("utf-8")
    assert old in text
    lines = text.replace(old, "cascadesim: 0.0.1").splitlines()
    at = next(i for i, line in enumerate(lines) if "replications_s" in line)
    lines[at] = "    replications_s: [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]"
    file.write_text("\n".join(lines), "utf-8")
    found = said(run(pytester))
    assert found[0] == "p50 is other than in the baseline"
    text = " ".join(found)
    assert "Settings and seed are the same" in text
    assert "(0.0.1 then)" in text
    assert any(line.split()[-1:] == ["other"] for line in found)


def test_tolerances_on_request(pytester: pytest.Pytester) -> None:
    body = "cascade.baseline(cascade.run(Q, replications=1), {})"
    fill(pytester, body.format('relative="2%"'))
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    slower = {"a": {"work": {"exponential": {"mean": "52ms"}}, "concurrency": 1}}
    fill(pytester, stages=slower, variants={})
    assert "worse than in the baseline" in said(run(pytester))[0]
    fill(pytester, body.format('relative="30%", absolute="1s"'), stages=slower, variants={})
    run(pytester).assert_outcomes(passed=1)
    fill(pytester, body.format("name=''"), stages=slower, variants={})
    assert "needs 4 replications or more" in " ".join(said(run(pytester)))


def test_several_baselines_of_a_test_need_names(pytester: pytest.Pytester) -> None:
    body = 'cascade.baseline(cascade.run(Q), {})\ncascade.baseline(cascade.run(Q, "slow"), {})'
    fill(pytester, body.format("'one'", "'two'"))
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    folder = pytester.path / "tests" / "baselines" / "test_ours"
    assert sorted(file.name for file in folder.iterdir()) == [
        "test_it-one.yaml",
        "test_it-two.yaml",
    ]
    run(pytester).assert_outcomes(passed=1)
    fill(pytester, body.format("''", "''"))
    assert "needs to name them" in " ".join(said(run(pytester, "--cascade-update")))


def test_names_of_files_are_those_of_tests_and_never_shared(pytester: pytest.Pytester) -> None:
    fill(pytester)
    (pytester.path / "tests" / "test_many.py").write_text(
        "import pytest\n"
        "class TestChat:\n"
        "    @pytest.mark.parametrize('x', ['a b', 'a/b', 'ab'])\n"
        "    def test_it(self, cascade, x):\n"
        "        cascade.baseline(cascade.run('scenarios/queue.yaml', replications=2))\n"
    )
    run(pytester, "--cascade-update").assert_outcomes(passed=3)
    names = sorted(f.name for f in (pytester.path / "tests/baselines/test_many").iterdir())
    assert len(names) == 3
    assert "TestChat-test_it-ab.yaml" in names
    assert sum(name.startswith("TestChat-test_it-a-b-") for name in names) == 2


SUBTESTS = """
def test_it(cascade, subtests):
    with subtests.test('kept'):
        cascade.baseline(cascade.run('scenarios/queue.yaml', replications=2))
    for i in range(3):
        with subtests.test(i=i):
            pass
"""


def test_a_baseline_is_noted_once_for_all_subtests(pytester: pytest.Pytester) -> None:
    fill(pytester)
    (pytester.path / "tests" / "test_ours.py").write_text(SUBTESTS, "utf-8")
    lines = run(pytester, "--cascade-update").outlines
    assert lines.count("written: tests/baselines/test_ours/test_it.yaml") == 1
    few = "  2 replications cannot tell a later change from noise, 4 or more can [S07]"
    assert lines.count(few) == 1


AGAIN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        if hasattr(item, "_initrequest"):
            item._initrequest()  # as pytest-rerunfailures does
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


def test_a_test_may_run_again_in_the_same_process(pytester: pytest.Pytester) -> None:
    fill(pytester, "cascade.baseline(cascade.run(Q))")
    (pytester.path / "tests" / "test_ours.cascade.yaml").write_text(
        "scenario: scenarios/queue.yaml\nbaseline: true\n", "utf-8"
    )
    (pytester.path / "conftest.py").write_text(AGAIN, "utf-8")
    result = run(pytester, "--cascade-update")
    result.assert_outcomes(passed=4)
    assert result.outlines.count("written: tests/baselines/test_ours/test_it.yaml") == 1
    run(pytester).assert_outcomes(passed=4)


def test_a_baseline_of_another_variant_is_one_line(pytester: pytest.Pytester) -> None:
    run(fill(pytester, "cascade.baseline(cascade.run(Q, 'slow'))"), "--cascade-update")
    (line,) = said(run(fill(pytester, "cascade.baseline(cascade.run(Q, 'before'))")))
    assert line.endswith(
        'tests/baselines/test_ours/test_it.yaml: is of "queue" at the variant "slow", and the test '
        'runs "queue" at the variant "before"; if that is meant, `pytest --cascade-update` writes '
        "it anew"
    )
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_baseline_whose_test_is_gone_is_unused(pytester: pytest.Pytester) -> None:
    fill(pytester)
    file = pytester.path / "tests" / "test_ours.py"
    body = (
        "import pytest\n\n"
        "@pytest.mark.parametrize('x', ['a', 'b/b'])\n"
        "def test_{}(cascade, x):\n"
        "    if {}:\n"
        "        cascade.baseline(cascade.run('scenarios/queue.yaml', replications=1))\n"
    )
    file.write_text(body.format("old", "True"), "utf-8")
    run(pytester, "--cascade-update").assert_outcomes(passed=2)
    folder = pytester.path / "tests" / "baselines" / "test_ours"
    assert len(list(folder.iterdir())) == 2
    # A test that is there and merely uses none, or does not run, may use it another time.
    file.write_text(body.format("old", "False"), "utf-8")
    for arguments in ((), ("-k", "nothing"), ("--deselect", "tests/test_ours.py::test_old")):
        assert "unused: " not in run(pytester, *arguments).stdout.str()
    file.write_text(body.format("new", "False"), "utf-8")
    result = run(pytester, "-k", "nothing")
    lines = [line for line in result.outlines if "test_old" in line]
    assert lines[0] == "unused: tests/baselines/test_ours/test_old-a.yaml [S10]"
    assert lines[1] == "  test_ours.py has no test test_old[a] any more"
    assert lines[3] == "  test_ours.py has no test test_old[b/b] any more"
    # Nobody knows all tests of the file where only some are collected.
    file.write_text(file.read_text("utf-8") + "\ndef test_last():\n    pass\n", "utf-8")
    few = run(pytester, "tests/test_ours.py::test_last")
    spread = pytester.runpytest_subprocess("-p", "xdist", "-n", "1")
    for result, passed in ((few, 1), (spread, 3)):
        result.assert_outcomes(passed=passed)
        assert "unused: " not in result.stdout.str()
    # One that moved with its test is in use, whatever it says inside.
    (folder / "test_old-a.yaml").rename(folder / "test_new-a.yaml")
    text = run(pytester).stdout.str()
    assert "unused: tests/baselines/test_ours/test_old-b-b" in text
    assert "test_new-a" not in text
