"""The breaker of a plan: the state machine and the layer of its preset, or else our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.breaker_presets import (
    EnvoyBreaker,
    GobreakerBreaker,
    OpossumBreaker,
    PollyBreaker,
    PurgatoryBreaker,
    PybreakerBreaker,
    PybreakerLayer,
    Resilience4jBreaker,
    SweptLayer,
)
from cascadesim.engine.simpy.circuit_breaker import BreakerLayer, CircuitBreaker, WindowBreaker

if TYPE_CHECKING:
    from cascadesim.engine.simpy.request import Layer
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.breaker import BreakerPlan

_BREAKERS: dict[str, type[CircuitBreaker]] = {
    "pybreaker": PybreakerBreaker,
    "purgatory": PurgatoryBreaker,
    "resilience4j": Resilience4jBreaker,
    "polly": PollyBreaker,
    "envoy": EnvoyBreaker,
    "gobreaker": GobreakerBreaker,
    "opossum": OpossumBreaker,
}
_LAYERS: dict[str, type[BreakerLayer]] = {
    "pybreaker": PybreakerLayer,
    "envoy": SweptLayer,
    "opossum": SweptLayer,
}


def breaker_of(plan: BreakerPlan) -> CircuitBreaker:
    """Return the state machine of a plan."""
    if plan.preset is not None:
        return _BREAKERS[plan.preset](plan)
    return CircuitBreaker(plan) if plan.window is None else WindowBreaker(plan)


def layer_of(plan: BreakerPlan) -> type[BreakerLayer]:
    """Return what callers of the plan's breaker meet."""
    return _LAYERS.get(plan.preset or "", BreakerLayer)


def build(site: Site, plan: BreakerPlan, inner: Layer) -> BreakerLayer:
    """Return the layer of a breaker, which behaves as the library of its preset does."""
    breaker = breaker_of(plan)
    site.shared.breakers.append((site.where, breaker))
    part = site.part("breaker_wait") if plan.waits else 0
    (end,) = site.ends(plan)
    layer = layer_of(plan)(inner, site.kernel, breaker, part, end)
    site.show(layer.levels)
    return layer
