"""Faults on several stages, at random times, on pools and after a start, computed by hand.

Arrivals are constant: one a second at t = 1, 2, 3 …; work is constant.
"""

from typing import Any

import numpy as np
from strategies import Data, plan_of, run

from cascadesim.model.outcome import Outcome
from cascadesim.records import Records

OK, DEGRADED, REJECTED, TIMED_OUT, FAILED, UNFINISHED = (o.word for o in Outcome)
TWO = {"agent": {"work": {"constant": "100ms"}}, "database": {"work": {"constant": "200ms"}}}


def scenario(stages: Data, faults: list[Data], n: int, **rest: Any) -> Data:
    """Return a scenario in which `n` requests arrive, at 1 s, 2 s, …, and all are followed."""
    base = {
        "name": "small",
        "horizon": f"{n}500ms",
        "drain": "100s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": stages,
        "faults": faults,
    }
    return base | rest


def ends(records: Records) -> list[tuple[float, str, str]]:
    """Return latency, outcome and what ended it of every request, rounded to a microsecond."""
    words = [Outcome(code).word for code in records.outcome]
    causes = ["" if i < 0 else records.ends[i] for i in records.ended_by]
    return list(zip(np.round(records.latency, 6).tolist(), words, causes, strict=True))


def test_a_correlated_fault_befalls_each_stage_at_the_same_times() -> None:
    # The first request is at the agent from 1 s, and at the database from 1.1 s to 1.3 s.
    both = {"on": ["agent", "database"], "from": "1200ms", "for": "1s", "outage": {}}
    found = ends(run(scenario(TWO, [both], 3)))
    assert found == [(0.2, FAILED, "database"), (0.0, FAILED, "agent"), (0.3, OK, "")]
    one_each = [both | {"on": name} for name in ("agent", "database")]
    assert plan_of(scenario(TWO, [both], 3)) == plan_of(scenario(TWO, one_each, 3))
    assert ends(run(scenario(TWO, [both | {"on": "agent"}], 3)))[0] == (0.3, OK, "")
