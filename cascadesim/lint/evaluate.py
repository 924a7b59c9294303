"""Values of Python expressions that are written out: numbers, text, arithmetic, timedelta.

Nothing of the source is run: each kind of node that is understood is computed here.
"""

from __future__ import annotations

import ast
import operator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cascadesim.lint.finds import NotReadable, Symbol
from cascadesim.scenario.errors import cut, show

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

Constants = dict[tuple[str, ...], list[ast.AST]]  # what each constant of a file is assigned

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_ENVIRONMENT = (("getenv",), ("environ", "get"))
_FIELDS = ("field", "Field")  # of dataclasses, attrs and pydantic


def dotted(node: ast.AST, *, behind: bool = False) -> tuple[str, ...]:
    """Return the names of `a.b.c`, and none of anything else.

    `behind` takes the names behind something else too, such as `b.c` of `a().b.c`.
    """
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    elif not behind:
        return ()
    return tuple(reversed(names))


def evaluate(
    node: ast.AST,
    constants: Constants,
    classes: tuple[str, ...] = (),
    shadowing: Collection[str] = (),
) -> Any:
    """Return the value of an expression that stands inside `classes`.

    A name that is not assigned in the file becomes a Symbol; one of `shadowing` has another value
    at each call of a function. Raises NotReadable for what is not written out.
    """
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    if local := names.intersection(shadowing) - {"self", "cls"}:
        raise NotReadable(f"takes {cut(min(local))} from the function around it")
    try:
        return _Evaluation(constants, classes).value(node)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotReadable(f"cannot be computed: {error}") from None
    except RecursionError:
        raise NotReadable("is nested too deeply") from None


class _Evaluation:
    def __init__(self, constants: Constants, classes: tuple[str, ...]) -> None:
        self._constants = constants
        self._classes = classes
        self._values: dict[int, Any] = {}  # by assignment, each of which is evaluated once
        self._above: set[int] = set()  # assignments under way, so that none stands for itself

    def value(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | None):
            return node.value
        if isinstance(node, ast.Name | ast.Attribute) and (path := dotted(node)):
            return self._named(path)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = self._number(node.left), self._number(node.right)
            return _OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.AugAssign):
            raise NotReadable("is changed after it was assigned")
        raise NotReadable("is not a constant that is written out")

    def _number(self, node: ast.AST) -> Any:
        value = self.value(node)
        if isinstance(value, Symbol):
            raise NotReadable(f"takes {show(value.name)} from elsewhere")
        if isinstance(value, str) or value is None:
            raise NotReadable(f"is arithmetic with {show(value)}")
        return value

    def _named(self, path: tuple[str, ...]) -> Any:
        if path[0] in ("self", "cls"):
            path = path[1:]
        for depth in range(len(self._classes), -1, -1):
            classes = self._classes[:depth]
            if assigned := self._constants.get(classes + path):
                return self._agreed(".".join(path), assigned, classes)
        return Symbol(".".join(path))

    def _agreed(self, name: str, assigned: Sequence[ast.AST], classes: tuple[str, ...]) -> Any:
        values = [self._assigned(name, node, classes) for node in assigned]
        if any(value != values[0] for value in values):
            raise NotReadable(f"takes {cut(name)}, which is assigned more than once")
        return values[0]

    def _assigned(self, name: str, node: ast.AST, classes: tuple[str, ...]) -> Any:
        if id(node) not in self._values:
            if id(node) in self._above:
                raise NotReadable(f"cannot be computed: {cut(name)} stands for itself")
            self._above.add(id(node))
            outer, self._classes = self._classes, classes
            self._values[id(node)] = self.value(node)
            self._classes = outer
            self._above.discard(id(node))
        return self._values[id(node)]

    def _call(self, call: ast.Call) -> Any:
        path = dotted(call.func, behind=True)
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
        raise NotReadable("is not a constant that is written out")

    def _converted(self, kind: str, argument: ast.AST) -> Any:
        value = self.value(argument)
        if isinstance(value, int | float | str):
            return {"int": int, "float": float, "str": str}[kind](value)
        raise NotReadable("is not a constant that is written out")


def _default(
    path: tuple[str, ...], arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]
) -> ast.expr | None:
    """Return the default that a call stands for: of an environment variable, or of a field."""
    if path[-1:] in _ENVIRONMENT or path[-2:] in _ENVIRONMENT:
        return arguments[1] if len(arguments) > 1 else keywords.get("default")
    if path[-1:] and path[-1] in _FIELDS:
        return arguments[0] if arguments else keywords.get("default")
    return None
