import errno
import itertools
import math
import multiprocessing
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import field, fields, is_dataclass, make_dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import plan_of
from pyarrow import dataset, parquet
from strategies import scenarios

import cascadesim
from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.transient import Transient
from cascadesim.scenario.objectives import Objective, parse_objective
from cascadesim.studies import store as module
from cascadesim.studies.replications import (
    MEASURES,
    Job,
    Judgement,
    Replication,
    Variant,
    replicate,
)
from cascadesim.studies.store import COLUMNS, Key, Store, code_version, digest
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
    return Store(folder).find([key(number, seed) for number in numbers])


def all_of(numbers: range, seed: int = 1) -> dict[Key, Replication]:
    return {key(number, seed): made(number) for number in numbers}


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("version=*/seed=*/part-*.parquet"))


def hidden(folder: Path) -> list[Path]:
    return sorted(folder.glob("version=*/seed=*/.*"))


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
    """Return a value with its floats as bytes, so that NaN and -0.0 are told apart, too."""
    if is_dataclass(value):
        return [type(value), *(bits(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, dict):
        return {name: bits(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(bits(each) for each in value)
    return struct.pack("d", value) if isinstance(value, float) else (type(value), value)


@settings(max_examples=50)
@given(st.dictionaries(st.builds(Key, texts, st.integers(0, 2**70), counts), replications))
def test_what_is_kept_is_what_was_added_to_the_bit(added: dict[Key, Replication]) -> None:
    with tempfile.TemporaryDirectory() as name:
        with Store(Path(name)) as store:
            for at, replication in added.items():
                store.add(at, replication)
            assert bits(store.find(added)) == bits(added)  # before it is written
        assert bits(Store(Path(name)).find(added)) == bits(added)


def test_real_replications_are_kept(tmp_path: Path) -> None:
    found = replicate(Job((VARIANT, SLOWER), 3, 0))
    assert any(each.blame for each in found[0].objectives)
    keys = [Key(digest(each, VARIANT), 3, 0) for each in (VARIANT, SLOWER)]
    with Store(tmp_path) as store:
        for at, replication in zip(keys, found, strict=True):
            store.add(at, replication)
    assert Store(tmp_path).find(keys) == dict(zip(keys, found, strict=True))


def test_only_what_was_asked_for_is_found(tmp_path: Path) -> None:
    keep(tmp_path, range(30))
    keep(tmp_path, range(20, 50), seed=2)
    asked = {key(3), key(25), key(25, seed=2), key(35), key(3, seed=2), key(0, seed=3)}
    others = {Key(key(3).digest, 1, 4), Key(key(4).digest, 1, 3)}  # each half is kept
    assert Store(tmp_path).find(asked | others) == {
        key(3): made(3),
        key(25): made(25),
        key(25, seed=2): made(25),
    }
    assert Store(tmp_path).find([]) == {}


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


def test_pandas_and_pyarrow_read_the_whole(tmp_path: Path) -> None:
    keep(tmp_path, range(30))
    keep(tmp_path, range(5), seed=2)
    (parts(tmp_path)[0].parent / ".part-of-one-who-writes").write_text("PAR1")
    frame = pd.read_parquet(tmp_path).sort_values(["seed", "number"], ignore_index=True)
    assert frame["number"].tolist() == [*range(30), *range(5)]
    assert frame["seed"].tolist() == [1] * 30 + [2] * 5
    assert set(frame["version"]) == {code_version()}
    for measure in MEASURES:
        expected = [made(number).measures[measure] for number in frame["number"]]
        assert frame[COLUMNS[measure]].tolist() == expected
    assert {"p99_s", "p99.9_s", "max_s", "mean_s", "goodput_per_s", "error_rate"} < set(frame)
    table = dataset.dataset(tmp_path, partitioning="hive").to_table(["seed", "p99.9_s"])
    assert sorted(table["p99.9_s"].to_pylist()) == sorted(frame["p99.9_s"])


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
sys.path.insert(0, {str(ROOT / "tests" / "experiment")!r})
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
    with (second / "model" / "breaker.py").open("a") as file:
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
context.set_forkserver_preload(["cascadesim.studies.store", "pandas", "pytest", "hypothesis"])


def hurry(version: str) -> None:
    """Let this process write and merge all the time, as one of the given version of the code."""
    module.WAIT, module.MOST_PARTS = 0.001, 3
    # Even if somebody edits the sources while the tests run.
    module.code_version = lambda: version  # type: ignore[assignment]


def add_hurriedly(folder: Path, version: str, numbers: range) -> None:
    hurry(version)
    keep(folder, numbers)


def add_and_tell(folder: Path, version: str, start: int, tell: Connection) -> None:
    """Add without an end, and tell which numbers another could read."""
    hurry(version)
    for first in itertools.count(start, 100):
        with Store(folder) as store:
            for number in range(first, first + 100):
                store.add(key(number), made(number))
                if number % 10 == 0:
                    tell.send([at.number for at in kept(folder, range(first, number + 1))])
        tell.send([at.number for at in kept(folder, range(first, first + 100))])


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    numbers = [range(400), range(300, 700), range(700, 1100)]
    writers = [
        context.Process(target=add_hurriedly, args=(tmp_path, code_version(), each))
        for each in numbers
    ]
    for writer in writers:
        writer.start()
    seen: dict[Key, Replication] = {}
    reader = Store(tmp_path)
    while any(writer.is_alive() for writer in writers):
        found = reader.find(all_of(range(1100)))
        assert seen.items() <= found.items()
        seen = found
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert kept(tmp_path, range(1100)) == all_of(range(1100))
    assert len(parts(tmp_path)) == len(writers)
    assert hidden(tmp_path) == []


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_what_was_written_and_nothing_torn(tmp_path: Path) -> None:
    draws = random.Random(1)
    told: set[int] = set()
    for kill in range(10):
        receive, tell = context.Pipe(duplex=False)
        start = 10_000 * kill
        writer = context.Process(target=add_and_tell, args=(tmp_path, code_version(), start, tell))
        writer.start()
        tell.close()
        told.update(receive.recv())
        time.sleep(draws.uniform(0, 0.25))
        writer.kill()
        writer.join()
        try:
            while True:
                told.update(receive.recv())
        except EOFError:
            receive.close()
        tables = [parquet.ParquetFile(path).read() for path in parts(tmp_path)]
        numbers = {number for table in tables for number in table["number"].to_pylist()}
        found = Store(tmp_path).find([key(number) for number in numbers])
        assert found == {key(number): made(number) for number in numbers}
        assert told <= numbers
    assert len(told) > 100
    assert set(pd.read_parquet(tmp_path)["number"]) == numbers


# Files that others change.


def in_parts(folder: Path, numbers: range, each: int = 10) -> Store:
    """Return a store that has written several parts, and not yet merged them."""
    store = Store(folder)
    for number in numbers:
        store.add(key(number), made(number))
        if number % each == each - 1:
            store._write_added()
    return store


def test_parts_are_merged_at_the_end_and_when_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_parts(tmp_path / "a", range(50)):
        assert len(parts(tmp_path / "a")) == 5
    assert len(parts(tmp_path / "a")) == 1
    monkeypatch.setattr(module, "MOST_PARTS", 4)
    with in_parts(tmp_path / "b", range(50)):
        assert len(parts(tmp_path / "b")) == 2
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert kept(folder, range(50)) == all_of(range(50))
        assert parquet.read_table(folder).num_rows == 50


def add_and_stop(folder: Path, error: type[BaseException]) -> None:
    with Store(folder) as store:
        store.add(key(1), made(1))
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_ends_it_all_is_kept(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        add_and_stop(tmp_path, error)
    assert kept(tmp_path, range(5)) == {key(1): made(1)}


def test_it_is_written_while_nobody_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    store = Store(tmp_path)
    with store._lock:  # so that it is not written before we look
        store.add(key(1), made(1))
        timer = store._timer
    assert timer is not None
    timer.join()
    assert kept(tmp_path, range(5)) == {key(1): made(1)}


def test_parts_that_vanish_are_found_where_they_were_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = in_parts(tmp_path, range(30))
    read, meanwhile = module._read_part, [other.__exit__]

    def late(path: Path) -> Any:
        if meanwhile:
            meanwhile.pop()()
        return read(path)

    monkeypatch.setattr(module, "_read_part", late)
    before = parts(tmp_path)
    assert kept(tmp_path, range(30)) == all_of(range(30))
    assert not set(before) & set(parts(tmp_path))


def test_what_others_add_later_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for numbers in (range(10), range(10, 20)):
        assert store.find([key(number) for number in numbers]) == {}
        keep(tmp_path, numbers)
        assert store.find([key(number) for number in numbers]) == all_of(numbers)
    for path in parts(tmp_path):
        path.unlink()
    assert store.find(all_of(range(20))) == {}


def damages(whole: bytes) -> Iterator[bytes]:
    """Yield the bytes of a part with something wrong."""
    draws = random.Random(2)
    yield from (b"", b"PAR1", whole[: len(whole) // 2], whole[:-1], whole[10:], whole + b"\0")
    for _ in range(300):
        place = draws.randrange(len(whole))
        wrong = whole[place] ^ (1 << draws.randrange(8))
        yield whole[:place] + bytes([wrong]) + whole[place + 1 :]


def test_a_damaged_part_is_passed_over_and_gives_no_wrong_replication(tmp_path: Path) -> None:
    keep(tmp_path, range(10))
    (part,) = parts(tmp_path)
    whole = part.read_bytes()
    keep(tmp_path, range(10, 20))
    passed_over = 0
    for damaged in damages(whole):
        part.write_bytes(damaged)
        found = kept(tmp_path, range(20))
        assert all_of(range(10, 20)).items() <= found.items() <= all_of(range(20)).items()
        passed_over += len(found) < 20
        assert Store(tmp_path).describe()[0].files == 2
    assert passed_over > 100


def test_a_part_of_other_columns_is_passed_over(tmp_path: Path) -> None:
    keep(tmp_path, range(10))
    other = parts(tmp_path)[0].with_name(f"part-{0:032x}.parquet")
    parquet.write_table(pa.table({"digest": [key(1).digest], "number": [1]}), other)
    assert kept(tmp_path, range(20)) == all_of(range(10))


@pytest.mark.parametrize("where", ["file", "file/store"])
def test_what_is_no_folder_cannot_be_written(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ScenarioError) as wrong:
        Store(tmp_path / where)
    assert str(wrong.value).startswith(f"{tmp_path / where}: cannot be written: ")
    assert (tmp_path / "file").read_text() == "mine"


def fill_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, range(5))
    monkeypatch.setattr(parquet, "write_table", fill_disk)
    with pytest.raises(ScenarioError, match="cannot be written: No space left on device"):
        keep(tmp_path, range(9, 10))
    assert hidden(tmp_path) == []
    assert kept(tmp_path, range(10)) == all_of(range(5))


def test_a_full_disk_is_said_at_the_next_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    monkeypatch.setattr(parquet, "write_table", fill_disk)
    store = Store(tmp_path)
    with store._lock:  # so that it is not written before we look
        store.add(key(1), made(1))
        timer = store._timer
    assert timer is not None
    timer.join()
    with pytest.raises(ScenarioError, match="cannot be written: No space left on device"):
        store.add(key(2), made(2))


def test_a_merge_that_fails_leaves_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_parts(tmp_path, range(30)):
        monkeypatch.setattr(parquet, "write_table", fill_disk)
    assert len(parts(tmp_path)) == 3
    assert kept(tmp_path, range(30)) == all_of(range(30))


def strangers(folder: Path) -> list[Path]:
    """Return files that look much like ours and are somebody else's."""
    place = parts(folder)[0].parent
    names = ("part-1.parquet", f"part-{1:032x}.parquet.bak", f".part-{1:032x}.tmp", "notes.txt")
    found = [
        *(place / name for name in names),
        folder / f"part-{1:032x}.parquet",
        folder / "version=mine" / "notes.txt",
        folder / "other" / "seed=1" / f"part-{1:032x}.parquet",
    ]
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (0, 0))
    return found


def temporary(folder: Path, age: float) -> Path:
    """Return a file that somebody began to write `age` seconds ago."""
    path = parts(folder)[0].parent / f".part-{random.Random(age).getrandbits(128):032x}.parquet"
    path.write_text("PAR1")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_leftovers_are_removed_once_they_are_old(tmp_path: Path) -> None:
    keep(tmp_path, range(5))
    old, young, others = temporary(tmp_path, 7200), temporary(tmp_path, 600), strangers(tmp_path)
    Store(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("shared", [True, False])
def test_clear_removes_only_what_stores_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    keep(tmp_path, range(5))
    keep(tmp_path, range(5), seed=2)
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_version", lambda: "0.0.9-abc")
        keep(tmp_path, range(5))
    others = [*strangers(tmp_path), temporary(tmp_path, 600)] if shared else []
    store = Store(tmp_path)
    store.find(all_of(range(5)))
    store.clear()
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(others)
    assert shared or list(tmp_path.iterdir()) == []
    assert store.find(all_of(range(5))) == {}
    assert store.describe() == []


def test_clear_while_another_adds(tmp_path: Path) -> None:
    with in_parts(tmp_path, range(30)) as store:
        Store(tmp_path).clear()
        store.add(key(50), made(50))
        store._write_added()
        store.add(key(51), made(51))
    assert kept(tmp_path, range(60)) == all_of(range(50, 52))


def test_describe_counts_by_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Store(tmp_path).describe() == []
    keep(tmp_path, range(5))
    keep(tmp_path, range(3), seed=2)
    now = parts(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_version", lambda: "0.0.9-abc")
        keep(tmp_path, range(4))
    (old,) = set(parts(tmp_path)) - set(now)
    found = Store(tmp_path).describe()
    assert [(each.version, each.replications, each.files) for each in found] == [
        ("0.0.9-abc", 4, 1),
        (code_version(), 8, 2),
    ]
    sizes = [len(old.read_bytes()), sum(len(path.read_bytes()) for path in now)]
    assert [each.bytes for each in found] == sizes
