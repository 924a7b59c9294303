"""The reconnect storm: who is connected after the restart, against the arithmetic of its README."""

import math
import re
from statistics import NormalDist
from typing import Any

import pytest
from conftest import ROOT

import cascadesim
from cascadesim.engine import watch
from cascadesim.records import Snapshot
from cascadesim.scenario.compile import compile_plan

FOLDER = ROOT / "scenarios/reconnect-storm"
SCENARIO = cascadesim.load(FOLDER)
WHERE = "workload.connections"
TIMEOUT, CAP = 5.0, 30.0  # seconds
WORK = 0.050 * math.exp((math.log(200 / 50) / NormalDist().inv_cdf(0.99)) ** 2 / 2)  # in the mean

# A quarter of the clients, of the logins at once and of the queue: no time in it changes.
CLIENTS, BURST = 500, 1 + 10
RATE = 1 / WORK  # handshakes per second
QUARTER = {f"{WHERE}.clients": CLIENTS, "login.concurrency": 1, "horizon": "5min", "drain": "0s"}
BOUNDED = {"login.queue_limit": 10}


def connected(variant: str, seed: int = 1, **settings: Any) -> dict[int, int]:
    """Return how many clients are connected, by the second, at every tenth."""
    scenario = SCENARIO.at(variant).override(settings)
    found: dict[int, int] = {}

    def show(now: Snapshot) -> None:
        found[round(now.at)] = now.levels["connections.connected"]

    watch(compile_plan(scenario.model), seed, show, 10.0)
    return found


def quarter(variant: str, seed: int = 1, **settings: Any) -> dict[int, int]:
    bounded = {} if "unbounded" in variant else BOUNDED
    return connected(variant, seed, **QUARTER | bounded | settings)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_jitter_few_come_back_and_with_it_all(seed: int) -> None:
    without, full = quarter("no-jitter", seed), quarter("full", seed)
    assert without[110] == full[110] == CLIENTS
    assert without[130] == full[130] == 0
    # Bursts after backoffs of 1, 2, 4, 8, 16 and then 30 s; the first three find it restarting.
    bursts = [135, 151, 181, 211, 241, 271]
    for at in (140, 160, 190, 220, 250, 280):
        assert without[at] == BURST * sum(burst < at for burst in bursts)
    assert without[300] < 0.15 * CLIENTS
    assert full[190] == CLIENTS


def test_any_kind_of_jitter_ends_it() -> None:
    for variant in ("equal", "decorrelated"):
        assert quarter(variant)[190] >= 0.99 * CLIENTS


def test_more_logins_at_once_let_as_many_more_in_with_each_burst() -> None:
    more = quarter("more-logins", **{"login.concurrency": 4})
    assert more[300] == 6 * (4 + 10)


# Of clients that a timeout and a backoff leave waiting, so many begin a handshake each second.
MEAN_WAIT = {"unbounded": CAP, "unbounded-equal": 0.75 * CAP, "unbounded-full": 0.5 * CAP}


@pytest.mark.parametrize("variant", MEAN_WAIT)
def test_where_all_may_queue_it_ends_if_they_offer_less_than_the_server_can_do(
    variant: str,
) -> None:
    found = quarter(variant, horizon="6min")
    left = CLIENTS - found[160]  # those in by then were the first of the queue
    assert RATE * TIMEOUT * 0.8 < found[160] < RATE * TIMEOUT * 1.5
    if left / (TIMEOUT + MEAN_WAIT[variant]) < RATE:
        assert found[350] > 0.9 * CLIENTS
    else:
        assert variant == "unbounded-full"
        assert found[350] == found[160]


@pytest.mark.slow
def test_where_all_may_queue_twice_the_clients_stay_out_in_lockstep_too() -> None:
    few, many = (
        quarter("unbounded", **{f"{WHERE}.clients": clients, "horizon": "10min"})
        for clients in (CLIENTS, 2 * CLIENTS)
    )
    assert CLIENTS < RATE * (2 * TIMEOUT + CAP) < 2 * CLIENTS
    assert few[590] == CLIENTS
    assert many[590] == many[160] < 0.15 * 2 * CLIENTS


TABLE = re.findall(
    r"^\| `([a-z-]+)` \| +(\d+) \| +(\d+) \| +(\d+) \|",
    (FOLDER / "README.md").read_text("utf-8"),
    re.M,
)


def test_the_table_of_the_readme_has_every_variant() -> None:
    assert [name for name, *_ in TABLE] == list(SCENARIO.variants)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "one", "two", "three"), TABLE)
def test_the_table_of_the_readme(variant: str, one: str, two: str, three: str) -> None:
    found = connected(variant, horizon="5min 1s", drain="0s")
    assert [found[180], found[240], found[300]] == [int(one), int(two), int(three)]
