"""A partition ends, and gives back the places and connections that calls keep meanwhile."""

from collections.abc import Callable

import numpy as np

from cascadesim.engine import trace
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario
from cascadesim.values.outcome import Outcome


def test_partition_keeps_the_place(field: Callable[..., Scenario]) -> None:
    run = trace(compile_plan(field("partition-keeps-the-place").model), 1)
    # Only the call of the partition times out. It reaches the stage at 6 s and works for 100 ms,
    # then the next one does.
    late = [Outcome(o) for o in run.records.outcome if o != Outcome.OK]
    assert late == [Outcome.TIMED_OUT]
    busy = run.levels["s.concurrency.busy"]
    begins, ends = busy.at[1::2], busy.at[2::2]
    np.testing.assert_allclose(begins[4:7], [5, 7, 8])
    np.testing.assert_allclose(ends[4:7], [6.2, 7.1, 8.1])
    np.testing.assert_allclose(run.records.latency[5], 0.2)


def test_partition_keeps_the_pool(field: Callable[..., Scenario]) -> None:
    run = trace(compile_plan(field("partition-keeps-the-pool").model), 1)
    assert set(run.records.outcome) == {Outcome.OK}
    out = run.levels["database.pool.checked_out"]
    # All five of them are taken until the partition ends at 130 s; those that waited follow.
    assert max(out.value) == 5
    free = out.at[(out.at > 130) & (out.value == 0)]
    assert free[0] < 130.4
