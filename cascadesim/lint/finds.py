"""A value that stands at a place in a service's files, and why one may be missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.values.errors import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.values.errors import Mark


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that is not assigned in the file, such as a class: `NullPool`."""

    name: str


@dataclass(frozen=True, slots=True)
class Find:
    """A value in a file: its place, its name, its text there and its value.

    `text` is None where the file leaves the value out, such as an argument that has a default.
    `reason` says why a value cannot be read; it is empty for one that can.
    """

    mark: Mark
    name: str
    text: str | None
    value: Any = None  # a scalar, a timedelta or a Symbol
    reason: str = ""


class NotFound(Exception):  # noqa: N818 - the caller makes an error with a place of it
    """A pattern matches nothing; the text says what there is."""


class NotReadable(Exception):  # noqa: N818 - likewise
    """A file or a value cannot be read; `line` and `column` count from 1 where they are known."""

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(problem)
        self.line = line
        self.column = column


def last_name(words: Sequence[str]) -> str:
    """Return the last word of a dotted name that is no index."""
    return next((word for word in reversed(words) if not word.isdecimal()), words[-1])


def lines(text: str) -> list[str]:
    """Return the lines of a text, divided as editors and Python divide them."""
    return re.split("\r\n|\r|\n", text)


def one_text(text: str) -> str:
    """Return source text shortened and on one line."""
    return cut(re.sub(r"\s+", " ", text.strip()))
