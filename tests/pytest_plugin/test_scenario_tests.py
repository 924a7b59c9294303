"""Objectives of scenario files as tests, where pytest is given the files."""

import pytest
from plugin_suite import failure, fill, run

pytest_plugins = ("pytester",)


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
    [
        ("scenn/*.yaml", "no scenario is scenn/*.yaml, neither a file"),
        ("tests", "no scenario is tests, neither a file *.yaml or *.yml nor a folder with"),
        ("/x/*.yaml", "/x/*.yaml is not below"),
        ("../x/*.yaml", "../x/*.yaml is not below"),
    ],
)
def test_an_ini_file_that_names_no_scenario_is_an_error(
    pytester: pytest.Pytester, glob: str, says: str
) -> None:
    fill(pytester)
    pytester.makeini(f"[pytest]\ncascade_scenarios = {glob}\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in result.stdout.str() + result.stderr.str()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n", "1")])
def test_a_plain_pytest_collects_listed_scenarios_wherever_they_stand(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    fill(pytester, "pass")
    folder = pytester.mkdir("build") / "queue"  # where pytest does not look
    folder.mkdir()
    (pytester.path / "scenarios" / "queue.yaml").rename(folder / "scenario.yaml")
    ini = "[pytest]\ncascade_scenarios = build/*\ncascade_variants = before\n"
    pytester.makeini(f"{ini}testpaths = tests\n")
    if arguments:  # a worker is a process that collects by itself
        pytest.importorskip("xdist")
        result = pytester.runpytest_subprocess("-v", *arguments)
    else:
        result = run(pytester, "-v")
    result.assert_outcomes(passed=3)
    assert "build/queue/scenario.yaml::before: p99 < 1s" in result.stdout.str()
    pytester.makeini(ini)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "build/queue/scenario.yaml is in build, into which" in result.stderr.str()
    run(pytester, "build/queue/scenario.yaml").assert_outcomes(passed=2)


def test_what_pytest_is_told_to_collect_has_no_more(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pytester, "pass")
    pytester.makeini("[pytest]\ntestpaths = tests\ncascade_scenarios = scenarios/*.yaml\n")
    for number, arguments in (
        (1, ["tests/test_ours.py"]),
        (1, ["tests"]),
        (8, ["scenarios"]),
        (9, ["."]),
        (9, []),
        (1, ["--ignore", "scenarios"]),
        (1, ["--ignore", "scenarios/queue.yaml"]),
        (1, ["--ignore-glob", "scen*"]),
    ):
        result = run(pytester, "--collect-only", "-q", *arguments)
        result.stdout.fnmatch_lines([f"{number} test* collected in *"])
    monkeypatch.chdir(pytester.path / "tests")
    run(pytester, "--collect-only").stdout.fnmatch_lines(["* 1 test collected in *"])


def test_a_scenario_without_objectives_is_an_error(pytester: pytest.Pytester) -> None:
    fill(pytester, objectives=[])
    says = (
        "scenarios/queue.yaml: has no objectives to test; write some, such as\n"
        "`objectives: [p99 < 5s]`"
    )
    for file in (pytester.path / "scenarios").iterdir():
        file.write_text(file.read_text("utf-8").replace("objectives: []\n", ""), "utf-8")
    result = run(pytester, "scenarios/queue.yaml")
    result.assert_outcomes(errors=1)
    heading = "ERROR collecting scenarios/queue.yaml"
    assert "\n".join(failure(result, heading)) == says
    pytester.makeini("[pytest]\ncascade_scenarios = scenarios/*.yaml\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert "\n".join(failure(result, heading)) == f"{says}, or leave it out of `cascade_scenarios`"


def test_a_variant_may_have_objectives_of_its_own(pytester: pytest.Pytester) -> None:
    fill(pytester, objectives=[], variants={"one": {}, "two": {"objectives": ["p50 < 9s"]}})
    items, _ = pytester.inline_genitems("scenarios/queue.yaml")
    assert [item.name for item in items] == ["two: p50 < 9s"]
    text = "scenario: scenarios/queue.yaml\nvariant: two\n"
    (pytester.path / "tests" / "test_queue.cascade.yaml").write_text(text, "utf-8")
    run(pytester, "tests").assert_outcomes(passed=1)


def test_a_variant_that_no_scenario_has_is_an_error(pytester: pytest.Pytester) -> None:
    fill(pytester)
    text = (pytester.path / "scenarios" / "queue.yaml").read_text("utf-8")
    other = pytester.path / "scenarios" / "other.yaml"
    other.write_text(text.replace("  slow:", "  swift:"), "utf-8")
    names = ("--collect-only", "-q", "--cascade-variants")
    both = ("scenarios/queue.yaml", "scenarios/../scenarios/other.yaml")
    result = run(pytester, *names, "slow,swift", *both)
    result.stdout.fnmatch_lines(["4 tests collected in *"])  # each those that it has
    heading = "ERROR collecting scenarios/queue.yaml"
    result = run(pytester, *names, "before,slwo", *both)
    result.assert_outcomes(errors=2)
    says = '--cascade-variants: no variant "slwo"; did you mean "slow"?'
    assert failure(result, heading) == [says]
    result = run(pytester, *names, "swift", *both)
    result.assert_outcomes(errors=1)
    assert " ".join(failure(result, heading)) == (
        "--cascade-variants: scenarios/queue.yaml has none of the variants swift; "
        "known: before, slow, same, rejecting"
    )
    ini = "[pytest]\ncascade_scenarios = scenarios/*.yaml\ncascade_variants = "
    pytester.makeini(f"{ini}slow swift\n")
    result = run(pytester, "--collect-only", "-q", both[0])  # whose file the other is not
    result.stdout.fnmatch_lines(["2 tests collected in *"])
    pytester.makeini(f"{ini}slow siwft\n")
    result = run(pytester, both[0])
    assert failure(result, heading) == [
        'cascade_variants: no variant "siwft"; did you mean "swift"?'
    ]


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
