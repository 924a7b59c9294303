"""The store of results, as commands use and describe it."""

import json
import re
from pathlib import Path

import pytest
from conftest import Cli

from cascadesim.studies.store import FILE, code_version

KEPT = 4  # of two variants; the first replication is run for its records, too


@pytest.fixture
def compare(tmp_path: Path) -> tuple[str | Path, ...]:
    """Return a command that runs two variants in three replications."""
    data = {
        "name": "queue",
        "horizon": "10s",
        "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
        "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
        "variants": {"wait": {}, "reject": {"a.queue_limit": 1}},
    }
    file = tmp_path / "queue.yaml"
    file.write_text(json.dumps(data))
    return ("compare", file, "--replications", "3", "--jobs", "1")


def replications(out: str) -> list[tuple[str, int]]:
    """Return the replications of each version in the table."""
    rows = re.findall(r"^(\S+) +([\d,]+) +\d+\.\d\d$", out, re.MULTILINE)
    return [(version, int(number.replace(",", ""))) for version, number in rows]


def test_store_says_where_results_are_and_how_many(
    cli: Cli, compare: tuple[str | Path, ...], tmp_path: Path
) -> None:
    code, out, err = cli("store")
    assert (code, err) == (0, "")
    assert "There are none." in out
    cli(*compare)
    code, out, err = cli("store")
    assert (code, err) == (0, "")
    said = f"Results are kept in {tmp_path / 'store'}; this is version {code_version()}."
    assert said in " ".join(out.split())
    assert replications(out) == [(code_version(), KEPT)]
    assert max(map(len, out.splitlines())) <= 80
    assert replications(cli("store", "--store", tmp_path / "other")[1]) == []
    assert "There are none." in cli("store", "--clear")[1]
    assert "There are none." in cli("store")[1]


def test_commands_keep_results_where_they_are_told(
    cli: Cli, compare: tuple[str | Path, ...], tmp_path: Path
) -> None:
    code, first, err = cli(*compare, "--no-store")
    assert (code, err) == (0, "")
    assert not (tmp_path / "store").exists()
    assert cli(*compare, "--store", tmp_path / "other") == (0, first, "")
    assert not (tmp_path / "store").exists()
    assert cli(*compare, "--store", tmp_path / "other") == (0, first, "")
    assert replications(cli("store", "--store", tmp_path / "other")[1]) == [(code_version(), KEPT)]
    assert cli(*compare, "--store", "")[::2] == (2, "--store '': expected a folder\n")


def test_a_damaged_store_is_one_line_and_changes_no_figure(
    cli: Cli, compare: tuple[str | Path, ...], tmp_path: Path
) -> None:
    code, first, _ = cli(*compare)
    database = tmp_path / "store" / FILE
    database.write_bytes(database.read_bytes()[::-1])
    code, out, err = cli(*compare)
    assert (code, out) == (0, first)
    assert err == (
        f"{database}: is damaged (file is not a database); "
        f"it is now {FILE}.damaged, and a new one is begun\n"
    )
    assert cli(*compare) == (0, first, "")
    assert replications(cli("store")[1]) == [(code_version(), KEPT)]
    cli("store", "--clear")
    assert [path.name for path in (tmp_path / "store").iterdir()] == [FILE]


def test_an_older_store_is_left_alone_and_said(cli: Cli, tmp_path: Path) -> None:
    part = tmp_path / "store" / "version=0.1.0-abc" / "seed=1" / "part-1.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"PAR1")
    code, out, err = cli("store", "--clear")
    assert (code, err) == (0, "")
    assert "Its folders version=* are an older store's; nothing reads them any more." in out
    assert part.read_bytes() == b"PAR1"
