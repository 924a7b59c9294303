"""The most memory in MiB that a process of a sweep takes, its parent or a worker.

    python tests/benchmarks/memory.py SETTINGS

A process of its own, since a peak never goes down.
"""

from __future__ import annotations

import resource
import sys

from engine import SCENARIO
from joblib.externals.loky import get_reusable_executor

from cascadesim.scenario.load import load
from cascadesim.studies.execution import Execution
from cascadesim.studies.sweep import sweep


def main() -> None:
    """Run a sweep of as many settings, 10 replications each, of an incident with little traffic."""
    scenario = load(SCENARIO).at("after").override({"workload.arrivals.poisson.rate": "0.4/s"})
    vary = f"agent.deadline.timeout=1s..{sys.argv[1]}s:1s"
    swept = sweep(scenario, [vary], replications=10, execution=Execution(2))
    assert len(swept.settings) == int(sys.argv[1])
    get_reusable_executor().shutdown()  # a child's peak is known once it has ended
    peaks = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(max(peaks) / 1024)


if __name__ == "__main__":
    main()
