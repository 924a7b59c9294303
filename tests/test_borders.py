"""The borders between rooms of the package: what may import what, and what needs which library."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cascadesim

PACKAGE = Path(cascadesim.__file__).parent
ROOT = PACKAGE.parent
MAP = PACKAGE / "README.md"
MOST_FILES = 4  # outside of its own room and the engines, that may name one policy


def _module(path: Path) -> str:
    """Return the dotted name of a file; that of a package for its `__init__.py`."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _imports(node: ast.AST) -> set[str]:
    """Return the dotted names that a node imports, in functions too, but not for type checkers."""
    names: set[str] = set()
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Import):
        names.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the whole path of a module"
        names.update(
            whole if (whole := f"{node.module}.{alias.name}") in FILES else str(node.module)
            for alias in node.names
        )
    return names.union(*map(_imports, children))


IMPORTS = {name: _imports(ast.parse(path.read_text("utf-8"))) for name, path in FILES.items()}


def _reached(start: str) -> set[str]:
    """Return the modules of the package that a module imports, and those that these import."""
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        new = {name for name in IMPORTS[ahead.pop()] if name in FILES} - reached
        reached |= new
        ahead += new
    return reached


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Lazy imports count: they hide a circle, and do not mend it."""
    reached = {name: _reached(name) for name in FILES}
    circles = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in FILES
        if name in reached[name]
    }
    assert not circles, "\n".join(" <-> ".join(sorted(circle)) for circle in circles)


# The rooms, lowest first; those of one row stand side by side and know each other.
ROWS = (
    ("cascadesim", "randomness"),
    ("values",),
    ("files", "outputs", "records"),
    ("policies", "faults", "resources"),
    ("plan",),
    ("scenario", "engine"),
    ("analysis",),
    ("studies",),
    ("lint", "export", "plots"),
    ("views",),
    ("report",),
    ("pytest_plugin", "cli"),
    ("__main__",),
)
HEIGHTS = {room: height for height, row in enumerate(ROWS) for room in row}


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_rooms_import_only_what_stands_below_them() -> None:
    upwards = [
        f"{name} imports {other}"
        for name, imported in IMPORTS.items()
        for other in imported & FILES.keys()
        if HEIGHTS[_room(name)] < HEIGHTS[_room(other)]
    ]
    assert not upwards, "\n".join(upwards)
    assert {_room(name) for name in FILES} == HEIGHTS.keys(), "every room has its height"


def test_scenario_and_engine_do_not_know_each_other() -> None:
    for name, imported in IMPORTS.items():
        others = {"scenario": "engine", "engine": "scenario"}
        unwanted = others.get(_room(name))
        assert unwanted not in map(_room, imported & FILES.keys()), name


def _loaded(code: str, libraries: tuple[str, ...]) -> list[str]:
    """Return which of the libraries a fresh Python has loaded after the code."""
    code = f"import sys\n{code}\nprint([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = ast.literal_eval(done.stdout.splitlines()[-1])
    assert isinstance(loaded, list)
    return loaded


def _import_all(*rooms: str) -> str:
    return "\n".join(f"import {name}" for name in FILES if _room(name) in rooms)


LOAD = """
from cascadesim import loads
from cascadesim.scenario.compile import compile_plan
text = "{name: a, horizon: 1min, workload: {arrivals: {poisson: {rate: 1/s}}}, "
scenario = loads(text + "stages: {a: {work: {constant: 1s}}}}")
plan = compile_plan(scenario.model)
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(LOAD, id="load and compile"),
        pytest.param("import cascadesim.studies.check", id="check"),
        pytest.param("import cascadesim.analysis.bounds", id="bounds"),
        pytest.param("import cascadesim.records, cascadesim.engine", id="read records"),
        pytest.param(_import_all("policies", "faults", "resources", "plan"), id="plans"),
    ],
)
def test_only_who_simulates_needs_simpy(code: str) -> None:
    assert _loaded(code, ("simpy", "cascadesim.engine.simpy")) == []


RUN = """
import cascadesim.engine, cascadesim.engine.simpy.run
from cascadesim.plan.arrivals import Gaps
from cascadesim.plan.plan import Plan
from cascadesim.plan.stage import StagePlan
from cascadesim.randomness import Distribution
second = Distribution("constant", (1.0,))
plan = Plan(60.0, 0.0, Gaps(second), (StagePlan("a", work=second, concurrency=1),))
assert len(cascadesim.engine.simulate(plan, seed=1).arrival) > 50
"""


def test_the_engine_needs_numbers_and_its_event_loop_alone() -> None:
    unwanted = ("pydantic", "ruamel.yaml", "pandas", "typer", "rich", "cascadesim.scenario")
    assert _loaded(RUN, ("simpy", *unwanted)) == ["simpy"]


def test_only_commands_need_typer_and_only_commands_and_views_need_rich() -> None:
    importers = {
        library: {
            _room(name)
            for name, imported in IMPORTS.items()
            if any(other.partition(".")[0] == library for other in imported)
        }
        for library in ("typer", "rich", "simpy")
    }
    assert importers == {"typer": {"cli"}, "rich": {"cli", "views"}, "simpy": {"engine"}}
    told_by_views = {"report", "pytest_plugin"}  # which load rich through them
    others = sorted({_room(name) for name in FILES} - {"cli", "views", "__main__"} - told_by_views)
    assert _loaded(_import_all(*others), ("typer", "rich")) == []


POLICIES = sorted(
    node.name
    for name, path in FILES.items()
    if _room(name) == "policies"
    for node in ast.parse(path.read_text("utf-8")).body
    if isinstance(node, ast.ClassDef) and any("Policy" in ast.unparse(base) for base in node.bases)
)


def test_a_policy_is_named_in_few_files_outside_of_its_own() -> None:
    """Others ask a policy for what they want to know, and not for its class."""
    assert {"Breaker", "BreakerPlan", "RetryPlan"} <= set(POLICIES)
    texts = {
        name: path.read_text("utf-8")
        for name, path in FILES.items()
        if _room(name) not in ("policies", "engine")
    }
    for policy in POLICIES:
        named = [name for name, text in texts.items() if re.search(rf"\b{policy}\b", text)]
        assert len(named) <= MOST_FILES, f"{policy} is named in {named}"
        asked = [name for name in named if f"isinstance(policy, {policy})" in texts[name]]
        assert not asked, f"{asked} ask whether a policy is a {policy}"


def test_every_path_in_the_map_exists() -> None:
    paths = set(
        re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml))`", MAP.read_text("utf-8"))
    )
    assert len(paths) > 30
    missing = [
        path
        for path in paths
        if "NAME" not in path and not any((top / path).exists() for top in (PACKAGE, ROOT))
    ]
    assert not missing, f"named in {MAP.name} and not there: {sorted(missing)}"


def test_the_map_names_every_room() -> None:
    text = MAP.read_text("utf-8")
    rooms = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}/`" not in text] == []
