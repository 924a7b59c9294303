"""YAML text becomes plain data, with the place of every key and value in the file."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.representer import SafeRepresenter

from cascadesim.scenario.paths import dotted
from cascadesim.values.errors import Mark, ScenarioError, cut, one_line, show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Location = tuple[str | int, ...]  # keys and indices from the top

MAX_BYTES = 256 * 1024  # parsing a megabyte takes many seconds, and no scenario is that long
_PURPOSE = "be a scenario"
MAX_NODES = 100_000  # aliases can make a small file enormous
MAX_DEPTH = 64  # about thirty stages inside each other
_CORE = "tag:yaml.org,2002:"
_SCALARS = {
    _CORE + "str": "text",
    _CORE + "timestamp": "text",  # as a date is here
    _CORE + "value": "text",  # which is what a lone = stands for
    _CORE + "int": "a whole number",
    _CORE + "float": "a number",
    _CORE + "bool": "true or false",
    _CORE + "null": "nothing",
}
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # the end of a line in YAML
_NO_CHARACTER = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")
_HINTS = {  # the usual cause of a problem, by YAML's words for it
    "'\\t'": "indent with spaces, not tabs",
    "<block end>": "check the indentation",
    "mapping values": 'check the indentation, and quote text that holds ": "',
    "undefined alias": "quote text that begins with *",
    "cannot start any token": "quote text that begins with it",
}


@dataclass(frozen=True)
class Document:
    """Plain data (dict, list, scalars), and the places of its keys and values."""

    source: str
    data: Any
    keys: dict[Location, Mark] = field(default_factory=dict)
    values: dict[Location, Mark] = field(default_factory=dict)

    def mark(self, location: Location, *, key: bool = False) -> Mark:
        """Return the place of a value or key, or of the nearest value around it."""
        if key and location in self.keys:
            return self.keys[location]
        while location and location not in self.values:
            location = location[:-1]
        return self.values.get(location, Mark(self.source))

    def part(self, location: Location) -> Document:
        """Return the document of the value at a location."""
        data = self.data
        for key in location:
            data = data[key]
        n = len(location)
        keys, values = (
            {at[n:]: mark for at, mark in marks.items() if at[:n] == location}
            for marks in (self.keys, self.values)
        )
        return Document(self.source, data, keys, values)

    def replace(self, location: Location, value: Document) -> Document:
        """Return a copy with `value` at the location; missing mappings on the way are made.

        These have the place of the value.
        """
        data = _replaced(self.data, location, value.data)
        n = len(location)
        keys, values = (
            {location[:i]: value.mark((), key=True) for i in range(n)}
            | {at: mark for at, mark in old.items() if at[:n] != location}
            | {location + at: mark for at, mark in new.items()}
            for old, new in ((self.keys, value.keys), (self.values, value.values))
        )
        return Document(self.source, data, keys, values)


def _replaced(data: Any, location: Location, value: Any) -> Any:
    if not location:
        return value
    head, *rest = location
    if isinstance(head, int):
        copy = list(data)
        copy[head] = _replaced(copy[head], tuple(rest), value)
        return copy
    inner = data.get(head) if isinstance(data, dict) else None
    return (data if isinstance(data, dict) else {}) | {head: _replaced(inner, tuple(rest), value)}


def read(path: Path) -> Document:
    """Return the document in a file, or in the `scenario.yaml` of a folder.

    Raises ScenarioError for anything that cannot be read as one YAML document of plain data.
    """
    is_folder = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where it may not look
    file = path / "scenario.yaml" if is_folder else path
    try:
        return parse(read_text(file, MAX_BYTES, _PURPOSE), str(file))
    except FileNotFoundError:
        problem = "no such file; `cascadesim list` shows what there is"
        raise ScenarioError(problem, str(file)) from None


def read_text(path: Path, most: int, purpose: str) -> str:
    """Return the text of a file in UTF-8 of at most `most` bytes; `purpose` is for the error.

    Raises FileNotFoundError where there is none, and ScenarioError for what cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ScenarioError(f"cannot be read: {reason}", str(path)) from None
    if len(content) > most:
        raise _too_large(most, purpose, str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _place(str(path), error.object[: error.start].decode())
        raise ScenarioError("is not UTF-8 text; save the file as UTF-8", mark) from None


def _too_large(most: int, purpose: str, source: str) -> ScenarioError:
    return ScenarioError(f"is larger than {most // 1024} KiB, too large to {purpose}", source)


def parse(text: str, source: str) -> Document:
    """Return the document in a text; `source` is its name in errors."""
    if len(text) > MAX_BYTES:
        raise _too_large(MAX_BYTES, _PURPOSE, source)
    yaml = new_yaml(MAX_DEPTH)
    with yaml_errors(text, source):
        node = yaml.compose(text)
    if yaml.resolver.processing_version != (1, 2):
        problem = "is not YAML 1.2, where `on` is text; leave the line %YAML out"
        raise ScenarioError(problem, Mark(source, 1, 1))
    if node is None:
        return Document(source, None, values={(): Mark(source, 1, 1)})
    return _Reader(yaml, source).document(node)


def new_yaml(max_depth: int) -> YAML:
    """Return a reader of YAML, in pure Python, that refuses what is nested more deeply."""
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = max_depth
    yaml.composer.warn_double_anchors = False  # YAML allows it: the later one counts
    return yaml


@contextmanager
def yaml_errors(text: str, source: str) -> Iterator[None]:
    """Make a ScenarioError, with line and column, of each error while YAML is composed."""
    try:
        yield
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(source, at.line + 1, at.column + 1) if at else Mark(source, 1, 1)
        raise ScenarioError(_syntax(error), mark) from None
    except ReaderError as error:
        problem = f"is not YAML: the character U+{ord(text[error.position]):04X} is not allowed"
        raise ScenarioError(problem, _place(source, text[: error.position])) from None
    except (ValueError, OverflowError):
        match = _NO_CHARACTER.search(text)
        mark = _place(source, text[: match.start() if match else 0])
        raise ScenarioError("is not YAML: this number stands for no character", mark) from None


def _place(source: str, before: str) -> Mark:
    """Return the place after the text `before`."""
    lines = _BREAK.split(before)
    return Mark(source, len(lines), len(lines[-1]) + 1)


def _syntax(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if "another document" in problem:
        return "a second document begins here; a scenario is one, without --- inside"
    if "maximum depth" in problem:
        return "is nested too deeply"
    hint = next((f"; {hint}" for word, hint in _HINTS.items() if word in problem), "")
    for end in ("'<stream end>'", "'\\x00'"):
        problem = problem.replace(end, "the end")
    return f"is not YAML: {problem}{hint}"


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, yaml: YAML, source: str) -> None:
        self._yaml = yaml
        self._source = source
        self._keys: dict[Location, Mark] = {}
        self._values: dict[Location, Mark] = {}
        self._above: set[int] = set()  # the collections around the node

    def document(self, node: Node) -> Document:
        data = self._value(node, (), self._mark(node))
        return Document(self._source, data, self._keys, self._values)

    def _mark(self, node: Node) -> Mark:
        return Mark(self._source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _error(self, problem: str, mark: Mark, location: Location) -> ScenarioError:
        return ScenarioError(problem, mark, dotted(None, location))

    def _value(self, node: Node, location: Location, key: Mark) -> Any:
        """Return the value of a node; an empty one has the place of its key."""
        is_empty = node.start_mark.index == node.end_mark.index
        mark = self._values[location] = key if is_empty else self._mark(node)
        if len(self._values) > MAX_NODES:
            raise self._error(f"has more than {MAX_NODES} values", mark, location)
        if len(location) > MAX_DEPTH:  # by aliases
            raise self._error("is nested too deeply", mark, location)
        if isinstance(node, ScalarNode):
            return self._scalar(node, mark, location)
        if id(node) in self._above:
            problem = "an alias inside what it stands for makes a cycle"
            raise self._error(problem, mark, location)
        if node.tag not in (_CORE + "map", _CORE + "seq"):
            raise self._tagged(node, mark, location)
        self._above.add(id(node))
        if isinstance(node, SequenceNode):
            items = enumerate(node.value)
            value: Any = [self._value(item, (*location, i), self._mark(item)) for i, item in items]
        else:
            assert isinstance(node, MappingNode)
            value = dict(self._entries(node, location))
        self._above.discard(id(node))
        return value

    def _entries(self, node: MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in node.value:
            mark = self._mark(key_node)
            key = self._key(key_node, mark, location)
            here = (*location, key)
            if here in self._keys:
                first = f"line {self._keys[here].line}"
                raise self._error(f"{show(key)} stands here twice, first on {first}", mark, here)
            self._keys[here] = mark
            yield key, self._value(value_node, here, mark)

    def _key(self, node: Node, mark: Mark, location: Location) -> str:
        if not isinstance(node, ScalarNode):
            raise self._error("a key must be plain text", mark, location)
        if node.tag == _CORE + "merge":
            problem = '"<<" is not supported; a variant can say "extends"'
            raise self._error(problem, mark, location)
        key = self._scalar(node, mark, location)
        if not isinstance(key, str):
            quoted = f'; write "{cut(node.value)}" in quotes' if node.value else ""
            raise self._error(f"a key must be text, got {show(key)}{quoted}", mark, location)
        return key

    def _scalar(self, node: ScalarNode, mark: Mark, location: Location) -> Any:
        if node.tag not in _SCALARS:
            raise self._tagged(node, mark, location)
        try:
            node.value.encode()
            if _SCALARS[node.tag] == "text":
                return node.value
            return self._yaml.constructor.construct_object(node)
        except UnicodeEncodeError:
            raise self._error("holds half of a character (a surrogate)", mark, location) from None
        except (YAMLError, ValueError, LookupError):
            problem = f"cannot be read as {_SCALARS[node.tag]}: {show(node.value)}"
            raise self._error(problem, mark, location) from None

    def _tagged(self, node: Node, mark: Mark, location: Location) -> ScenarioError:
        tag = cut(str(node.tag).replace(_CORE, "!!"))
        return self._error(f'the tag "{tag}" is not allowed; write plain values', mark, location)


class _Writer(SafeRepresenter):
    """Writes values without aliases, and text with line breaks on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, text: str) -> Node:
        style = '"' if _BREAK.search(text) else None
        return self.represent_scalar(_CORE + "str", text, style=style)


_Writer.add_representer(str, _Writer.text)
# Python callers also set numpy's numbers, and objects that an error is about to refuse.
_Writer.add_multi_representer(float, lambda writer, data: writer.represent_float(float(data)))
_Writer.add_multi_representer(object, lambda writer, data: writer.text(str(data)))


def write(document: Document, comment: str) -> str:
    """Return the document as YAML text under a comment."""
    lines = "".join(f"# {one_line(line)}".rstrip() + "\n" for line in comment.splitlines())
    return lines + _dump(document.data, flow=False, width=100)


def flow(value: Any) -> str:
    """Return a value as YAML on one line, as --set PATH=VALUE has it."""
    text = _dump(value, flow=True, width=sys.maxsize)
    return text.removesuffix("...\n").rstrip("\n")  # a document of plain text ends with ...


def _dump(data: Any, *, flow: bool, width: int) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Writer
    yaml.default_flow_style = flow
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = width
    stream = StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()
