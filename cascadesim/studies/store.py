"""The store: replications that were run are kept, so that none is run twice.

A folder holds one SQLite database. Every replication is a transaction of its own, so a process may
be killed at any moment, and several may use a store at once. After a power failure the newest ones
may be missing. Each has a checksum, and one that is damaged is run again. A database that SQLite
cannot read is renamed to replications.sqlite.damaged, and a new one is begun.

The database has a write-ahead log (WAL), whose index is shared memory. So "all processes using a
database must be on the same host computer; WAL does not work over a network filesystem"
(https://www.sqlite.org/wal.html). On NFS and the like, and where there is no shared memory, it has
a rollback journal instead: slower, and as safe as the file system's locks. A local folder is best.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import sys
import zlib
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

import cascadesim
from cascadesim.studies.replications import MEASURES, Replication
from cascadesim.values.errors import ScenarioError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cascadesim.studies.replications import Variant

T = TypeVar("T")

PACKAGES = ("numpy", "scipy", "simpy")  # which results depend on
FILE = "replications.sqlite"
PATIENCE = 60.0  # seconds to wait for another process that writes
_SUM = 8  # bytes of a checksum, at the beginning of an entry
# The id is a digest of the key and of the code's version, so the form of entries may change.
_SET_UP = """
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS replications (id INTEGER PRIMARY KEY, version TEXT, entry BLOB);
    COMMIT"""
_WAL = ("journal_mode = WAL",)
# SQLite leaves WAL without shared memory where a connection is exclusive from the first.
_ROLLBACK = ("locking_mode = EXCLUSIVE", "journal_mode = DELETE", "locking_mode = NORMAL")
_FIND = "SELECT entry FROM replications WHERE id = ?"
_ADD = "INSERT OR REPLACE INTO replications VALUES (?, ?, ?)"
_COUNT = "SELECT version, count(*), sum(length(entry)) FROM replications GROUP BY version"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_MOUNTS = Path("/proc/mounts")  # of Linux
_NETWORK = re.compile("nfs|cifs|smb|9p|lustre|gpfs|beegfs|ceph|glusterfs|sshfs")
_ENTRY = TypeAdapter(Replication)  # an entry is its JSON, with floats to the bit; compressed
_WORDS = ":0.".join(f'"{name}"' for name in (*Replication.__annotations__, *MEASURES)).encode()


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

    Unlike a pickle's, and so joblib.hash, it does not depend on which parts are one object. Fields
    with their default value are left out: a plan that does not use a new option keeps its text.
    """
    if is_dataclass(value):
        parts = ((field, getattr(value, field.name)) for field in fields(value))
        given = (f"{f.name}={_canonical(part)}," for f, part in parts if not _is_default(f, part))
        return f"{type(value).__qualname__}({''.join(given)})"
    if isinstance(value, tuple):
        return f"({''.join(f'{_canonical(part)},' for part in value)})"
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(_canonical, value)))}}}"
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
    bytes: int


class Store:
    """Keeps replications in a folder, by `Key` and by the version of the code.

    Raises ScenarioError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / FILE
        self._damaged = folder / f"{FILE}.damaged"
        self._database: sqlite3.Connection | None = None
        self._inode = 0  # of the file that is open
        self._on_database(lambda _: None)  # so that an error comes before anything is run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def find(self, keys: Collection[Key]) -> dict[Key, Replication]:
        """Return those of the replications that are kept."""
        return self._on_database(lambda database: _find(database, keys))

    def add(self, key: Key, replication: Replication) -> None:
        """Keep a replication. From then on, no end of the process loses it."""
        packer = zlib.compressobj(zdict=_WORDS)  # which no entry needs to hold
        data = packer.compress(to_json(replication, inf_nan_mode="constants")) + packer.flush()
        row = (_id(key), code_version(), _checksum(key, data) + data)
        self._on_database(lambda database: database.execute(_ADD, row))

    def describe(self) -> list[Kept]:
        """Return what is kept, by version. It finds damage that only hides entries, too."""
        return self._on_database(_describe)

    def clear(self) -> None:
        """Remove all replications, and a database that was set aside."""
        script = "DELETE FROM replications; VACUUM"
        self._on_database(lambda database: database.executescript(script))
        with suppress(OSError):  # there is none
            self._damaged.unlink()

    def _on_database(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Return what an action on the database returns, on a new one where it is damaged."""
        try:
            try:
                return action(self._open())
            except (sqlite3.Error, UnicodeDecodeError) as error:  # as damaged names are no texts
                if not self._is_damage(error):
                    raise
                self._set_aside(error)
                return action(self._open())
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
            self._close()
            reason = getattr(error, "strerror", None) or str(error)
            raise ScenarioError(f"cannot be written: {reason}", os.fspath(self.folder)) from None

    def _open(self) -> sqlite3.Connection:
        """Return a connection to the database that is in the folder now.

        It may be another one, as somebody removed the folder or another process set it aside.
        """
        if self._database is not None and not self._is_gone():
            return self._database
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        status = self._path.stat()
        self._inode = status.st_ino
        if not _is_on_network(self.folder):
            with suppress(sqlite3.OperationalError):  # as there is no shared memory
                # Only a new one, as other processes may use an old one that could not have WAL.
                return self._connect(_WAL if status.st_size == 0 else ())
        return self._connect(_ROLLBACK)

    def _connect(self, pragmas: tuple[str, ...]) -> sqlite3.Connection:
        """Return a new connection. Raises sqlite3.Error where nothing can be written."""
        self._close()
        self._database = sqlite3.connect(
            self._path, PATIENCE, isolation_level=None, check_same_thread=False
        )
        with suppress(sqlite3.OperationalError):  # another process sets WAL at this moment
            for pragma in pragmas:
                self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SET_UP)
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _is_gone(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def _is_damage(self, error: Exception) -> bool:
        # The lowest byte is the kind. Python's own errors, of texts that are none, have no code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        forbidden = code == sqlite3.SQLITE_READONLY and os.access(self._path, os.W_OK)
        return forbidden or code & 0xFF in _DAMAGE

    def _set_aside(self, error: Exception) -> None:
        self._close()
        if self._is_gone():
            return  # another process was quicker
        for suffix in ("-wal", "-shm", "-journal"):  # first, as no new database may meet them
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._path.replace(self._damaged)
        message = f"is damaged ({error}); it is now {self._damaged.name}, and a new one is begun"
        print(one_line(f"{self._path}: {message}"), file=sys.stderr)


def _is_on_network(folder: Path) -> bool:
    """Return whether a folder is on a network file system, as far as Linux says it."""
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return False
    mounts = (line.split()[1:3] for line in lines)
    path = folder.resolve()
    around = [(len(place), kind) for place, kind in mounts if path.is_relative_to(place)]
    _, kind = max(around, default=(0, ""))
    return _NETWORK.search(kind) is not None


def _find(database: sqlite3.Connection, keys: Collection[Key]) -> dict[Key, Replication]:
    replications = {}
    for key in keys:
        row = database.execute(_FIND, (_id(key),)).fetchone()
        entry = row and row[0]
        if isinstance(entry, bytes) and entry[:_SUM] == _checksum(key, entry[_SUM:]):
            data = zlib.decompressobj(zdict=_WORDS).decompress(entry[_SUM:])
            replications[key] = _ENTRY.validate_json(data)
    return replications


def _describe(database: sqlite3.Connection) -> list[Kept]:
    (fault,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if fault != "ok":
        raise sqlite3.DatabaseError(fault.splitlines()[-1])
    return [Kept(*row) for row in database.execute(_COUNT)]


def _id(key: Key) -> int:
    return int.from_bytes(_checksum(key, b""), "big", signed=True)


def _checksum(key: Key, data: bytes) -> bytes:
    """Return a digest of data and of all that it is kept by, as two keys may have the same id."""
    text = f"{code_version()} {key.digest} {key.seed} {key.number} "
    return hashlib.blake2b(text.encode() + data, digest_size=_SUM).digest()
