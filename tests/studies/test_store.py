import itertools
import math
import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import field, fields, is_dataclass, make_dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import plan_of
from strategies import scenarios

import cascadesim
from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.judged import Judgement
from cascadesim.analysis.transient import Transient
from cascadesim.scenario.objectives import Objective, parse_objective
from cascadesim.studies import store as module
from cascadesim.studies.replications import (
    MEASURES,
    Job,
    Replication,
    Variant,
    replicate,
)
from cascadesim.studies.store import FILE, Kept, Key, Store, code_version, digest
from cascadesim.values.errors import ScenarioError
from cascadesim.values.outcome import Outcome

ROOT = Path(__file__).parents[2]
DATA = {
    "name": "two stages",
    "horizon": "20s",
    "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
    "stages": {
        "agent": {
            "work": {"exponential": {"mean": "100ms"}},
            "policies": [
                {"retry": {"attempts": 2, "outcomes": ["failed", "timed_out", "rejected"]}},
                {"breaker": {"failure_threshold": 3, "recovery_timeout": "2s"}},
            ],
        },
        "database": {"work": {"constant": "5ms"}, "pool": {"kind": "null", "connect_time": "9ms"}},
    },
}
VARIANT = Variant(plan_of(DATA), (parse_objective("p99 < 50ms"),))
SLOWER = replace(VARIANT, plan=replace(VARIANT.plan, drain=7.0))


def key(number: int, seed: int = 1) -> Key:
    """Return one of many keys, by which a `made` replication is kept."""
    return Key(f"{number % 7:032x}", seed, number)


def made(number: int) -> Replication:
    """Return a replication of which every part follows from the number."""
    draws = random.Random(number)
    blame = None if number % 3 else Blame(f"agent.{number}", draws.random())
    return Replication(
        number,
        {measure: draws.random() for measure in MEASURES},
        frozenset(draws.sample(MEASURES[:6], number % 6)),
        None if number % 5 else number,
        number,
        tuple(Judgement(draws.random(), float("inf"), True, blame) for _ in range(number % 4)),
        Transient(draws.random(), number % 2 == 0),
        tuple(draws.random() for _ in range(number % 3)),
    )


def keep(folder: Path, numbers: range, seed: int = 1) -> None:
    with Store(folder) as store:
        for number in numbers:
            store.add(key(number, seed), made(number))


def kept(folder: Path, numbers: range, seed: int = 1) -> dict[Key, Replication]:
    with Store(folder) as store:
        return store.find([key(number, seed) for number in numbers])


def described(folder: Path) -> list[Kept]:
    with Store(folder) as store:
        return store.describe()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def all_of(numbers: range, seed: int = 1) -> dict[Key, Replication]:
    return {key(number, seed): made(number) for number in numbers}


# What is kept is what was added.

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


# What it is kept by.


def changes(value: Any) -> Iterator[Any]:
    """Yield the value with one thing in it changed, for everything there is to change."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for changed in changes(getattr(value, field.name)):
                yield replace(value, **{field.name: changed})
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield value[:i] + value[i + 1 :]
            for changed in changes(each):
                yield (*value[:i], changed, *value[i + 1 :])
    else:
        yield from simple_changes(value)


def simple_changes(value: Any) -> list[Any]:
    if isinstance(value, frozenset):
        return [value ^ {each} for each in Outcome]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [math.nextafter(value, -math.inf), value + 1 if abs(value) < 1e9 else -1.0]
    if isinstance(value, str):
        return [value + "'", value + ",", value + "), ("]
    assert value is None
    return [1.5]


@settings(max_examples=25)
@given(scenarios())
@pytest.mark.slow
def test_plans_that_differ_in_anything_differ(data: dict[str, Any]) -> None:
    variant = Variant(plan_of(data), VARIANT.objectives)
    different = {variant, *changes(variant)}
    assert len(different) > 30
    assert len({digest(each, variant) for each in different}) == len(different)
    assert digest(Variant(plan_of(data), VARIANT.objectives), variant) == digest(variant, variant)


def test_the_first_variant_is_part_of_the_key() -> None:
    pairs = itertools.product([VARIANT, SLOWER], repeat=2)
    assert len({digest(variant, first) for variant, first in pairs}) == 4


def test_texts_do_not_run_into_each_other() -> None:
    texts = [("a,", "b"), ("a", ",b"), ("a,b", ""), ("a','b", ""), ("a", "b"), ("None", "1.0")]
    objectives = [Objective(text, metric, "<", 1.0) for text, metric in texts]
    variants = [Variant(VARIANT.plan, (each,)) for each in objectives]
    assert len({digest(each, VARIANT) for each in variants}) == len(texts)


def test_equal_sets_are_the_same_in_whatever_order_they_were_made() -> None:
    sets = [frozenset(numbers) for numbers in itertools.permutations([0, 8, 16])]  # hashes collide
    assert len({tuple(each) for each in sets}) > 1
    assert len({module._canonical(each) for each in sets}) == 1


def test_a_new_option_with_a_default_changes_no_key_where_it_is_not_used() -> None:
    def policy(*options: Any) -> Any:
        return make_dataclass("Policy", [("timeout", float), ("attempts", int, 3), *options])

    def text(*options: Any, **given: Any) -> str:
        return module._canonical(policy(*options)(**given))

    limit = ("limit", float, field(default=math.inf))
    whom = ("whom", tuple, field(default_factory=lambda: (1, 2)))
    assert text(timeout=1.0) == text(limit, whom, timeout=1.0)
    assert text(timeout=1.0, attempts=4) == text(limit, whom, timeout=1.0, attempts=4)
    used = [{}, {"attempts": 4}, {"limit": 9.0}, {"limit": 4}, {"whom": ()}, {"attempts": True}]
    assert len({text(limit, whom, timeout=1.0, **given) for given in used}) == len(used)
    # What has no default is always said, and a value belongs to its name.
    assert text(timeout=1.0) != text(timeout=2.0)
    other = ("cap", float, field(default=math.inf))
    assert text(limit, timeout=1.0, limit=9.0) != text(other, timeout=1.0, cap=9.0)


PRINT = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests" / "studies")!r})
sys.path.insert(0, {str(ROOT / "tests")!r})
from test_store import SLOWER, VARIANT, code_version, digest
print(digest(SLOWER, VARIANT), code_version())
"""


@pytest.mark.slow
def test_other_processes_know_the_same_keys_until_the_sources_change(tmp_path: Path) -> None:
    def copied(package: Path, name: str) -> Path:
        skip = shutil.ignore_patterns("__pycache__")
        return Path(shutil.copytree(package, tmp_path / name / "cascadesim", ignore=skip))

    def printed(package: Path, hash_seed: int) -> tuple[str, str]:
        place = package.parent
        env = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(place)}
        command = [sys.executable, "-c", PRINT]
        plan, version = subprocess.check_output(command, env=env, cwd=place, text=True).split()
        assert version.startswith(f"{cascadesim.__version__}-")
        return plan, version

    first = copied(ROOT / "cascadesim", "first")
    second = copied(first, "second")
    plan, version = printed(first, 1)
    assert plan == digest(SLOWER, VARIANT)
    assert printed(second, 2) == (plan, version)
    with (second / "randomness.py").open("a") as file:
        file.write("# edited\n")
    after, edited = printed(second, 3)
    assert after == plan
    assert edited != version


@pytest.mark.parametrize("package", ["numpy", "scipy", "simpy"])
def test_other_packages_are_another_version(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    before = code_version()
    monkeypatch.setattr(module, "version", lambda name: "99" if name == package else "1")
    other = code_version.__wrapped__()
    monkeypatch.setattr(module, "version", lambda _: "1")
    assert len({before, other, code_version.__wrapped__()}) == 3


# Many at once, and some that are killed.

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["cascadesim.studies.store", "pytest", "hypothesis"])


def pretend(version: str) -> None:
    """Let this process be of the given version, even if somebody edits the sources meanwhile."""
    module.code_version = lambda: version  # type: ignore[assignment]


def add_all(folder: Path, version: str, numbers: range) -> None:
    pretend(version)
    keep(folder, numbers)


def add_and_tell(folder: Path, version: str, start: int, tell: Connection) -> None:
    """Add without an end, and tell each number that was added."""
    pretend(version)
    for first in itertools.count(start, 100):
        with Store(folder) as store:
            for number in range(first, first + 100):
                store.add(key(number), made(number))
                tell.send(number)


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    numbers = [range(400), range(300, 700), range(700, 1100)]
    writers = [
        context.Process(target=add_all, args=(tmp_path, code_version(), some)) for some in numbers
    ]
    for writer in writers:
        writer.start()
    seen: dict[Key, Replication] = {}
    with Store(tmp_path) as reader:
        while any(writer.is_alive() for writer in writers):
            found = reader.find(all_of(range(1100)))
            assert seen.items() <= found.items()
            seen = found
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert kept(tmp_path, range(1100)) == all_of(range(1100))
    assert described(tmp_path)[0].replications == 1100
    assert names(tmp_path) == [FILE]


def test_a_kill_at_any_moment_loses_nothing_and_leaves_nothing_torn(tmp_path: Path) -> None:
    draws = random.Random(1)
    told: set[int] = set()
    for kill in range(4):
        receive, tell = context.Pipe(duplex=False)
        start = 10_000 * kill
        writer = context.Process(target=add_and_tell, args=(tmp_path, code_version(), start, tell))
        writer.start()
        tell.close()
        told.add(receive.recv())
        time.sleep(draws.uniform(0, 0.1))
        writer.kill()
        writer.join()
        with suppress(EOFError):
            while True:
                told.add(receive.recv())
        receive.close()
        with Store(tmp_path) as store:
            found = store.find([key(number) for number in told])
            assert found == {key(number): made(number) for number in told}
            # One more may be kept for each kill, of which the writer did not get to tell.
            assert len(told) <= store.describe()[0].replications <= len(told) + kill + 1
    assert len(told) > 100
    assert names(tmp_path) == [FILE]


def test_processes_that_find_damage_at_once_lose_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tmp_path.joinpath(FILE).write_bytes(b"no database" * 1000)
    numbers = [range(100), range(100, 200), range(200, 300)]
    writers = [
        context.Process(target=add_all, args=(tmp_path, code_version(), some)) for some in numbers
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert kept(tmp_path, range(300)) == all_of(range(300))
    assert capfd.readouterr().err.count("\n") <= 1


def add_and_stop(folder: Path, error: type[BaseException]) -> None:
    with Store(folder) as store:
        store.add(key(1), made(1))
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_ends_it_all_is_kept(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        add_and_stop(tmp_path, error)
    assert kept(tmp_path, range(5)) == {key(1): made(1)}


def test_others_find_at_once_what_is_added(tmp_path: Path) -> None:
    with Store(tmp_path) as store, Store(tmp_path) as other:
        for number in range(5):
            assert other.find(all_of(range(9))) == all_of(range(number))
            store.add(key(number), made(number))
        assert other.find(all_of(range(9))) == all_of(range(5))


# Files that others change.


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


def test_an_entry_under_another_key_is_not_taken_for_it(tmp_path: Path) -> None:
    keep(tmp_path, range(2))
    with sqlite3.connect(tmp_path / FILE) as database:
        (entry,) = database.execute(
            "SELECT entry FROM replications WHERE id = ?", (module._id(key(0)),)
        ).fetchone()
        database.execute("UPDATE replications SET entry = ?", (entry,))
    database.close()
    assert kept(tmp_path, range(2)) == all_of(range(1))


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", b"", b"12345678"])
def test_what_is_no_entry_is_passed_over(tmp_path: Path, value: object) -> None:
    keep(tmp_path, range(2))
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute(
            "UPDATE replications SET entry = ? WHERE id = ?", (value, module._id(key(1)))
        )
    database.close()
    assert kept(tmp_path, range(2)) == all_of(range(1))
    keep(tmp_path, range(1, 2))
    assert kept(tmp_path, range(2)) == all_of(range(2))


def test_a_table_of_other_columns_is_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("CREATE TABLE replications (digest TEXT, number INTEGER)")
    database.close()
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


# Journals.


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


# The whole.


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
