"""Retry: calls again after a backoff, as long as the outcome, attempts and limits allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.propagation import too_late
from cascadesim.engine.simpy.retry_limits import build as build_limit
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
    """Calls again after a backoff, as long as the outcome, attempts and limits allow it.

    A retry counts when it is sent: one whose backoff is cut short was none. `parts` are those of
    waiting by itself and as asked. `asked` has the seconds after which a call is to come again
    (Retry-After), by the number of the end that refuses it.
    """

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        plan: RetryPlan,
        parts: tuple[int, int],
        asked: dict[int, float],
        draws: Stream,
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._part, self._asked_part = parts
        self._asked = asked
        self._draws = draws
        self._limits = [build_limit(limit, plan.outcomes) for limit in plan.limits]

    def call(self, request: Request) -> Call:
        """Carry the request through, as often as it takes or the settings allow."""
        plan = self._plan
        begun = self._kernel.now
        for limit in self._limits:
            limit.begin(begun)
        outer = request.attempt
        ended_by = request.ended_by
        waited = 0.0
        taken: list[int] | None = None  # of each limit, by the retry under way
        try:
            for attempt in range(plan.attempts):
                request.attempt = outer * MAX_ATTEMPTS + attempt
                request.retries += attempt > 0
                outcome = yield from self._attempt(request, taken)
                if taken is not None:
                    self._give_back()
                    taken = None
                asked = self._asked_by(request, outcome)
                if not (asked or outcome in plan.outcomes) or attempt == plan.attempts - 1:
                    break
                draw = self._draws.at(request.number, request.attempt)
                waited = plan.wait(attempt, draw, waited)
                wait, now = asked or waited, self._kernel.now
                if now - begun >= plan.stop_after or too_late(request, now + wait):
                    break  # as the attempt after it would be
                taken = self._take(outcome, now)
                if taken is None:
                    break
                request.enter(self._asked_part if asked else self._part, now)
                if wait > 0:
                    yield wait
        finally:
            request.attempt = outer
            if taken is not None:
                self._give_back()
        if outcome is Outcome.OK:
            request.ended_by = ended_by  # what the earlier attempts met is mended
        return outcome

    def _asked_by(self, request: Request, outcome: Outcome) -> float:
        """Return the seconds after which who refused the call asks for it again; 0 for nobody."""
        return self._asked.get(request.ended_by, 0.0) if outcome > Outcome.DEGRADED else 0.0

    def _attempt(self, request: Request, taken: list[int] | None) -> Call:
        limits = self._limits
        if not limits:
            return (yield from self._inner.call(request))
        for limit in limits:
            limit.attempt(1)
        try:
            outcome = yield from self._inner.call(request)
        finally:
            for limit in limits:
                limit.attempt(-1)
        for i, limit in enumerate(limits):
            limit.settle(outcome, None if taken is None else taken[i])
        return outcome

    def _take(self, outcome: Outcome, now: float) -> list[int] | None:
        """Return what a retry takes of each limit, None where one refuses it.

        What limits before that one gave is lost: combined limits are not what libraries have.
        """
        taken: list[int] = []
        for limit in self._limits:
            cost = limit.take(outcome, now)
            if cost is None:
                for other in self._limits[: len(taken)]:
                    other.give_back()
                return None
            taken.append(cost)
        return taken

    def _give_back(self) -> None:
        for limit in self._limits:
            limit.give_back()


def build(site: Site, plan: RetryPlan, inner: Layer) -> Retry:
    """Return the layer of a retry."""
    part = site.part("retry_backoff")
    of_asked = site.part("retry_backoff", "honours_retry_after") if plan.asked else part
    asked = {site.shared.layout.end(end): seconds for end, seconds in plan.asked}
    draws = site.stream("jitter", UNIFORM)
    return Retry(inner, site.kernel, plan, (part, of_asked), asked, draws)
