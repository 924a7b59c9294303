"""Random faults are an alternating renewal process with exponential times.

The chance that one is under way at t, where it was not at 0, is p (1 - exp(-k t)) with
p = mttr / (mtbf + mttr) and k = 1 / mtbf + 1 / mttr (Trivedi, "Probability and Statistics with
Reliability, Queuing, and Computer Science Applications", 2nd ed., chapter 6). Its mean over
[0, T], the expected share of time down, is p (1 - (1 - exp(-k T)) / (k T)).
"""

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, plan_of
from scipy import stats

from cascadesim.engine import simulate
from cascadesim.engine.simpy.timeline import Timeline
from cascadesim.faults.cold_start import ColdStartPlan
from cascadesim.faults.error_rate import ErrorRatePlan
from cascadesim.faults.hang import HangPlan
from cascadesim.faults.latency import LatencyPlan
from cascadesim.faults.outage import OutagePlan
from cascadesim.faults.plan import FaultPlan, Renewal
from cascadesim.faults.pool_leak import PoolLeakPlan
from cascadesim.faults.restart import RestartPlan
from cascadesim.values.outcome import Outcome

CONFIDENCE = 0.999


def share_down(mtbf: float, mttr: float, until: float) -> float:
    rate = 1 / mtbf + 1 / mttr
    return mttr / (mtbf + mttr) * (1 + math.expm1(-rate * until) / (rate * until))


@pytest.mark.parametrize(("mtbf", "mttr"), [(600.0, 30.0), (5.0, 5.0), (1.0, 20.0)])
def test_up_and_down_times_are_exponential_and_independent(mtbf: float, mttr: float) -> None:
    spans = np.array(Renewal("faults.0", mtbf, mttr).spans(11, 0, 2000 * (mtbf + mttr)))
    down = spans[:, 1] - spans[:, 0]
    up = spans[:, 0] - np.concatenate(([0.0], spans[:-1, 1]))
    assert len(up) > 1500
    for seconds, mean in ((up, mtbf), (down, mttr)):
        assert stats.kstest(seconds, stats.expon(scale=mean).cdf).pvalue > 1 - CONFIDENCE
    assert stats.spearmanr(up, down).pvalue > 1 - CONFIDENCE
    assert stats.spearmanr(down[:-1], up[1:]).pvalue > 1 - CONFIDENCE


@pytest.mark.parametrize("until", [20.0, 100.0, 20_000.0])
def test_the_share_of_time_down_is_that_of_the_renewal_theorem(until: float) -> None:
    mtbf, mttr = 60.0, 20.0
    renewal = Renewal("faults.0", mtbf, mttr)
    shares = []
    for replication in range(400 if until < 1000 else 40):
        spans = renewal.spans(5, replication, until)
        shares.append(math.fsum(min(end, until) - start for start, end in spans) / until)
    low, high = stats.t.interval(
        CONFIDENCE, len(shares) - 1, loc=np.mean(shares), scale=stats.sem(shares)
    )
    assert low < share_down(mtbf, mttr, until) < high
    if until > 1000:  # where the share is that of the long run
        assert low < mttr / (mtbf + mttr) < high
        assert high - low < 0.02


def test_poisson_arrivals_see_that_share_of_time_down() -> None:
    outage = {"on": "a", "random": {"mtbf": "30s", "mttr": "10s"}, "outage": {}}
    plan = plan_of(
        {
            "name": "renewal",
            "horizon": "200s",
            "workload": {"arrivals": {"poisson": {"rate": "2/s"}}},
            "stages": {"a": {"work": {"constant": "0s"}}},
            "faults": [outage],
        }
    )
    runs = [simulate(plan, 3, replication) for replication in range(60)]
    failed = [float((records.outcome == Outcome.FAILED).sum()) for records in runs]
    low, high = stats.t.interval(CONFIDENCE, 59, loc=np.mean(failed), scale=stats.sem(failed))
    assert low < 400 * share_down(30, 10, 200) < high  # PASTA; 400 requests are expected
    assert high - low < 50


times = st.floats(0.01, 50)
PLANS = (
    OutagePlan,
    HangPlan,
    RestartPlan,
    LatencyPlan,
    ErrorRatePlan,
    PoolLeakPlan,
    ColdStartPlan,
)
BREAKING = ("outage", "hang", "restart")


@st.composite
def faults(draw: st.DrawFn) -> list[FaultPlan]:
    drawn = []
    for i in range(draw(st.integers(1, 4))):
        settings: Data = {
            "fail_after": draw(st.floats(0, 5)),
            "share": draw(st.floats(0, 1)),
            "multiply": draw(st.floats(0.5, 4)),
            "add": draw(st.floats(0, 2)),
        }
        renewal = Renewal(f"faults.{i}", draw(times), draw(times)) if draw(st.booleans()) else None
        start = draw(st.floats(0, 80))
        end = start + draw(times)
        plan = draw(st.sampled_from(PLANS))
        known = {field.name for field in fields(plan)}
        chosen = {key: value for key, value in settings.items() if key in known}
        drawn.append(plan(start, end, renewal=renewal, **chosen))
    return drawn


@given(faults(), st.integers(0, 9), st.floats(0, 100), st.floats(0, 30))
def test_a_random_fault_does_what_planned_ones_at_its_times_do(
    chosen: list[FaultPlan], seed: int, now: float, work: float
) -> None:
    until = 150.0
    ours = Timeline(chosen, lambda fault: fault.spans(seed, 0, until))
    each = [drawn for fault in chosen for drawn in fault.drawn(seed, 0, until)]
    active = [fault for fault in each if fault.start <= now < fault.end]

    cuts = []  # seconds from now, in the order in which faults are listed
    for fault in each:
        silent = fault.kind == "hang"
        if fault.kind not in BREAKING:
            continue
        if fault in active:
            cuts.append((fault.fails_after, silent))
        elif now < fault.start < now + work:
            cuts.append((fault.start - now, silent))
    cut = min(cuts, key=lambda each: each[0], default=None)
    ends = {False: Outcome.FAILED, True: Outcome.UNFINISHED}
    assert ours.cut(now, work) == (None if cut is None else (cut[0], ends[cut[1]]))

    longer, good = work, {"error_rate": 0.9, "pool_leak": 0.9}
    for fault in active:
        if fault.kind == "latency":
            longer = longer * fault.multiply + fault.add
        elif fault.kind == "cold_start":
            left = (fault.end - now) / (fault.end - fault.start)
            longer = longer * (1 + (fault.multiply - 1) * left)
        elif fault.kind in good:
            good[fault.kind] *= 1 - fault.share
    assert ours.work(now, work) == pytest.approx(longer)
    assert ours.error_rate(now, 0.1) == pytest.approx(1 - good["error_rate"])
    assert ours.leak(now, 0.1) == pytest.approx(1 - good["pool_leak"])
    restarts = [fault for fault in active if fault.kind == "restart"]
    assert ours.ready_at(now) == max([now, *(fault.end for fault in restarts)])
    begun = [fault.start for fault in each if fault.kind == "restart" and fault.start <= now]
    for since in (0.0, now / 2, now):
        assert ours.restarted(since, now) == any(start > since for start in begun)


@given(times, times, st.integers(0, 99), st.floats(0, 500), st.floats(0, 500))
def test_a_longer_run_moves_no_fault(
    mtbf: float, mttr: float, seed: int, short: float, more: float
) -> None:
    renewal = Renewal("faults.0", max(mtbf, 1), mttr)
    before, after = renewal.spans(seed, 0, short), renewal.spans(seed, 0, short + more)
    assert list(after)[: len(before)] == list(before)
    assert all(start >= short for start, _ in list(after)[len(before) :])
    ends = [0.0, *(end for _, end in after)]
    assert all(ends[i] <= start <= end for i, (start, end) in enumerate(after))
