"""Where a layer is built: what it may ask for, by the dotted path of its stage or policy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.timeline import Timeline
from cascadesim.randomness import Distribution, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cascadesim.engine.simpy.circuit_breaker import CircuitBreaker
    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Layer
    from cascadesim.faults.plan import FaultPlan, Spans
    from cascadesim.plan.layout import Layout
    from cascadesim.policies.plan import PolicyPlan


class World:
    """What all layers of one run share: the kernel, numbers of parts and ends, draws, faults.

    `breakers` and `levels` fill as layers are built: breakers and how full pools and queues are,
    by dotted path.
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
        self._end_of_run = end
        self._spans: dict[FaultPlan, Spans] = {}  # stages may share a fault

    def stream(self, name: str, distribution: Distribution) -> Stream:
        """Return the draws of this name."""
        return Stream(self.seed, self.replication, name, distribution)

    def spans_of(self, fault: FaultPlan) -> Spans:
        """Return when a fault is active in this run."""
        if fault not in self._spans:
            self._spans[fault] = fault.spans(self.seed, self.replication, self._end_of_run)
        return self._spans[fault]

    def timeline(self, faults: Iterable[FaultPlan]) -> Timeline:
        """Return what faults do to calls over time in this run."""
        return Timeline(faults, self.spans_of)


class Site:
    """The place of one policy: `where` is its dotted path.

    `in_context` says that a deadline around it is known inside; see propagation.py.
    """

    def __init__(self, world: World, where: str, *, in_context: bool) -> None:
        self.world = world
        self.kernel = world.kernel
        self.where = where
        self.in_context = in_context

    def part(self, cause: str) -> int:
        """Return the number of its part with this cause."""
        return self.world.layout.part(self.where, cause)

    def end(self, key: str) -> int:
        """Return the number of its setting as what ends a request."""
        return self.world.layout.end(f"{self.where}.{key}")

    def ends(self, plan: PolicyPlan) -> tuple[int, ...]:
        """Return the numbers of all settings of a policy that can end a request."""
        return tuple(map(self.end, plan.ends))

    def stream(self, key: str, distribution: Distribution) -> Stream:
        """Return its draws of this name."""
        return self.world.stream(f"{self.where}.{key}", distribution)

    def show(self, levels: Callable[[], dict[str, int]]) -> None:
        """Let traces have these levels under its dotted path."""
        self.world.levels[self.where] = levels


def build_policy(site: Site, plan: PolicyPlan, inner: Layer) -> Layer:
    """Return the layer of a policy, from the file of its kind. Its `build` makes it.

    Raises ModuleNotFoundError for a policy that this engine does not have.
    """
    layer: Layer = import_module(f"{__package__}.{plan.kind}").build(site, plan, inner)
    return layer
