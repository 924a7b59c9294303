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
from typing import TYPE_CHECKING

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

PATTERN = re.compile(r"(?P<define>def\s+)?(?P<name>\w+(?:\.\w+)*)(?:\((?P<argument>\w+)\))?")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Assignment = ast.Assign | ast.AnnAssign | ast.NamedExpr
_Several = ast.Tuple | ast.List
_LEFT_OUT = "say beside the place what default: it has"


def find_python(source: str, text: str, pattern: str) -> list[Find]:
    """Return what a pattern matches in a Python file; `source` is what marks call it.

    Raises NotReadable for what is no Python, NotFound where nothing matches.
    """
    match = PATTERN.fullmatch(pattern)
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
class _Node:
    node: ast.AST
    around: Names  # classes, functions, and what the value is assigned to or an entry of
    scope: Names = ()  # classes and functions alone

    def named(self, own: Names, name: Names) -> bool:
        """Return whether it goes by `name`: the last word is its own, others may be left out."""
        words = iter(word.removesuffix(CALLED) for word in (*self.around, *own[:-1]))
        return own[-1:] == name[-1:] and all(word in words for word in name[:-1])


class _Module:
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
        self._nodes = list(_walk(tree))
        self._constants = Constants()
        self._known = self._constants.assigned
        own = self._constants.own
        for each in self._nodes:
            if name := _bound(each.node):
                own.setdefault(function_of(each.scope), set()).add(name)
        for each in self._nodes:
            if isinstance(each.node, ast.Global):
                own.get(function_of(each.scope), set()).difference_update(each.node.names)
        for each in self._nodes:
            for path, value in self._assigned(each):
                self._known.setdefault(path, []).append(Assigned(value, each.scope))
        self._change()

    def _assigned(self, each: _Node) -> Iterator[tuple[Names, ast.AST]]:
        """Yield the constants that a node assigns: of the module, and attributes of classes."""
        for target, value in _targets(each.node):
            if path := self._path(dotted(target), each.scope):
                yield from _entries(path, value)

    def _path(self, target: Names, scope: Names) -> Names:
        """Return the constant that is assigned to by a name in a scope; none for a local name."""
        if target[:1] in (("self",), ("cls",)) and len(target) > 1:
            return (*classes_of(scope), *target[1:])
        if target and not function_of(scope):
            return (*scope, *target)
        # In a function what is not its own is the module's, as by `global`.
        return () if target and self._constants.is_local(target[0], scope) else target

    def _change(self) -> None:
        """Note at the entries that `POOL |= …` or `POOL.update(…)` changes that it does."""
        changes: dict[Names, list[tuple[Assigned, set[str | None] | None]]] = {}
        for each in self._nodes:
            target, keys = _changed(each.node)
            if path := self._path(target, each.scope):
                changes.setdefault(path, []).append((Assigned(each.node, each.scope), keys))
        for known, values in self._known.items():
            for n in range(1, len(known)):
                for change, keys in changes.get(known[:n], ()):
                    if keys is None or known[n] in keys:
                        values.append(change)

    def constants(self, name: Names) -> list[Find]:
        if found := self._known.get(name):
            return [self._find(last_name(name), *assigned) for assigned in found]
        known = [".".join(path) for path in self._known]
        called = ".".join(name)
        within = next((each for each in known if each.endswith(f".{called}")), None)
        hint = f'did you mean "{cut(within)}"?' if within else suggest(called, known)
        raise NotFound(f"no constant {show(called)}; {hint}")

    def arguments(self, name: Names, argument: str) -> list[Find]:
        calls = [
            (each, each.node, own)
            for each in self._nodes
            if isinstance(each.node, ast.Call) and (own := dotted(each.node.func, behind=True))
        ]
        found = [
            self._argument(each.scope, call, own[-1], argument)
            for each, call, own in calls
            if each.named(own, name)
        ]
        if not found:
            known = list(dict.fromkeys(own[-1] for _, _, own in calls))
            raise NotFound(f"no call of {show('.'.join(name))}; {suggest(name[-1], known)}")
        return found

    def _argument(self, scope: Names, call: ast.Call, function: str, argument: str) -> Find:
        given: dict[str | None, Assigned] = {}
        name = argument
        if argument.isdecimal():
            name = f"{function}({argument})"
            before = _before_star(call.args)
            given = {str(i): Assigned(value, scope) for i, value in enumerate(before)}
            if len(before) < len(call.args):
                given[None] = Assigned(call, scope)
        else:
            given = self._keywords(call, scope)
        if argument in given:
            return self._find(name, *given[argument])
        if None in given:
            reason = "may be given by * or ** from what is not written here"
            return Find(self._mark(call), argument, "**", reason=reason)
        known = [each for each in given if each]
        reason = f"the call of {cut(function)} does not give it; {_LEFT_OUT}"
        if close := closest(argument, known):
            reason += f', or did you mean "{cut(close)}"?'
        elif known:
            reason += f", or name what it gives: {', '.join(map(cut, known))}"
        return Find(self._mark(call), argument, None, reason=reason)

    def _keywords(self, call: ast.Call, scope: Names) -> dict[str | None, Assigned]:
        """Return the keyword arguments; under None a `**` whose entries are not known."""
        given: dict[str | None, Assigned] = {}
        for keyword in call.keywords:
            whole = Assigned(keyword.value, scope)
            given |= {keyword.arg: whole} if keyword.arg else self._unpacked(whole) or {None: whole}
        return given

    def _unpacked(self, options: Assigned) -> dict[str | None, Assigned]:
        """Return the entries that a constant has behind `**`, none where it is no constant."""
        path = dotted(options.node)
        if not path or self._constants.is_local(path[0], options.scope):
            return {}
        return {
            known[-1]: values[0]
            if len(values) == 1
            else Assigned(_item(options.node, ast.Constant(known[-1])), options.scope)
            for known, values in self._known.items()
            if known[:-1] == path
        }

    def defaults(self, name: Names, parameter: str) -> list[Find]:
        functions = [(each, each.node) for each in self._nodes if isinstance(each.node, _Function)]
        matching = [(each, f) for each, f in functions if each.named((f.name,), name)]
        if not matching:
            known = list(dict.fromkeys(function.name for _, function in functions))
            raise NotFound(f"no function {show('.'.join(name))}; {suggest(name[-1], known)}")
        given = [(each, f, _parameters(f)) for each, f in matching]
        found = [
            self._default(each.scope, f, parameter, defaults[parameter])
            for each, f, defaults in given
            if parameter in defaults
        ]
        if not found:
            known = list(dict.fromkeys(name for *_, defaults in given for name in defaults))
            hint = suggest(parameter, known)
            raise NotFound(f"no parameter {show(parameter)} of {cut(name[-1])}; {hint}")
        return found

    def _default(
        self, scope: Names, function: _Function, parameter: str, value: ast.expr | None
    ) -> Find:
        if value is not None:
            return self._find(parameter, value, scope)
        reason = f"the parameter of {cut(function.name)} has no default; {_LEFT_OUT}"
        return Find(self._mark(function), parameter, None, reason=reason)

    def _find(self, name: str, node: ast.AST, scope: Names) -> Find:
        text = one_text(ast.get_source_segment(self._text, node) or "")
        try:
            value = evaluate(Assigned(node, scope), self._constants)
        except NotReadable as error:
            return Find(self._mark(node), name, text, reason=str(error))
        return Find(self._mark(node), name, text, value)

    def _mark(self, node: ast.AST) -> Mark:
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        before = self._lines[line - 1].encode()[:offset] if line <= len(self._lines) else b""
        return Mark(self._source, line, len(before.decode(errors="replace")) + 1)


@lru_cache(maxsize=16)  # most files hold several places
def _module(source: str, text: str) -> _Module:
    return _Module(source, text)


def _walk(tree: ast.Module) -> Iterator[_Node]:
    """Yield all nodes in the order of the source, each with the names around it."""
    stack = [_Node(tree, ())]  # no recursion: generated source can be very deep
    while stack:
        each = stack.pop()
        yield each
        names = _names(each.node)
        outside: list[ast.expr] = []
        scope = each.scope
        if isinstance(each.node, ast.ClassDef | _Function):
            scope, outside = scope + names, each.node.decorator_list
        below = [
            _Node(child, each.around + names + own, each.scope if child in outside else scope)
            for child, own in _children(each.node)
        ]
        stack += reversed(below)


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, Names]]:
    """Yield what is inside a node, each with the names that it has there."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield value, entry_key(key)
    elif isinstance(node, _Several):
        for i, value in enumerate(node.elts):
            yield value, (str(i),)
    elif isinstance(node, _Assignment):
        yield from _assignment(node)
    else:
        for child in ast.iter_child_nodes(node):
            yield child, ()


def _assignment(node: _Assignment) -> Iterator[tuple[ast.AST, Names]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for child in ast.iter_child_nodes(node):
        if child is not node.value:
            yield child, ()
        elif len(targets) == 1:
            yield from ((value, dotted(each)[-1:]) for each, value in _pairs(targets[0], child))
        else:
            yield child, tuple(name for target in targets for name in dotted(target)[-1:])


def _names(node: ast.AST) -> Names:
    """Return what a node adds to the names around what is inside it."""
    if isinstance(node, ast.ClassDef):
        return (node.name,)
    if isinstance(node, _Function):
        return (node.name + CALLED,)
    if isinstance(node, ast.keyword) and node.arg is not None:
        return (node.arg,)
    return ()


def _bound(node: ast.AST) -> str | None:
    """Return the name that a node binds: a parameter, or what is assigned to."""
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None


def _parameters(function: _Function) -> dict[str, ast.expr | None]:
    """Return the defaults of the parameters, None for those that have none."""
    plain = [*function.args.posonlyargs, *function.args.args]
    defaults: dict[str, ast.expr | None] = {each.arg: None for each in plain}
    last = len(plain) - len(function.args.defaults)
    defaults |= {
        each.arg: value for each, value in zip(plain[last:], function.args.defaults, strict=True)
    }
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return defaults | {each.arg: value for each, value in keywords}


def _pairs(target: ast.AST, value: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield targets with their values, those of tuples apart where both sides are written out."""
    if isinstance(target, _Several) and isinstance(value, _Several):
        stars = any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
        if len(target.elts) == len(value.elts) and not stars:
            for each, inner in zip(target.elts, value.elts, strict=True):
                yield from _pairs(each, inner)
            return
    yield target, value


def _targets(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield what a node assigns to, each with what it is assigned."""
    if isinstance(node, ast.AugAssign):
        # What is changed later, as by +=, is no constant; the statement itself has no value.
        yield node.target, node
    if not isinstance(node, _Assignment) or node.value is None:
        return
    for each in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for target, value in _pairs(each, node.value):
            yield from _items(target, value) if isinstance(target, _Several) else [(target, value)]


def _items(targets: ast.Tuple | ast.List, value: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield targets with the items of a value that stands elsewhere, as in `A, B = PAIR`."""
    known = len(_before_star(targets.elts))
    for i, target in enumerate(targets.elts):
        item = _item(value, ast.Constant(i) if i < known else ast.Slice())
        yield target.value if isinstance(target, ast.Starred) else target, item


def _item(value: ast.AST, index: ast.expr) -> ast.AST:
    """Return an item of a value as if it stood in the place of the value."""
    return ast.copy_location(ast.Subscript(value, index), value)  # type: ignore[arg-type]


def _entries(path: Names, value: ast.AST) -> Iterator[tuple[Names, ast.AST]]:
    """Yield a constant and, of what is written out in it, the entries."""
    yield path, value
    for name, inner in _inside(value):
        yield from _entries(path + name, inner)


def _inside(value: ast.AST) -> Iterator[tuple[Names, ast.AST]]:
    """Yield the entries of a value, without what they are where a `**` may replace them."""
    if isinstance(value, _Several):
        yield from (((str(i),), each) for i, each in enumerate(_before_star(value.elts)))
    elif isinstance(value, ast.Dict):
        merged = max((i for i, key in enumerate(value.keys) if key is None), default=-1)
        for i, (key, each) in enumerate(zip(value.keys, value.values, strict=True)):
            if name := entry_key(key):
                yield name, each if i > merged else _item(value, ast.Slice())
    elif isinstance(value, ast.Call) and dotted(value.func) == ("dict",):
        yield from (((each.arg,), each.value) for each in value.keywords if each.arg)


def _before_star(values: Sequence[ast.expr]) -> list[ast.expr]:
    """Return the values whose index is known."""
    return list(itertools.takewhile(lambda each: not isinstance(each, ast.Starred), values))


def _changed(node: ast.AST) -> tuple[Names, set[str | None] | None]:
    """Return what a node changes in place, and which keys of it if these are known."""
    if isinstance(node, ast.AugAssign):
        return dotted(node.target), None
    if isinstance(node, ast.Call) and dotted(node.func)[-1:] == ("update",):
        keys = None if node.args else {keyword.arg for keyword in node.keywords}
        return dotted(node.func)[:-1], keys
    return (), None
