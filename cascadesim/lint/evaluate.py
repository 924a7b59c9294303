"""Values of Python expressions that are written out: numbers, text, arithmetic, timedelta.

Nothing of the source is run: each kind of node that is understood is computed here.
"""

from __future__ import annotations

import ast
import operator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from cascadesim.lint.finds import NotReadable, Symbol
from cascadesim.values.errors import cut, show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Names = tuple[str, ...]
CALLED = "()"  # ends the name of a function among the names around a node

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_ENVIRONMENT = (("getenv",), ("environ", "get"))
_FIELDS = ("field", "Field")  # of dataclasses, attrs and pydantic
_NOT_WRITTEN = (
    "is not a constant that is written out; map the place where its value stands, or say beside "
    "this one, in values, what it stands for"
)
_CHANGED = "is changed after it was assigned"


def entry_key(key: ast.AST | None) -> Names:
    """Return the name that a key or index which is written out has in a pattern, else none."""
    if isinstance(key, ast.Constant) and isinstance(key.value, int | str):
        return (str(key.value),)
    return ()


def dotted(node: ast.AST, *, behind: bool = False) -> Names:
    """Return the names of `a.b.c`, `a["b"].c` or `a[0].c`, and none of anything else.

    `behind` takes the names behind something else too, such as `b.c` of `a().b.c`.
    """
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        elif isinstance(node, ast.Subscript) and (key := entry_key(node.slice)):
            names += key
        else:
            break
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    elif not behind:
        return ()
    return tuple(reversed(names))


def function_of(around: Names) -> Names:
    """Return the names around up to the innermost function, none outside of any."""
    while around and not around[-1].endswith(CALLED):
        around = around[:-1]
    return around


def classes_of(around: Names) -> Names:
    """Return the names of the classes in a scope."""
    return tuple(word for word in around if not word.endswith(CALLED))


class Assigned(NamedTuple):
    """What a constant is assigned, and the classes and functions that this stands in."""

    node: ast.AST
    scope: Names


@dataclass(frozen=True)
class Constants:
    """The constants of a file by name, and the names that each function has for itself."""

    assigned: dict[Names, list[Assigned]] = field(default_factory=dict)
    own: dict[Names, set[str]] = field(default_factory=dict)

    def is_local(self, name: str, scope: Names) -> bool:
        """Return whether a function of the scope has the name for itself."""
        functions = {function_of(scope[:n]) for n in range(1, len(scope) + 1)} - {()}
        return any(name in self.own.get(function, ()) for function in functions)


def evaluate(value: Assigned, constants: Constants) -> Any:
    """Return the value of an expression.

    A name that is not assigned in the file becomes a Symbol. Raises NotReadable for what is not
    written out, and for what has another value at each call of a function.
    """
    try:
        return _Evaluation(constants, value.scope).value(value.node)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotReadable(f"cannot be computed: {error}") from None
    except RecursionError:
        raise NotReadable("is nested too deeply") from None


class _NotSet(NotReadable):
    """An environment variable without a default."""


class _Evaluation:
    def __init__(self, constants: Constants, scope: Names) -> None:
        self._constants = constants
        self._scope = scope
        self._values: dict[int, Any] = {}  # by assignment, each of which is evaluated once
        self._above: set[int] = set()  # assignments under way, so that none stands for itself

    def value(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | None):
            return node.value
        if path := dotted(node):
            return self._named(path)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.AugAssign):
            raise NotReadable(_CHANGED)
        if isinstance(node, ast.Dict | ast.List | ast.Tuple):
            raise NotReadable("is a group of values; name one inside")
        return self._operation(node)

    def _operation(self, node: ast.AST) -> Any:
        if isinstance(node, ast.NamedExpr):
            return self.value(node.value)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return self._either(node.values)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = self._number(node.left), self._number(node.right)
            return _OPERATORS[type(node.op)](left, right)
        raise NotReadable(_NOT_WRITTEN)

    def _number(self, node: ast.AST) -> Any:
        value = self.value(node)
        if isinstance(value, Symbol):
            raise NotReadable(f"takes {show(value.name)} from elsewhere")
        if isinstance(value, str) or value is None:
            raise NotReadable(f"is arithmetic with {show(value)}")
        return value

    def _either(self, values: Sequence[ast.expr]) -> Any:
        """Return the first value that counts as true, as in `os.getenv("TIMEOUT") or 60`."""
        for value in values[:-1]:
            with suppress(_NotSet):
                if found := self.value(value):
                    return found
        return self.value(values[-1])

    def _named(self, path: Names) -> Any:
        if path[-2:-1] == ("environ",):
            raise _not_set(path[-1:])
        classes = classes_of(self._scope)
        if path[0] in ("self", "cls"):
            path, around = path[1:], [classes[:n] for n in range(len(classes), 0, -1)]
        elif self._constants.is_local(path[0], self._scope):
            raise NotReadable(f"takes {cut(path[0])} from the function around it")
        else:  # a function does not see the names of its class
            around = [()] if function_of(self._scope) else [classes, ()]
        for names in around:
            if assigned := self._constants.assigned.get(names + path):
                return self._agreed(".".join(path), assigned)
        return Symbol(".".join(path))

    def _agreed(self, name: str, assigned: Sequence[Assigned]) -> Any:
        values = [self._assigned(name, each) for each in assigned]
        if any(value != values[0] for value in values):
            raise NotReadable(f"takes {cut(name)}, which is assigned more than once")
        return values[0]

    def _assigned(self, name: str, assigned: Assigned) -> Any:
        key = id(assigned.node)
        if key not in self._values:
            if key in self._above:
                raise NotReadable(f"cannot be computed: {cut(name)} stands for itself")
            self._above.add(key)
            outer, self._scope = self._scope, assigned.scope
            try:
                self._values[key] = self.value(assigned.node)
            finally:
                self._scope = outer
                self._above.discard(key)
        return self._values[key]

    def _call(self, call: ast.Call) -> Any:
        path = dotted(call.func, behind=True)
        if path[-1:] == ("update",):
            raise NotReadable(_CHANGED)
        keywords = {each.arg: each.value for each in call.keywords if each.arg is not None}
        if len(keywords) == len(call.keywords):
            if path[-1:] == ("timedelta",):
                return timedelta(
                    *map(self._number, call.args),
                    **{name: self._number(value) for name, value in keywords.items()},
                )
            if path[-1:] == ("total_seconds",) and isinstance(call.func, ast.Attribute):
                value = self.value(call.func.value)
                if isinstance(value, timedelta):
                    return value.total_seconds()
            if path in (("int",), ("float",), ("str",)) and len(call.args) == 1:
                return self._converted(path[0], call.args[0])
            if (default := _default(path, call.args, keywords)) is not None:
                return self.value(default)
            if _is_environment(path):
                raise _not_set(entry_key(next(iter(call.args), None)))
        raise NotReadable(_NOT_WRITTEN)

    def _converted(self, kind: str, argument: ast.AST) -> Any:
        value = self.value(argument)
        if isinstance(value, int | float | str):
            return {"int": int, "float": float, "str": str}[kind](value)
        raise NotReadable(_NOT_WRITTEN)


def _default(
    path: Names, arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]
) -> ast.expr | None:
    """Return the default that a call stands for: of an environment variable, or of a field."""
    if _is_environment(path):
        return arguments[1] if len(arguments) > 1 else keywords.get("default")
    if path[-1:] and path[-1] in _FIELDS:
        return arguments[0] if arguments else keywords.get("default")
    return None


def _is_environment(path: Names) -> bool:
    return path[-1:] in _ENVIRONMENT or path[-2:] in _ENVIRONMENT


def _not_set(variable: Names) -> _NotSet:
    file = ".env:" + (cut(variable[0]) if variable else "TIMEOUT")
    return _NotSet(
        "is an environment variable without a default here; map the file that sets it, "
        f"as in {file}"
    )
