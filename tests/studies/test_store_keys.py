"""What a replication is kept by."""

import itertools
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import field, fields, is_dataclass, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from kit import plan_of
from stored import SLOWER, VARIANT
from strategies import scenarios

import cascadesim
from cascadesim.scenario.objectives import Objective
from cascadesim.studies import store as module
from cascadesim.studies.replications import Variant
from cascadesim.studies.store import code_version, digest
from cascadesim.values.outcome import Outcome

ROOT = Path(__file__).parents[2]


def changes(value: Any) -> Iterator[Any]:
    """Yield the value with one thing in it changed, for everything there is to change."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for changed in changes(getattr(value, field.name)):
                yield replace(value, **{field.name: changed})
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield value[:i] + value[i + 1 :]
            for changed in changes(each):
                yield (*value[:i], changed, *value[i + 1 :])
    else:
        yield from simple_changes(value)


def simple_changes(value: Any) -> list[Any]:
    if isinstance(value, frozenset):
        return [value ^ {each} for each in Outcome]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [math.nextafter(value, -math.inf), value + 1 if abs(value) < 1e9 else -1.0]
    if isinstance(value, str):
        return [value + "'", value + ",", value + "), ("]
    assert value is None
    return [1.5]


@settings(max_examples=25)
@given(scenarios())
@pytest.mark.slow
def test_plans_that_differ_in_anything_differ(data: dict[str, Any]) -> None:
    variant = Variant(plan_of(data), VARIANT.objectives)
    different = {variant, *changes(variant)}
    assert len(different) > 30
    assert len({digest(each, variant) for each in different}) == len(different)
    assert digest(Variant(plan_of(data), VARIANT.objectives), variant) == digest(variant, variant)


def test_the_first_variant_is_part_of_the_key() -> None:
    pairs = itertools.product([VARIANT, SLOWER], repeat=2)
    assert len({digest(variant, first) for variant, first in pairs}) == 4


def test_texts_do_not_run_into_each_other() -> None:
    texts = [("a,", "b"), ("a", ",b"), ("a,b", ""), ("a','b", ""), ("a", "b"), ("None", "1.0")]
    objectives = [Objective(text, metric, "<", 1.0) for text, metric in texts]
    variants = [Variant(VARIANT.plan, (each,)) for each in objectives]
    assert len({digest(each, VARIANT) for each in variants}) == len(texts)


def test_equal_sets_are_the_same_in_whatever_order_they_were_made() -> None:
    sets = [frozenset(numbers) for numbers in itertools.permutations([0, 8, 16])]  # hashes collide
    assert len({tuple(each) for each in sets}) > 1
    assert len({module._canonical(each) for each in sets}) == 1


def test_a_new_option_with_a_default_changes_no_key_where_it_is_not_used() -> None:
    def policy(*options: Any) -> Any:
        return make_dataclass("Policy", [("timeout", float), ("attempts", int, 3), *options])

    def text(*options: Any, **given: Any) -> str:
        return module._canonical(policy(*options)(**given))

    limit = ("limit", float, field(default=math.inf))
    whom = ("whom", tuple, field(default_factory=lambda: (1, 2)))
    assert text(timeout=1.0) == text(limit, whom, timeout=1.0)
    assert text(timeout=1.0, attempts=4) == text(limit, whom, timeout=1.0, attempts=4)
    used = [{}, {"attempts": 4}, {"limit": 9.0}, {"limit": 4}, {"whom": ()}, {"attempts": True}]
    assert len({text(limit, whom, timeout=1.0, **given) for given in used}) == len(used)
    # What has no default is always said, and a value belongs to its name.
    assert text(timeout=1.0) != text(timeout=2.0)
    other = ("cap", float, field(default=math.inf))
    assert text(limit, timeout=1.0, limit=9.0) != text(other, timeout=1.0, cap=9.0)


PRINT = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests" / "studies")!r})
sys.path.insert(0, {str(ROOT / "tests")!r})
from stored import SLOWER, VARIANT
from cascadesim.studies.store import code_version, digest
print(digest(SLOWER, VARIANT), code_version())
"""


@pytest.mark.slow
def test_other_processes_know_the_same_keys_until_the_sources_change(tmp_path: Path) -> None:
    def copied(package: Path, name: str) -> Path:
        skip = shutil.ignore_patterns("__pycache__")
        return Path(shutil.copytree(package, tmp_path / name / "cascadesim", ignore=skip))

    def printed(package: Path, hash_seed: int) -> tuple[str, str]:
        place = package.parent
        env = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(place)}
        command = [sys.executable, "-c", PRINT]
        plan, version = subprocess.check_output(command, env=env, cwd=place, text=True).split()
        assert version.startswith(f"{cascadesim.__version__}-")
        return plan, version

    first = copied(ROOT / "cascadesim", "first")
    second = copied(first, "second")
    plan, version = printed(first, 1)
    assert plan == digest(SLOWER, VARIANT)
    assert printed(second, 2) == (plan, version)
    with (second / "randomness.py").open("a") as file:
        file.write("# edited\n")
    after, edited = printed(second, 3)
    assert after == plan
    assert edited != version


@pytest.mark.parametrize("package", ["numpy", "scipy", "simpy"])
def test_other_packages_are_another_version(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    before = code_version()
    monkeypatch.setattr(module, "version", lambda name: "99" if name == package else "1")
    other = code_version.__wrapped__()
    monkeypatch.setattr(module, "version", lambda _: "1")
    assert len({before, other, code_version.__wrapped__()}) == 3
