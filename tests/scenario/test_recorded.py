"""Work that is drawn from a file: what is read of it, and the line for what cannot be used."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cascadesim.randomness import Distribution
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario, load
from cascadesim.studies.replications import Variant
from cascadesim.studies.store import digest
from cascadesim.values.distributions import MOST_SAMPLES
from cascadesim.values.errors import ScenarioError

TEXT = """\
name: recorded
horizon: 1min
workload: {arrivals: {poisson: {rate: 4/s}}}
stages:
  agent:
    work: {empirical: {file: FILE, column: took, unit: ms}}
"""


def scenario(folder: Path, file: str = "a.csv") -> Scenario:
    (folder / "scenario.yaml").write_text(TEXT.replace("FILE", file), "utf-8")
    return load(folder)


def work_of(scenario: Scenario) -> Distribution:
    work = scenario.model.stages["agent"].work
    assert work is not None
    return work.distribution


def error_of(folder: Path, file: str = "a.csv") -> str:
    with pytest.raises(ScenarioError) as caught:
        scenario(folder, file)
    return str(caught.value).removeprefix(f"{folder}/scenario.yaml:")


ROWS = [{"id": 1, "took": 250.5}, {"id": 2, "took": 0.0}, {"id": 3, "took": 40}]


def write_parquet(path: Path) -> None:
    pd.DataFrame(ROWS).to_parquet(path)


def write_decimals(path: Path) -> None:
    pd.DataFrame({"took": [Decimal("250.5"), Decimal("0"), Decimal("40")]}).to_parquet(path)


def write_csv(path: Path) -> None:
    path.write_text("\ufeffid,took\r\n1,250.5\r\n2,0\r\n3, 4e1\r\n", "utf-8")


def write_json_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", "utf-8")


@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("a.csv", write_csv),
        ("a.CSV", write_csv),
        ("a.parquet", write_parquet),
        ("b.parquet", write_decimals),
        ("a.jsonl", write_json_lines),
        ("a.ndjson", write_json_lines),
    ],
)
def test_every_kind_of_file_gives_the_same_samples(
    file: str, write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / file)
    expected = Distribution("empirical", (0.0, 0.04, 0.2505))
    assert work_of(scenario(tmp_path, f"sub/{file}")) == expected
    monkeypatch.chdir(tmp_path.parent)  # the folder of the scenario counts, and no other
    relative = load(Path(tmp_path.name) / "scenario.yaml")
    assert work_of(relative) == expected
    assert work_of(relative.override({"agent.work.empirical.unit": "s"})).upper == 250.5
    assert work_of(scenario(tmp_path, str(tmp_path / "sub" / file))) == expected


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", '6:45: agent.work.empirical.column: "a.csv" has no column "took"; there are none'),
        ("tok\n1\n", '6:45: agent.work.empirical.column: "a.csv" has no column "took"; '
         'did you mean "tok"?'),
        ("took\n", "6:30: agent.work.empirical.file: PATH has no rows"),
        ("took\n1\n-2\n", '6:45: agent.work.empirical.column: "a.csv", row 2 of "took": '
         'must not be negative, got "-2"'),
        ("took\n1\nnan\n", '6:45: agent.work.empirical.column: "a.csv", row 2 of "took": '
         'expected a number, got "nan"'),
        ("took,b\n1,2\n,3\n", '6:45: agent.work.empirical.column: "a.csv", row 2 of "took": '
         "expected a number, got nothing"),
        ("b,took\n1\n", '6:45: agent.work.empirical.column: "a.csv", row 1 of "took": '
         "expected a number, got nothing"),
        ("took\n60 ms\n", '6:45: agent.work.empirical.column: "a.csv", row 1 of "took": '
         'expected a number, got "60 ms"'),
        (b"took\n\xff\n", "6:30: agent.work.empirical.file: PATH is not UTF-8 text"),
        ("took\n" + "1" * 200_000, "6:30: agent.work.empirical.file: PATH is not CSV: "
         "field larger than field limit (131072)"),
        ("took\n" + "1\n" * (2 * MOST_SAMPLES + 1), '6:30: agent.work.empirical.file: "a.csv" '
         "has 200001 rows, and work is drawn from at most 100000; keep every 3th"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong_with_a_csv(
    content: str | bytes, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    assert error_of(tmp_path) == problem.replace("PATH", '"a.csv"')


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"took": 1}\n{"took"', "6:30: agent.work.empirical.file: PATH is not JSON in line 2"),
        ("[1]", "6:30: agent.work.empirical.file: PATH holds no JSON object in line 1"),
        ('{"tok": 1}', '6:47: agent.work.empirical.column: "a.jsonl" has no column "took"; '
         'did you mean "tok"?'),
        ('{"took": true}', '6:47: agent.work.empirical.column: "a.jsonl", row 1 of "took": '
         "expected a number, got true"),
        ('{"took": 1}\n{}', '6:47: agent.work.empirical.column: "a.jsonl", row 2 of "took": '
         "expected a number, got nothing"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong_with_json_lines(
    content: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(content, "utf-8")
    assert error_of(tmp_path, "a.jsonl") == problem.replace("PATH", '"a.jsonl"')


def test_one_line_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    at = "6:30: agent.work.empirical.file:"
    hint = "a path is seen from the folder of the scenario"
    assert error_of(tmp_path, "no.csv") == f"{at} there is no file {tmp_path}/no.csv; {hint}"
    kinds = ".csv, .parquet, .jsonl, .ndjson"
    (tmp_path / "a.txt").write_text("took\n1\n")
    unknown = f'{at} "a.txt" is of no known kind; expected {kinds}'
    assert error_of(tmp_path, "a.txt") == unknown
    (tmp_path / "a.parquet").write_text("took\n1\n")
    assert error_of(tmp_path, "a.parquet") == f'{at} "a.parquet" is not Parquet'
    (tmp_path / "b.csv").mkdir()
    assert error_of(tmp_path, "b.csv") == f'{at} "b.csv" is a folder; name a file'
    write_parquet(tmp_path / "c.parquet")
    (tmp_path / "scenario.yaml").write_text(
        TEXT.replace("FILE, column: took", "c.parquet, column: x")
    )
    with pytest.raises(
        ScenarioError, match=r'column: "c.parquet" has no column "x"; known: id, took'
    ):
        load(tmp_path)


def test_an_override_may_name_another_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("took\n9\n")
    changed = scenario(tmp_path).override({"agent.work.empirical.file": "b.csv"}, "--set")
    assert work_of(changed).parameters == pytest.approx((0.009,))
    with pytest.raises(ScenarioError, match=r"^--set: agent.work.empirical.file: there is no file"):
        changed.override({"agent.work.empirical.file": "c.csv"}, "--set")


def test_another_content_is_another_plan(tmp_path: Path) -> None:
    def of(content: str) -> Any:
        (tmp_path / "a.csv").write_text(content)
        return Variant(compile_plan(scenario(tmp_path).model))

    one, other = of("took\n1\n2\n"), of("took\n1\n3\n")
    assert digest(one, one) != digest(other, one)
    assert digest(of("took\n2\n1\n"), one) == digest(one, one)  # the order says nothing
