"""Settings in YAML, JSON and TOML files by dotted key, and in environment files.

A whole number in a dotted key is the index of an item in a list, from 0. In a file of several YAML
documents each document is searched.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cascadesim.lint.finds import Find, NotFound, NotReadable, last_name, lines, one_text
from cascadesim.lint.scalars import plain_scalar
from cascadesim.scenario.source import new_yaml, yaml_errors
from cascadesim.values.errors import Mark, ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Inside = dict[str, list[Any]] | list[Any] | None

_CORE = "tag:yaml.org,2002:"
_MERGE = f"{_CORE}merge"
_MAX_DEPTH = 100  # of YAML; deeper files are slow to refuse
_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_ONE = "is not a single value; name one inside"
_ENVIRONMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_QUOTED = re.compile(r"(['\"])(.*?)\1\s*(?:#.*)?")
_TOML = re.compile(  # a text, a comment, or what begins and ends values and statements
    r""""{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\])*"|'[^']*'|"""
    r"""\#[^\n]*|[\[\]{}\n]|[^\[\]{}\n"'#]+""",
    re.DOTALL,
)


def _descend(
    value: Any,
    pattern: str,
    inside: Callable[[Any], Inside],
    place: Callable[[Any], tuple[int, int]],
) -> tuple[list[str | int], Any]:
    """Return the keys and indices that a dotted key leads through, and the value at its end.

    `inside` returns the items of a list, or the values of each key of a mapping; `place` returns
    line and column of the key of a value. A key may have dots itself. Raises NotFound; and
    NotReadable where a key on the way stands twice, since parsers differ in which one counts.
    """
    keys: list[str | int] = []
    words = pattern.split(".")
    while words:
        held = inside(value)
        if held is None:
            raise NotFound(f"no key {show(words[0])} inside a single value")
        key, n = _key(held, words)
        keys.append(key)
        if isinstance(held, list):
            value = held[int(key)]
        else:
            value, *others = held[str(key)]
            if others:
                first = f"first on line {place(value)[0]}"
                problem = f"{show(key)} stands here twice, {first}; keep one of them"
                raise NotReadable(problem, *place(others[0]))
        words = words[n:]
    return keys, value


def _key(held: dict[str, list[Any]] | list[Any], words: list[str]) -> tuple[str | int, int]:
    """Return the key or index that the first words name, and how many they are."""
    if isinstance(held, dict):
        for n in range(1, len(words) + 1):
            if (key := ".".join(words[:n])) in held:
                return key, n
        raise NotFound(f"no key {show(words[0])}; {suggest(words[0], list(held))}")
    if words[0].isdecimal() and int(words[0]) < len(held):
        return int(words[0]), 1
    known = f"it has 0 to {len(held) - 1}" if held else "it is empty"
    raise NotFound(f"no entry {show(words[0])} of a list; {known}")


def _find(mark: Mark, pattern: str, value: Any, text: str, reason: str = "") -> Find:
    """Return a value of JSON or TOML; `text` is how the file writes one that is no text."""
    if isinstance(value, dict | list):
        value, text, reason = None, show(value), _NOT_ONE
    text = one_text(value if isinstance(value, str) else text)
    return Find(mark, last_name(pattern.split(".")), text, value, reason)


def find_yaml(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a YAML file, one for each document that has it.

    Raises NotReadable for what is not YAML, NotFound where no document has the key.
    """
    finds, problems = [], []
    for document in _documents(text):
        try:
            _, entry = _descend((document, document), pattern, _yaml_inside, lambda e: _start(e[0]))
            finds.append(_yaml_find(source, pattern, *entry))
        except NotFound as error:
            problems.append(error)
    if not finds:
        raise problems[0] if problems else NotFound("the file is empty")
    return finds


@lru_cache(maxsize=16)  # most files hold several places, and parsing YAML is slow
def _documents(text: str) -> list[Node]:
    try:
        with yaml_errors(text, ""):
            return list(new_yaml(_MAX_DEPTH).compose_all(text))
    except ScenarioError as error:
        raise NotReadable(error.problem, error.mark.line, error.mark.column) from None


def _yaml_inside(entry: tuple[Node, Node]) -> Inside:
    """Return what a value holds; each value with the node of its key, or itself where it has none.

    A mapping's own keys replace those that << merges into it.
    """
    node = entry[1]
    if isinstance(node, MappingNode):
        return _yaml_entries(node)
    return [(item, item) for item in node.value] if isinstance(node, SequenceNode) else None


def _yaml_entries(node: MappingNode, depth: int = 0) -> dict[str, list[Any]]:
    if depth > 50:
        raise NotReadable("is YAML whose << is nested too deeply")
    merged: dict[str, list[Any]] = {}
    written: dict[str, list[Any]] = {}
    for key, value in node.value:
        if key.tag == _MERGE:
            # Of several mappings the first counts.
            for part in reversed(value.value) if isinstance(value, SequenceNode) else [value]:
                if isinstance(part, MappingNode):
                    merged |= _yaml_entries(part, depth + 1)
        elif isinstance(key, ScalarNode):
            written.setdefault(key.value, []).append((key, value))
    return merged | written


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _yaml_find(source: str, pattern: str, key: Node, node: Node) -> Find:
    name = last_name(pattern.split("."))
    if not isinstance(node, ScalarNode):
        return Find(Mark(source, *_start(node)), name, "a group of values", reason=_NOT_ONE)
    # An empty value ends in another line, so the place is that of its key.
    mark = Mark(source, *_start(node if node.value else key))
    text = one_text(node.value) or "nothing"
    if not str(node.tag).startswith(_CORE):
        return Find(mark, name, text, reason=f"has the tag {node.tag}; write a plain value")
    is_text = str(node.tag) == f"{_CORE}str" and (node.style or node.ctag.handle)
    try:
        return Find(mark, name, text, node.value if is_text else plain_scalar(node.value))
    except NotReadable as error:
        return Find(mark, name, text, reason=str(error))


def find_json(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a JSON file; see `find_yaml`."""
    try:
        json.loads(text)
        start = _after_space(text, 0)
        _, (_, at) = _descend(
            (start, start),
            pattern,
            lambda entry: _json_inside(text, entry[1]),
            lambda entry: _place(text, entry[0]),
        )
        value, end = _JSON.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise NotReadable(_json_problem(error), error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        raise NotReadable(_too_much(error)) from None
    reason = ""
    if isinstance(value, float) and not math.isfinite(value):
        value, reason = None, "is not a number of JSON; write one, or null"
    return [_find(Mark(source, *_place(text, at)), pattern, value, text[at:end], reason)]


def _too_much(error: Exception) -> str:
    """Return what is wrong with a file that exceeds a limit of Python's."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return "holds a number of too many digits"


def _json_problem(error: json.JSONDecodeError) -> str:
    """Return what is wrong, also where Python's message does not name it."""
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


def _json_inside(text: str, at: int) -> Inside:
    """Return what the value at a position holds: positions of keys and values.

    An item of a list has no key, so its own position stands twice. The text is known to be JSON, so
    that only what separates values is looked at.
    """
    if text[at] not in "{[":
        return None
    items: list[tuple[int, int]] = []
    held: dict[str, list[tuple[int, int]]] = {}
    is_object = text[at] == "{"
    at = _after_space(text, at + 1)
    while text[at] not in "}]":
        start = at
        if is_object:
            key, at = _JSON.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)  # the colon
            held.setdefault(key, []).append((start, at))
        else:
            items.append((start, start))
        _, at = _JSON.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return held if is_object else items


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _place(text: str, at: int) -> tuple[int, int]:
    """Return the line and column of a position."""
    before = lines(text[:at])
    return len(before), len(before[-1]) + 1


def find_toml(source: str, text: str, pattern: str) -> list[Find]:
    """Return the value of a dotted key in a TOML file; see `find_yaml`."""
    data, places = _toml(text)
    # A key needs no place: TOML itself refuses one that stands twice.
    keys, value = _descend(data, pattern, _toml_inside, lambda _: (1, 1))
    if not isinstance(value, dict | list | bool | int | float | str):
        value = str(value)  # a date or a time
    return [_find(Mark(source, places[tuple(keys)], 1), pattern, value, show(value))]


@lru_cache(maxsize=16)
def _toml(text: str) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    """Return what a TOML file holds, and the line on which the statement of each key begins."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        place = (int(at[1]), int(at[2])) if at else ()
        problem = re.sub(r" \(at .*\)", "", str(error))
        raise NotReadable(f"is not TOML: {problem}", *place) from None
    except (ValueError, RecursionError) as error:
        raise NotReadable(_too_much(error)) from None
    places: dict[tuple[str | int, ...], int] = {}
    header: tuple[str | int, ...] = ()
    tables: Counter[tuple[str | int, ...]] = Counter()  # of each list of tables so far
    for line, statement in _toml_statements(text):
        keys = [*_toml_keys((), tomllib.loads(statement))]
        paths = [header + path for path in keys]
        if statement.startswith("["):
            header, names = (), [key for key in keys[-1] if isinstance(key, str)]
            for n, key in enumerate(names, 1):
                header += (key,)
                tables[header] += n == len(names) and statement.startswith("[[")
                header += (tables[header] - 1,) if tables[header] else ()
            paths = [header[:n] for n in range(1, len(header) + 1)]
        for path in paths:
            places.setdefault(path, line)
    return data, places


def _toml_statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the statements of a TOML file, each with the line on which it begins.

    Python's tomllib has no positions. The file is known to be TOML.
    """
    line = begun = 1
    depth, parts = 0, [""]
    for token in _TOML.findall(f"{text}\n".replace("\r\n", "\n")):
        line += token.count("\n")
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
        if token == "\n" and not depth:
            if statement := "".join(parts).strip():
                yield begun, statement
            begun, parts = line, []
        elif not token.startswith("#"):
            parts.append(token)


def _toml_keys(above: tuple[str | int, ...], value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the keys and indices that lead to a value, and to all that it holds."""
    if above:
        yield above
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _toml_keys((*above, key), inner)


def _toml_inside(value: Any) -> Inside:
    if isinstance(value, dict):
        return {key: [inner] for key, inner in value.items()}
    return value if isinstance(value, list) else None


def find_environment(source: str, text: str, pattern: str) -> list[Find]:
    """Return the values of a variable in an environment file.

    Raises NotFound where it is not set.
    """
    finds, known = [], []
    for line, written in enumerate(lines(text), 1):
        match = _ENVIRONMENT.fullmatch(written)
        if match is None:
            continue
        known.append(match[1])
        if match[1] == pattern:
            quoted = _QUOTED.fullmatch(match[2])
            value = quoted[2] if quoted else re.sub(r"(^|\s+)#.*", "", match[2])
            mark = Mark(source, line, written.index(pattern) + 1)
            finds.append(Find(mark, pattern, one_text(value), value))
    if not finds:
        names = list(dict.fromkeys(known))
        raise NotFound(f"no variable {show(pattern)}; {suggest(pattern, names)}")
    return finds
