from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

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
        ("def run(time)", 'no parameter "time" of run; did you mean "timeout"?'),
        ("half", 'no constant "half"; did you mean "Settings.half"?'),
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
        ("g(tim=1)", "g(time)", 'default: it has, or did you mean "tim"?'),
        ("g(1)", "g(5)", "the call of g does not give it; say beside the place what default: it"),
        ("g(1)", "g(5)", "default: it has, or name what it gives: 0"),
        ("g(*far, 15)", "g(1)", "may be given by * or **"),
        ("def f():\n    P = {'t': 1}\n    g(**P)\nP = {'t': 2}", "g(t)", "may be given by"),
        ("if X:\n    P = {'t': 1}\nelse:\n    P = {'t': 2}\ng(**P)", "g(t)", "more than once"),
        ("g(**far)", "g(time)", "may be given by * or **"),
        ("def f(time): ...", "def f(time)", "has no default"),
        ("A = 'x' * 10 ** 9", "A", "is arithmetic with"),
    ],
)
def test_a_value_that_is_not_written_out_says_why(source: str, pattern: str, reason: str) -> None:
    assert reason in find_python("app.py", source, pattern)[-1].reason


ASSIGNMENTS = """\
A, B = 10, 60
(C, [D, E]), F = (1, (2, 3)), 4
PAIR = (5, [6, {"t": 7}])
G, H = PAIR
I = J = K = 8
L: Final[int] = 9
if (M := 11) > N:
    O = (P := 12)
Q = dict(size=13, inner={"t": 14})
R = {"size": 15, 3: 16}
R["limit"] = 17
X = Y = Breaker(recovery=18)
Z, W = Breaker(recovery=19), [Breaker(recovery=20), Breaker(recovery=21)]
first, *rest = 22, 23


class S:
    a, b = 24, 25
    c = d = 26
    e: int = 27
    table = {"t": e}
    if (w := 28):
        pass

    def __init__(self):
        self.f, self.g = 29, 30
        self.options = {"t": 31}
        local = 32
        wait(self.table["t"], PAIR[1][1]["t"])


def change():
    global CHANGED
    CHANGED = 33
"""


@pytest.mark.parametrize("name", [*"ABCDEFGIJKLMOP"])
def test_every_form_of_assignment_binds_as_python_does(name: str) -> None:
    """Python itself runs the statements, but for the annotation's import."""
    known: dict[str, object] = {"Final": list, "N": 0}
    exec("".join(ASSIGNMENTS.splitlines(keepends=True)[:8]), known)
    assert [value for _, value in found(name, ASSIGNMENTS)] == [known[name]]


@pytest.mark.parametrize(
    ("pattern", "line", "value"),
    [
        ("PAIR.0", 3, 5),
        ("PAIR.1.1.t", 3, 7),
        ("Q.size", 9, 13),
        ("Q.inner.t", 9, 14),
        ("R.size", 10, 15),
        ("R.3", 10, 16),
        ("R.limit", 11, 17),
        ("X.Breaker(recovery)", 12, 18),
        ("Y.Breaker(recovery)", 12, 18),
        ("Z.Breaker(recovery)", 13, 19),
        ("W.1.Breaker(recovery)", 13, 21),
        ("S.a", 18, 24),
        ("S.b", 18, 25),
        ("S.c", 19, 26),
        ("S.d", 19, 26),
        ("S.e", 20, 27),
        ("S.table.t", 21, 27),
        ("S.w", 22, 28),
        ("S.f", 26, 29),
        ("S.g", 26, 30),
        ("S.options.t", 27, 31),
        ("S.wait(0)", 29, 27),
        ("S.wait(1)", 29, 7),
        ("CHANGED", 34, 33),
    ],
)
def test_targets_and_entries_are_found_by_name(pattern: str, line: int, value: int) -> None:
    assert found(pattern, ASSIGNMENTS) == [(line, value)]


def test_an_item_of_what_is_imported_is_a_name_of_its_own() -> None:
    assert found("B", "from far import P\nA, B = P") == [(2, Symbol("P.1"))]


SCOPES = """\
size = limit = 60
POOL = {"size": 5, "max": size, "limits": [limit, {"limit": 7, "more": limit}]}


def note(**given):
    noted.update(given)


class Settings:
    limit = 6
    twice = limit * 2
    inner = {"limit": 8, "more": limit}

    def __init__(self, size=limit):
        note(in_method=limit, by_self=self.limit, **POOL)


TWICE = Settings.twice
Settings()
"""


@pytest.mark.parametrize(
    "pattern",
    [
        "POOL.max",
        "POOL.limits.0",
        "POOL.limits.1.more",
        "Settings.twice",
        "Settings.inner.more",
        "TWICE",
        "note(in_method)",
        "note(by_self)",
        "note(max)",
        "def __init__(size)",
    ],
)
def test_a_name_stands_for_what_it_does_in_python(pattern: str) -> None:
    known: dict[str, Any] = {"noted": {}}
    exec(SCOPES, known)
    if pattern.startswith("note"):
        value = known["noted"][pattern[5:-1]]
    elif pattern.startswith("def"):
        (value,) = known["Settings"].__init__.__defaults__
    else:
        first, *rest = pattern.split(".")
        value = known[first]
        for key in rest:
            is_entry = isinstance(value, dict | list)
            value = value[int(key) if key.isdecimal() else key] if is_entry else getattr(value, key)
    assert [each for _, each in found(pattern, SCOPES)] == [value]


def test_a_parameter_is_no_constant() -> None:
    source = "limit = 5\nclass S:\n    def __init__(self, limit):\n        self.limit = limit"
    (find,) = find_python("app.py", source, "S.limit")
    assert find.reason == "takes limit from the function around it"


def test_locals_are_no_constants() -> None:
    with pytest.raises(NotFound):
        find_python("app.py", ASSIGNMENTS, "local")


@pytest.mark.parametrize(
    ("source", "pattern", "reason"),
    [
        ("A, B = far()", "B", "is not a constant that is written out"),
        ("A, *B = P = (1, 2)", "B", "is not a constant"),
        ("A, B = 'ab'", "A", "is not a constant"),
        ("P = {'a': 1}\nP['a'] += 1", "P.a", "is changed after it was assigned"),
        ("P = {'a': 1}\nP |= {'a': 2}", "P.a", "is changed after it was assigned"),
        ("P = {'a': 1}\nP.update(a=2)", "P.a", "is changed after it was assigned"),
        ("P = {'a': 1}\ndef f():\n    P.update(far())", "P.a", "is changed after"),
        ("P = {'a': 1, **far}", "P.a", "is not a constant"),
        ("P = {'a': 1}", "P", "is a group of values; name one inside"),
        ("import os\nA = float(os.environ['T'])", "A", "map the file that sets it, as in .env:T"),
        ("import os\nA = os.getenv('T')", "A", "an environment variable without a default"),
        ("A = f'{60}s'", "A", "is not a constant that is written out; map the place"),
        ("A: int = Field(..., gt=0)", "A", "is not a constant that is written out"),
        ("A = [60][0]", "A", "is not a constant that is written out"),
    ],
)
def test_what_is_assigned_elsewhere_or_changed_says_so(
    source: str, pattern: str, reason: str
) -> None:
    *before, last = find_python("app.py", source, pattern)
    assert reason in last.reason
    assert [find.value for find in before] == [1] * ("changed" in reason)


@pytest.mark.parametrize(
    "options",
    [
        "P = {**far, 'b': 1}",
        "P = {'b': 1, far: 2}",
        "P = dict(far, b=1)",
        "P = {'b': 1}\nP |= far",
        "P = {'b': 1}\nP.update(far())",
        "P = {'b': 1}\nP.update(a=2)",
    ],
)
def test_an_entry_that_may_be_given_elsewhere_is_not_taken_for_left_out(options: str) -> None:
    (find,) = find_python("app.py", f"{options}\ng(**P)", "g(a)")
    assert find.text is not None
    assert find.reason


def test_a_method_called_update_changes_no_attribute() -> None:
    source = (
        "class C:\n    a = 1\n    def f(self):\n        self.update(far)\n        self.update(a=2)"
    )
    assert found("C.a", source) == [(2, 1)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("A = P['a']\nP = {'a': 1, 'b': 2}\nP.update(b=3)", 1),
        ("A = {**far, 'a': 5}['a']\nA = 5", 5),
        ("A = int(os.getenv('T') or 60)", 60),
        ("A = os.environ.get('T', '60')", "60"),
        ("B = os.environ.get('T')\nA = B or C or 61\nC = 0", 61),
        ("A = Field(default=60, gt=0)", 60),
        ("A = field(default=60)", 60),
        ("A = timedelta(seconds=60)", timedelta(seconds=60)),
        ("A = 60 * 1000", 60_000),
    ],
)
def test_usual_ways_to_write_a_setting_are_understood(source: str, value: object) -> None:
    assert value in [find.value for find in find_python("app.py", source, "A")]


def test_other_entries_and_locals_change_nothing() -> None:
    source = "P = {'a': 1, 'b': 2}\nP.update(b=3)\ndef f(P):\n    P['a'] = 2\n    P |= {}"
    assert found("P.a", source) == [(1, 1)]


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
