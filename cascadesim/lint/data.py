"""Settings in YAML, JSON and TOML files by dotted key, and in environment files.

In a dotted key a whole number is the index of a list, from 0. A file of several YAML documents is
searched in all of them.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cascadesim.lint.finds import Find, NotFound, NotReadable, lines, one_text
from cascadesim.scenario.errors import Mark, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

_MERGE = "tag:yaml.org,2002:merge"
_NOT_ONE = "is not a single value"
_ENVIRONMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_QUOTED = re.compile(r"(['\"])(.*?)\1\s*(?:#.*)?")
_TABLE = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?")
_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_KEYS = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")


def find_yaml(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a YAML file, one for each document that has it.

    Raises NotReadable for what is no YAML, NotFound where no document has it.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # YAML allows it: the later one counts
    try:
        documents = list(yaml.compose_all(text))
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line, column = (at.line + 1, at.column + 1) if at else (None, None)
        raise NotReadable(f"is not YAML: {error.problem or error.context}", line, column) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise NotReadable(f"is not YAML: {str(error).splitlines()[0]}") from None
    found, problems = [], []
    for document in documents:
        try:
            node = _inside(document, pattern.split("."))
        except NotFound as error:
            problems.append(error)
        else:
            found.append(_yaml_find(yaml, Mark(source), node, pattern))
    if not found:
        raise problems[0] if problems else NotFound("the file is empty")
    return found


def find_json(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a JSON file; see `find_yaml`."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise NotReadable(f"is not JSON: {error.msg}", error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"is not JSON: {error}") from None
    # JSON is YAML, but for tabs, which in JSON stand only between values.
    return find_yaml(source, text.replace("\t", " "), pattern)


def find_toml(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a TOML file; see `find_yaml`."""
    try:
        here: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        place = (int(at[1]), int(at[2])) if at else ()
        problem = re.sub(r" \(at .*\)", "", str(error))
        raise NotReadable(f"is not TOML: {problem}", *place) from None
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"is not TOML: {error}") from None
    keys, rest = [], pattern.split(".")
    while rest:
        key, n = _step(here, rest)
        here, rest = here[key], rest[n:]
        keys.append(key)
    mark = Mark(source, _toml_line(text, tuple(keys)), 1)
    name = _name(pattern)
    if isinstance(here, dict | list):
        return [Find(mark, name, show(here), reason=_NOT_ONE)]
    value = here if isinstance(here, bool | int | float | str) else str(here)
    return [Find(mark, name, _written(value), value)]


def find_environment(source: str, text: str, pattern: str) -> list[Find]:
    """Return the values of a variable in an environment file.

    Raises NotFound where it is not set.
    """
    found, known = [], []
    for line, written in enumerate(lines(text), 1):
        match = _ENVIRONMENT.fullmatch(written)
        if match is None:
            continue
        known.append(match[1])
        if match[1] == pattern:
            quoted = _QUOTED.fullmatch(match[2])
            value = quoted[2] if quoted else re.sub(r"(^|\s+)#.*", "", match[2])
            column = written.index(match[1]) + 1
            found.append(Find(Mark(source, line, column), pattern, one_text(value), value))
    if not found:
        names = list(dict.fromkeys(known))
        raise NotFound(f"no variable {show(pattern)}; {suggest(pattern, names)}")
    return found


def _name(pattern: str) -> str:
    """Return the last word of a dotted key that is no index."""
    words = [word for word in pattern.split(".") if not word.isdecimal()]
    return words[-1] if words else pattern


def _written(value: Any) -> str:
    return one_text(value) if isinstance(value, str) else show(value)


def _step(here: Any, rest: list[str]) -> tuple[Any, int]:
    """Return the next key or index, and how many words of a dotted key it takes.

    A key may hold dots itself. Raises NotFound.
    """
    if isinstance(here, dict):
        for n in range(1, len(rest) + 1):
            if (key := ".".join(rest[:n])) in here:
                return key, n
        raise NotFound(f"no key {show(rest[0])}; {suggest(rest[0], list(here))}")
    if isinstance(here, list):
        if rest[0].isdecimal() and int(rest[0]) < len(here):
            return int(rest[0]), 1
        known = f"it has 0 to {len(here) - 1}" if here else "it is empty"
        raise NotFound(f"no entry {show(rest[0])} of a list; {known}")
    raise NotFound(f"no key {show(rest[0])} inside a single value")


def _inside(node: Node, rest: list[str]) -> Node:
    while rest:
        here: Any = None
        if isinstance(node, MappingNode):
            here = dict(_entries(node, 0))
        elif isinstance(node, SequenceNode):
            here = node.value
        key, n = _step(here, rest)
        node, rest = here[key], rest[n:]
    return node


def _entries(node: MappingNode, depth: int) -> Iterator[tuple[str, Node]]:
    """Yield keys and values; what is merged in by << comes first, as the others replace it."""
    if depth > 50:
        raise NotReadable("is YAML whose << is nested too deeply")
    for key, value in node.value:
        if key.tag == _MERGE:
            merged = reversed(value.value) if isinstance(value, SequenceNode) else [value]
            for each in merged:
                if isinstance(each, MappingNode):
                    yield from _entries(each, depth + 1)
    for key, value in node.value:
        if key.tag != _MERGE and isinstance(key, ScalarNode):
            yield key.value, value


def _yaml_find(yaml: YAML, file: Mark, node: Node, pattern: str) -> Find:
    mark = Mark(file.source, node.start_mark.line + 1, node.start_mark.column + 1)
    name = _name(pattern)
    if not isinstance(node, ScalarNode):
        return Find(mark, name, "a group of values", reason=_NOT_ONE)
    text = one_text(node.value)
    if not str(node.tag).startswith("tag:yaml.org,2002:"):
        return Find(mark, name, text, reason=f"has the tag {node.tag}")
    try:
        value = yaml.constructor.construct_object(node)
    except (YAMLError, ValueError, LookupError):
        return Find(mark, name, text, reason="cannot be read")
    if not isinstance(value, bool | int | float | str | None):
        value = node.value  # as a date is here
    return Find(mark, name, text or "nothing", value)


def _toml_line(text: str, keys: tuple[str | int, ...]) -> int:
    """Return the line of a key, or of the nearest table or value that it stands in.

    Python's tomllib tells no lines; in text of several lines this may take a line for a key.
    """
    best, longest = 1, 0
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for line, written in enumerate(lines(text), 1):
        if header := _TABLE.fullmatch(written):
            names = _toml_keys(header[2])
            if header[1] == "[[":
                counts[names] = counts.get(names, -1) + 1
            table = _indexed(names, counts)
            path = table
        elif match := _KEYS.match(written):
            path = (*table, *_toml_keys(match[1]))
        else:
            continue
        if len(path) > longest and keys[: len(path)] == path:
            best, longest = line, len(path)
    return best


def _toml_keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, text))


def _indexed(names: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> tuple[str | int, ...]:
    """Return a table's keys with the index of each array of tables on the way."""
    path: list[str | int] = []
    for n in range(1, len(names) + 1):
        path.append(names[n - 1])
        if names[:n] in counts:
            path.append(counts[names[:n]])
    return tuple(path)
