"""Clients that lose their connection: their messages stay requests, and their work goes on."""

from collections.abc import Callable
from heapq import heapreplace

import numpy as np
import pytest
from conftest import ROOT, Cli

from cascadesim.engine import simulate, trace
from cascadesim.records import Records
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario
from cascadesim.studies.compare import compare
from cascadesim.values.outcome import Outcome


def by_outcome(records: Records) -> dict[str, int]:
    codes, counts = np.unique(records.outcome, return_counts=True)
    return {Outcome(code).word: int(n) for code, n in zip(codes, counts, strict=True)}


def test_clients_that_gave_up(field: Callable[..., Scenario]) -> None:
    records = simulate(compile_plan(field("clients-that-gave-up").model), 1)
    # One message every 10 s in 10 minutes; the client is gone at 116 s, after 11 of them.
    np.testing.assert_allclose(records.arrival, 10 * np.arange(1, 60))
    assert by_outcome(records) == {"ok": 11, "disconnected": 48}
    assert set(records.latency[11:]) == {0}
    assert records.connections is not None
    assert records.connections.gave_up == 1


def test_clients_that_gave_up_variants(field: Callable[..., Scenario]) -> None:
    comparison = compare(field("clients-that-gave-up-variants"))
    runs = {name: result.records for name, result in comparison.results.items()}
    first = runs["five"]
    for records in runs.values():
        assert records.number.tolist() == first.number.tolist()
        assert records.arrival.tolist() == first.arrival.tolist()
    wrong = {name: int((records.outcome != Outcome.OK).sum()) for name, records in runs.items()}
    assert wrong["never-give-up"] == 0
    assert wrong["one"] > wrong["never-give-up"]
    assert min(wrong, key=lambda name: wrong[name]) in ("never-give-up", "ten")


def test_work_after_a_cut(field: Callable[..., Scenario]) -> None:
    run = trace(compile_plan(field("work-after-a-cut").model), 1)
    # Work of 12 s from 10 s on, cut at 21 s; as the one of a real server it goes on to its end at
    # 22 s, and the next begins then, though its client is cut at 21.5 s.
    assert by_outcome(run.records) == {"disconnected": 2}
    assert run.levels["handler.concurrency.busy"].at.tolist() == pytest.approx([0, 10, 34])
    assert run.levels["handler.concurrency.waiting"].at.tolist() == pytest.approx([0, 10.5, 22])


def test_work_after_a_cut_pool(field: Callable[..., Scenario]) -> None:
    scenario = field("work-after-a-cut-pool")
    runs = [
        simulate(compile_plan(scenario.at(variant).model), 1)
        for variant in ("cut-by-nginx", "same-by-reply-timeout")
    ]
    # Whoever gives a message up, proxy or client: its job holds one of 15 connections for 90 s, and
    # one that is made new for 20 ms more. A job comes every 5 s.
    free, timed_out = [0.0] * 15, []
    for i in range(260):
        begin = max(5.0 * i, free[0])
        if begin - 5 * i > 30:
            timed_out.append(i)
        else:
            heapreplace(free, begin + 90.02)
    assert len([i for i in timed_out if i < 200]) == 28  # a real server: 20 of 200
    for records in runs:
        by = [records.ends[i] for i in records.ended_by]
        assert [i for i, end in enumerate(by) if end == "session.pool.timeout"] == timed_out


def test_tables_say_how_many_clients_gave_up(cli: Cli) -> None:
    _, out, _ = cli("run", ROOT / "tests" / "field" / "clients-that-gave-up.yaml")
    assert ["gave", "up", "1"] in [line.split() for line in out.splitlines()]
