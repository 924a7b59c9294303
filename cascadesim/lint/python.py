"""Settings in Python source, read through `ast`: the source is never imported or run.

A pattern is a constant (`RECOVERY`, `Settings.RECOVERY`; `POOL.size` or `DELAYS.0` for an entry of
a dict, list or tuple), an argument of a call (`Breaker(recovery_timeout)`, or by its position from
0, `wait_for(1)`) or the default of a parameter (`def execute(timeout)`).
"""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cascadesim.lint.evaluate import (
    CALLED,
    Assigned,
    Constants,
    Names,
    classes_of,
    dotted,
    entry_key,
    evaluate,
    function_of,
)
from cascadesim.lint.finds import Find, NotFound, NotReadable, last_name, lines, one_text
from cascadesim.values.errors import Mark, closest, cut, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATTERN = re.compile(r"(?P<define>def\s+)?(?P<name>\w+(?:\.\w+)*)(?:\((?P<argument>\w+)\))?")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Assignment = ast.Assign | ast.AnnAssign | ast.NamedExpr
_Several = ast.Tuple | ast.List
_UNKNOWN = "*"  # the name of entries whose keys are not written out
_LEFT_OUT = "say beside the place what default: it has"


def find_python(source: str, text: str, pattern: str) -> list[Find]:
    """Return the values that a pattern matches in a Python file; `source` is its name in marks.

    Raises NotReadable for what is not Python, NotFound where nothing matches.
    """
    match = _PATTERN.fullmatch(pattern)
    if match is None or (match["define"] and not match["argument"]):
        examples = "RECOVERY, Settings.RECOVERY, Breaker(recovery_timeout) or def execute(timeout)"
        raise NotFound(f"expected a pattern such as {examples}, got {show(pattern)}")
    module = _module(source, text)
    name = tuple(match["name"].split("."))
    if match["argument"] is None:
        return module.constants(name)
    if match["define"]:
        return module.defaults(name, match["argument"])
    return module.arguments(name, match["argument"])


@dataclass(frozen=True)
class _Place:
    """A node and the names around it.

    `around` are classes, functions, what the node is assigned to, and keys and indices of groups;
    `scope` are classes and functions only.
    """

    node: Any
    around: Names = ()
    scope: Names = ()

    def is_named(self, names: Names, name: Names) -> bool:
        """Return whether `names` end as `name` does, and the rest of `name` stands around it."""
        words = iter(word.removesuffix(CALLED) for word in (*self.around, *names[:-1]))
        return names[-1:] == name[-1:] and all(word in words for word in name[:-1])


class _Module:
    """The constants, calls and functions of a Python file."""

    def __init__(self, source: str, text: str) -> None:
        self._source = source
        self._text = text
        self._lines = lines(text)
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            raise NotReadable(f"is not Python: {error.msg}", error.lineno, error.offset) from None
        except (ValueError, RecursionError, MemoryError):
            raise NotReadable("is not Python that can be read") from None
        self._places = list(_walk(tree))
        self._constants = Constants(local=_local_names(self._places))
        self._assigned = self._constants.assigned
        for place in self._places:
            for target, value in _assignments(place.node):
                if path := self._path(dotted(target), place.scope):
                    for entry, inner in _entries(path, value):
                        assigned = Assigned(inner, place.scope)
                        self._assigned.setdefault(entry, []).append(assigned)
        self._add_changes()

    def _path(self, target: Names, scope: Names) -> Names:
        """Return the constant that a name in a scope assigns; none for a local name."""
        if target[:1] in (("self",), ("cls",)) and len(target) > 1:
            return (*classes_of(scope), *target[1:])
        if target and not function_of(scope):
            return (*scope, *target)
        # In a function a name that is not local is the module's, as by `global`.
        return () if target and self._constants.is_local(target[0], scope) else target

    def _add_changes(self) -> None:
        """Add a change of entries that are not known to the values of all that it may change."""
        for name, values in self._assigned.items():
            for n in range(1, len(name)):
                changes = self._assigned.get((*name[:n], _UNKNOWN), [])
                if name[n] != _UNKNOWN:
                    values += [change for change in changes if not isinstance(change.node, _Item)]

    def constants(self, name: Names) -> list[Find]:
        if name in self._assigned:
            return [self._find(last_name(name), value) for value in self._assigned[name]]
        known = [".".join(path) for path in self._assigned if _UNKNOWN not in path]
        wanted = ".".join(name)
        longer = next((path for path in known if path.endswith(f".{wanted}")), None)
        hint = f'did you mean "{cut(longer)}"?' if longer else suggest(wanted, known)
        raise NotFound(f"no constant {show(wanted)}; {hint}")

    def _matching(self, kind: Any, name: Names, word: str) -> list[_Place]:
        """Return the calls or functions of a name. Raises NotFound where there are none."""
        names = {
            place: (place.node.name,) if kind is _Function else _function_name(place.node)
            for place in self._places
            if isinstance(place.node, kind)
        }
        matching = [place for place, words in names.items() if place.is_named(words, name)]
        if not matching:
            known = list(dict.fromkeys(words[-1] for words in names.values() if words))
            raise NotFound(f"no {word} {show('.'.join(name))}; {suggest(name[-1], known)}")
        return matching

    def arguments(self, name: Names, argument: str) -> list[Find]:
        calls = self._matching(ast.Call, name, "call of")
        return [self._argument(place, argument) for place in calls]

    def _argument(self, place: _Place, argument: str) -> Find:
        call, name = place.node, argument
        function = _function_name(call)[-1]
        if argument.isdecimal():
            name = f"{function}({argument})"
            given = self._positional(call, place.scope)
        else:
            given = self._keywords(call, place.scope)
        if argument in given:
            return self._find(name, given[argument])
        if None in given:
            reason = "may be given by * or ** from what is not written here"
            return Find(self._mark(call), argument, "**", reason=reason)
        known = [key for key in given if key]
        reason = f"the call of {cut(function)} does not give it; {_LEFT_OUT}"
        if close := closest(argument, known):
            reason += f', or did you mean "{cut(close)}"?'
        elif known:
            reason += f", or name what it gives: {', '.join(map(cut, known))}"
        return Find(self._mark(call), argument, None, reason=reason)

    def _positional(self, call: ast.Call, scope: Names) -> dict[str | None, Assigned]:
        """Return the arguments by position; under None a `*` that may give more."""
        known = _before_star(call.args)
        given = {str(i): Assigned(value, scope) for i, value in enumerate(known)}
        return given | ({None: Assigned(call, scope)} if len(known) < len(call.args) else {})

    def _keywords(self, call: ast.Call, scope: Names) -> dict[str | None, Assigned]:
        """Return the keyword arguments; under None a `**` whose entries are not known."""
        given: dict[str | None, Assigned] = {}
        for keyword in call.keywords:
            whole = Assigned(keyword.value, scope)
            given |= {keyword.arg: whole} if keyword.arg else self._unpacked(whole) or {None: whole}
        return given

    def _unpacked(self, options: Assigned) -> dict[str | None, Assigned]:
        """Return the entries of a constant behind `**`; under None those that are not known."""
        path = dotted(options.node)
        if not path or self._constants.is_local(path[0], options.scope):
            return {}
        return {
            None if name[-1] == _UNKNOWN else name[-1]: values[0]
            if len(values) == 1
            else Assigned(_item(options.node, ast.Constant(name[-1])), options.scope)
            for name, values in self._assigned.items()
            if name[:-1] == path
        }

    def defaults(self, name: Names, parameter: str) -> list[Find]:
        functions = self._matching(_Function, name, "function")
        given = [(place, _parameters(place.node)) for place in functions]
        finds = [
            self._default(place, parameter, defaults[parameter])
            for place, defaults in given
            if parameter in defaults
        ]
        if not finds:
            known = list(dict.fromkeys(name for _, defaults in given for name in defaults))
            hint = suggest(parameter, known)
            raise NotFound(f"no parameter {show(parameter)} of {cut(name[-1])}; {hint}")
        return finds

    def _default(self, place: _Place, parameter: str, value: ast.expr | None) -> Find:
        if value is not None:
            return self._find(parameter, Assigned(value, place.scope))
        reason = f"the parameter of {cut(place.node.name)} has no default; {_LEFT_OUT}"
        return Find(self._mark(place.node), parameter, None, reason=reason)

    def _find(self, name: str, assigned: Assigned) -> Find:
        mark = self._mark(assigned.node)
        text = one_text(ast.get_source_segment(self._text, assigned.node) or "")
        try:
            return Find(mark, name, text, evaluate(assigned, self._constants))
        except NotReadable as error:
            return Find(mark, name, text, reason=str(error))

    def _mark(self, node: ast.AST) -> Mark:
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        before = self._lines[line - 1].encode()[:offset] if line <= len(self._lines) else b""
        return Mark(self._source, line, len(before.decode(errors="replace")) + 1)


_module = lru_cache(maxsize=16)(_Module)  # most files hold several places


def _function_name(call: ast.Call) -> Names:
    return dotted(call.func, after_call=True)


def _walk(tree: ast.Module) -> Iterator[_Place]:
    """Yield all nodes in the order of the source, each with the names around it."""
    given: dict[ast.AST, Names] = {}
    for node in ast.walk(tree):
        for name, value in _own_names(node):
            given[value] = name + given.get(value, ())
    stack = [_Place(tree)]  # no recursion: generated source can be very deep
    while stack:
        place = stack.pop()
        yield place
        node = place.node
        names: Names = ()
        outside: list[ast.expr] = []
        if isinstance(node, ast.ClassDef | _Function):
            called = "" if isinstance(node, ast.ClassDef) else CALLED
            names, outside = (node.name + called,), node.decorator_list
        around, scope = place.around + names, place.scope + names
        below = [
            _Place(child, around + given.get(child, ()), place.scope if child in outside else scope)
            for child in ast.iter_child_nodes(node)
        ]
        stack += reversed(below)


def _own_names(node: ast.AST) -> Iterator[tuple[Names, ast.AST]]:
    """Yield the values that a node assigns, groups or gives as arguments, with their names."""
    match node:
        case ast.keyword(arg=str(argument), value=value):
            yield (argument,), value
        case ast.Dict(keys=keys, values=values):
            yield from zip(map(entry_key, keys), values, strict=True)
        case ast.Tuple() | ast.List():
            yield from _group(node)
    yield from ((dotted(target)[-1:], value) for target, value in _assignments(node))


def _local_names(places: list[_Place]) -> dict[Names, set[str]]:
    """Return the names that each function binds: parameters, and what it assigns to."""
    local: dict[Names, set[str]] = {}
    for place in places:
        match place.node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                local.setdefault(function_of(place.scope), set()).add(name)
    for place in places:
        if isinstance(place.node, ast.Global):
            local.get(function_of(place.scope), set()).difference_update(place.node.names)
    return local


def _parameters(function: _Function) -> dict[str, ast.expr | None]:
    """Return the defaults of the parameters, None for those that have none."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    missing = [None] * (len(plain) - len(given.defaults))
    values = [*missing, *given.defaults, *given.kw_defaults]
    return {
        parameter.arg: value
        for parameter, value in zip([*plain, *given.kwonlyargs], values, strict=True)
    }


def _assignments(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the targets of an assignment, each with its value.

    What is changed in place is no constant: its new value is the whole statement, which has none.
    """
    match node:
        case ast.AugAssign(target=target):
            yield target, node
            yield from _changes(node, target, [_UNKNOWN])
        case ast.Call(func=ast.Attribute(attr="update", value=target), args=args, keywords=given):
            keys = [_UNKNOWN] * len(args) + [keyword.arg or _UNKNOWN for keyword in given]
            yield from _changes(node, target, keys)
    if isinstance(node, _Assignment) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from _divided(target, node.value)


def _changes(node: ast.AST, target: ast.AST, keys: list[str]) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the entries that a statement changes in place, each with the statement."""
    if dotted(target) not in (("self",), ("cls",)):  # whose attributes are no entries
        yield from ((_item(target, ast.Constant(key)), node) for key in keys)


def _divided(target: ast.AST, value: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield a target with its value; each target of a tuple with its part of the value."""
    if not isinstance(target, _Several):
        yield target, value
        return
    known = len(_before_star(target.elts))
    values = value.elts if isinstance(value, _Several) else []
    written = len(target.elts) == len(values) == known == len(_before_star(values))
    for i, part in enumerate(target.elts):
        if written:
            yield from _divided(part, values[i])
        else:  # the parts stand elsewhere, as in `A, B = PAIR`
            item = _item(value, ast.Constant(i) if i < known else ast.Slice())
            yield part.value if isinstance(part, ast.Starred) else part, item


class _Item(ast.Subscript):
    """An item of a value as if it stood in the place of the value."""


def _item(value: ast.AST, index: ast.expr) -> ast.AST:
    return ast.copy_location(_Item(value, index), value)  # type: ignore[arg-type]


def _entries(path: Names, value: ast.AST) -> Iterator[tuple[Names, ast.AST]]:
    """Yield a constant and the entries that are written out in it."""
    yield path, value
    for name, inner in _group(value):
        yield from _entries(path + name, inner)


def _group(value: ast.AST) -> Iterator[tuple[Names, ast.AST]]:
    """Yield the names and values of the entries that a group writes out."""
    match value:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            yield from (((str(i),), part) for i, part in enumerate(_before_star(parts)))
        case ast.Dict(keys=keys, values=values):
            merged = max((i for i, key in enumerate(keys) if key is None), default=-1)
            for i, (key, inner) in enumerate(zip(keys, values, strict=True)):
                # What a later `**` may replace has no value that is known.
                name = entry_key(key)
                is_known = name and i > merged
                yield name or (_UNKNOWN,), inner if is_known else _item(value, ast.Slice())
        case ast.Call(func=ast.Name(id="dict"), args=args, keywords=given):
            for keyword in given:
                if keyword.arg:
                    yield (keyword.arg,), keyword.value
            if args or None in [keyword.arg for keyword in given]:
                yield (_UNKNOWN,), _item(value, ast.Slice())


def _before_star(values: Sequence[ast.expr]) -> list[ast.expr]:
    """Return the values whose index is known."""
    return list(itertools.takewhile(lambda value: not isinstance(value, ast.Starred), values))
