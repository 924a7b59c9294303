import ast
import operator
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascadesim.lint.finds import NotFound, NotReadable, Symbol
from cascadesim.lint.python import find_python

SOURCE = """\
from datetime import timedelta
from elsewhere import FAR, NullPool
import os

MINUTE = 60
RECOVERY: float = 5 * MINUTE
AGENT = CircuitBreakerConfig(recovery_timeout_seconds=10, threshold=-3)
OTHER = breakers.CircuitBreakerConfig(recovery_timeout_seconds=RECOVERY)
POOL = {"size": 5, "options": {"timeout": timedelta(seconds=30) * 2}}
HOSTS = ["é", wait("é", 7)]
FROM_ENVIRONMENT = float(os.environ.get("TIMEOUT", "2.5"))


class Settings:
    recovery = MINUTE // 7
    half = field(default=recovery / 2)
    pool = NullPool

    def __init__(self, limit=MINUTE):
        self.life = timedelta(minutes=5).total_seconds()
        self.limit = limit
        recovery = 3

    @breaker(recovery_timeout=9)
    async def run(self, /, work, timeout=30, *, grace=1.5):
        await asyncio.wait_for(work, 15)
        engine = create_engine(url, **POOL)
        return wait_for(work, timeout=self.life)


def engine(**options):
    return create_engine(url, **options)
"""


def found(pattern: str, source: str = SOURCE) -> list[tuple[int | None, object]]:
    finds = find_python("app.py", source, pattern)
    assert not [find.reason for find in finds if find.reason]
    return [(find.mark.line, find.value) for find in finds]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("MINUTE", [(5, 60)]),
        ("RECOVERY", [(6, 300)]),
        ("CircuitBreakerConfig(recovery_timeout_seconds)", [(7, 10), (8, 300)]),
        ("AGENT.CircuitBreakerConfig(recovery_timeout_seconds)", [(7, 10)]),
        ("breakers.CircuitBreakerConfig(recovery_timeout_seconds)", [(8, 300)]),
        ("CircuitBreakerConfig(threshold)", None),  # the second call does not give it
        ("AGENT.CircuitBreakerConfig(threshold)", [(7, -3)]),
        ("POOL.size", [(9, 5)]),
        ("POOL.options.timeout", [(9, timedelta(seconds=60))]),
        ("HOSTS.wait(1)", [(10, 7)]),
        ("FROM_ENVIRONMENT", [(11, 2.5)]),
        ("Settings.recovery", [(15, 8)]),
        ("Settings.half", [(16, 4.0)]),
        ("Settings.pool", [(17, Symbol("NullPool"))]),
        ("Settings.life", [(20, 300.0)]),
        ("def Settings.__init__(limit)", [(19, 60)]),
        ("def run(timeout)", [(25, 30)]),
        ("def run(grace)", [(25, 1.5)]),
        ("run.breaker(recovery_timeout)", [(24, 9)]),
        ("asyncio.wait_for(1)", [(26, 15)]),
        ("Settings.run.create_engine(size)", [(9, 5)]),
        ("wait_for(timeout)", None),  # one of the calls does not give it by that name
        ("Settings.limit", None),  # another value at each call
    ],
)
def test_a_pattern_finds_line_and_value(
    pattern: str, expected: list[tuple[int, object]] | None
) -> None:
    if expected is None:
        assert any(find.reason for find in find_python("app.py", SOURCE, pattern))
    else:
        assert found(pattern) == expected


def test_columns_count_characters() -> None:
    (find,) = find_python("app.py", SOURCE, "HOSTS.wait(1)")
    assert SOURCE.splitlines()[9][(find.mark.column or 0) - 1] == "7"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("RECOVRY", 'no constant "RECOVRY"; did you mean "RECOVERY"?'),
        ("Settings.RECOVER", "no constant"),
        ("recovery", "no constant"),  # that of the class, and a local, have other names
        (
            "CircuitBreaker(size)",
            'no call of "CircuitBreaker"; did you mean "CircuitBreakerConfig"',
        ),
        ("Settings.CircuitBreakerConfig(threshold)", "no call of"),
        ("def runs(timeout)", 'no function "runs"; did you mean "run"?'),
        ("def run", "expected a pattern such as"),
        ("f(a, b)", "expected a pattern such as"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(pattern: str, problem: str) -> None:
    with pytest.raises(NotFound) as error:
        find_python("app.py", SOURCE, pattern)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("source", "pattern", "reason"),
    [
        ("A = far()", "A", "is not a constant that is written out"),
        ("from far import B\nA = B * 2", "A", 'takes "B" from elsewhere'),
        ("A = B\nB = A", "A", "B stands for itself"),
        ("A = 1 / 0", "A", "division by zero"),
        ("A = 1\nA = 2\nB = A", "B", "A, which is assigned more than once"),
        ("T = 1\ndef f(T):\n    g(t=T)", "g(t)", "takes T from the function around it"),
        ("T = 1\ndef f():\n    T = 5\n    g(t=T)", "g(t)", "takes T from the function around it"),
        ("g(tim=1)", "g(time)", 'the call of g does not give it; did you mean "tim"?'),
        ("g(**far)", "g(time)", "may be given by **"),
        ("def f(time): ...", "def f(time)", "has no default"),
        ("def f(tim=1): ...", "def f(time)", 'did you mean "tim"?'),
        ("A = 'x' * 10 ** 9", "A", "is arithmetic with"),
    ],
)
def test_a_value_that_is_not_written_out_says_why(source: str, pattern: str, reason: str) -> None:
    assert reason in find_python("app.py", source, pattern)[-1].reason


def test_a_constant_that_is_changed_is_no_constant() -> None:
    first, second = find_python("app.py", "A = 1\nA += 1", "A")
    assert (first.reason, second.reason) == ("", "is changed after it was assigned")


def test_each_assignment_is_found() -> None:
    source = "if DEBUG:\n    A = 1\nelse:\n    A = 2"
    assert found("A", source) == [(2, 1), (4, 2)]


@pytest.mark.parametrize(
    ("source", "line"), [("a = (\n", 1), ("a = 1\nb = = 2", 2), ("a = '\0'", None)]
)
def test_what_is_no_python_says_where(source: str, line: int | None) -> None:
    with pytest.raises(NotReadable) as error:
        find_python("app.py", source, "a")
    assert error.value.line == line


def test_nothing_of_the_source_is_run() -> None:
    source = "import nowhere\nraise SystemExit\nA = 5\n" + "x = " + "-" * 5 + "1\n"
    assert found("A", source) == [(3, 5)]


def test_very_deep_source_is_no_crash() -> None:
    """Python itself refuses some of it, by its version."""
    for depth in (100, 1000, 10_000):
        with suppress(NotReadable):
            (find,) = find_python("app.py", "A = " + "+".join(["1"] * depth), "A")
            assert find.value == depth or find.reason == "is nested too deeply"
    (find,) = find_python("app.py", "A = " + "+".join(["1"] * 100), "A")
    assert find.value == 100


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
def test_arithmetic_is_pythons(expression: tuple[str, float]) -> None:
    source, value = expression
    assert found("A", f"A = {source}") == [(1, value)]


@given(st.from_type(int | float | str | bool | None).filter(lambda value: value == value))  # noqa: PLR0124 - NaN
def test_literals_are_what_ast_takes_them_for(value: object) -> None:
    if isinstance(value, float) and abs(value) == float("inf"):
        return
    assert found("A", f"A = {value!r}") == [(1, ast.literal_eval(repr(value)))]
