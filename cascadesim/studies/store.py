"""The store: replications that were run are kept, so that none is run twice.

A folder holds a Parquet dataset, FOLDER/version=…/seed=…/part-….parquet, one row a replication,
which pandas and pyarrow read as it is. Parts never change: they appear whole, by a rename, and
vanish when they were merged into another. So processes share a folder without locks, and one that
is killed leaves nothing torn.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import cascadesim
from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.analysis.transient import Transient
from cascadesim.studies.replications import MEASURES, Judgement, Replication
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cascadesim.studies.replications import Variant

_UNITS = dict.fromkeys((*PERCENTILES, "mean"), "_s") | {"goodput": "_per_s"}
COLUMNS = {measure: measure + _UNITS.get(measure, "") for measure in MEASURES}
PACKAGES = ("numpy", "scipy", "simpy")  # which results depend on
WAIT = 1.0  # seconds for which a replication may wait to be written with others
MOST_PARTS = 64  # that one run writes for a seed before it merges them
STALE = 3600.0  # seconds after which nobody is still writing a file
_PART = re.compile(r"part-[0-9a-f]{32}\.parquet")
_UNFINISHED = re.compile(rf"\.{_PART.pattern}")  # readers of datasets skip names with a dot


class Key(NamedTuple):
    """What a replication is kept by, beside the version of the code."""

    digest: str  # of the variant and the first one; see `digest`
    seed: int
    number: int  # of the replication


def digest(variant: Variant, first: Variant) -> str:
    """Return a digest of a variant and of the first one, which it was compared with.

    It is the same in every process, and another for any other setting or objective.
    """
    return _hex(f"{_digest(variant)} {_digest(first)}".encode())


@lru_cache(maxsize=4096)
def _digest(variant: Variant) -> str:
    return _hex(_canonical(variant).encode())


def _canonical(value: Any) -> str:
    """Return a value of a plan as a text that only its equals have.

    Unlike a pickle's, and so joblib.hash, it does not depend on which parts are one object. Without
    what is as its field has it by default, so that a plan which does not use a new option has the
    text that it had before.
    """
    if is_dataclass(value):
        own = ((field, getattr(value, field.name)) for field in fields(value))
        given = (f"{f.name}={_canonical(each)}," for f, each in own if not _is_default(f, each))
        return f"{type(value).__qualname__}({''.join(given)})"
    if isinstance(value, tuple):
        return f"({''.join(f'{_canonical(each)},' for each in value)})"
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(_canonical(each) for each in value))}}}"
    if isinstance(value, Enum):
        return str(value.name)
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    raise TypeError(f"a plan holds no {type(value).__name__}")


def _is_default(field: Field[Any], value: Any) -> bool:
    default = field.default
    if field.default_factory is not MISSING:
        default = field.default_factory()
    return type(value) is type(default) and bool(value == default)


def _hex(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _hash_sources() -> str:
    package = Path(cascadesim.__file__).parent
    sources = (
        f"{path.relative_to(package)} {_hex(path.read_bytes())}" for path in package.rglob("*.py")
    )
    return _hex("\n".join(sorted(sources)).encode())


# At import, so that an edit made while a process runs is not taken for what the process runs.
_SOURCES = _hash_sources()


@cache
def code_version() -> str:
    """Return the package's version with a digest of all that could change a result.

    That is: the package's own sources, Python, and the packages that draw and simulate.
    """
    versions = [sys.version_info[:2], *(version(name) for name in PACKAGES)]
    return f"{cascadesim.__version__}-{_hex(f'{_SOURCES} {versions}'.encode())[:12]}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store holds of one version of the code."""

    version: str  # as `code_version` says it
    replications: int
    files: int
    bytes: int


class Store:
    """Keeps replications in a folder, by `Key` and by the version of the code.

    What is added is written within WAIT seconds, and at the end of the `with` block. Raises
    ScenarioError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder / f"version={code_version()}"
        self._lock = threading.RLock()  # of all below, as a timer writes too
        self._timer: threading.Timer | None = None
        self._failure: OSError | None = None  # of the timer's writing
        self._added: dict[Key, Replication] = {}  # and not yet written
        self._own: defaultdict[int, list[Path]] = defaultdict(list)  # parts written here, by seed
        self._tables: dict[Path, Any] = {}  # of the parts read so far; None for unreadable ones
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise self._unwritable(error) from None
        self._remove(path for path in self._files(_UNFINISHED) if _is_stale(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            try:
                self._write_added()
            except OSError as error:
                raise self._unwritable(error) from None
            for seed in self._own:
                with suppress(OSError):  # all is kept, only in more files
                    self._merge(seed)

    def find(self, keys: Collection[Key]) -> dict[Key, Replication]:
        """Return those of the replications that are kept."""
        with self._lock:
            found = {key: self._added[key] for key in keys if key in self._added}
            missing = defaultdict(set)
            for key in keys:
                if key not in found:
                    missing[key.seed].add(key)
            for seed, wanted in missing.items():
                found |= self._find(seed, wanted)
        return found

    def add(self, key: Key, replication: Replication) -> None:
        """Keep a replication. Raises ScenarioError where earlier ones could not be written."""
        with self._lock:
            if self._failure is not None:
                raise self._unwritable(self._failure)
            self._added[key] = replication
            if self._timer is None:
                # Not at the next call, which may be minutes away when replications are long.
                self._timer = threading.Timer(WAIT, self._on_timer)
                self._timer.daemon = True
                self._timer.start()

    def describe(self) -> list[Kept]:
        """Return what is kept, by version."""
        sizes = defaultdict(list)
        for path in self._files(_PART):
            with suppress(FileNotFoundError):  # it was merged into another
                size = path.stat().st_size
                sizes[path.parts[-3].removeprefix("version=")].append((_count(path), size))
        return [
            Kept(name, sum(n for n, _ in found), len(found), sum(size for _, size in found))
            for name, found in sorted(sizes.items())
        ]

    def clear(self) -> None:
        """Remove all that any store has written into the folder, and nothing else."""
        with self._lock:
            self._tables.clear()
            self._remove(self._files(_PART))
            self._remove(path for path in self._files(_UNFINISHED) if _is_stale(path))
            for pattern in ("version=*/seed=*", "version=*"):
                for path in self.folder.glob(pattern):
                    with suppress(OSError):  # somebody has something there
                        path.rmdir()

    def _find(self, seed: int, wanted: set[Key]) -> dict[Key, Replication]:
        import pyarrow as pa  # slow to import, and not every command needs it
        from pyarrow import compute

        digests = pa.array({key.digest for key in wanted})
        numbers = pa.array({key.number for key in wanted}, pa.int64())
        found = {}
        for table in self._read(seed):
            chosen = compute.and_(
                compute.is_in(table["digest"], digests), compute.is_in(table["number"], numbers)
            )
            for row in table.filter(chosen).to_pylist():
                key = Key(row["digest"], seed, row["number"])
                if key in wanted:
                    found[key] = _replication(row)
        return found

    def _read(self, seed: int) -> list[Any]:
        """Return the tables of all readable parts of a seed."""
        while True:
            parts = _matching(self._place(seed), _PART)
            try:
                for path in parts:
                    if path not in self._tables:
                        self._tables[path] = _read_part(path)
            except FileNotFoundError:
                continue  # it was merged into one that the list may not have
            break
        for path in self._tables.keys() - set(parts):
            if path.parent == self._place(seed):
                del self._tables[path]
        return [self._tables[path] for path in parts if self._tables[path] is not None]

    def _on_timer(self) -> None:
        with self._lock:
            self._timer = None
            try:
                self._write_added()
            except OSError as error:
                self._failure = error  # for who waits for results, not for this thread

    def _write_added(self) -> None:
        import pyarrow as pa  # slow to import, and not every command needs it

        for seed in {key.seed for key in self._added}:
            added = {key: value for key, value in self._added.items() if key.seed == seed}
            rows = [_row(key, value) for key, value in added.items()]
            self._write(seed, pa.Table.from_pylist(rows, _schema()))
            for key in added:
                del self._added[key]
            if len(self._own[seed]) >= MOST_PARTS:
                self._merge(seed)

    def _merge(self, seed: int) -> None:
        """Replace the parts that were written here by one.

        That is written first: whoever is killed in between leaves rows twice, which is no harm.
        """
        import pyarrow as pa  # slow to import, and not every command needs it

        tables = {}
        for path in self._own[seed]:
            with suppress(FileNotFoundError):  # the store was cleared
                tables[path] = _read_part(path)
        merged = [path for path, table in tables.items() if table is not None]
        if len(merged) > 1:
            self._own[seed] = []
            self._write(seed, pa.concat_tables([tables[path] for path in merged]))
            self._remove(merged)

    def _write(self, seed: int, table: Any) -> None:
        """Write a part; under its name it is whole, or it is not there."""
        from pyarrow import parquet  # slow to import, and not every command needs it

        place = self._place(seed)
        place.mkdir(parents=True, exist_ok=True)
        part = place / f"part-{uuid.uuid4().hex}.parquet"
        unfinished = place / f".{part.name}"
        try:
            with unfinished.open("wb") as file:
                parquet.write_table(table, file, write_page_checksum=True)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(part)
        finally:
            unfinished.unlink(missing_ok=True)
        self._own[seed].append(part)

    def _place(self, seed: int) -> Path:
        return self._home / f"seed={seed}"

    def _files(self, name: re.Pattern[str]) -> list[Path]:
        places = sorted(self.folder.glob("version=*/seed=*"))
        return [path for place in places for path in _matching(place, name)]

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in paths:
            with suppress(OSError):  # another process was quicker, or has it open
                path.unlink()

    def _unwritable(self, error: OSError) -> ScenarioError:
        reason = error.strerror or str(error)
        return ScenarioError(f"cannot be written: {reason}", os.fspath(self.folder))


def _matching(place: Path, name: re.Pattern[str]) -> list[Path]:
    try:
        paths = sorted(path for path in place.iterdir() if name.fullmatch(path.name))
        return [path for path in paths if path.is_file()]
    except OSError:
        return []


def _is_stale(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STALE
    except OSError:
        return False


def _read_part(path: Path) -> Any:
    """Return the table of a part, None where it is not whole. Raises FileNotFoundError."""
    import pyarrow as pa  # slow to import, and not every command needs it
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)  # parts are small
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException):
        return None
    return table if table.schema.equals(_schema()) else None


def _count(path: Path) -> int:
    import pyarrow as pa  # slow to import, and not every command needs it
    from pyarrow import parquet

    try:
        return int(parquet.read_metadata(path).num_rows)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException):
        return 0


@cache
def _schema() -> Any:
    import pyarrow as pa  # slow to import, and not every command needs it

    judgement = pa.struct(
        {
            "value": pa.float64(),
            "at_most": pa.float64(),
            "met": pa.bool_(),
            "setting": pa.string(),  # to blame, with its share of the blame; null for none
            "share": pa.float64(),
        }
    )
    return pa.schema(
        {
            "digest": pa.string(),
            "number": pa.int64(),
            "requests": pa.int64(),
            **dict.fromkeys(COLUMNS.values(), pa.float64()),
            "at_least": pa.list_(pa.string()),
            "better": pa.int64(),
            "worse": pa.int64(),
            "objectives": pa.list_(judgement),
            "transient_end_s": pa.float64(),
            "transient_told": pa.bool_(),
            "parts_s": pa.list_(pa.float64()),
        }
    )


def _row(key: Key, replication: Replication) -> dict[str, Any]:
    return {
        "digest": key.digest,
        "number": key.number,
        "requests": replication.requests,
        **{column: replication.measures[measure] for measure, column in COLUMNS.items()},
        "at_least": sorted(replication.at_least),
        "better": replication.better,
        "worse": replication.worse,
        "objectives": [_judgement_row(each) for each in replication.objectives],
        "transient_end_s": replication.transient.end,
        "transient_told": replication.transient.told,
        "parts_s": replication.parts,
    }


def _judgement_row(judgement: Judgement) -> dict[str, Any]:
    blame = judgement.blame
    return {
        "value": judgement.value,
        "at_most": judgement.at_most,
        "met": judgement.met,
        "setting": blame and blame.setting,
        "share": blame and blame.share,
    }


def _replication(row: dict[str, Any]) -> Replication:
    return Replication(
        row["requests"],
        {measure: row[column] for measure, column in COLUMNS.items()},
        frozenset(row["at_least"]),
        row["better"],
        row["worse"],
        tuple(_judgement(each) for each in row["objectives"]),
        Transient(row["transient_end_s"], row["transient_told"]),
        tuple(row["parts_s"]),
    )


def _judgement(row: dict[str, Any]) -> Judgement:
    blame = None if row["setting"] is None else Blame(row["setting"], row["share"])
    return Judgement(row["value"], row["at_most"], row["met"], blame)
