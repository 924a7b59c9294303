"""Two versions of a scenario for tests of `cascadesim diff`."""

import json
from pathlib import Path
from typing import Any


def data(**more: object) -> dict[str, Any]:
    """Return an M/M/1 queue that meets its objectives on 20 servers, and is slow on one."""
    return {
        "name": "queue",
        "horizon": "60s",
        "drain": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
        "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 20}},
        "objectives": ["p99 < 600ms", "error_rate < 1%"],
        **more,
    }


SLOW = {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}}


def put(file_name: str, **more: object) -> str:
    file = Path(file_name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data(**more), indent=1), "utf-8")
    return file_name


QUICK = ("--jobs", "1", "--no-store")


VARIANTS = {"slow": {"a.concurrency": 1}, "fast": {"a.concurrency": 20}, "gone": {}}
