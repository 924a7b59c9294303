"""Speed and memory of the engine, beside a bare SimPy model with the same yields.

    python tests/benchmarks/engine.py            (or: make benchmark)

Prints ratios taken side by side in one run; nothing is asserted.
"""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import simpy

from cascadesim.compile import compile_plan
from cascadesim.engine import simulate
from cascadesim.randomness import Stream, arrival_times
from cascadesim.scenario.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.plan import Plan

SCENARIO = Path(__file__).parents[2] / "scenarios" / "incident-60s"
SEED = 7


def incident(requests: int) -> Plan:
    """Return the plan of the incident, with a horizon long enough for so many requests."""
    plan = compile_plan(load(SCENARIO).at("before").model)
    return replace(plan, horizon=requests * plan.gaps.mean, observed=())


def bare(plan: Plan) -> Callable[[], int]:
    """Return a run of plain SimPy: arrivals, a timeout for each stage, one resource."""
    arrivals = arrival_times(SEED, 0, plan.gaps, plan.horizon)
    gaps = np.diff(arrivals, prepend=0.0).tolist()
    stages = [stage for stage in plan.walk() if stage.work is not None]
    draws = [Stream(SEED, 0, f"{stage.name}.work", stage.work) for stage in stages if stage.work]
    blocks = math.ceil(len(gaps) / 1024)
    work = [np.concatenate([d.block(i) for i in range(blocks)]).tolist() for d in draws]
    limited = [math.isfinite(stage.concurrency) for stage in stages]
    capacity = next(int(stage.concurrency) for stage in stages if math.isfinite(stage.concurrency))

    def run() -> int:
        env = simpy.Environment()
        agents = simpy.Resource(env, capacity)

        def request(number: int) -> Generator[simpy.Event, None, None]:
            for seconds, with_agent in zip(work, limited, strict=True):
                if with_agent:
                    with agents.request() as slot:
                        yield slot
                        yield env.timeout(seconds[number])
                else:
                    yield env.timeout(seconds[number])

        def arrive() -> Generator[simpy.Event, None, None]:
            for number, gap in enumerate(gaps):
                yield env.timeout(gap)
                env.process(request(number))

        env.process(arrive())
        env.run()
        return len(gaps)

    return run


def seconds(run: Callable[[], object]) -> float:
    """Return how long a run takes."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def beside_simpy(requests: int = 20_000, rounds: int = 5) -> None:
    """Print requests per second of both, taken in turns."""
    plan = incident(requests)
    run_bare = bare(plan)
    pairs = [(seconds(run_bare), seconds(lambda: simulate(plan, SEED))) for _ in range(rounds)]
    slow, fast = (requests / median(column) for column in zip(*pairs, strict=True))
    ratio = median(base / ours for base, ours in pairs)
    print(f"bare SimPy        {slow:10,.0f} requests/s")
    print(f"incident-60s      {fast:10,.0f} requests/s, {ratio:.2f} of bare SimPy")


def one_size(requests: int) -> None:
    """Print seconds and the peak resident memory in bytes of one run; for a process of its own."""
    plan = incident(requests)
    taken = seconds(lambda: simulate(plan, SEED))
    print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def growth() -> None:
    """Print cost and memory a request from 10^4 to 10^6 requests."""
    measured = {}
    for requests in (10_000, 100_000, 1_000_000):
        command = [sys.executable, __file__, str(requests)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        taken, memory = map(float, out.split())
        measured[requests] = memory
        print(f"{requests:9,} requests: {taken / requests * 1e6:6.1f} us each, {memory:,.0f} bytes")
    each = (measured[1_000_000] - measured[10_000]) / 990_000
    print(f"memory: {each:.0f} bytes a request, plus a constant")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one_size(int(sys.argv[1]))
    else:
        beside_simpy()
        growth()
