"""Replications to keep in a store, and what a store holds of them."""

import random
from dataclasses import replace
from pathlib import Path

from kit import plan_of

from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.judged import Judgement
from cascadesim.analysis.transient import Transient
from cascadesim.scenario.objectives import parse_objective
from cascadesim.studies.replications import MEASURES, Replication, Variant
from cascadesim.studies.store import Kept, Key, Store

DATA = {
    "name": "two stages",
    "horizon": "20s",
    "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
    "stages": {
        "agent": {
            "work": {"exponential": {"mean": "100ms"}},
            "policies": [
                {"retry": {"attempts": 2, "outcomes": ["failed", "timed_out", "rejected"]}},
                {"breaker": {"failure_threshold": 3, "recovery_timeout": "2s"}},
            ],
        },
        "database": {"work": {"constant": "5ms"}, "pool": {"kind": "null", "connect_time": "9ms"}},
    },
}
VARIANT = Variant(plan_of(DATA), (parse_objective("p99 < 50ms"),))
SLOWER = replace(VARIANT, plan=replace(VARIANT.plan, drain=7.0))


def key(number: int, seed: int = 1) -> Key:
    """Return one of many keys, by which a `made` replication is kept."""
    return Key(f"{number % 7:032x}", seed, number)


def made(number: int) -> Replication:
    """Return a replication of which every part follows from the number."""
    draws = random.Random(number)
    blame = None if number % 3 else Blame(f"agent.{number}", draws.random())
    return Replication(
        number,
        {measure: draws.random() for measure in MEASURES},
        frozenset(draws.sample(MEASURES[:6], number % 6)),
        None if number % 5 else number,
        number,
        tuple(Judgement(draws.random(), float("inf"), True, blame) for _ in range(number % 4)),
        Transient(draws.random(), number % 2 == 0),
        tuple(draws.random() for _ in range(number % 3)),
    )


def keep(folder: Path, numbers: range, seed: int = 1) -> None:
    with Store(folder) as store:
        for number in numbers:
            store.add(key(number, seed), made(number))


def kept(folder: Path, numbers: range, seed: int = 1) -> dict[Key, Replication]:
    with Store(folder) as store:
        return store.find([key(number, seed) for number in numbers])


def described(folder: Path) -> list[Kept]:
    with Store(folder) as store:
        return store.describe()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def all_of(numbers: range, seed: int = 1) -> dict[Key, Replication]:
    return {key(number, seed): made(number) for number in numbers}
