"""Speed and memory of the engine, beside a bare SimPy model with the same yields.

    python tests/benchmarks/engine.py            (or: make benchmark)

Prints ratios taken side by side in one run; nothing is asserted.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from cascadesim.engine import simulate
from cascadesim.randomness import Stream
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import load, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cascadesim.plan.plan import Plan

SCENARIO = Path(__file__).parents[2] / "scenarios" / "incident-60s"
SEED = 7


def incident(requests: int) -> Plan:
    """Return the plan of the incident, with a horizon long enough for so many requests."""
    plan = compile_plan(load(SCENARIO).at("before").model)
    return replace(plan, horizon=requests * plan.mean_gap, observed=())


def bare(plan: Plan) -> Callable[[], int]:
    """Return a run of plain SimPy: arrivals, a timeout for each stage, one resource."""
    arrivals = plan.arrivals.times(SEED, 0, plan.horizon)
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


WINDOW = {"minimum": 100, "failure_rate": "50%"}
POLICIES: dict[str, Any] = {  # what a request pays for each of them, that lets it through
    "deadline": {"deadline": {"timeout": "9s"}},
    "deadline, abandoning": {"deadline": {"timeout": "9s", "on_timeout": "abandon"}},
    "deadline, propagating": {
        "deadline": {"timeout": "9s", "on_timeout": "abandon", "propagate": True}
    },
    "retry": {"retry": {"attempts": 3, "jitter": "full"}},
    "retry, with a budget": {"retry": {"attempts": 3, "budget": "10%"}},
    "fallback": {"fallback": {}},
    "hedge": {"hedge": {"after": "9s"}},
    "hedge, one in five": {"hedge": {"after": "400ms"}},
    "rate limit": {"rate_limit": {"rate": "100/s", "burst": 20}},
    "adaptive limit, aimd": {"adaptive_limit": {"algorithm": "aimd"}},
    "adaptive limit, gradient2": {"adaptive_limit": {"algorithm": "gradient2"}},
    "adaptive limit, vegas": {"adaptive_limit": {"algorithm": "vegas"}},
    "bulkhead": {"bulkhead": {"timeout": "1s"}},
    "breaker": {"breaker": {"recovery_timeout": "10s"}},
    "breaker, window of calls": {
        "breaker": {"recovery_timeout": "10s", "window": {"calls": 100} | WINDOW}
    },
    "breaker, window of time": {
        "breaker": {"recovery_timeout": "10s", "window": {"time": "30s"} | WINDOW}
    },
} | {
    f"breaker, {preset}": {"breaker": {"preset": preset}}
    for preset in ("pybreaker", "purgatory", "resilience4j", "polly", "envoy")
}

POOLS: dict[str, Any] = {  # and for a connection
    "pool": {"connect_time": "40ms"},
    "pool, pre_ping": {"connect_time": "40ms", "pre_ping": True},
    "pool, null": {"connect_time": "40ms", "kind": "null"},
    "pool, static": {"connect_time": "40ms", "kind": "static"},
}

WORKS: dict[str, Any] = {  # and for other work than exponential
    "work, gamma": {"gamma": {"mean": "250ms", "cv": 0.8}},
    "work, pareto": {"pareto": {"median": "100ms", "p99": "2s"}},
    "work, mixture": {
        "mixture": {
            "hit": {"weight": "90%", "constant": "1ms"},
            "miss": {"weight": "10%", "lognormal": {"median": "300ms", "p99": "2s"}},
        }
    },
}

QUEUES: dict[str, Any] = {  # and for a limit, at which a third of them wait
    "concurrency": {"concurrency": 2},
    "concurrency, codel": {"concurrency": 2, "codel": {}},
    "concurrency, lifo": {"concurrency": 2, "queue": "lifo"},
}

INSIDE = {name: {"work": {"exponential": {"mean": "250ms"}}} for name in ("b", "c")}


def _limited(**last: Any) -> dict[str, Any]:
    """Return the stages inside with limits, at which one in ten waits."""
    limit = {"concurrency": 2, "queue_limit": 1000}
    return {"b": INSIDE["b"] | limit, "c": INSIDE["c"] | limit | last}


STAGES: dict[str, Any] = {  # and for two stages more
    "stages, in order": {"stages": INSIDE},
    "stages, in parallel": {"stages": INSIDE, "parallel": True},
    "stages, with limits": {"stages": _limited()},
    "stages, blocking": {"stages": _limited(when_full="block")},
}

WORKLOADS: dict[str, Any] = {  # and for being sent otherwise, as often
    "arrivals, piecewise": {"arrivals": {"piecewise": {"rates": [{"from": "0s", "rate": "4/s"}]}}},
    "connections": {
        "connections": {
            "clients": 40,
            "messages": {"exponential": {"mean": "10s"}},
            "ordering": "independent",
            "ping": {},
            "idle_timeout": "60s",
        }
    },
    "connections, in order": {
        "connections": {"clients": 40, "messages": {"exponential": {"mean": "10s"}}}
    },
    "classes": {
        "arrivals": {"poisson": {"rate": "4/s"}},
        "classes": {"some": {"weight": 3}, "others": {"weight": 1, "path": ["a"]}},
    },
    "classes, apart": {
        "classes": {
            "some": {"arrivals": {"poisson": {"rate": "3/s"}}},
            "others": {"arrivals": {"poisson": {"rate": "1/s"}}, "path": ["a"]},
        }
    },
    "closed": {"closed": {"clients": 10, "think": {"exponential": {"mean": "2250ms"}}}},
}


FAULTS: dict[str, Any] = {  # and for looking whether there is a fault
    "fault, planned": {"from": "60s", "for": "20s", "outage": {}},
    "fault, random": {"random": {"mtbf": "10min", "mttr": "20s"}, "outage": {}},
    "fault, cold start": {"from": "0s", "for": "60s", "cold_start": {"multiply": 2}},
    "fault, restart, then cold": {
        "from": "60s",
        "for": "20s",
        "restart": {"cold_start": {"multiply": 2, "for": "60s"}},
    },
}


def one_stage(
    requests: int, *policies: Any, workload: Any = None, fault: Any = None, **more: Any
) -> Plan:
    """Return the plan of one stage with such policies around it, a call in twenty failing."""
    scenario = {
        "name": "one stage",
        "horizon": f"{requests / 4}s",
        "workload": workload or {"arrivals": {"poisson": {"rate": "4/s"}}},
        "stages": {
            "a": {
                "work": {"exponential": {"mean": "250ms"}},
                "failure_rate": "5%",
                "policies": policies,
            }
            | more
        },
        "faults": [] if fault is None else [{"on": "a"} | fault],
    }
    return compile_plan(loads(json.dumps(scenario)).model)


def each_policy(requests: int = 20_000, rounds: int = 3) -> None:
    """Print what each policy adds to a stage without any, taken in turns."""
    plans = {"": one_stage(requests)}
    plans |= {name: one_stage(requests, policy) for name, policy in POLICIES.items()}
    plans |= {name: one_stage(requests, pool=pool) for name, pool in POOLS.items()}
    leak = {"from": "0s", "for": "60s", "pool_leak": {"share": "0.1%"}}
    plans["pool, leak by a fault"] = one_stage(
        requests, pool=POOLS["pool"] | {"size": 0}, fault=leak
    )
    plans |= {name: one_stage(requests, work=work) for name, work in WORKS.items()}
    plans |= {name: one_stage(requests, **settings) for name, settings in (QUEUES | STAGES).items()}
    plans |= {name: one_stage(requests, workload=each) for name, each in WORKLOADS.items()}
    plans |= {name: one_stage(requests, fault=fault) for name, fault in FAULTS.items()}
    took: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(rounds):
        for name, plan in plans.items():
            took[name].append(seconds(lambda plan=plan: simulate(plan, SEED)))
    each = {name: min(times) / requests * 1e6 for name, times in took.items()}
    print(f"a stage                    {each['']:6.1f} us a request")
    for name in list(plans)[1:]:
        print(f"{name:25}  {each[name] - each['']:+6.1f} us")


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
        each_policy()
        growth()
