"""What commands print of WebSocket connections."""

import json
import re
from pathlib import Path

import pytest
from conftest import Cli

from cascadesim.records import ConnectionCounts
from cascadesim.views.measures import connections
from cascadesim.views.page import Page, blocks
from cascadesim.views.terminal import text

# All three are connected at once; at 10 s the server restarts for 5 s, and the clients come back
# every 2 s: at 12 and 14 s in vain. With a limit of two, one is refused at 0, 2, ... 8 s, finds the
# server restarting at 10 s, too, and is refused at 16 and 18 s.
SCENARIO = """
name: chat
horizon: 19s
drain: 0s
workload:
  connections:
    clients: 3
    messages: {constant: 100s}
    reconnect: {base: 2s, cap: 2s, jitter: none}
stages:
  handler: {work: {constant: 10ms}}
faults: [{on: connections, from: 10s, for: 5s, restart: {}}]
variants:
  all: {}
  few: {workload.connections.limit: 2}
"""
LIMIT = "workload.connections.limit"
ROWS = [
    ["opened", "6", "4"],
    ["closed", "by", "the", "client", "0", "0"],
    ["lost", "by", "3", "2"],  # the restart
    ["connections"],
    ["handshake", "failed", "by", "6", "7"],
    ["connections"],
    ["handshake", "failed", "by", "0", "7"],
    [LIMIT],
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "chat.yaml"
    path.write_text(SCENARIO, "utf-8")
    return str(path)


def rows(out: str) -> list[list[str]]:
    table = out.partition("Connections")[2]
    return [line.split() for line in table.splitlines()]


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (("compare",), "Connections\n"),
        (("compare", "--replications", "2", "--jobs", "1", "--no-store"), "first replication\n"),
        (("replay",), "Connections\n"),
    ],
)
def test_variants_are_side_by_side(
    cli: Cli, file: str, command: tuple[str, ...], title: str
) -> None:
    _, out, _ = cli(*command, file)
    found = rows(out)
    assert title in out
    assert ["connections", "all", "few"] in found
    start = found.index(ROWS[0])
    assert found[start : start + len(ROWS)] == ROWS
    assert max(map(len, out.splitlines())) <= 80


def test_a_run_has_a_column(cli: Cli, file: str) -> None:
    _, out, _ = cli("run", file)
    assert ["opened", "6"] in rows(out)
    assert LIMIT not in out


@pytest.mark.parametrize("command", ["compare", "replay"])
def test_json_has_them(cli: Cli, file: str, command: str) -> None:
    _, out, _ = cli(command, file, "--format", "json")
    variants = json.loads(out)["variants"]
    assert variants["few"]["connections"] == {
        "opened": 4,
        "closed": 0,
        "failed": {"connections": 7, LIMIT: 7},
        "lost": {"connections": 2},
        "gave_up": 0,
    }


def test_a_scenario_without_connections_has_no_table(cli: Cli, file: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(
        "name: plain\nhorizon: 9s\nworkload: {arrivals: {constant: {rate: 1/s}}}\n"
        "stages: {handler: {work: {constant: 10ms}}}\n",
        "utf-8",
    )
    _, out, _ = cli("compare", other)
    assert "onnections" not in out
    _, out, _ = cli("compare", file, other, "--variants", "")
    assert ["opened", "6", "4", "-"] in rows(out)


def test_tables_are_as_wide_as_the_terminal_and_of_the_same_rows() -> None:
    counts = {f"a-variant-{i}": ConnectionCounts(10**i, 0, {}, {"ping": i}) for i in range(12)}
    page = Page("", blocks(connections(counts)))
    pieces = text(page, 60).partition("Connections\n")[2].split("\n\n")
    assert len(pieces) > 1
    for piece in pieces:
        lines = [" ".join(re.findall("[a-z]+", line)) for line in piece.splitlines()]
        assert lines[-4:] == ["opened", "closed by the client", "lost by", "ping"]
        assert max(map(len, piece.splitlines())) <= 60
    names = re.findall(r"a-variant-\d+", text(page, 1000))
    assert names == list(counts)
    opened = [row.split()[1:] for row in text(page, 60).splitlines() if row.startswith("opened")]
    assert [int(number) for row in opened for number in row] == [10**i for i in range(12)]
