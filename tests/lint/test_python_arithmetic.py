"""Expressions of Python are computed as Python computes them, drawn at random."""

import ast
import math
import operator

from hypothesis import example, given
from hypothesis import strategies as st

from cascadesim.lint.python import find_python


def value_of(name: str, source: str) -> object:
    (find,) = find_python("app.py", source, name)
    assert (find.mark.line, find.reason) == (1, "")
    return find.value


SYMBOLS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
NUMBERS = st.integers(0, 10**6) | st.floats(0, 1e6)
EXPRESSIONS = st.recursive(
    NUMBERS.map(lambda number: (repr(number), number)),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner)
        .filter(lambda parts: parts[1] != "/" or parts[2][1] != 0)
        .map(
            lambda parts: (
                f"({parts[0][0]} {parts[1]} {parts[2][0]})",
                SYMBOLS[parts[1]](parts[0][1], parts[2][1]),
            )
        )
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
@example(("(0 * (1 / 2.2e-309))", math.nan))
def test_arithmetic_is_pythons(expression: tuple[str, float]) -> None:
    source, value = expression
    # As texts, in which a NaN is equal to itself and 1 is not 1.0.
    assert repr(value_of("A", f"A = {source}")) == repr(value)


@given(st.from_type(int | float | str | bool | None).filter(lambda value: value == value))  # noqa: PLR0124 - NaN
def test_literals_are_what_ast_takes_them_for(value: object) -> None:
    if isinstance(value, float) and abs(value) == float("inf"):
        return
    assert value_of("A", f"A = {value!r}") == ast.literal_eval(repr(value))
