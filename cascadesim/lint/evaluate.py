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
    from collections.abc import Callable, Sequence

Names = tuple[str, ...]
CALLED = "()"  # ends the name of a function among the names around a node

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_CONVERSIONS: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "str": str}
_NOT_WRITTEN = (
    "is not a constant that is written out; map the place where its value stands, or say beside "
    "this one, in values, what it stands for"
)
_CHANGED = "is changed after it was assigned"


def entry_key(key: ast.AST | None) -> Names:
    """Return the name in a pattern of a key or index that is written out, else none."""
    match key:
        case ast.Constant(value=int() | str() as value):
            return (str(value),)
    return ()


def dotted(node: ast.AST, *, after_call: bool = False) -> Names:
    """Return the names of `a.b.c`, `a["b"].c` or `a[0].c`, and none of anything else.

    With `after_call`, return also the names after another expression: `b.c` of `a().b.c`.
    """
    names: Names = ()
    while True:
        match node:
            case ast.Name(id=name):
                return (name, *names)
            case ast.Attribute(value=node, attr=name):
                names = (name, *names)
            case ast.Subscript(value=value, slice=index) if key := entry_key(index):
                node, names = value, key + names
            case _:
                return names if after_call else ()


def function_of(scope: Names) -> Names:
    """Return the names of a scope up to its innermost function, none outside of any."""
    while scope and not scope[-1].endswith(CALLED):
        scope = scope[:-1]
    return scope


def classes_of(scope: Names) -> Names:
    """Return the names of the classes in a scope."""
    return tuple(name for name in scope if not name.endswith(CALLED))


class Assigned(NamedTuple):
    """The expression that a constant is assigned, and the classes and functions around it."""

    node: ast.AST
    scope: Names


@dataclass(frozen=True)
class Constants:
    """The constants of a file by name, and the local names of each function."""

    assigned: dict[Names, list[Assigned]] = field(default_factory=dict)
    local: dict[Names, set[str]] = field(default_factory=dict)

    def is_local(self, name: str, scope: Names) -> bool:
        """Return whether a name is local to one of the functions of a scope."""
        functions = {function_of(scope[:n]) for n in range(1, len(scope) + 1)} - {()}
        return any(name in self.local.get(function, ()) for function in functions)


def evaluate(value: Assigned, constants: Constants) -> Any:
    """Return the value of an expression.

    A name that is not assigned in the file becomes a Symbol. Raises NotReadable for an expression
    that is not written out, or whose value depends on the call of a function.
    """
    try:
        return _Evaluation(constants, value.scope).value(value.node)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotReadable(f"cannot be computed: {error}") from None
    except RecursionError:
        raise NotReadable("is nested too deeply") from None


class _NotSet(NotReadable):
    """An environment variable without a default."""

    def __init__(self, variable: Names) -> None:
        file = ".env:" + (cut(variable[0]) if variable else "TIMEOUT")
        super().__init__(
            "is an environment variable without a default here; map the file that sets it, "
            f"as in {file}"
        )


class _Evaluation:
    def __init__(self, constants: Constants, scope: Names) -> None:
        self._constants = constants
        self._scope = scope
        self._values: dict[int, Any] = {}  # by assignment, each of which is evaluated once
        self._under_way: set[int] = set()  # assignments, so that none stands for itself

    def value(self, node: ast.AST) -> Any:
        if path := dotted(node):
            return self._named(path)
        match node:
            case ast.Constant(value=int() | float() | str() | None as value):
                return value
            case ast.Call(func=function):
                return self._call(dotted(function, after_call=True), node)
            case ast.Dict() | ast.List() | ast.Tuple():
                raise NotReadable("is a group of values; name one inside")
            case ast.AugAssign():
                raise NotReadable(_CHANGED)
        return self._operation(node)

    def _operation(self, node: ast.AST) -> Any:
        match node:
            case ast.NamedExpr(value=value):
                return self.value(value)
            case ast.BoolOp(op=ast.Or(), values=values):
                return self._either(values)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._number(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self._number(left), self._number(right))
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
        for node in values[:-1]:
            with suppress(_NotSet):
                if value := self.value(node):
                    return value
        return self.value(values[-1])

    def _named(self, path: Names) -> Any:
        """Return the value of a name, looked up where Python would."""
        if path[-2:-1] == ("environ",):
            raise _NotSet(path[-1:])
        classes = classes_of(self._scope)
        if path[0] in ("self", "cls"):
            path, around = path[1:], [classes[:n] for n in range(len(classes), 0, -1)]
        elif self._constants.is_local(path[0], self._scope):
            raise NotReadable(f"takes {cut(path[0])} from the function around it")
        else:  # a function does not see the names of its class
            around = [()] if function_of(self._scope) else [classes, ()]
        name = ".".join(path)
        for names in around:
            if assigned := self._constants.assigned.get(names + path):
                first, *others = (self._assigned(name, value) for value in assigned)
                if any(other != first for other in others):
                    raise NotReadable(f"takes {cut(name)}, which is assigned more than once")
                return first
        return Symbol(name)

    def _assigned(self, name: str, assigned: Assigned) -> Any:
        key = id(assigned.node)
        if key not in self._values:
            if key in self._under_way:
                raise NotReadable(f"cannot be computed: {cut(name)} stands for itself")
            self._under_way.add(key)
            outer, self._scope = self._scope, assigned.scope
            try:
                self._values[key] = self.value(assigned.node)
            finally:
                self._scope = outer
                self._under_way.discard(key)
        return self._values[key]

    def _call(self, path: Names, call: ast.Call) -> Any:
        """Return the value of a call that makes a timedelta, converts, or has a default."""
        named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        if path[-1:] == ("update",):
            raise NotReadable(_CHANGED)
        if len(named) < len(call.keywords):  # by **
            raise NotReadable(_NOT_WRITTEN)
        match path:
            case (*_, "timedelta"):
                amounts = {name: self._number(value) for name, value in named.items()}
                return timedelta(*map(self._number, call.args), **amounts)
            case (*_, "total_seconds") if isinstance(call.func, ast.Attribute):
                if isinstance(span := self.value(call.func.value), timedelta):
                    return span.total_seconds()
            case (("int" | "float" | "str") as kind,) if len(call.args) == 1:
                if isinstance(value := self.value(call.args[0]), int | float | str):
                    return _CONVERSIONS[kind](value)
        if default := _default(path, call.args, named.get("default")):
            return self.value(default)
        raise NotReadable(_NOT_WRITTEN)


def _default(path: Names, given: Sequence[ast.expr], default: ast.expr | None) -> ast.expr | None:
    """Return the default in a call: that of an environment variable or of a class's field."""
    match path:
        case (*_, "getenv") | (*_, "environ", "get"):
            default = given[1] if len(given) > 1 else default
            if default is None:
                raise _NotSet(entry_key(given[0] if given else None))
            return default
        case (*_, "field" | "Field"):  # of dataclasses, attrs and pydantic
            return given[0] if given else default
    return None
