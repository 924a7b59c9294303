"""Files that others change, and those that cannot be written."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from stored import all_of, keep, kept, key, made, names

from cascadesim.studies import store as module
from cascadesim.studies.store import FILE, Store
from cascadesim.values.errors import ScenarioError


def test_a_folder_that_is_removed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with Store(folder) as store:
        store.add(key(1), made(1))
        shutil.rmtree(folder)
        assert store.find(all_of(range(3))) == {}
        store.add(key(2), made(2))
        shutil.rmtree(folder)
        store.add(key(0), made(0))
        assert store.find(all_of(range(3))) == all_of(range(1))
    assert kept(folder, range(3)) == all_of(range(1))


def damages(whole: bytes) -> Iterator[bytes]:
    """Yield the bytes of a database with something wrong."""
    draws = random.Random(2)
    yield from (b"SQLite format 3", whole[: len(whole) // 2], whole[:-1], whole[10:])
    yield from (whole + b"\0", whole[: len(whole) // 2] + bytes(len(whole) // 2), whole[::-1])
    # The header has 100 bytes; the name and columns of the table end the first page.
    places = [*draws.sample(range(100), 50), *draws.sample(range(3900, 4096), 50)]
    places += draws.choices(range(4096, len(whole)), k=150)
    for place in places:
        wrong = whole[place] ^ (1 << draws.randrange(8))
        yield whole[:place] + bytes([wrong]) + whole[place + 1 :]


def test_damage_gives_no_wrong_replication_and_is_mended_by_running_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = all_of(range(20))
    keep(tmp_path, range(20))
    database = tmp_path / FILE
    whole = database.read_bytes()
    incomplete = set_aside = 0
    for damaged in damages(whole):
        database.write_bytes(damaged)
        with Store(tmp_path) as store:
            found = store.find(expected)
            assert found.items() <= expected.items()
            store.describe()
            for at in expected.keys() - store.find(expected).keys():
                store.add(at, expected[at])
        assert kept(tmp_path, range(20)) == expected
        incomplete += found != expected
        said = capsys.readouterr().err
        set_aside += said != ""
        assert said.count("\n") <= 1
        if said:
            assert said.startswith(f"{database}: is damaged (")
            assert said.endswith(f"; it is now {FILE}.damaged, and a new one is begun\n")
            assert names(tmp_path) == [FILE, f"{FILE}.damaged"]
            assert database.with_name(f"{FILE}.damaged").read_bytes() == damaged
            database.with_name(f"{FILE}.damaged").unlink()
    assert incomplete > 100
    assert set_aside > 30


def test_damage_of_the_log_loses_only_what_is_in_it(tmp_path: Path) -> None:
    keep(tmp_path / "at rest", range(10))
    copy = tmp_path / "copy"
    draws = random.Random(3)
    with Store(tmp_path / "at rest") as store:
        for number in range(10, 20):
            store.add(key(number), made(number))
        for _ in range(30):
            shutil.copytree(tmp_path / "at rest", copy)  # as a kill would leave it
            log = copy / f"{FILE}-wal"
            data = bytearray(log.read_bytes())
            data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
            log.write_bytes(data)
            found = kept(copy, range(20))
            assert all_of(range(10)).items() <= found.items() <= all_of(range(20)).items()
            shutil.rmtree(copy)


def execute(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / FILE)) as database, database:
        database.execute(statement, values)


def test_an_entry_under_another_key_is_not_taken_for_it(tmp_path: Path) -> None:
    keep(tmp_path, range(2))
    of_first = "(SELECT entry FROM replications WHERE id = ?)"
    execute(tmp_path, f"UPDATE replications SET entry = {of_first}", module._id(key(0)))
    assert kept(tmp_path, range(2)) == all_of(range(1))


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", b"", b"12345678"])
def test_what_is_no_entry_is_passed_over(tmp_path: Path, value: object) -> None:
    keep(tmp_path, range(2))
    execute(tmp_path, "UPDATE replications SET entry = ? WHERE id = ?", value, module._id(key(1)))
    assert kept(tmp_path, range(2)) == all_of(range(1))
    keep(tmp_path, range(1, 2))
    assert kept(tmp_path, range(2)) == all_of(range(2))


def test_a_table_of_other_columns_is_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(tmp_path, "CREATE TABLE replications (digest TEXT, number INTEGER)")
    keep(tmp_path, range(3))
    assert kept(tmp_path, range(3)) == all_of(range(3))
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("where", ["file", "file/store"])
def test_what_is_no_folder_cannot_be_written(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ScenarioError) as wrong:
        Store(tmp_path / where)
    assert str(wrong.value).startswith(f"{tmp_path / where}: cannot be written: ")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_place_of_the_database_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ScenarioError, match="cannot be written: unable to open database file"):
        Store(tmp_path)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    added = 0
    with Store(tmp_path) as store:
        store._open().execute("PRAGMA max_page_count = 10")
        full = "cannot be written: database or disk is full"
        with pytest.raises(ScenarioError, match=full):  # noqa: PT012 - at some time
            for added in range(1000):
                store.add(key(added), made(added))
        assert store.find(all_of(range(1000))) == all_of(range(added))
    assert kept(tmp_path, range(1000)) == all_of(range(added))
    assert added > 10


def test_a_writer_that_never_ends_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    with Store(tmp_path) as store, Store(tmp_path) as other:
        other._open().execute("BEGIN IMMEDIATE")
        assert store.find(all_of(range(3))) == {}
        with pytest.raises(ScenarioError, match="cannot be written: database is locked"):
            store.add(key(1), made(1))
        other._open().execute("COMMIT")
        store.add(key(1), made(1))
    assert kept(tmp_path, range(3)) == {key(1): made(1)}
