"""Columns of files beside a scenario, CSV, Parquet or JSON lines: recorded durations and instants.

A file is read once and kept until it changes, as variants and sweeps validate a scenario anew.
"""

from __future__ import annotations

import csv
import json
import math
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr
from pydantic_core import PydanticCustomError

from cascadesim.values.errors import show, suggest
from cascadesim.values.strict import Strict, problem
from cascadesim.values.units import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_ROWS = 1_000_000  # of one file


class Column(Strict):
    """A column of CSV or Parquet, or a field of JSON lines."""

    file: Text = Field(
        description="a .csv, .parquet, .jsonl or .ndjson file, seen from the scenario's folder"
    )
    column: Text = Field(description="the column, or the field of JSON lines")
    _seconds: tuple[float, ...] = PrivateAttr(())

    def path(self, folder: Any) -> Path:
        """Return where the file is; `folder` is the scenario's, the current one if None."""
        return (folder or Path()) / self.file

    @property
    def seconds(self) -> tuple[float, ...]:
        """Return what was read, in seconds and in the order of the file."""
        return self._seconds


def read_column(path: Path, column: str) -> tuple[Any, ...]:
    """Return the values of a column, or of a field of JSON lines, as the file has them.

    Values of CSV are texts; a field that a line lacks is None. Raises the error of a setting, at
    its `file` or `column`.
    """
    try:
        if path.is_dir():
            raise _unreadable(path, "is a folder; name a file")
        status = path.stat()
        return _read(path, column, status.st_mtime_ns, status.st_size)
    except PydanticCustomError:  # which is a ValueError
        raise
    except FileNotFoundError:
        folder = "a path is seen from the folder of the scenario"
        raise problem(f"there is no file {path}; {folder}", "file") from None
    except UnicodeDecodeError:
        raise _unreadable(path, "is not UTF-8 text") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        raise _unreadable(path, f"cannot be read: {_reason(error)}") from None


def numbers(path: Path, column: str, factor: float) -> tuple[float, ...]:
    """Return the values of a column, none of them negative, times `factor`.

    Raises the error of a setting; see `read_column`.
    """
    return tuple(
        factor * _number(value, path, column, row)
        for row, value in enumerate(read_column(path, column), 1)
    )


def bad_value(path: Path, column: str, row: int, wrong: str) -> Exception:
    """Return the error of a value in a row, counted from 1 below a header."""
    return problem(f"{show(path.name)}, row {row} of {show(column)}: {wrong}", "column")


def _number(value: Any, path: Path, column: str, row: int) -> float:
    number = math.nan
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        wrong = "nothing" if value in (None, "") else show(value)
        raise bad_value(path, column, row, f"expected a number, got {wrong}")
    if number < 0:
        raise bad_value(path, column, row, f"must not be negative, got {show(value)}")
    return number


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _unreadable(path: Path, wrong: str) -> Exception:
    return problem(f"{show(path.name)} {wrong}", "file")


@lru_cache(maxsize=16)
def _read(path: Path, column: str, _changed: int, _size: int) -> tuple[Any, ...]:
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise _unreadable(path, f"is of no known kind; expected {', '.join(_READERS)}")
    values: list[Any] = []
    for value in read(path, column):
        if len(values) == MOST_ROWS:
            raise _unreadable(path, f"has more than {MOST_ROWS / 1e6:g} million rows; thin it out")
        values.append(value)
    if not values:
        raise _unreadable(path, "has no rows")
    return tuple(values)


def _check_has(known: list[str], path: Path, column: str) -> None:
    if column not in known:
        message = f"{show(path.name)} has no column {show(column)}; {suggest(column, known)}"
        raise problem(message, "column")


def _csv(path: Path, column: str) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        try:
            _check_has(list(rows.fieldnames or ()), path, column)
            for row in rows:
                yield row[column]
        except csv.Error as error:
            raise _unreadable(path, f"is not CSV: {error}") from None


def _parquet(path: Path, column: str) -> Iterator[Any]:
    import pyarrow as pa  # slow to import, and seldom needed
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_has(file.schema_arrow.names, path, column)
            for batch in file.iter_batches(columns=[column]):
                yield from batch.column(0).to_pylist()
    except pa.ArrowException:
        raise _unreadable(path, "is not Parquet") from None


def _json_lines(path: Path, field: str) -> Iterator[Any]:
    known: dict[str, None] = {}
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise _unreadable(path, f"is not JSON in line {number}") from None
            if not isinstance(row, dict):
                raise _unreadable(path, f"holds no JSON object in line {number}")
            known |= dict.fromkeys(row)
            yield row.get(field)
    if known:
        _check_has(list(known), path, field)


_READERS: dict[str, Callable[[Path, str], Iterator[Any]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
