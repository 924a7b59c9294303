"""Files that are written whole, or not at all; and the error where that is not possible."""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def json_text(data: Any) -> str:
    """Return data as indented JSON, refusing what JSON cannot say (NaN, infinity)."""
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def without_nan(data: Any) -> Any:
    """Return data with None in place of NaN, which JSON cannot say."""
    if isinstance(data, dict):
        return {key: without_nan(value) for key, value in data.items()}
    if isinstance(data, list):
        return [without_nan(value) for value in data]
    return None if isinstance(data, float) and math.isnan(data) else data


def write_files(folder: Path, writers: dict[str, Callable[[Path], object]]) -> None:
    """Write files by name into a folder: all of them beside it first, then renamed into place.

    Raises ScenarioError where that is not possible; then nothing in the folder has changed.
    """
    with _beside(folder, writers) as beside:
        for name, writer in writers.items():
            writer(beside / name)
        for name in writers:
            # What a link points to is written, and not the link.
            (beside / name).replace((folder / name).resolve())


def write_text(file: Path, text: str) -> None:
    """Write a text file, as UTF-8 with plain line ends; see `write_files`."""
    write_files(file.parent, {file.name: lambda path: path.write_text(text, "utf-8", newline="\n")})


def from_here(source: str | Path) -> str:
    """Return a path as reports tell it: from the working directory, outside of it the name alone.

    So what is published says nothing about the folders of this machine.
    """
    path = Path(source)
    if not path.is_absolute():
        return str(source)
    if path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd()).as_posix()
    return path.parent.name if path.name == "scenario.yaml" else path.name


def check_writable(folder: Path, names: Iterable[str]) -> None:
    """Raise the ScenarioError that writing files of these names would, and leave no trace."""
    with _beside(folder, names):
        pass


@contextmanager
def _beside(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Give a new folder, inside `folder`, in which to prepare files of these names.

    Folders made for it that stay empty are removed again.
    """
    made: list[Path] = []
    try:
        made += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if (folder / name).is_dir():
                raise OSError(errno.EISDIR, f"{name} is a folder")
            if (folder / name).exists() and not (folder / name).is_file():
                raise OSError(errno.EINVAL, f"{name} is no file that can be replaced")
        with tempfile.TemporaryDirectory(prefix=".cascadesim-", dir=folder) as beside:
            yield Path(beside)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScenarioError(f"cannot be written: {reason}", os.fspath(folder)) from None
    finally:
        for path in made:
            with suppress(OSError):  # it holds something, or was not made
                path.rmdir()
