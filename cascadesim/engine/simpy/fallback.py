"""Fallback: a degraded answer in place of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.propagation import too_late
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Call, Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.fallback import FallbackPlan
    from cascadesim.randomness import Stream


class Fallback:
    """Answers where the call inside did not."""

    def __init__(
        self, inner: Layer, kernel: Kernel, plan: FallbackPlan, part: int, draws: Stream
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._part = part
        self._draws = draws

    def call(self, request: Request) -> Call:
        """Carry the request through, with a degraded answer for an error."""
        outcome = yield from self._inner.call(request)
        if outcome not in self._plan.outcomes or too_late(request, self._kernel.now):
            return outcome
        request.enter(self._part, self._kernel.now)
        yield self._draws.at(request.number, request.attempt)
        return Outcome.DEGRADED


def build(site: Site, plan: FallbackPlan, inner: Layer) -> Fallback:
    """Return the layer of a fallback."""
    draws = site.stream("work", plan.work)
    return Fallback(inner, site.kernel, plan, site.part("fallback"), draws)
