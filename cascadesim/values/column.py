"""A column of a file beside the scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr

from cascadesim.values.strict import Strict
from cascadesim.values.units import Text


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
