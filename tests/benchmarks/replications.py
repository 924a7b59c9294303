"""Replications on two processes beside one, and their overhead beside the simulation alone.

    python tests/benchmarks/replications.py            (or: make benchmark)

Prints ratios taken side by side in one run; nothing is asserted.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from engine import SCENARIO, SEED, seconds

from cascadesim.compile import compile_plan
from cascadesim.engine import simulate
from cascadesim.experiment.replications import Variant, replicate, replications
from cascadesim.scenario.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = 64


def run(variant: Variant, workers: int) -> Callable[[], object]:
    """Return a run of all replications."""
    return lambda: list(replications([variant], SEED, range(NUMBER), workers))


def main() -> None:
    """Print the parallel efficiency and the overhead of a replication."""
    scenario = load(SCENARIO).at("before")
    variant = Variant(compile_plan(scenario.model), scenario.objectives)
    run(variant, 2)()  # starts the processes, which later calls reuse
    pairs = [(seconds(run(variant, 1)), seconds(run(variant, 2))) for _ in range(3)]
    efficiency = median(one / (2 * two) for one, two in pairs)
    print(f"{NUMBER} replications of incident-60s: {efficiency:.0%} efficient on 2 processes")
    plan = variant.plan
    both = [
        (
            seconds(lambda i=i: simulate(plan, SEED, i)),
            seconds(lambda i=i: replicate([variant], SEED, i)),
        )
        for i in range(20)
    ]
    overhead = median(whole / alone for alone, whole in both) - 1
    print(f"overhead of a replication beside its simulation: {overhead:.1%}")


if __name__ == "__main__":
    main()
