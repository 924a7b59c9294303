"""Stores that many use at once, and some that are killed."""

import itertools
import multiprocessing
import random
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from stored import all_of, described, keep, kept, key, made, names

from cascadesim.studies import store as module
from cascadesim.studies.store import FILE, Store, code_version

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["cascadesim.studies.store", "pytest", "hypothesis"])


def pretend(version: str) -> None:
    """Let this process be of the given version, even if somebody edits the sources meanwhile."""
    module.code_version = lambda: version  # type: ignore[assignment]


def add_all(folder: Path, version: str, numbers: range) -> None:
    pretend(version)
    keep(folder, numbers)


def start_writers(folder: Path, *numbers: range) -> list[Any]:
    version = code_version()
    writers = [context.Process(target=add_all, args=(folder, version, some)) for some in numbers]
    for writer in writers:
        writer.start()
    return writers


def add_and_tell(folder: Path, version: str, start: int, tell: Connection) -> None:
    """Add without an end, and tell each number that was added."""
    pretend(version)
    for first in itertools.count(start, 100):
        with Store(folder) as store:
            for number in range(first, first + 100):
                store.add(key(number), made(number))
                tell.send(number)


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = start_writers(tmp_path, range(400), range(300, 700), range(700, 1100))
    seen = all_of(range(0))
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
    writers = start_writers(tmp_path, range(100), range(100, 200), range(200, 300))
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
