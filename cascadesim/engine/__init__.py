"""The engines: each turns a plan and a seed into records.

`simpy/` is the readable one. It is loaded at the first run, so that whoever only loads, compiles
or reads records does without SimPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Records, Snapshot, Trace


def simulate(
    plan: Plan,
    seed: int,
    replication: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Records:
    """Run the plan once and return its records, the same for the same arguments.

    `progress` is called with the share of simulated time that is done.
    """
    from cascadesim.engine.simpy import run  # SimPy is loaded by who simulates

    return run.simulate(plan, seed, replication, progress)


def trace(plan: Plan, seed: int, replication: int = 0) -> Trace:
    """Run the plan once and return its records, the same as `simulate` does, with a trace."""
    from cascadesim.engine.simpy import run  # SimPy is loaded by who simulates

    return run.trace(plan, seed, replication)


def watch(
    plan: Plan, seed: int, show: Callable[[Snapshot], None], every: float, replication: int = 0
) -> Records:
    """Run the plan as `simulate` does, and `show` it after every `every` simulated seconds."""
    from cascadesim.engine.simpy import run  # SimPy is loaded by who simulates

    return run.watch(plan, seed, show, every, replication)
