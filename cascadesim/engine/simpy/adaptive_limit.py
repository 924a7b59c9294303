"""Adaptive limit: as many calls at once as answer times and drops seem to allow.

It follows Netflix's concurrency-limits (github.com/Netflix/concurrency-limits; SimpleLimiter, and
AIMDLimit, Gradient2Limit and VegasLimit with their defaults): a call that comes when `limit` calls
are under way is refused at once; when one ends, its time and how many were under way when it began,
itself among them, are a sample for the algorithm. Outcomes among `outcomes` are drops, as is a call
that its caller cancels where `timed_out` is among them (`onDropped`); other errors are no samples
(`onIgnore`). A sample is a nanosecond long at least.

Not modelled: WindowedLimit, partitions, and limiters whose callers wait.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel
from cascadesim.randomness import UNIFORM
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.adaptive_limit import AdaptiveLimitPlan

_NANOSECOND = 1e-9
_WARMUP = 10  # samples of which the long-term average is a plain one
_TOLERANCE = 1.5  # how many times the long-term average a sample may take (`rttTolerance`)


class Algorithm(Protocol):
    """Finds how many calls may be under way at once."""

    limit: int

    def update(self, rtt: float, inflight: int, *, dropped: bool) -> None:
        """Take a sample: seconds, calls under way when it began, and whether it was dropped."""


class Aimd:
    """AIMDLimit: one more while there are no drops, a share less for each."""

    def __init__(self, plan: AdaptiveLimitPlan) -> None:
        self._plan = plan
        self.limit = plan.initial

    def update(self, rtt: float, inflight: int, *, dropped: bool) -> None:
        """Take a sample; one longer than the timeout counts as dropped."""
        plan, limit = self._plan, self.limit
        if dropped or rtt > plan.timeout:
            limit = int(limit * plan.backoff_ratio)
        elif inflight * 2 >= limit:
            limit += 1
        self.limit = min(plan.max, max(plan.min, limit))


class Gradient2:
    """Gradient2Limit: less as calls take longer than in the long run, more by a queue's size."""

    def __init__(self, plan: AdaptiveLimitPlan) -> None:
        self._plan = plan
        self._estimate = float(plan.initial)
        self._long = 0.0  # average of the samples, exponentially weighted
        self._sum = 0.0
        self._samples = 0
        self.limit = plan.initial

    def update(self, rtt: float, inflight: int, *, dropped: bool) -> None:
        """Take a sample; that it was dropped makes no difference."""
        plan = self._plan
        long = self._average(rtt)
        if long / rtt > 2:  # the load has gone: do not wait for the average to follow
            self._long *= 0.95
        if inflight < self._estimate / 2:
            return  # the callers are what limits them
        gradient = max(0.5, min(1.0, _TOLERANCE * long / rtt))
        wanted = self._estimate * gradient + plan.queue_size
        estimate = self._estimate * (1 - plan.smoothing) + wanted * plan.smoothing
        self._estimate = max(plan.min, min(plan.max, estimate))
        self.limit = int(self._estimate)

    def _average(self, rtt: float) -> float:
        if self._samples < _WARMUP:
            self._samples += 1
            self._sum += rtt
            self._long = self._sum / self._samples
        else:
            weight = 2.0 / (self._plan.long_window + 1)
            self._long = self._long * (1 - weight) + rtt * weight
        return self._long


class Vegas:
    """VegasLimit: more or less by how many calls seem to queue, judged by the shortest of them.

    That is forgotten after a number of samples, drawn from between half of `probe_multiplier` times
    the limit and all of it.
    """

    def __init__(self, plan: AdaptiveLimitPlan, draw: Callable[[int], float]) -> None:
        """Build it; `draw` returns a number from 0 to 1 for each probe."""
        self._plan = plan
        self._draw = draw
        self._estimate = float(plan.initial)
        self._shortest = math.inf
        self._samples = 0  # since the last probe
        self._probes = 0
        self._share = self._drawn()
        self.limit = plan.initial

    def update(self, rtt: float, inflight: int, *, dropped: bool) -> None:
        """Take a sample."""
        self._samples += 1
        if self._share * self._plan.probe_multiplier * self._estimate <= self._samples:
            self._probes += 1
            self._share = self._drawn()
            self._samples = 0
            self._shortest = rtt
        elif rtt < self._shortest:
            self._shortest = rtt
        else:
            self._adjust(rtt, inflight, dropped)

    def _drawn(self) -> float:
        return 0.5 + 0.5 * self._draw(self._probes)

    def _adjust(self, rtt: float, inflight: int, dropped: bool) -> None:
        plan, estimate = self._plan, self._estimate
        step = _log(int(estimate))
        if dropped:
            wanted = estimate - step
        elif inflight * 2 < estimate:
            return
        else:
            wanted = self._wanted(math.ceil(estimate * (1 - self._shortest / rtt)), step)
        wanted = max(plan.min, min(plan.max, wanted))
        self._estimate = (1 - plan.smoothing) * estimate + plan.smoothing * wanted
        self.limit = int(self._estimate)

    def _wanted(self, queued: int, step: int) -> float:
        if queued <= step:
            return self._estimate + 6 * step
        if queued < 3 * step:
            return self._estimate + step
        return self._estimate - step if queued > 6 * step else self._estimate


def _log(limit: int) -> int:
    """Return the decimal logarithm as the library takes it: a whole number, and at least 1."""
    return max(1, int(math.log10(limit)))


def algorithm_of(plan: AdaptiveLimitPlan, draw: Callable[[int], float]) -> Algorithm:
    """Return the algorithm of a plan; `draw` returns a number from 0 to 1 for each number."""
    if plan.algorithm == "vegas":
        return Vegas(plan, draw)
    return Aimd(plan) if plan.algorithm == "aimd" else Gradient2(plan)


class AdaptiveLimit:
    """Lets as many calls through at once as its algorithm allows, and refuses others."""

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        algorithm: Algorithm,
        outcomes: frozenset[Outcome],
        end: int,
    ) -> None:
        """Build the layer; `outcomes` count as drops."""
        self._inner = inner
        self._kernel = kernel
        self._algorithm = algorithm
        self._drops = outcomes
        self._end = end
        self._busy = 0

    def levels(self) -> dict[str, int]:
        """Return how many calls are inside and how many may be."""
        return {"busy": self._busy, "limit": self._algorithm.limit}

    def call(self, request: Request) -> Call:
        """Carry the request through, if the limit allows it."""
        if self._busy >= self._algorithm.limit:
            return request.end(Outcome.REJECTED, self._end)
        self._busy += 1
        begun, inflight = self._kernel.env.now, self._busy
        try:
            outcome = yield from self._inner.call(request)
        except Cancelled:
            self._sample(begun, inflight, Outcome.TIMED_OUT)
            raise
        finally:
            self._busy -= 1
        self._sample(begun, inflight, outcome)
        return outcome

    def _sample(self, begun: float, inflight: int, outcome: Outcome) -> None:
        dropped = outcome in self._drops
        if dropped or outcome <= Outcome.DEGRADED:
            rtt = max(self._kernel.env.now - begun, _NANOSECOND)
            self._algorithm.update(rtt, inflight, dropped=dropped)


def build(site: Site, plan: AdaptiveLimitPlan, inner: Layer) -> AdaptiveLimit:
    """Return the layer of an adaptive limit."""
    algorithm = algorithm_of(plan, site.stream("probe", UNIFORM).at)
    limit = AdaptiveLimit(inner, site.kernel, algorithm, plan.outcomes, site.end("algorithm"))
    site.show(limit.levels)
    return limit
