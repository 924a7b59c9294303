"""What a store holds is what was added, until it is cleared."""

import sqlite3
import tempfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import SLOWER, VARIANT, all_of, described, keep, kept, key, made, names

from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.judged import Judgement
from cascadesim.studies import store as module
from cascadesim.studies.replications import MEASURES, Job, Replication, replicate
from cascadesim.studies.store import FILE, Key, Store, code_version, digest

counts = st.integers(0, 2**62)
texts = st.text(max_size=20)
blames = st.none() | st.builds(Blame, texts, st.floats())
replications = st.builds(
    Replication,
    counts,
    st.fixed_dictionaries({measure: st.floats() for measure in MEASURES}),
    st.frozensets(texts, max_size=3),
    st.none() | counts,
    st.none() | counts,
    st.lists(st.builds(Judgement, st.floats(), st.floats(), st.booleans(), blames), max_size=3).map(
        tuple
    ),
)


def bits(value: Any) -> Any:
    """Return a value with its floats as texts, so that NaN is itself, and -0.0 is not 0."""
    if is_dataclass(value):
        return [type(value), *(bits(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, dict):
        return {name: bits(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(bits(each) for each in value)
    return repr(value) if isinstance(value, float) else (type(value), value)


@settings(max_examples=50)
@given(st.dictionaries(st.builds(Key, texts, st.integers(0, 2**70), counts), replications))
def test_what_is_kept_is_what_was_added_to_the_bit(added: dict[Key, Replication]) -> None:
    with tempfile.TemporaryDirectory() as name:
        with Store(Path(name)) as store:
            for at, replication in added.items():
                store.add(at, replication)
            assert bits(store.find(added)) == bits(added)
        with Store(Path(name)) as store:
            assert bits(store.find(added)) == bits(added)


def test_real_replications_are_kept(tmp_path: Path) -> None:
    found = replicate(Job((VARIANT, SLOWER), 3, 0))
    assert any(each.blame for each in found[0].objectives)
    keys = [Key(digest(each, VARIANT), 3, 0) for each in (VARIANT, SLOWER)]
    with Store(tmp_path) as store:
        for at, replication in zip(keys, found, strict=True):
            store.add(at, replication)
    with Store(tmp_path) as store:
        assert store.find(keys) == dict(zip(keys, found, strict=True))


def test_only_what_was_asked_for_is_found(tmp_path: Path) -> None:
    keep(tmp_path, range(30))
    keep(tmp_path, range(20, 50), seed=2)
    asked = {key(3), key(25), key(25, seed=2), key(35), key(3, seed=2), key(0, seed=3)}
    others = {Key(key(3).digest, 1, 4), Key(key(4).digest, 1, 3)}  # each half is kept
    with Store(tmp_path) as store:
        assert store.find(asked | others) == {
            key(3): made(3),
            key(25): made(25),
            key(25, seed=2): made(25),
        }
        assert store.find([]) == {}


def test_another_version_of_the_code_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, range(5))
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_version", lambda: "0.2.0-abc")
        assert kept(tmp_path, range(5)) == {}
        keep(tmp_path, range(2))
        assert kept(tmp_path, range(5)) == all_of(range(2))
    assert kept(tmp_path, range(5)) == all_of(range(5))


steps = st.tuples(
    st.sampled_from(["add", "find", "clear", "open again"]), st.integers(0, 1), st.integers(0, 9)
)


@settings(max_examples=30)
@given(st.lists(steps, max_size=20))
def test_two_stores_of_a_folder_act_as_one(taken: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        stores = [Store(Path(name)), Store(Path(name))]
        expected: dict[Key, Replication] = {}
        for step, which, number in taken:
            if step == "add":
                stores[which].add(key(number), made(number))
                expected[key(number)] = made(number)
            elif step == "clear":
                stores[which].clear()
                expected = {}
            elif step == "open again":
                stores[which].__exit__()
                stores[which] = Store(Path(name))
            assert stores[which].find(all_of(range(10))) == expected
        for store in stores:
            store.__exit__()


def journal(store: Store) -> str:
    (mode,) = store._open().execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def test_the_log_is_written_ahead_on_a_local_disk(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert journal(store) == "wal"


def test_without_shared_memory_the_journal_is_rolled_back(tmp_path: Path) -> None:
    (tmp_path / f"{FILE}-shm").mkdir()  # where the memory would be
    with Store(tmp_path) as store, Store(tmp_path) as other:
        assert journal(store) == journal(other) == "delete"
        store.add(key(0), made(0))
        other.add(key(1), made(1))
        assert store.find(all_of(range(2))) == all_of(range(2))
    assert kept(tmp_path, range(2)) == all_of(range(2))


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "lustre", "fuse.sshfs"])
def test_on_a_network_file_system_the_journal_is_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    keep(tmp_path / "home", range(5))
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/home {tmp_path}/home {kind} rw 0 0\n")
    monkeypatch.setattr(module, "_MOUNTS", mounts)
    with Store(tmp_path / "home") as store, Store(tmp_path / "home") as other:
        assert journal(store) == journal(other) == "delete"
        store.add(key(5), made(5))
        assert other.find(all_of(range(9))) == all_of(range(6))
    with Store(tmp_path / "homely") as store:
        assert journal(store) == "wal"


def test_where_mounts_are_not_told_a_disk_is_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOUNTS", tmp_path / "none")
    with Store(tmp_path) as store:
        assert journal(store) == "wal"


def test_clear_removes_only_what_stores_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, range(500))
    keep(tmp_path, range(5), seed=2)
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_version", lambda: "0.0.9-abc")
        keep(tmp_path, range(5))
    (tmp_path / f"{FILE}.damaged").write_text("set aside")
    others = [tmp_path / "notes.txt", tmp_path / "version=1" / "seed=1" / "part-1.parquet"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    before = (tmp_path / FILE).stat().st_size
    with Store(tmp_path) as store:
        store.clear()
        assert store.find(all_of(range(5))) == {}
        assert store.describe() == []
    assert [path.read_text() for path in others] == ["mine", "mine"]
    assert names(tmp_path) == ["notes.txt", FILE, "version=1"]
    assert (tmp_path / FILE).stat().st_size < before / 5


def test_clear_while_another_adds(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(30):
            store.add(key(number), made(number))
        with Store(tmp_path) as other:
            other.clear()
        store.add(key(50), made(50))
    assert kept(tmp_path, range(60)) == all_of(range(50, 51))


def test_describe_counts_by_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert described(tmp_path) == []
    keep(tmp_path, range(5))
    keep(tmp_path, range(3), seed=2)
    keep(tmp_path, range(3), seed=2)
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_version", lambda: "0.0.9-abc")
        keep(tmp_path, range(4))
    found = described(tmp_path)
    assert [(kept.version, kept.replications) for kept in found] == [
        ("0.0.9-abc", 4),
        (code_version(), 8),
    ]
    with sqlite3.connect(tmp_path / FILE) as database:
        entries = [row[0] for row in database.execute("SELECT entry FROM replications")]
    database.close()
    assert sum(kept.bytes for kept in found) == sum(map(len, entries))


def test_an_entry_takes_few_bytes(tmp_path: Path) -> None:
    keep(tmp_path, range(1000))
    assert (tmp_path / FILE).stat().st_size < 700 * 1000
