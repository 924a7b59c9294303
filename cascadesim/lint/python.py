"""Settings in Python source, read through `ast`: the source is never imported or run.

A pattern is a constant (`RECOVERY`, `Settings.RECOVERY`, `POOL.size` for an entry of a dict), an
argument of a call (`Breaker(recovery_timeout)`, or by its position from 0, `wait_for(1)`) or the
default of a parameter (`def execute(timeout)`).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.lint.evaluate import Constants, dotted, evaluate
from cascadesim.lint.finds import Find, NotFound, NotReadable, lines, one_text
from cascadesim.scenario.errors import Mark, closest, cut, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATTERN = re.compile(r"(?P<define>def\s+)?(?P<name>\w+(?:\.\w+)*)(?:\((?P<argument>\w+)\))?")
_CALLED = "()"  # ends the name of a function among the names around a node
Names = tuple[str, ...]
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def find_python(source: str, text: str, pattern: str) -> list[Find]:
    """Return what a pattern matches in a Python file; `source` is what marks call it.

    Raises NotReadable for what is no Python, NotFound where nothing matches.
    """
    match = PATTERN.fullmatch(pattern)
    if match is None or (match["define"] and not match["argument"]):
        examples = "RECOVERY, Settings.RECOVERY, Breaker(recovery_timeout) or def execute(timeout)"
        raise NotFound(f"expected a pattern such as {examples}, got {show(pattern)}")
    module = _Module(source, text)
    name = tuple(match["name"].split("."))
    if match["argument"] is None:
        return module.constants(name)
    if match["define"]:
        return module.defaults(name, match["argument"])
    return module.arguments(name, match["argument"])


@dataclass(frozen=True)
class _Node:
    node: ast.AST
    around: Names  # classes, functions, and what the value is assigned to

    def named(self, own: Names, name: Names) -> bool:
        """Return whether it goes by `name`: the last word is its own, others may be left out."""
        words = iter(word.removesuffix(_CALLED) for word in (*self.around, *own[:-1]))
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
        self._known: Constants = {}
        self._locals: dict[Names, set[str]] = {}  # of each function
        for each in self._nodes:
            for path, value in _assigned(each):
                self._known.setdefault(path, []).append(value)
            if name := _bound(each.node):
                self._locals.setdefault(_function(each.around), set()).add(name)

    def constants(self, name: Names) -> list[Find]:
        if found := self._known.get(name):
            return [self._find(name[-1], value, name[:-1]) for value in found]
        known = [".".join(path) for path in self._known]
        raise NotFound(f"no constant {show('.'.join(name))}; {suggest('.'.join(name), known)}")

    def arguments(self, name: Names, argument: str) -> list[Find]:
        calls = [
            (each, each.node, own)
            for each in self._nodes
            if isinstance(each.node, ast.Call) and (own := dotted(each.node.func, behind=True))
        ]
        found = [
            self._argument(each.around, call, own[-1], argument)
            for each, call, own in calls
            if each.named(own, name)
        ]
        if not found:
            known = list(dict.fromkeys(own[-1] for _, _, own in calls))
            raise NotFound(f"no call of {show('.'.join(name))}; {suggest(name[-1], known)}")
        return found

    def _argument(self, around: Names, call: ast.Call, function: str, argument: str) -> Find:
        if argument.isdecimal():
            given = dict(enumerate(call.args))
            value = given.get(int(argument))
            if value is not None:
                return self._find(f"{function}({argument})", value, around)
            known = [str(i) for i in given]
        else:
            keywords = self._keywords(call, around)
            if argument in keywords:
                return self._find(argument, keywords[argument], around)
            known = [name for name in keywords if name]
            if None in keywords:
                reason = "may be given by ** from what is not written here"
                return Find(self._mark(call), argument, "**", reason=reason)
        reason = f"the call of {cut(function)} does not give it; {suggest(argument, known)}"
        return Find(self._mark(call), argument, None, reason=reason)

    def _keywords(self, call: ast.Call, around: Names) -> dict[str | None, ast.AST]:
        """Return the keyword arguments; under None a `**` whose entries are not known."""
        given: dict[str | None, ast.AST] = {}
        for keyword in call.keywords:
            if keyword.arg is not None:
                given[keyword.arg] = keyword.value
                continue
            path = dotted(keyword.value)
            inside = {p[-1]: v[-1] for p, v in self._known.items() if path and p[:-1] == path}
            if inside:
                given.update(inside)
            else:
                given[None] = keyword.value
        return given

    def defaults(self, name: Names, parameter: str) -> list[Find]:
        functions = [(each, each.node) for each in self._nodes if isinstance(each.node, _Function)]
        matching = [(each, f) for each, f in functions if each.named((f.name,), name)]
        if not matching:
            known = list(dict.fromkeys(function.name for _, function in functions))
            raise NotFound(f"no function {show('.'.join(name))}; {suggest(name[-1], known)}")
        return [self._default(each.around, f, parameter) for each, f in matching]

    def _default(self, around: Names, function: _Function, parameter: str) -> Find:
        plain = [*function.args.posonlyargs, *function.args.args]
        defaults: dict[str, ast.expr | None] = {each.arg: None for each in plain}
        last = len(plain) - len(function.args.defaults)
        defaults |= {
            each.arg: value
            for each, value in zip(plain[last:], function.args.defaults, strict=True)
        }
        keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        defaults |= {each.arg: value for each, value in keywords}
        value = defaults.get(parameter)
        if value is not None:
            return self._find(parameter, value, around)
        reason = f"the parameters of {cut(function.name)} have none with a default of that name"
        if parameter in defaults:
            reason = f"the parameter of {cut(function.name)} has no default"
        elif close := closest(parameter, list(defaults)):
            reason += f'; did you mean "{cut(close)}"?'
        return Find(self._mark(function), parameter, None, reason=reason)

    def _find(self, name: str, node: ast.AST, around: Names) -> Find:
        text = one_text(ast.get_source_segment(self._text, node) or "")
        classes = tuple(word for word in around if not word.endswith(_CALLED))
        try:
            value = evaluate(node, self._known, classes, self._shadowing(around))
        except NotReadable as error:
            return Find(self._mark(node), name, text, reason=str(error))
        return Find(self._mark(node), name, text, value)

    def _shadowing(self, around: Names) -> set[str]:
        """Return the names that functions around have for themselves."""
        functions = {_function(around[:n]) for n in range(1, len(around) + 1)} - {()}
        return {name for function in functions for name in self._locals.get(function, ())}

    def _mark(self, node: ast.AST) -> Mark:
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        before = self._lines[line - 1].encode()[:offset] if line <= len(self._lines) else b""
        return Mark(self._source, line, len(before.decode(errors="replace")) + 1)


def _walk(tree: ast.Module) -> Iterator[_Node]:
    """Yield all nodes in the order of the source, each with the names around it."""
    stack = [_Node(tree, ())]  # no recursion: generated source can be very deep
    while stack:
        each = stack.pop()
        yield each
        names = _names(each.node)
        below = [_Node(child, each.around + names) for child in ast.iter_child_nodes(each.node)]
        if isinstance(each.node, ast.Dict):
            below = [
                _Node(value, each.around + _key(key))
                for key, value in zip(each.node.keys, each.node.values, strict=True)
            ]
        stack += reversed(below)


def _names(node: ast.AST) -> Names:
    """Return what a node adds to the names around what is inside it."""
    if isinstance(node, ast.ClassDef):
        return (node.name,)
    if isinstance(node, _Function):
        return (node.name + _CALLED,)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return (_targets(node) or [()])[0][-1:]
    if isinstance(node, ast.keyword) and node.arg is not None:
        return (node.arg,)
    return ()


def _bound(node: ast.AST) -> str | None:
    """Return the name that a node binds: a parameter, or what is assigned to."""
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None


def _function(around: Names) -> Names:
    """Return the names around up to the innermost function, none outside of any."""
    while around and not around[-1].endswith(_CALLED):
        around = around[:-1]
    return around


def _key(key: ast.expr | None) -> Names:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return (key.value,)
    return ()


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[Names]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [path for target in targets if (path := dotted(target))]


def _assigned(each: _Node) -> Iterator[tuple[Names, ast.AST]]:
    """Yield the constants that a statement assigns: of the module, and attributes of classes."""
    node = each.node
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
        return
    # What is changed later, as by +=, is no constant; the statement itself cannot be evaluated.
    value = node if isinstance(node, ast.AugAssign) else node.value
    is_local = any(name.endswith(_CALLED) for name in each.around)
    for target in _targets(node):
        if target[0] in ("self", "cls") and len(target) > 1:
            classes = tuple(name for name in each.around if not name.endswith(_CALLED))
            yield from _entries((*classes, *target[1:]), value)
        elif not is_local:
            yield from _entries((*each.around, *target), value)


def _entries(path: Names, value: ast.AST) -> Iterator[tuple[Names, ast.AST]]:
    """Yield a constant and, of a dict that is written out, its entries."""
    yield path, value
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values, strict=True):
            if name := _key(key):
                yield from _entries(path + name, inner)
