"""Retry: calls again after a backoff, as long as the outcome, attempts and budget allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.propagation import too_late
from cascadesim.randomness import UNIFORM
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Call, Kernel
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.retry import RetryPlan
    from cascadesim.randomness import Stream

MAX_ATTEMPTS = 1000  # a fixed stride, so that other `attempts` move no draw of an outer retry


class Retry:
    """Calls again after a backoff, as long as the outcome, attempts and budget allow it."""

    def __init__(
        self, inner: Layer, kernel: Kernel, plan: RetryPlan, part: int, draws: Stream
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._part = part
        self._draws = draws
        self._tokens = plan.reserve

    def call(self, request: Request) -> Call:
        """Carry the request through, as often as it takes or the settings allow."""
        plan = self._plan
        if plan.budget is not None:
            self._tokens = min(plan.reserve, self._tokens + plan.budget)
        outer = request.attempt
        ended_by = request.ended_by
        waited = 0.0
        try:
            for attempt in range(plan.attempts):
                request.attempt = outer * MAX_ATTEMPTS + attempt
                outcome = yield from self._inner.call(request)
                if outcome not in plan.outcomes or attempt == plan.attempts - 1:
                    break
                draw = self._draws.at(request.number, request.attempt)
                waited = plan.wait(attempt, draw, waited)
                if too_late(request, self._kernel.now + waited):
                    break  # as the attempt after it would be
                if plan.budget is not None and not self._spend():
                    break
                request.retries += 1
                request.enter(self._part, self._kernel.now)
                if waited > 0:
                    yield waited
        finally:
            request.attempt = outer
        if outcome is Outcome.OK:
            request.ended_by = ended_by  # what the earlier attempts met is mended
        return outcome

    def _spend(self) -> bool:
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def build(site: Site, plan: RetryPlan, inner: Layer) -> Retry:
    """Return the layer of a retry."""
    return Retry(
        inner, site.kernel, plan, site.part("retry_backoff"), site.stream("jitter", UNIFORM)
    )
