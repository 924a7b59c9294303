"""Files that a scenario reads, for a copy of the scenario in another folder."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim.scenario.source import Document
from cascadesim.values.columns import Column
from cascadesim.values.errors import Mark
from cascadesim.values.strict import held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.source import Location


def with_data(scenario: Scenario) -> tuple[Document, dict[str, str]]:
    """Return the scenario's document with new files of data, and their texts by name.

    The files data-1.csv, data-2.csv, … hold seconds as they were when the scenario was loaded, even
    if the originals have changed.
    """
    document, texts = scenario.document, {}
    for i, (at, column) in enumerate(_columns(scenario.model), 1):
        name = f"data-{i}.csv"
        texts[name] = _csv_text(column.column, column.seconds)
        for key, value in (("file", name), ("unit", "s")):
            document = document.replace((*at, key), _plain(document, value))
    return document, texts


def moved(document: Document, folder: Path) -> Document:
    """Return the document with the paths of files, also in variants, relative to a folder."""
    here = Path(document.source).parent

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(item) for item in value]
        if not isinstance(value, dict):
            return value
        is_column = isinstance(value.get("column"), str)
        return {
            key: _relative(folder, here, part)
            # The second is the dotted path in a variant.
            if isinstance(part, str) and ((key == "file" and is_column) or key.endswith(".file"))
            else within(part)
            for key, part in value.items()
        }

    return replace(document, data=within(document.data))


def _relative(folder: Path, here: Path, file: str) -> str:
    path = Path(file)
    return file if path.is_absolute() else Path(os.path.relpath(here / path, folder)).as_posix()


def _columns(value: Any, at: Location = ()) -> Iterator[tuple[Location, Column]]:
    """Yield the columns in a part of a scenario, with their locations."""
    if isinstance(value, Column):
        yield at, value
    else:
        for key, part in (held(value) or {}).items():
            yield from _columns(part, (*at, key))


def _plain(document: Document, value: str) -> Document:
    return Document(document.source, value, values={(): Mark(document.source)})


def _csv_text(column: str, values: tuple[float, ...]) -> str:
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([column])
    rows.writerows([repr(value)] for value in values)
    return text.getvalue()
