"""Replications on two processes beside one, their overhead, and the memory of a sweep.

    python tests/benchmarks/replications.py            (or: make benchmark)

Prints ratios taken side by side in one run; nothing is asserted.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from engine import SCENARIO, SEED, seconds

from cascadesim.engine import simulate
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import load
from cascadesim.studies.execution import Execution
from cascadesim.studies.replications import Job, Variant, replicate

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = 64
SETTINGS = (100, 1000)  # of sweeps, with 10 replications each


def run(variant: Variant, workers: int) -> Callable[[], object]:
    """Return a run of all replications."""
    jobs = [Job((variant,), SEED, number) for number in range(NUMBER)]
    return lambda: Execution(workers).run(jobs)


def peak(settings: int) -> float:
    """Return the most memory in MiB that a process of a sweep took."""
    command = [sys.executable, str(Path(__file__).with_name("memory.py")), str(settings)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the parallel efficiency, the overhead of a replication and the memory of a sweep."""
    scenario = load(SCENARIO).at("before")
    variant = Variant(compile_plan(scenario.model), scenario.objectives)
    run(variant, 2)()  # starts the processes, which later calls reuse
    pairs = [(seconds(run(variant, 1)), seconds(run(variant, 2))) for _ in range(3)]
    efficiency = median(one / (2 * two) for one, two in pairs)
    print(f"{NUMBER} replications of incident-60s: {efficiency:.0%} efficient on 2 processes")
    both = [
        (
            seconds(lambda i=i: simulate(variant.plan, SEED, i)),
            seconds(lambda i=i: replicate(Job((variant,), SEED, i))),
        )
        for i in range(20)
    ]
    overhead = median(whole / alone for alone, whole in both) - 1
    print(f"overhead of a replication beside its simulation: {overhead:.1%}")
    few, many = (peak(settings) for settings in SETTINGS)
    print(
        f"memory of a sweep of {SETTINGS[1]} settings x 10 replications: {many:.0f} MiB at most in "
        f"a process, {many / few:.2f} of that of {SETTINGS[0]} settings"
    )


if __name__ == "__main__":
    main()
