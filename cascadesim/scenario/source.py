"""YAML text becomes plain data, with the place of every key and value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cascadesim.scenario.errors import Mark, ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Location = tuple[str | int, ...]  # keys and indices from the top

MAX_BYTES = 256 * 1024  # parsing a megabyte takes many seconds, and no scenario is that long
MAX_NODES = 100_000  # aliases can make a small file enormous
_CORE = "tag:yaml.org,2002:"
_SCALARS = {_CORE + kind for kind in ("str", "int", "float", "bool", "null")}


@dataclass(frozen=True)
class Document:
    """Plain data (dict, list, scalars), and where its keys and values stand."""

    source: str
    data: Any
    keys: dict[Location, Mark] = field(default_factory=dict)
    values: dict[Location, Mark] = field(default_factory=dict)

    def mark(self, location: Location, *, key: bool = False) -> Mark:
        """Return the place of a value or key, or of the nearest thing around it."""
        if key and location in self.keys:
            return self.keys[location]
        while location and location not in self.values:
            location = location[:-1]
        return self.values.get(location, Mark(self.source))

    def part(self, location: Location) -> Document:
        """Return the value at a location as a document of its own."""
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
        """Return a copy with `value` at the location, mappings on the way made where missing."""
        data = _replaced(self.data, location, value.data)
        keys, values = (
            {at: mark for at, mark in old.items() if at[: len(location)] != location}
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
    """Return the document in a file.

    Raises ScenarioError for anything that cannot be read as one YAML document of plain data.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", source) from None
    if len(content) > MAX_BYTES:
        raise ScenarioError(f"is larger than {MAX_BYTES // 1024} KiB, too large to be one", source)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise ScenarioError("is not UTF-8 text", Mark(source, line, column)) from None
    return parse(text, source)


def parse(text: str, source: str) -> Document:
    """Return the document in a text; `source` is what errors call it."""
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(source, at.line + 1, at.column + 1) if at else Mark(source)
        raise ScenarioError(f"is not YAML: {error.problem}", mark) from None
    except (YAMLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        raise ScenarioError(f"is not YAML: {reason}", source) from None
    except RecursionError:
        raise ScenarioError("is nested too deeply", source) from None
    if node is None:
        raise ScenarioError("is empty; `cascadesim init NAME` writes one to start from", source)
    return _Reader(yaml, source).document(node)


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, yaml: YAML, source: str) -> None:
        self._yaml = yaml
        self._source = source
        self._keys: dict[Location, Mark] = {}
        self._values: dict[Location, Mark] = {}
        self._above: set[int] = set()  # the collections that the walk is inside of

    def document(self, node: Node) -> Document:
        try:
            data = self._value(node, ())
        except RecursionError:
            raise ScenarioError("is nested too deeply", self._source) from None
        return Document(self._source, data, self._keys, self._values)

    def _mark(self, node: Node) -> Mark:
        return Mark(self._source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _value(self, node: Node, location: Location) -> Any:
        mark = self._values[location] = self._mark(node)
        if len(self._values) > MAX_NODES:
            raise ScenarioError(f"has more than {MAX_NODES} values", mark)
        if isinstance(node, ScalarNode):
            return self._scalar(node, mark)
        if id(node) in self._above:
            raise ScenarioError("an alias inside what it stands for makes a cycle", mark)
        if node.tag not in (_CORE + "map", _CORE + "seq"):
            raise self._tagged(node, mark)
        self._above.add(id(node))
        if isinstance(node, SequenceNode):
            value: Any = [self._value(item, (*location, i)) for i, item in enumerate(node.value)]
        else:
            assert isinstance(node, MappingNode)
            value = dict(self._entries(node, location))
        self._above.discard(id(node))
        return value

    def _entries(self, node: MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            mark = self._mark(key_node)
            if not isinstance(key_node, ScalarNode):
                raise ScenarioError("a key must be plain text", mark)
            key = key_node.value
            if key_node.tag == _CORE + "merge":
                raise ScenarioError('"<<" is not supported; a variant can say "extends"', mark)
            if key in seen:
                raise ScenarioError(f'"{key}" stands here twice, first on line {seen[key]}', mark)
            seen[key] = key_node.start_mark.line + 1
            self._keys[(*location, key)] = mark
            yield key, self._value(value_node, (*location, key))

    def _scalar(self, node: ScalarNode, mark: Mark) -> Any:
        if node.tag == _CORE + "timestamp":
            return node.value  # a date is text here
        if node.tag not in _SCALARS:
            raise self._tagged(node, mark)
        try:
            return self._yaml.constructor.construct_object(node)
        except (YAMLError, ValueError):
            raise ScenarioError(f'"{node.value}" does not fit its tag', mark) from None

    def _tagged(self, node: Node, mark: Mark) -> ScenarioError:
        tag = str(node.tag).replace(_CORE, "!!")
        return ScenarioError(f'the tag "{tag}" is not allowed; write plain values', mark)


def write(document: Document, comment: str) -> str:
    """Return the document as YAML text under a comment."""
    from io import StringIO

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    stream = StringIO()
    yaml.dump(document.data, stream)
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    return lines + stream.getvalue()
