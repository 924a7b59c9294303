"""Rate limit: a token bucket, whose callers are refused or wait for a token.

It follows Go's golang.org/x/time/rate, `Limiter.Wait` under a context with a timeout: the bucket
holds `burst` tokens, is full at first and gains `rate` of them a second; each call takes one, and
where there is none it reserves one of those to come and waits for it, first come first served. A
call that would wait for longer than `timeout` is refused at once and takes none; with 0 that is
`Limiter.Allow`. A call that knows a deadline is refused where it would wait past it. A call that is
cancelled while it waits gives its token back if it is the last in line, and else nothing, as later
calls count on theirs (`Reservation.CancelAt`). As there, waits are in whole nanoseconds, rounded
down. `queue_limit` is not Go's, but that of our other queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import Call, Cancelled, Kernel
from cascadesim.engine.simpy.propagation import too_late
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator

    from cascadesim.engine.simpy.request import Layer, Request
    from cascadesim.engine.simpy.site import Site
    from cascadesim.policies.rate_limit import RateLimitPlan

_HAIR = 1e-9  # seconds; a shorter wait is one of rounding


class TokenBucket:
    """Counts tokens; fewer than none are those of the future that are reserved."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0  # when they were counted
        self._last = 0.0  # when the last token that is reserved comes

    def wait(self, now: float) -> float:
        """Return how long one that comes now waits for a token, in seconds."""
        self._count(now)
        wait = (1 - self._tokens) / self._rate
        return wait if wait >= _HAIR else 0.0

    def take(self, now: float, wait: float) -> None:
        """Take or reserve the token that `wait` was asked about."""
        self._tokens -= 1
        self._last = now + wait

    def cancel(self, now: float, due: float) -> None:
        """Give a reserved token back, as far as none of those after it has been reserved."""
        back = 1 - (self._last - due) * self._rate
        if back <= 0 or due < now:
            return
        self._count(now)
        self._tokens = min(self._burst, self._tokens + back)
        before = due - 1 / self._rate
        if due == self._last and before >= now:
            self._last = before

    def _count(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class RateLimit:
    """Lets calls through at a rate."""

    def __init__(
        self,
        inner: Layer,
        kernel: Kernel,
        plan: RateLimitPlan,
        part: int,
        ends: tuple[int, ...],
    ) -> None:
        """Build the layer; `ends` are those of its rate, queue_limit and timeout."""
        self._inner = inner
        self._kernel = kernel
        self._plan = plan
        self._part = part
        self._rate_end, self._full_end, self._timeout_end = ends
        self._bucket = TokenBucket(plan.rate, plan.burst)
        self._waiting = 0

    def levels(self) -> dict[str, int]:
        """Return how many calls wait for a token."""
        return {"waiting": self._waiting}

    def call(self, request: Request) -> Call:
        """Carry the request through, if it gets a token in time."""
        now = self._kernel.env.now
        wait = self._bucket.wait(now)
        if wait:
            refused = self._refused(request, now, wait)
            if refused is not None:
                return request.end(Outcome.REJECTED, refused)
        self._bucket.take(now, wait)
        if wait:
            yield from self._wait(request, now, min(wait, self._plan.timeout))
        return (yield from self._inner.call(request))

    def _refused(self, request: Request, now: float, wait: float) -> int | None:
        """Return what refuses a call that would have to wait."""
        plan = self._plan
        if not plan.timeout:
            return self._rate_end
        if self._waiting >= plan.queue_limit:
            return self._full_end
        if wait >= plan.timeout + _HAIR:
            return self._timeout_end
        if request.context is not None and too_late(request, now + wait):
            return request.context.end
        return None

    def _wait(self, request: Request, now: float, wait: float) -> Generator[float, None, None]:
        request.enter(self._part, now)
        self._waiting += 1
        try:
            yield wait
        except Cancelled:
            self._bucket.cancel(self._kernel.now, now + wait)
            raise
        finally:
            self._waiting -= 1


def build(site: Site, plan: RateLimitPlan, inner: Layer) -> RateLimit:
    """Return the layer of a rate limit."""
    limit = RateLimit(inner, site.kernel, plan, site.part("rate_limit_wait"), site.ends(plan))
    site.show(limit.levels)
    return limit
