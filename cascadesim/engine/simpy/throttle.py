"""Throttle: a client that refuses some of its calls itself while the backend refuses many.

It follows "Client-Side Throttling" in B. Beyer et al., "Site Reliability Engineering", ch. 21,
"Handling Overload": over a window (two minutes there) the client counts its calls, those that it
refused included, and the accepted ones among them. It refuses a call with the probability
max(0, (calls - K * accepts) / (calls + 1)); K is `multiplier`. A call counts from when it is made,
its acceptance from when its answer comes. A call that its caller cancels is one that timed out.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel
from cascadesim.randomness import UNIFORM
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.throttle import ThrottlePlan
    from cascadesim.randomness import Stream


class Throttle:
    """Lets calls through, but for a share that grows as fewer are accepted."""

    def __init__(
        self, inner: Layer, kernel: Kernel, plan: ThrottlePlan, end: int, draws: Stream
    ) -> None:
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._end = end
        self._draws = draws
        self._calls: deque[float] = deque()  # when they were made, in seconds
        self._accepts: deque[float] = deque()  # when they were answered

    def levels(self) -> dict[str, int]:
        """Return how many calls of the window there are, and how many were accepted."""
        return {"calls": len(self._calls), "accepts": len(self._accepts)}

    def call(self, request: Request) -> Call:
        """Carry the request through, or refuse it."""
        refusal = self._refusal(self._kernel.env.now)
        self._calls.append(self._kernel.env.now)
        if refusal > 0 and self._draws.at(request.number, request.attempt) < refusal:
            return request.end(Outcome.REJECTED, self._end)
        try:
            outcome = yield from self._inner.call(request)
        except Cancelled:
            self._settle(Outcome.TIMED_OUT)
            raise
        self._settle(outcome)
        return outcome

    def _refusal(self, now: float) -> float:
        """Return the probability with which a call is refused now."""
        for instants in (self._calls, self._accepts):
            while instants and now - instants[0] >= self._plan.window:
                instants.popleft()
        calls, accepts = len(self._calls), len(self._accepts)
        return (calls - self._plan.multiplier * accepts) / (calls + 1)

    def _settle(self, outcome: Outcome) -> None:
        if outcome not in self._plan.outcomes:
            self._accepts.append(self._kernel.env.now)


def build(site: Site, plan: ThrottlePlan, inner: Layer) -> Throttle:
    """Return the layer of a throttle."""
    draws = site.stream("refusal", UNIFORM)
    throttle = Throttle(inner, site.kernel, plan, site.end("multiplier"), draws)
    site.show(throttle.levels)
    return throttle
