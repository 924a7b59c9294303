"""Services as people run them, drawn by number: work, policies, limits, pools and faults."""

import random
from collections.abc import Iterator

from kit import Data


def service(number: int) -> Data:
    """Return the scenario of a number, as the data of a YAML file."""
    draw = random.Random(number)
    stages = {name: _stage(draw, name) for name in "abc"[: draw.choice([1, 2, 2, 3])]}
    return {
        "name": f"drawn-{number}",
        "horizon": "60s",
        "drain": "30s",
        "faults": [_fault(draw, stages) for _ in range(draw.choice([0, 0, 1, 1, 2]))],
        "workload": {
            "arrivals": {
                draw.choice(["poisson", "constant"]): {"rate": f"{draw.choice([2, 5, 10, 20])}/s"}
            }
        },
        "stages": stages,
    }


def _stage(draw: random.Random, name: str, depth: int = 0) -> Data:
    stage: Data = {"work": _work(draw), "policies": _policies(draw)}
    if draw.random() < 0.15:
        stage["failure_rate"] = f"{draw.choice([1, 5, 20])}%"
    if draw.random() < 0.3:
        stage["concurrency"] = draw.choice([2, 4, 8])
        if draw.random() < 0.4:
            stage["queue_limit"] = draw.choice([2, 10])
    if draw.random() < 0.3:
        size = {"size": draw.choice([2, 5]), "max_overflow": draw.choice([0, 5])}
        stage["pool"] = size | {"timeout": f"{draw.choice([1, 5, 30])}s", "connect_time": "10ms"}
        if draw.random() < 0.3:
            stage["session"] = {"leak": f"{draw.choice([1, 3])}%"}
            if draw.random() < 0.5:
                stage["session"]["lifetime"] = f"{draw.choice([5, 20])}s"
    if not depth and draw.random() < 0.35:
        names = [f"{name}{i}" for i in range(draw.choice([1, 2]))]
        stage["stages"] = {inner: _stage(draw, inner, 1) for inner in names}
        stage["parallel"] = len(names) > 1 and draw.random() < 0.3
    return stage


def _work(draw: random.Random) -> Data:
    median = draw.choice([20, 50, 100, 200, 400])
    return draw.choice(
        [
            {"constant": f"{median}ms"},
            {"exponential": {"mean": f"{median}ms"}},
            {"lognormal": {"median": f"{median}ms", "p99": f"{median * draw.choice([3, 12])}ms"}},
        ]
    )


def _policies(draw: random.Random) -> list[Data]:
    attempts = {"attempts": draw.choice([2, 3]), "base": f"{draw.choice([50, 200, 1000])}ms"}
    breaker = {
        "failure_threshold": draw.choice([3, 5, 10]),
        "recovery_timeout": f"{draw.choice([2, 5, 15])}s",
        "when_open": draw.choice(["reject", "wait"]),
    }
    bulkhead = {"concurrency": draw.choice([4, 8, 16]), "timeout": f"{draw.choice([1, 2])}s"}
    rate = {"rate": f"{draw.choice([4, 8, 12])}/s", "timeout": f"{draw.choice([1, 5])}s"}
    gives_up = draw.choice(["cancel", "cancel", "abandon"])
    deadline = {"timeout": f"{draw.choice([1, 2, 5, 10])}s", "on_timeout": gives_up}
    likely: list[tuple[float, Data]] = [
        (0.3, {"retry": attempts}),
        (0.4, {"breaker": breaker}),
        (0.25, {"bulkhead": bulkhead}),
        (0.15, {"rate_limit": rate}),
        (0.5, {"deadline": deadline}),
    ]
    return [policy for chance, policy in likely if draw.random() < chance]


def _fault(draw: random.Random, stages: Data) -> Data:
    kinds: list[Data] = [
        {"outage": {}},
        {"latency": {"multiply": draw.choice([3, 10])}},
        {"error_rate": {"share": "50%"}},
        {"hang": {}},
        {"restart": {}},
    ]
    start, duration = f"{draw.choice([10, 20])}s", f"{draw.choice([3, 10, 20])}s"
    on = draw.choice(list(_names(stages)))
    return {"on": on, "from": start, "for": duration} | draw.choice(kinds)


def _names(stages: Data) -> Iterator[str]:
    for name, stage in stages.items():
        yield name
        yield from _names(stage.get("stages", {}))
