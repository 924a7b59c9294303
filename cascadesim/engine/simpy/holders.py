"""Who holds the places of a pool while calls wait for one.

A session of so many seconds, of which so many in which calls waited, counts the latter: they are
shared out over what its request did meanwhile, in proportion. What a request does that its caller
has given up counts as held by the setting that let it go on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.request import Request
    from cascadesim.plan.layout import Layout


class _Opened(NamedTuple):
    """A session as it began: when, the seconds with waiters so far, and its request's ledger."""

    at: float
    waited: float
    parts: list[float]


class Holders:
    """Counts the seconds for which each setting held a place while calls waited.

    `leaks` is the dotted path of what makes sessions leak.
    """

    def __init__(self, kernel: Kernel, layout: Layout, leaks: str) -> None:
        self._env = kernel.env
        self._layout = layout
        self._leaks = leaks
        self._waiters = 0
        self._since = 0.0  # when the first of the waiters came
        self._waited = 0.0  # seconds with waiters before
        self._open: dict[Request, _Opened] = {}
        self._leaked: Counter[float] = Counter()  # leaked sessions by the seconds with waiters then
        self._held: dict[str, float] = defaultdict(float)

    @property
    def waited(self) -> float:
        """Return the seconds so far in which calls waited."""
        return self._waited + (self._env.now - self._since if self._waiters else 0.0)

    def wait(self) -> None:
        """Take note of one more call that waits."""
        if not self._waiters:
            self._since = self._env.now
        self._waiters += 1

    def leave(self) -> None:
        """Take note of a call that waits no longer."""
        self._waited = self.waited
        self._since = self._env.now
        self._waiters -= 1

    def open(self, request: Request) -> None:
        """Take note of a session that begins."""
        self._open[request] = _Opened(self._env.now, self.waited, request.ledger(self._env.now))

    def close(self, request: Request) -> None:
        """Count a session that ends."""
        self._count(self._held, request, self._open.pop(request))

    def leak(self) -> float:
        """Take note of a session that is leaked, and return what `reap` is to be given."""
        waited = self.waited
        self._leaked[waited] += 1
        return waited

    def reap(self, waited: float) -> None:
        """Count a leaked session that ends."""
        self._leaked[waited] -= 1
        self._held[self._leaks] += self.waited - waited

    def held(self) -> dict[str, float]:
        """Return seconds by the setting to blame, of sessions that are open, too; none of 0."""
        held = self._held.copy()
        for request, opened in self._open.items():
            self._count(held, request, opened)
        for waited, sessions in self._leaked.items():
            held[self._leaks] += sessions * (self.waited - waited)
        return {setting: seconds for setting, seconds in held.items() if seconds > 0}

    def _count(self, held: dict[str, float], request: Request, opened: _Opened) -> None:
        now = self._env.now
        waited = self.waited - opened.waited
        if waited <= 0:
            return
        share = waited / (now - opened.at)
        left, setting = request.left(now)
        alone = min(left, now - opened.at)  # seconds for which nobody waited for it any more
        if alone > 0:
            held[setting] += alone * share
            share *= 1 - alone / (now - opened.at)
        for part, (old, new) in enumerate(zip(opened.parts, request.ledger(now), strict=True)):
            if new > old:
                held[self._layout.setting(part)] += (new - old) * share
