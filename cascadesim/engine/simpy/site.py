"""What a layer can ask for when it is built: numbers of parts and ends, draws, faults."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.timeline import Timeline
from cascadesim.randomness import Distribution, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cascadesim.engine.simpy.circuit_breaker import CircuitBreaker
    from cascadesim.engine.simpy.holders import Holders
    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Layer
    from cascadesim.faults.plan import FaultPlan, Spans
    from cascadesim.plan.layout import Layout
    from cascadesim.policies.plan import PolicyPlan


class Shared:
    """What all layers of a replication share: the kernel, numbers of parts and ends, draws, faults.

    `breakers`, `levels` and `holders` fill as layers are built: the breakers, functions that say
    how full pools and queues are, and who holds pools, by dotted path.
    """

    def __init__(
        self, kernel: Kernel, layout: Layout, end: float, seed: int, replication: int
    ) -> None:
        self.kernel = kernel
        self.layout = layout
        self.seed = seed
        self.replication = replication
        self.breakers: list[tuple[str, CircuitBreaker]] = []
        self.levels: dict[str, Callable[[], dict[str, int]]] = {}
        self.holders: dict[str, Holders] = {}
        self._end = end  # of the replication, in seconds
        self._spans: dict[FaultPlan, Spans] = {}  # stages may share a fault

    def stream(self, name: str, distribution: Distribution) -> Stream:
        """Return the draws of this name."""
        return Stream(self.seed, self.replication, name, distribution)

    def spans_of(self, fault: FaultPlan) -> Spans:
        """Return when a fault is active in this replication: starts and ends in seconds."""
        if fault not in self._spans:
            self._spans[fault] = fault.spans(self.seed, self.replication, self._end)
        return self._spans[fault]

    def timeline(self, faults: Iterable[FaultPlan]) -> Timeline:
        """Return what faults do to calls over time in this replication."""
        return Timeline(faults, self.spans_of)


class Site:
    """The place of one policy: `where` is its dotted path.

    `in_context` says that it knows the deadline around it; see propagation.py.
    """

    def __init__(self, shared: Shared, where: str, *, in_context: bool) -> None:
        self.shared = shared
        self.kernel = shared.kernel
        self.where = where
        self.in_context = in_context

    def part(self, cause: str, key: str = "") -> int:
        """Return the number of its part with this cause; of the one under `key`, if given."""
        return self.shared.layout.part(f"{self.where}.{key}" if key else self.where, cause)

    def end(self, key: str) -> int:
        """Return the number of its setting as what ends a request."""
        return self.shared.layout.end(f"{self.where}.{key}")

    def ends(self, plan: PolicyPlan) -> tuple[int, ...]:
        """Return the numbers of all settings of a policy that can end a request."""
        return tuple(map(self.end, plan.ends))

    def stream(self, key: str, distribution: Distribution) -> Stream:
        """Return its draws of this name."""
        return self.shared.stream(f"{self.where}.{key}", distribution)

    def show(self, levels: Callable[[], dict[str, int]]) -> None:
        """Let traces record these levels under its dotted path."""
        self.shared.levels[self.where] = levels


def build_policy(site: Site, plan: PolicyPlan, inner: Layer) -> Layer:
    """Return the layer of a policy, which `build` in the file of its kind makes.

    Raises ModuleNotFoundError for a policy that this engine does not have.
    """
    layer: Layer = import_module(f"{__package__}.{plan.kind}").build(site, plan, inner)
    return layer
