"""The error that a user can cause, its place in their files, and the words of its line."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Any

LONGEST = 60  # characters of the user's own text that an error repeats


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in something the user wrote: a file with line and column, or an option."""

    source: str
    line: int | None = None  # counted from 1
    column: int | None = None  # in characters, counted from 1

    def __str__(self) -> str:
        if self.line is None:
            return self.source
        return f"{self.source}:{self.line}:{self.column}"


class ScenarioError(Exception):
    """Input that cannot be used: its place, its path, what is wrong and what is right.

    The text is one line, whatever the input holds.
    """

    def __init__(self, problem: str, mark: Mark | str, path: str = "") -> None:
        self.problem = problem
        self.mark = mark if isinstance(mark, Mark) else Mark(mark)
        self.path = path
        parts = (str(self.mark), cut(path, 2 * LONGEST), problem)
        super().__init__(one_line(": ".join(part for part in parts if part)))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[str, Mark, str]]:
        """Let the error cross process borders whole."""
        return (ScenarioError, (self.problem, self.mark, self.path))

    def _render_traceback_(self) -> list[str]:
        """Show the one line in notebooks, as IPython asks errors how."""
        return [f"ScenarioError: {self}"]


def one_line(text: str) -> str:
    """Return text in which line breaks, and whatever else does not print, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, longest: int = LONGEST) -> str:
    """Return text, with an ellipsis for the end of a long one."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def short(name: str, longest: int = 32) -> str:
    """Return a name with its middle left out where it is long, as ends tell names apart too."""
    name = one_line(name)
    half = longest // 2
    return name if len(name) <= longest else f"{name[: half - 1]}…{name[-half:]}"


def show(value: Any) -> str:
    """Return a value as errors name it: in YAML's words, and short."""
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f'"{cut(value)}"'
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(float(value))]
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge number"  # Python refuses to print some of them
    words = {None: "nothing", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else cut(repr(value))


def closest(word: str, known: list[str]) -> str | None:
    """Return the known word that the reader may have meant."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), None)


def suggest(word: str, known: list[str]) -> str:
    """Return what the reader may have meant by `word`, or else what is known."""
    if close := closest(word, known):
        return f'did you mean "{cut(close)}"?'
    shown = [cut(name) for name in known[:20]] + ["…"] * (len(known) > 20)
    return f"known: {', '.join(shown)}" if known else "there are none"
