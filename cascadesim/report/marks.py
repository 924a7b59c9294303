"""What a scenario file says of its values in comments beside them: given, assumed or fitted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cascadesim.scenario.paths import dotted
from cascadesim.scenario.source import flow, parse, write
from cascadesim.values.errors import ScenarioError, cut

if TYPE_CHECKING:
    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.source import Document, Location

_MARK = re.compile(r"#\s*(given|assumed|fitted)\b[\s:;,]*(.*)", re.IGNORECASE)
_LONGEST = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Marked:
    """A value whose comment begins with "given", "assumed" or "fitted" (`mark`), and the rest."""

    path: str
    value: str
    mark: str
    note: str


def scenario_text(scenario: Scenario) -> str:
    """Return the text of the scenario's file, comments in.

    It is written anew, without comments, where it comes from no file, or that file says something
    else by now.
    """
    document = scenario.document
    try:
        text = Path(document.source).read_text("utf-8-sig")
        if parse(text, document.source).data == document.data:
            return text
    except (OSError, ValueError, ScenarioError):
        pass  # it came from no file, or the file has changed since
    return write(document, "")


def marked_values(text: str) -> tuple[Marked, ...]:
    """Return the values of a scenario's text that are marked, in the order of its lines."""
    document = parse(text, "")
    places = _places(document)
    marked = []
    for line, comment in _comments(text).items():
        match = _MARK.match(comment)
        if match and line in places:
            path, value = _named(document, places[line])
            marked.append(Marked(path, value, match[1].lower(), match[2].strip()))
    return tuple(marked)


def _places(document: Document) -> dict[int, Location]:
    """Return the first thing of every line: the setting that a comment behind it is about."""
    entries = {at: mark for at, mark in document.values.items() if at and isinstance(at[-1], int)}
    first: dict[int, tuple[int, int, Location]] = {}
    for location, mark in [*document.keys.items(), *entries.items()]:
        assert mark.line is not None
        assert mark.column is not None
        # Where a list's entry is a mapping, it begins with its first key, which says more.
        at = (mark.column, -len(location), location)
        first[mark.line] = min(first.get(mark.line, at), at, key=lambda place: place[:2])
    return {line: location for line, (_, _, location) in first.items()}


def _comments(text: str) -> dict[int, str]:
    """Return the comments that stand behind something, by line."""
    from ruamel.yaml import YAML

    lines = text.splitlines()
    ends: dict[int, int] = {}
    for token in YAML(typ="safe", pure=True).scan(text):
        if token.start_mark.index < token.end_mark.index:
            ends[token.end_mark.line] = token.end_mark.column
    comments = {}
    for line, column in ends.items():
        rest = lines[line][column:].strip() if line < len(lines) else ""
        if rest.startswith("#") and lines[line][:column].strip():
            comments[line + 1] = rest
    return comments


def _named(document: Document, location: Location) -> tuple[str, str]:
    value = document.part(location).data
    if isinstance(value, dict | list):
        line, inside = document.mark(location, key=True).line, document.part(location).values
        if any(mark.line != line for mark in inside.values()):
            return dotted(document.data, location), ""  # more lines than this one
    return dotted(document.data, location), cut(flow(value), _LONGEST)
