"""What commands print of classes of requests."""

import json
from pathlib import Path

import pytest
from conftest import Cli

# Chat passes both stages and takes 1.05 s; search only the first, 50 ms.
SCENARIO = """
name: service
horizon: 100s
drain: 5s
workload:
  classes:
    chat: {arrivals: {constant: {rate: 1/s}}, path: [auth, agent], objectives: [p99 < 1s]}
    search: {arrivals: {constant: {rate: 2/s}}, path: [auth], objectives: [p50 < 10ms, max < 1s]}
stages:
  auth: {work: {constant: 50ms}}
  agent: {work: {constant: 1s}}
objectives: [p50 < 60ms, p99 < 2s]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "service.yaml"
    path.write_text(SCENARIO, "utf-8")
    return str(path)


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_run_has_a_row_for_each_class(cli: Cli, file: str) -> None:
    code, out, _ = cli("run", file)
    found = rows(out)
    assert code == 0
    assert ["service", *["0.050"] * 1, *["1.050"] * 5] in found
    assert ["service", "chat", *["1.050"] * 6] in found
    assert ["service", "search", *["0.050"] * 6] in found
    # Requests at 100 s are not sent: 99 of chat and 199 of search. The last chat's reply is late.
    assert ["service", "66.78%", "0.00%", "2.970", "298", "298"] in found
    # None is below 1 s, or below 10 ms.
    assert ["service", "chat", "0.00%", "0.00%", "0.980", "99", "99"] in found
    assert ["service", "search", "0.00%", "0.00%", "1.990", "199", "199"] in found
    assert ["service", "p50", "<", "60ms", "0.050", "met"] in found
    assert ["service", "chat:", "p99", "<", "1s", "1.050", "missed"] in found
    assert ["service", "search:", "p50", "<", "10ms", "0.050", "missed"] in found
    assert ["service", "chat:", "p99", "<", "1s", "95%", "agent.work"] in found
    assert max(map(len, out.splitlines())) <= 80


def test_json_and_the_saved_run_have_the_classes(cli: Cli, file: str, tmp_path: Path) -> None:
    import pandas as pd

    code, out, _ = cli("run", file, "--format", "json", "--out", tmp_path / "saved")
    assert code == 0
    found = json.loads(out)
    assert found["classes"]["chat"]["percentiles_s"]["p50"] == pytest.approx(1.05)
    assert found["classes"]["chat"]["objectives"][0]["objective"] == "chat: p99 < 1s"
    missed = [each["objective"] for each in found["objectives"] if not each["met"]]
    assert missed == ["chat: p99 < 1s", "search: p50 < 10ms"]
    frame = pd.read_parquet(tmp_path / "saved" / "requests.parquet")
    assert frame.columns[:2].tolist() == ["request", "class"]
    assert frame["class"].value_counts().to_dict() == {"search": 199, "chat": 99}


def test_check_exits_with_1_where_a_class_misses_its_objective(
    cli: Cli, file: str, tmp_path: Path
) -> None:
    gate = ("check", "--objectives", file, "--jobs", "1", "--no-store")
    code, out, _ = cli(*gate, "--junit", tmp_path / "junit.xml")
    assert code == 1
    assert "2 of 5 objectives missed\n" in out
    assert "chat: p99 is 1.050 s, expected chat: p99 &lt; 1s" in (
        (tmp_path / "junit.xml").read_text("utf-8")
    )
    missed = ["workload.classes.chat.objectives=[]", "workload.classes.search.objectives=[]"]
    code, out, _ = cli(*gate, "--set", missed[0], "--set", missed[1])
    assert (code, "p50 < 60ms" in out) == (0, True)


def test_a_replay_names_the_class_of_an_observation(cli: Cli, file: str) -> None:
    more = 'clock: "12:00:00"\nobservations: [{at: "12:00:30", latency: 1s, class: chat}]\n'
    Path(file).write_text(SCENARIO + more, "utf-8")
    _, out, _ = cli("replay", file)
    assert "Observed at 12:00:30 of chat: 1.000000 s." in out


def test_check_prints_the_worst_case_of_every_path(cli: Cli, file: str) -> None:
    _, out, _ = cli("check", file)
    assert ["a", "request", "of", "chat", "through", "its", "path", "1.050"] in rows(out)
    assert ["a", "request", "of", "search", "through", "its", "path", "0.050"] in rows(out)


def test_a_report_has_a_table_of_classes(cli: Cli, file: str, tmp_path: Path) -> None:
    code, _, _ = cli("report", file, "--replications", "1", "-o", tmp_path / "r.html")
    assert code in (0, 1)
    page = (tmp_path / "r.html").read_text("utf-8")
    for title in ("Latency percentiles in seconds, by class", "a request of each class can take"):
        table = page.rpartition(title)[2].partition("</table>")[0]
        assert [word in table for word in ("chat", "search", "1.050")] == [True] * 3
    assert "class chat" in page  # what the timeline tells of a request
