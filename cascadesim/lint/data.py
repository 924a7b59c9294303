"""Settings in YAML, JSON and TOML files by dotted key, and in environment files.

In a dotted key a whole number is the index of a list, from 0. A file of several YAML documents is
searched in all of them.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from cascadesim.lint.finds import Find, NotFound, NotReadable, last_name, lines, one_text
from cascadesim.lint.scalars import plain_scalar
from cascadesim.values.errors import Mark, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CORE = "tag:yaml.org,2002:"
_MERGE = f"{_CORE}merge"
_MAX_DEPTH = 100  # deeper YAML is slow to refuse
_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_ONE = "is not a single value; name one inside"
_ENVIRONMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_QUOTED = re.compile(r"(['\"])(.*?)\1\s*(?:#.*)?")
_TABLE = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?")
_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_KEYS = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")


def find_yaml(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a YAML file, one for each document that has it.

    Raises NotReadable for what is no YAML, NotFound where no document has it.
    """
    found, problems = [], []
    for document in _documents(text):
        try:
            found.append(_yaml_find(source, *_inside(document, pattern.split(".")), pattern))
        except NotFound as error:
            problems.append(error)
    if not found:
        raise problems[0] if problems else NotFound("the file is empty")
    return found


@lru_cache(maxsize=16)  # most files hold several places, and parsing YAML is slow
def _documents(text: str) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _MAX_DEPTH
    yaml.composer.warn_double_anchors = False  # YAML allows it: the later one counts
    try:
        return list(yaml.compose_all(text))
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line, column = (at.line + 1, at.column + 1) if at else (None, None)
        problem = str(error.problem or error.context)
        if "maximum depth" in problem:
            raise NotReadable("is nested too deeply", line, column) from None
        raise NotReadable(f"is not YAML: {problem}", line, column) from None
    except ReaderError as error:
        problem = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise NotReadable(f"is not YAML: {problem}", *_place(text, error.position)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise NotReadable(f"is not YAML: {str(error).splitlines()[0]}") from None


def find_json(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a JSON file; see `find_yaml`."""
    try:
        json.loads(text)
        return [_json_find(source, text, pattern.split("."))]
    except json.JSONDecodeError as error:
        raise NotReadable(_json_problem(error), error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        raise NotReadable(_too_much(error)) from None


def _json_find(source: str, text: str, words: list[str]) -> Find:
    at, rest = _after_space(text, 0), words
    while rest:
        members = list(_members(text, at))
        if text[at] == "[":
            key, n = _step(members, rest)
            at = members[key][2]
        else:
            places = {name: place for name, _, place in members}
            key, n = _step(places if text[at] == "{" else None, rest)
            _check_once(key, [_place(text, place) for name, place, _ in members if name == key])
            at = places[key]
        rest = rest[n:]
    mark, name = Mark(source, *_place(text, at)), last_name(words)
    value, end = _JSON.raw_decode(text, at)
    if isinstance(value, dict | list):
        return Find(mark, name, show(value), reason=_NOT_ONE)
    if isinstance(value, float) and not math.isfinite(value):
        reason = "is not a number of JSON; write one, or null"
        return Find(mark, name, text[at:end], reason=reason)
    return Find(mark, name, one_text(value if isinstance(value, str) else text[at:end]), value)


def _too_much(error: Exception) -> str:
    """Return what is wrong with a file that Python refuses for its limits."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return "holds a number of too many digits"


def _json_problem(error: json.JSONDecodeError) -> str:
    """Return what is wrong, in words for what Python's message does not name."""
    if not error.doc.strip():
        return "is not JSON: the file is empty"
    before, here = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    if before.endswith(",") and here.startswith(("}", "]")):
        return f"is not JSON: a comma stands before {here[0]}; leave it out"
    if here.startswith(("//", "/*", "#")):
        return "is not JSON, which has no comments; leave it out"
    if here.startswith("'"):
        return 'is not JSON, where text stands in double quotes ("), not in single ones'
    return f"is not JSON: {error.msg}"


def _members(text: str, at: int) -> Iterator[tuple[str | int, int, int]]:
    """Yield the keys of an object or the indices of a list, where they stand, and their values.

    The text is JSON, so that only what tells values apart is looked at.
    """
    if text[at] not in "{[":
        return
    is_object = text[at] == "{"
    at = _after_space(text, at + 1)
    for index in itertools.count():
        if text[at] in "}]":
            return
        key, start = index, at
        if is_object:
            key, at = _JSON.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)  # the colon
        yield key, start, at
        _, at = _JSON.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _place(text: str, at: int) -> tuple[int, int]:
    """Return the line and column of a position."""
    before = lines(text[:at])
    return len(before), len(before[-1]) + 1


def _check_once(key: Any, places: list[tuple[int, int]]) -> None:
    """Raise NotReadable where a key on the way stands twice: parsers differ in which one counts."""
    if len(places) > 1:
        problem = f"{show(key)} stands here twice, first on line {places[0][0]}; keep one of them"
        raise NotReadable(problem, *places[1])


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
        raise NotReadable(_too_much(error)) from None
    keys, rest = [], pattern.split(".")
    while rest:
        key, n = _step(here, rest)
        here, rest = here[key], rest[n:]
        keys.append(key)
    mark = Mark(source, _toml_line(text, tuple(keys)), 1)
    name = last_name(pattern.split("."))
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


def _inside(node: Node, rest: list[str]) -> tuple[Node, Node]:
    """Return the node of a dotted key, and that of its key, or itself where it has none."""
    owner = node
    while rest:
        if isinstance(node, MappingNode):
            here = dict(_entries(node, 0))
            key, n = _step(here, rest)
            own = [each for each, _ in node.value if _text_key(each) == key]
            _check_once(key, [_start(each) for each in own])
            owner, node = here[key]
        else:
            items = node.value if isinstance(node, SequenceNode) else None
            key, n = _step(items, rest)
            owner = node = node.value[key]
        rest = rest[n:]
    return owner, node


def _entries(node: MappingNode, depth: int) -> Iterator[tuple[str, tuple[Node, Node]]]:
    """Yield the nodes of keys and values by key.

    What is merged in by << comes first, as the others replace it.
    """
    if depth > 50:
        raise NotReadable("is YAML whose << is nested too deeply")
    for key, value in node.value:
        if key.tag == _MERGE:
            merged = reversed(value.value) if isinstance(value, SequenceNode) else [value]
            for each in merged:
                if isinstance(each, MappingNode):
                    yield from _entries(each, depth + 1)
    for key, value in node.value:
        if (text := _text_key(key)) is not None:
            yield text, (key, value)


def _text_key(key: Node) -> str | None:
    return key.value if isinstance(key, ScalarNode) and key.tag != _MERGE else None


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _yaml_find(source: str, key: Node, node: Node, pattern: str) -> Find:
    name = last_name(pattern.split("."))
    if not isinstance(node, ScalarNode):
        return Find(Mark(source, *_start(node)), name, "a group of values", reason=_NOT_ONE)
    # What is left empty ends in another line; its key says where it is.
    mark = Mark(source, *_start(node if node.value else key))
    text = one_text(node.value) or "nothing"
    if not str(node.tag).startswith(_CORE):
        return Find(mark, name, text, reason=f"has the tag {node.tag}; write a plain value")
    is_text = str(node.tag) == f"{_CORE}str" and (node.style or node.ctag.handle)
    try:
        return Find(mark, name, text, node.value if is_text else plain_scalar(node.value))
    except NotReadable as error:
        return Find(mark, name, text, reason=str(error))


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
